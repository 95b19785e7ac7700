package milterd_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/milterd"
)

// tape is a connection that plays octets, a few at a time, and keeps what is
// written to it.
type tape struct {
	net.Conn
	in    []byte
	chunk int
	out   bytes.Buffer
}

func (c *tape) Read(p []byte) (int, error) {
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.chunk)], c.in)
	c.in = c.in[n:]
	return n, nil
}
func (c *tape) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *tape) SetReadDeadline(time.Time) error  { return nil }
func (c *tape) SetWriteDeadline(time.Time) error { return nil }
func (c *tape) Close() error                     { return nil }

func goodSession() string {
	return encode('O', number(6), number(0x1ff), number(0x1fffff)) +
		encode('D', "C{client_addr}\x00203.0.113.9\x00{daemon_addr}\x00192.0.2.25\x00{daemon_port}\x0025\x00") +
		encode('C', "mail.example.net\x00", "4\x00\x19", "203.0.113.9\x00") +
		encode('H', "mail.example.net\x00") +
		encode('D', "M{auth_authen}\x00alice\x00") +
		encode('M', "<alice@example.net>\x00SIZE=10\x00") +
		encode('R', "<bob@example.org>\x00") +
		encode('L', forged) + encode('N') + encode('B', "text") + encode('E') + encode('A') +
		encode('K') + encode('C', "unknown\x00", "U") + encode('U', "XYZZY\x00") + encode('T') + encode('Q')
}

// FuzzSession plays a whole stream of octets into a session. Whatever it is,
// the session ends, answers in frames that an MTA understands, and does the
// same however the octets are cut up.
func FuzzSession(f *testing.F) {
	f.Add([]byte(goodSession()))
	f.Add([]byte(encode('O', number(2), number(0x3f), number(0x7f)) + encode('C', "x\x00", "6\x00\x00", "IPv6:2001:db8::9\x00") +
		encode('R', "<a@example.org>\x00") + encode('L', forged) + encode('L', forged) + encode('E')))
	f.Add([]byte(length(0)))
	f.Add([]byte(length(0xffffffff) + "O"))
	f.Add([]byte(encode('O', number(6), number(0), number(0)) + length(5000) + "L" + strings.Repeat("x", 4998)))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	for _, stream := range dialogueStreams(f) {
		f.Add(stream)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		var outputs [2][]byte
		for i, chunk := range []int{1 << 20, 1} {
			g := always(pass)
			h := &milterd.Handler{Ask: g.Ask, AuthservID: "mx.example.org"}
			c := &tape{in: slices.Clone(stream), chunk: chunk}
			h.Serve(context.Background(), c)
			outputs[i] = c.out.Bytes()
			for r := bytes.NewReader(outputs[i]); r.Len() > 0; {
				command, body, err := readFrame(r)
				if err != nil || strings.IndexByte("Ociym", command) < 0 {
					t.Fatalf("answer %q %q: %v", command, body, err)
				}
				if text, _ := strings.CutSuffix(body, "\x00"); command == 'y' && !smtpLine.MatchString(strings.ReplaceAll(text, "%%", "%")) {
					t.Fatalf("reply %q", body)
				}
			}
			for _, q := range g.questions() {
				if q.Instance.IsZero() || q.Client.Zone() != "" || q.Client.Is4In6() {
					t.Fatalf("question %+v", q)
				}
			}
		}
		if !bytes.Equal(outputs[0], outputs[1]) {
			t.Fatalf("whole:     %q\nby octets: %q", outputs[0], outputs[1])
		}
	})
}

// dialogueStreams are what the MTAs send in testdata/dialogues.
func dialogueStreams(f *testing.F) [][]byte {
	f.Helper()
	scripts, err := filepath.Glob("testdata/dialogues/*.txtar")
	if err != nil || len(scripts) == 0 {
		f.Fatalf("no scripts: %v", err)
	}
	var out [][]byte
	for _, path := range scripts {
		script, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		var stream []byte
		for line := range strings.Lines(string(script)) {
			if frame, ok := strings.CutPrefix(strings.TrimSpace(line), "> "); ok {
				stream = append(stream, written(f, frame)...)
			}
		}
		out = append(out, stream)
	}
	return out
}

// FuzzAuthservID reads any text as a field, and finds our identifier behind
// whatever comment the text can be made into.
func FuzzAuthservID(f *testing.F) {
	for _, seed := range []string{
		"mx.example.org; none", `"mx.example.org" 1; none`, "(x (y) z) \n\tmx.example.org.; none",
		`(\)`, `"\`, "((((", ")", `"mx\"`, "", " ", "\x00", "mx.example.or\u0261",
	} {
		f.Add([]byte(seed))
	}
	escape := strings.NewReplacer(`\`, `\\`, `(`, `\(`, `)`, `\)`)
	f.Fuzz(func(t *testing.T, text []byte) {
		if id, ok := milterd.AuthservID(text); len(id) > len(text) || !ok && id != nil {
			t.Fatalf("identifier %q, %v in %q", id, ok, text)
		}
		hidden := "(" + escape.Replace(string(text)) + ") \r\n mx.Example.org(" + escape.Replace(string(text)) + ");"
		if id, ok := milterd.AuthservID([]byte(hidden)); !ok || !milterd.SameID(id, "mx.example.org.") {
			t.Fatalf("identifier %q, %v in %q", id, ok, hidden)
		}
	})
}
