package watch_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/watch"
)

var change = watch.Change{
	Target: target, At: start, From: doctor.Pass, To: doctor.Fail,
	Appeared: []watch.Problem{{
		Code: finding.PTRMissing, Severity: finding.Failure, Subject: "203.0.113.9",
		Title: "The address has no PTR record", Text: "There is no PTR record.", Who: "the provider", Do: "Publish one.",
	}},
	Left: []watch.Problem{{Code: finding.HeloMissing, Subject: "203.0.113.9", Title: "The client gave no HELO name"}},
}

// route leads from hook.example.org, at 203.0.113.80 in its DNS, to a server on
// loopback, and nowhere else.
func route(t *testing.T, to net.Addr) watch.Route {
	t.Helper()
	world, err := lab.Parse("hook.example.org A 203.0.113.80\n")
	if err != nil {
		t.Fatal(err)
	}
	return watch.Route{DNS: world, Dial: func(ctx context.Context, network string, peer netip.AddrPort) (net.Conn, error) {
		if peer.Addr() != netip.MustParseAddr("203.0.113.80") {
			return nil, fmt.Errorf("dialled %s", peer)
		}
		return (&net.Dialer{}).DialContext(ctx, network, to.String())
	}}
}

func TestWebhook(t *testing.T) {
	var got watch.Message
	var head http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head = r.Header
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	hook := watch.NewWebhook(mustURL(t, "http://hook.example.org/in?key=1"), "arpagate/test", route(t, server.Listener.Addr()), nil)
	if err := hook.Notify(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if got.Schema != 1 || got.Text != "mail.example.org: fail: The address has no PTR record" || got.Appeared[0].Code != finding.PTRMissing {
		t.Errorf("posted %+v", got)
	}
	if head.Get("Content-Type") != "application/json" || head.Get("User-Agent") != "arpagate/test" {
		t.Errorf("fields %v", head)
	}
}

// TestWebhookFails: what is not taken over is an error, so that it is told again.
func TestWebhookFails(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	replies := map[string]http.HandlerFunc{
		"500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				elsewhere++
				return
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		},
		"hangs up": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
		},
	}
	for name, reply := range replies {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(reply)
			defer server.Close()
			hook := watch.NewWebhook(mustURL(t, "http://hook.example.org/secret?key=secret"), "test", route(t, server.Listener.Addr()), nil)
			err := hook.Notify(t.Context(), change)
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v: want one, without the key", err)
			}
		})
	}
	if elsewhere > 0 {
		t.Error("the redirect was followed")
	}
	t.Run("a name without address", func(t *testing.T) {
		hook := watch.NewWebhook(mustURL(t, "http://nowhere.example.org/"), "test", route(t, other.Listener.Addr()), nil)
		if err := hook.Notify(t.Context(), change); err == nil || !strings.Contains(err.Error(), "NXDOMAIN") {
			t.Errorf("error %v does not say why", err)
		}
	})
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// relay is an SMTP server of few words: what it says to each command, 250 for
// those without a line. It hands out the message that it took over.
func relay(t *testing.T, says map[string]string) (net.Addr, <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	took := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		took <- talk(conn, says)
	}()
	return l.Addr(), took
}

func talk(conn net.Conn, says map[string]string) string {
	r, heard := bufio.NewReader(conn), ""
	fmt.Fprint(conn, "220 relay.example.org ESMTP\r\n")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return heard
		}
		heard += line
		verb := strings.ToUpper(strings.Fields(line)[0])
		say := says[verb] + says[strings.ToUpper(strings.TrimSpace(line))]
		switch {
		case say != "":
			fmt.Fprint(conn, say+"\r\n")
		case verb == "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
			for !strings.HasSuffix(heard, "\r\n.\r\n") {
				line, err := r.ReadString('\n')
				if err != nil {
					return heard
				}
				heard += line
			}
			fmt.Fprint(conn, "250 taken\r\n")
		case verb == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return heard
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
}

func mailBy(t *testing.T, to net.Addr) *watch.Mail {
	return &watch.Mail{
		Relay: "hook.example.org", Port: 25, Route: route(t, to), Helo: "gate.example.org",
		From: "arpagate@example.org", To: []string{"admin@example.org", "other@example.net"},
		Rand: func() uint64 { return 7 }, Now: func() time.Time { return start }, Log: slog.New(slog.DiscardHandler),
	}
}

func TestMail(t *testing.T) {
	addr, took := relay(t, nil)
	if err := mailBy(t, addr).Notify(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	heard := <-took
	for _, command := range []string{
		"EHLO gate.example.org\r\n", "MAIL FROM:<arpagate@example.org>\r\n",
		"RCPT TO:<admin@example.org>\r\n", "RCPT TO:<other@example.net>\r\n",
	} {
		if !strings.Contains(heard, command) {
			t.Errorf("no %q", command)
		}
	}
	_, text, _ := strings.Cut(heard, "DATA\r\n")
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Header.Get("Subject"); got != "mail.example.org: fail: The address has no PTR record" {
		t.Errorf("Subject: %s", got)
	}
	if m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Get("Message-ID") == "" {
		t.Errorf("header %v", m.Header)
	}
	if _, err := m.Header.Date(); err != nil {
		t.Error(err)
	}
	encoded, _, _ := strings.Cut(read(t, m.Body), "\r\n.\r\n")
	body, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(encoded, "\r\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	const want = `mail.example.org  fail (was pass)
seen Mon, 23 Nov 2026 12:00:00 UTC

New:
- 203.0.113.9: The address has no PTR record [ptr-missing]
  There is no PTR record.
  Publish one.
  Who: the provider

Still there:
- 203.0.113.9: The client gave no HELO name [helo-missing]
`
	if string(body) != want {
		t.Errorf("body:\n%s", body)
	}
}

// TestMailFails: a message counts as sent when the relay has taken it over, and
// not before.
func TestMailFails(t *testing.T) {
	for name, test := range map[string]struct {
		says    map[string]string
		forGood bool
	}{
		"the relay refuses all recipients": {map[string]string{"RCPT": "550 5.1.1 nobody of that name"}, true},
		"the relay refuses the sender":     {map[string]string{"MAIL": "550 5.7.1 not you"}, true},
		"the relay puts a recipient off":   {map[string]string{"RCPT TO:<OTHER@EXAMPLE.NET>": "450 4.2.0 later"}, false},
		"the relay wants no message now":   {map[string]string{"DATA": "452 4.3.1 full"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := relay(t, test.says)
			err := mailBy(t, addr).Notify(t.Context(), change)
			var refused *watch.Refused
			if err == nil || errors.As(err, &refused) != test.forGood {
				t.Errorf("error %v, want one for good: %v", err, test.forGood)
			}
		})
	}
	t.Run("one recipient of two is refused", func(t *testing.T) {
		addr, took := relay(t, map[string]string{"RCPT TO:<OTHER@EXAMPLE.NET>": "550 5.1.1 nobody of that name"})
		if err := mailBy(t, addr).Notify(t.Context(), change); err != nil {
			t.Error(err)
		}
		if heard := <-took; !strings.Contains(heard, "DATA\r\n") {
			t.Errorf("the other one gets nothing: %q", heard)
		}
	})
	t.Run("a relay that is silent ends with the context", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if conn, err := l.Accept(); err == nil {
				defer conn.Close()
				cancel()
				<-t.Context().Done()
			}
		}()
		if err := mailBy(t, l.Addr()).Notify(ctx, change); err == nil || errors.Is(err, io.EOF) && ctx.Err() == nil {
			t.Errorf("error %v", err)
		}
	})
}

func read(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
