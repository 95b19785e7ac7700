package policyd_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/policyd"
	"github.com/arpagate/arpagate/internal/reply"
)

var answers = regexp.MustCompile(`^(action=[ -~]{1,500}\n\n)*$`)

// FuzzRequest feeds any octets, whole and one by one: the outcome must be the
// same, and nothing but whole answers may leave, one for each request.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(request()))
	f.Add([]byte(request() + request("request=junk")))
	f.Add(postfixRequest)
	f.Add([]byte("request=smtpd_access_policy\nrequest=smtpd_access_policy\nclient_address=1\nclient_address=2\n\n"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	dialogues, err := filepath.Glob("testdata/dialogues/*.txtar")
	if err != nil || len(dialogues) == 0 {
		f.Fatalf("no dialogues: %v", err)
	}
	for _, name := range dialogues {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range txtar.Parse(data).Files {
			if file.Name == "request" {
				f.Add(file.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, wholeConns, stats := feed(t, string(in))
		if !answers.MatchString(whole) {
			t.Errorf("output %q", whole)
		}
		if n := strings.Count(whole, "\n\n"); int64(n) != stats.Requests {
			t.Errorf("%d answers to %d requests", n, stats.Requests)
		}
		split, splitConns, _ := feed(t, strings.Split(string(in), "")...)
		if split != whole || !slices.Equal(splitConns, wholeConns) {
			t.Errorf("whole: %q %+v\nsplit: %q %+v", whole, wholeConns, split, splitConns)
		}
	})
}

func feed(t *testing.T, pieces ...string) (string, []facts.Conn, policyd.Stats) {
	var conns []facts.Conn
	h := &policyd.Handler{Ask: func(_ context.Context, c facts.Conn) reply.Reply {
		conns = append(conns, c)
		return reply.Reply{
			Verb: reply.Reject, Code: "550", Enhanced: "5.7.25",
			Text: c.Helo.Raw() + c.Sender.Raw() + c.Recipient.Raw() + c.MTAName.Raw(),
		}
	}}
	c := &script{pieces: slices.DeleteFunc(pieces, func(s string) bool { return s == "" })}
	h.Serve(t.Context(), c)
	return strings.Join(c.writes, ""), conns, h.Stats()
}
