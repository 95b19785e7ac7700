package milterd_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	milter "github.com/emersion/go-milter"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/milterd"
	"github.com/arpagate/arpagate/internal/reply"
)

// pairDialer hands out one end of a socket pair whose other end h serves.
type pairDialer struct {
	t *testing.T
	h *milterd.Handler
}

func (d pairDialer) Dial(string, string) (net.Conn, error) {
	ours, theirs := socketPair(d.t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.h.Serve(context.Background(), theirs)
	}()
	d.t.Cleanup(func() {
		_ = ours.Close()
		<-done
	})
	return ours, nil
}

// TestForeignClient speaks with the client of another implementation, muted
// and unmuted.
func TestForeignClient(t *testing.T) {
	rows := []struct {
		name     string
		actions  milter.OptAction
		protocol milter.OptProtocol
	}{
		{"version 6", 0x1ff, 0x1fffff},
		{"version 6 with an answer to everything", milter.OptAddHeader | milter.OptChangeHeader, 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			g := &gate{answer: func(_ context.Context, q facts.Conn) reply.Reply {
				if strings.HasPrefix(q.Recipient.Raw(), "nobody@") {
					return reject
				}
				return pass
			}}
			h := &milterd.Handler{Ask: g.Ask, AuthservID: "mx.example.org", Log: func(err error) { t.Error(err) }}
			client := milter.NewClientWithOptions("unix", "", milter.ClientOptions{
				Dialer: pairDialer{t, h}, ReadTimeout: patience, WriteTimeout: patience,
				ActionMask: row.actions, ProtocolMask: row.protocol,
			})
			s, err := client.Session()
			if err != nil {
				t.Fatal(err)
			}
			speak(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			asked := g.questions()
			if len(asked) != 2 || asked[1].Client.String() != "2001:db8::9" || asked[1].AuthUser.String() != "alice" ||
				asked[1].Sender.String() != "alice@example.net" || asked[1].Helo.String() != "mail.example.net" {
				t.Errorf("questions: %+v", asked)
			}
		})
	}
}

// speak sends one message with two recipients, of which the first is refused.
func speak(t *testing.T, s *milter.ClientSession) {
	t.Helper()
	want := func(code milter.ActionCode, act *milter.Action, err error) *milter.Action {
		t.Helper()
		if err != nil || act.Code != code {
			t.Fatalf("answer %+v, %v, want %q", act, err, code)
		}
		return act
	}
	act, err := s.Conn("mail.example.net", milter.FamilyInet6, 40123, "2001:db8::9")
	want(milter.ActContinue, act, err)
	act, err = s.Helo("mail.example.net")
	want(milter.ActContinue, act, err)
	if err := s.Macros(milter.CodeMail, "{auth_authen}", "alice"); err != nil {
		t.Fatal(err)
	}
	act, err = s.Mail("alice@example.net", []string{"SIZE=10"})
	want(milter.ActContinue, act, err)
	act, err = s.Rcpt("nobody@example.org", nil)
	if act = want(milter.ActReplyCode, act, err); act.SMTPCode != 550 || !strings.HasPrefix(act.SMTPText, "5.7.25 Reverse DNS") {
		t.Errorf("refused with %d %q", act.SMTPCode, act.SMTPText)
	}
	act, err = s.Rcpt("bob@example.org", nil)
	want(milter.ActContinue, act, err)
	for _, value := range []string{"mx.example.org; none", "relay.example.net; none", "mx.example.org; iprev=pass"} {
		act, err = s.HeaderField("Authentication-Results", value)
		want(milter.ActContinue, act, err)
	}
	act, err = s.HeaderEnd()
	want(milter.ActContinue, act, err)
	changes, act, err := s.BodyReadFrom(strings.NewReader(strings.Repeat("text\r\n", 20000)))
	want(milter.ActContinue, act, err)
	if len(changes) != 3 || changes[0].HeaderIndex != 3 || changes[1].HeaderIndex != 1 ||
		changes[2].Code != milter.ActInsertHeader || changes[2].HeaderValue != resultHeader {
		t.Errorf("changes: %+v", changes)
	}
}

// TestForeignTimeout shows that the foreign client, too, reads our own 451.
func TestForeignTimeout(t *testing.T) {
	h := &milterd.Handler{AskTimeout: 10 * time.Millisecond}
	release := make(chan struct{})
	h.Ask = func(context.Context, facts.Conn) reply.Reply {
		<-release
		return reject
	}
	s, err := milter.NewClientWithOptions("unix", "", milter.ClientOptions{
		Dialer: pairDialer{t, h}, ReadTimeout: patience, WriteTimeout: patience, ProtocolMask: 0x1fffff,
	}).Session()
	if err != nil {
		t.Fatal(err)
	}
	act, err := s.Rcpt("bob@example.org", nil)
	close(release)
	if err != nil || act.SMTPCode != 451 {
		t.Errorf("answer %+v, %v, want 451", act, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
