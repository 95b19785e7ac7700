package policyd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/policyd"
	"github.com/arpagate/arpagate/internal/reply"
)

// TestDialogues plays the files in testdata/dialogues. Each holds
//
//	request   what Postfix sends
//	reply     what Ask returns, as "name: value" lines
//	facts     what Ask is called with, one JSON object a line
//	answer    what Postfix gets
//	trouble   why the connection was closed, if it was
func TestDialogues(t *testing.T) {
	names, err := filepath.Glob("testdata/dialogues/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			files := readDialogue(t, name)
			r := parseReply(t, files["reply"])
			var asked, trouble bytes.Buffer
			h := &policyd.Handler{
				Ask: func(_ context.Context, c facts.Conn) reply.Reply {
					line, err := json.Marshal(c)
					if err != nil {
						t.Error(err)
					}
					asked.Write(append(line, '\n'))
					return r
				},
				OnTrouble: func(_ net.Addr, err error) { trouble.WriteString(err.Error() + "\n") },
			}
			c := &script{pieces: []string{files["request"]}}
			h.Serve(t.Context(), c)
			for _, part := range []struct{ name, got string }{
				{"facts", asked.String()},
				{"answer", strings.Join(c.writes, "")},
				{"trouble", trouble.String()},
			} {
				if want := files[part.name]; part.got != want {
					t.Errorf("%s:\n%s\nwant:\n%s", part.name, part.got, want)
				}
			}
		})
	}
}

func readDialogue(t *testing.T, name string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, f := range txtar.Parse(data).Files {
		switch f.Name {
		case "request", "reply", "facts", "answer", "trouble":
			files[f.Name] = string(f.Data)
		default:
			t.Fatalf("unknown part %q", f.Name)
		}
	}
	return files
}

func parseReply(t *testing.T, text string) (r reply.Reply) {
	t.Helper()
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "verb":
			verb, ok := map[string]reply.Verb{"pass": reply.Pass, "defer": reply.Defer, "reject": reply.Reject}[value]
			if !ok {
				t.Fatalf("unknown verb %q", value)
			}
			r.Verb = verb
		case "code":
			r.Code = value
		case "enhanced":
			r.Enhanced = value
		case "text":
			r.Text = value
		case "header":
			r.Header = value
		case "warning":
			r.Warning = value
		default:
			t.Fatalf("unknown line %q", line)
		}
	}
	return r
}

// The manual shows real dialogues, indented by four.
func TestManual(t *testing.T) {
	manual, err := os.ReadFile("../../docs/postfix-policy.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pass", "reject"} {
		files := readDialogue(t, filepath.Join("testdata/dialogues", "manual-"+name+".txtar"))
		for _, part := range []string{"request", "answer"} {
			want := "\n    " + strings.ReplaceAll(strings.TrimRight(files[part], "\n"), "\n", "\n    ") + "\n"
			if !strings.Contains(string(manual), want) {
				t.Errorf("docs/postfix-policy.md lacks the %s of manual-%s:%s", part, name, want)
			}
		}
	}
}
