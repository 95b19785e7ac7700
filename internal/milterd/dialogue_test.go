package milterd_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/reply"
)

// TestDialogues plays the scripts in testdata/dialogues. The file "dialogue"
// of each has a line for every frame, "> " for the MTA's and "< " for ours;
// numbers and strings stand apart, and every string of the MTA ends in NUL on
// the wire. The file "ask" is the canned gate: a recipient, or * for every
// other, and what it gets. The file "asked" lists the questions that it gets.
func TestDialogues(t *testing.T) {
	scripts, err := filepath.Glob("testdata/dialogues/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			for _, f := range archive.Files {
				files[f.Name] = string(f.Data)
			}
			p := dial(t, cannedGate(t, files["ask"]))
			play(p, files["dialogue"])
			var asked strings.Builder
			for _, q := range p.gate.questions() {
				asked.WriteString(question(q) + "\n")
			}
			if diff := cmp.Diff(files["asked"], asked.String()); diff != "" {
				t.Errorf("questions (-want +got):\n%s", diff)
			}
			if logs := p.logged(); len(logs) > 0 {
				t.Errorf("logged: %v", logs)
			}
		})
	}
}

// cannedGate reads lines of a recipient and a reply: "pass", "pass <header>",
// or "<code> <enhanced code> <text>".
func cannedGate(t *testing.T, script string) *gate {
	t.Helper()
	replies := map[string]reply.Reply{}
	for line := range strings.Lines(script) {
		to, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		verb, rest, _ := strings.Cut(what, " ")
		r := reply.Reply{AuthservID: "mx.example.org", Header: rest}
		if verb != "pass" {
			r.Verb, r.Code, r.Header = reply.Defer, verb, ""
			if verb[0] == '5' {
				r.Verb = reply.Reject
			}
			r.Enhanced, r.Text, _ = strings.Cut(rest, " ")
		}
		replies[to] = r
	}
	return &gate{answer: func(_ context.Context, q facts.Conn) reply.Reply {
		if r, ok := replies[q.Recipient.Raw()]; ok {
			return r
		}
		return replies["*"]
	}}
}

func play(p *peer, script string) {
	p.t.Helper()
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		direction, rest, _ := strings.Cut(line, " ")
		switch direction {
		case ">":
			p.raw(written(p.t, rest))
		case "<":
			if rest == "closed" {
				p.closed()
				continue
			}
			if got := readable(p.read()); got != rest {
				p.t.Fatalf("answer:\n< %s\nwant:\n< %s", got, rest)
			}
		case "", "#":
		default:
			p.t.Fatalf("line of no direction: %q", line)
		}
	}
}

// written makes the frame of a line: "C mail.example.net 4 25 203.0.113.9",
// "D M {auth_authen} alice", "L Subject hello world", "O 6 0x1ff 0x1fffff".
func written(t testing.TB, line string) string {
	t.Helper()
	word := strings.Fields(line)
	switch word[0] {
	case "O":
		return encode('O', number(parse(t, word[1])), number(parse(t, word[2])), number(parse(t, word[3])))
	case "C":
		if len(word) == 3 {
			return encode('C', word[1], "\x00", word[2])
		}
		port := number(parse(t, word[3]))[2:]
		return encode('C', word[1], "\x00", word[2], port, word[4], "\x00")
	case "D":
		return encode('D', word[1], strings.Join(word[2:], "\x00"), "\x00")
	case "L":
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "L "), " ")
		return encode('L', name, "\x00", strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(value), "\x00")
	case "H", "M", "R", "U":
		return encode(word[0][0], strings.Join(word[1:], "\x00"), "\x00")
	}
	return encode(word[0][0], strings.Join(word[1:], " "))
}

func parse(t testing.TB, s string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

// readable is the line of one of our frames.
func readable(command byte, body string) string {
	strs := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\x00", " ")) }
	at := func(i int) uint32 { return binary.BigEndian.Uint32([]byte(body[i:])) }
	switch command {
	case 'O':
		line := fmt.Sprintf("O %d %#x %#x", at(0), at(4), at(8))
		for i := 12; i < len(body); {
			list, _, _ := strings.Cut(body[i+4:], "\x00")
			line += fmt.Sprintf(" [%d %s]", at(i), list)
			i += 4 + len(list) + 1
		}
		return line
	case 'm', 'i':
		return strings.TrimSpace(fmt.Sprintf("%c %d %s", command, at(0), strs(body[4:])))
	}
	return strings.TrimSpace(string(command) + " " + strs(body))
}

// question is the line of one question.
func question(q facts.Conn) string {
	helo := "-"
	if q.HeloKnown {
		helo = q.Helo.String()
	}
	line := fmt.Sprintf("%s %s client=%v port=%d helo=%s sender=%v recipient=%v instance=%v",
		q.Door, q.Stage, q.Client, q.ClientPort, helo, q.Sender, q.Recipient, q.Instance)
	for _, more := range []struct{ name, value string }{
		{"auth", q.AuthUser.String()},
		{"name", q.MTAName.String()},
		{"daemon", q.Daemon.String()},
	} {
		if more.value != "" {
			line += " " + more.name + "=" + more.value
		}
	}
	if q.Server.IsValid() {
		line += " server=" + q.Server.String()
	}
	return line
}
