package policyd_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/policyd"
	"github.com/arpagate/arpagate/internal/reply"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	dunno    = "action=DUNNO\n\n"
	rejected = "action=550 5.7.25 Reverse DNS validation failed\n\n"
	notNow   = "action=451 4.3.0 Temporary failure, please try again later\n\n"
)

// client is the address in request.
var client = netip.MustParseAddr("198.51.100.7")

// request returns what Postfix sends at RCPT, with the given lines at the end.
// The value of an attribute that they name too is left out, so that the lines
// replace it; lines that start with a minus only leave it out.
func request(lines ...string) string {
	var b strings.Builder
	for _, line := range []string{
		"request=smtpd_access_policy", "protocol_state=RCPT", "protocol_name=ESMTP",
		"client_address=198.51.100.7", "client_name=mail.example.org", "client_port=40001",
		"reverse_client_name=mail.example.org", "server_address=192.0.2.25", "server_port=25",
		"helo_name=mail.example.org", "sender=sender@example.org", "recipient=user@example.net",
		"recipient_count=0", "queue_id=", "instance=4f2a.68b1.0", "size=0", "stress=",
	} {
		name, _, _ := strings.Cut(line, "=")
		replaced := false
		for _, l := range lines {
			other, _, _ := strings.Cut(strings.TrimPrefix(l, "-"), "=")
			replaced = replaced || other == name
		}
		if !replaced {
			b.WriteString(line + "\n")
		}
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "-") {
			b.WriteString(line + "\n")
		}
	}
	return b.String() + "\n"
}

// judge stands for the gate: it passes who must never be judged, and refuses
// everybody else.
func judge(_ context.Context, c facts.Conn) reply.Reply {
	if c.Authenticated() || !c.Client.IsValid() {
		return reply.Reply{}
	}
	return reply.Reply{Verb: reply.Reject, Code: "550", Enhanced: "5.7.25", Text: "Reverse DNS validation failed"}
}

// outcome is what became of a dialogue.
type outcome struct {
	out      string       // what the server sent
	closed   bool         // whether it closed the connection, the client having kept it open
	conns    []facts.Conn // what Ask was called with
	troubles []error
	stats    policyd.Stats
}

// talk sends input in pieces, one after each pause, and waits a second more.
// It must run in a synctest bubble.
func talk(t *testing.T, h *policyd.Handler, pause time.Duration, pieces ...string) outcome {
	t.Helper()
	var o outcome
	h = record(h, &o)
	near, far := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer func() { _ = far.Close() }()
		h.Serve(t.Context(), far)
	}()
	received, closed := make(chan struct{}), false
	var out strings.Builder
	go func() {
		defer close(received)
		_, _ = io.Copy(&out, near)
		closed = true
	}()
	for i, piece := range pieces {
		if i > 0 {
			time.Sleep(pause)
		}
		if _, err := io.WriteString(near, piece); err != nil {
			break
		}
	}
	synctest.Wait()
	time.Sleep(time.Second)
	synctest.Wait()
	o.out, o.closed = out.String(), closed
	_ = near.Close()
	<-served
	<-received
	o.stats = h.Stats()
	return o
}

// record returns a handler with the fields of h that notes in o what happens;
// judge is asked where h has no Ask.
func record(h *policyd.Handler, o *outcome) *policyd.Handler {
	ask := h.Ask
	if ask == nil {
		ask = judge
	}
	return &policyd.Handler{
		Ask: func(ctx context.Context, c facts.Conn) reply.Reply {
			o.conns = append(o.conns, c)
			return ask(ctx, c)
		},
		Stage: h.Stage, Idle: h.Idle, Request: h.Request, Write: h.Write, AskTimeout: h.AskTimeout,
		OnTrouble: func(_ net.Addr, err error) { o.troubles = append(o.troubles, err) },
	}
}

// bubble runs talk with the defaults in a bubble of its own.
func bubble(t *testing.T, pieces ...string) (o outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { o = talk(t, &policyd.Handler{}, 0, pieces...) })
	return o
}

// wantAnswer checks that the connection goes on after out.
func wantAnswer(t *testing.T, o outcome, out string) {
	t.Helper()
	if o.out != out || o.closed || len(o.troubles) > 0 {
		t.Errorf("answer %q, closed %v, troubles %v; want %q and an open connection", o.out, o.closed, o.troubles, out)
	}
}

// wantDisconnect checks that the server hung up without an answer and said why.
func wantDisconnect(t *testing.T, o outcome, why string) {
	t.Helper()
	if o.out != "" || !o.closed {
		t.Errorf("answer %q, closed %v; want no answer and a closed connection", o.out, o.closed)
	}
	if len(o.troubles) != 1 || !strings.HasPrefix(o.troubles[0].Error(), "policyd: ") || !strings.Contains(o.troubles[0].Error(), why) {
		t.Errorf("troubles %v, want one that says %q", o.troubles, why)
	}
	if o.stats.Trouble != 1 {
		t.Errorf("Stats() = %+v", o.stats)
	}
}
