package smtpprobe_test

import (
	"crypto/tls"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// own is a target that its operator vouches for.
var own = evidence.SMTPTarget{Host: host.Host, Addr: target, Domain: dnsname.MustParse("example.org"), Own: true}

// verdict writes a reply's code, or "-" for what was not asked.
func verdict(r *evidence.SMTPReply) string {
	if r == nil {
		return "-"
	}
	return strings.Join([]string{string(rune('0' + r.Code/100)), string(rune('0' + r.Code/10%10)), string(rune('0' + r.Code%10))}, "")
}

// record notes the commands that a script hears.
type record struct {
	mu    sync.Mutex
	lines []string
	conns int // connections
}

func (r *record) add(line string) { r.mu.Lock(); defer r.mu.Unlock(); r.lines = append(r.lines, line) }

// said returns all commands so far.
func (r *record) said() []string { r.mu.Lock(); defer r.mu.Unlock(); return slices.Clone(r.lines) }

func (r *record) connections() int { r.mu.Lock(); defer r.mu.Unlock(); return r.conns }

func (r *record) connection() { r.mu.Lock(); defer r.mu.Unlock(); r.conns++ }

// policy is a server without TLS whose replies a function gives, from the sender
// of this connection and the command; "" is 250.
func (r *record) policy(reply func(sender, line string) string) func(*talk) {
	return func(c *talk) {
		r.connection()
		sender := ""
		c.say("220 mail.example.org")
		for line := c.hear(); line != ""; line = c.hear() {
			r.add(line)
			if from, ok := strings.CutPrefix(line, "MAIL FROM:"); ok {
				sender = from
			}
			said := reply(sender, line)
			switch {
			case said == "close":
				return
			case said != "":
				c.say(said)
			case line == "QUIT":
				c.say("221 bye")
				return
			default:
				c.say("250 ok")
			}
		}
	}
}

func TestMailboxes(t *testing.T) {
	tests := []struct {
		name    string
		replies map[string]string // by the start of the command
		want    string            // VRFY EXPN postmaster abuse
	}{
		{"all taken", map[string]string{"VRFY": "252 try", "EXPN": "502 no"}, "252 502 250 250"},
		{"VRFY tells", map[string]string{"VRFY": "250 Post Master <postmaster@example.org>"}, "250 250 250 250"},
		{"postmaster refused", map[string]string{"RCPT TO:<postmaster@": "550 5.1.1 who?"}, "250 250 550 250"},
		{"abuse refused", map[string]string{"RCPT TO:<abuse@": "550 5.1.1 who?"}, "250 250 250 550"},
		{"null sender refused", map[string]string{"MAIL": "550 no bounces"}, "250 250 550 550"},
		{"greylisted", map[string]string{"RCPT": "450 4.2.0 greylisted"}, "250 250 450 450"},
		{"closes at EXPN", map[string]string{"EXPN": "close"}, "- - - -"},
		{"out of step: nothing can be relied on", map[string]string{"VRFY": "250 ok\r\n250 ok"}, "- - - -"},
		{"another code to QUIT", map[string]string{"QUIT": "250 ok"}, "- - - -"},
		{"421 in the middle", map[string]string{"RCPT TO:<abuse@": "421 enough"}, "- - - -"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r record
			got := examine(t, patient, own, r.policy(func(_, line string) string {
				for start, reply := range tt.replies {
					if strings.HasPrefix(line, start) {
						return reply
					}
				}
				return ""
			}))
			if got.Outcome != evidence.Spoke {
				t.Fatalf("%s at %s: %s", got.Outcome, got.Step, got.Why)
			}
			s := strings.Join([]string{verdict(got.VRFY), verdict(got.EXPN), verdict(got.Postmaster), verdict(got.Abuse)}, " ")
			if s != tt.want {
				t.Errorf("%s, want %s", s, tt.want)
			}
			if got.Relay != nil || r.connections() != 2 {
				t.Errorf("%d connections, relay %v: neither relaying nor TLS is to be tried", r.connections(), got.Relay)
			}
			if s := steps(got); s != "connect greeting ehlo quit" {
				t.Errorf("steps %s: those of the other connections are no part of it", s)
			}
		})
	}
}

func TestNoDomain(t *testing.T) {
	var r record
	at := own
	at.Domain = dnsname.Name{}
	got := examine(t, patient, at, r.policy(func(string, string) string { return "" }))
	if got.Postmaster == nil || got.Abuse != nil || !strings.Contains(strings.Join(r.said(), "\n"), "RCPT TO:<postmaster>\n") {
		t.Errorf("%v, %v: %q", got.Postmaster, got.Abuse, r.said())
	}
}

func TestRelay(t *testing.T) {
	refuse := func(_, line string) string {
		if strings.HasPrefix(line, "RCPT") {
			return "554 5.7.1 relay access denied"
		}
		return ""
	}
	// except opens the form whose envelope holds both texts.
	except := func(from, to string) func(string, string) string {
		return func(sender, line string) string {
			if strings.Contains(sender, from) && strings.Contains(line, to) && strings.HasPrefix(line, "RCPT") {
				return "250 sure"
			}
			return refuse(sender, line)
		}
	}
	tests := []struct {
		name  string
		reply func(sender, line string) string
		want  string
	}{
		{"closed", refuse, "554"},
		{"open for all", func(string, string) string { return "" }, "250"},
		{"open for strangers", except("@example.com", "relay-test@example.net"), "250"},
		{"open for who says he is at home", except("postmaster@example.org", "<relay-test@"), "250"},
		{"open for source routes", except("<>", "<@mail.example.org:relay-test@example.net>"), "250"},
		{"refuses the sender", func(_, line string) string {
			if strings.HasPrefix(line, "MAIL") {
				return "550 5.7.1 go away"
			}
			return ""
		}, "550"},
		{"greylists", func(_, line string) string {
			if strings.HasPrefix(line, "RCPT") {
				return "450 later"
			}
			return ""
		}, "450"},
		{"out of step: 250 of RSET taken for that of RCPT", func(_, line string) string {
			if strings.HasPrefix(line, "RCPT TO:<relay") {
				return "250 ok\r\n554 no"
			}
			return ""
		}, "-"},
		{"closes at RCPT", func(_, line string) string {
			if strings.HasPrefix(line, "RCPT") {
				return "close"
			}
			return ""
		}, "-"},
		{"speaks after QUIT", func(_, line string) string {
			if line == "QUIT" {
				return "221 bye\r\n250 ok"
			}
			return ""
		}, "-"},
		{"answers QUIT with another code", func(_, line string) string {
			if line == "QUIT" {
				return "250 ok"
			}
			return ""
		}, "-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r record
			at := own
			at.Relay = true
			got := examine(t, patient, at, r.policy(tt.reply))
			if s := verdict(got.Relay); s != tt.want {
				t.Errorf("%s, want %s: %q", s, tt.want, r.said())
			}
			if n := strings.Count(strings.Join(r.said(), "\n"), "RCPT TO:<relay-test"); tt.name == "open for all" && n != 1 {
				t.Errorf("asked %d times, once would do", n)
			}
		})
	}
}

// TestOnlyOwn: what only an operator may ask is asked of nobody else.
func TestOnlyOwn(t *testing.T) {
	for _, at := range []evidence.SMTPTarget{host, {Host: host.Host, Addr: target, Domain: own.Domain, Relay: true}} {
		var r record
		examine(t, patient, at, r.policy(func(string, string) string { return "" }))
		if got := strings.Join(r.said(), ", "); got != "EHLO probe.example.net, QUIT" {
			t.Errorf("said %s", got)
		}
	}
}

// carrier is a server that offers STARTTLS; one that keeps carries commands that
// it had read in the clear over into the session.
func carrier(cert tls.Certificate, keep bool, r *record) func(*talk) {
	return func(c *talk) {
		r.connection()
		c.say("220 mail.example.org")
		for line := c.hear(); line != ""; line = c.hear() {
			switch verb, _, _ := strings.Cut(line, " "); verb {
			case "EHLO":
				c.say("250-mail.example.org", "250 STARTTLS")
			case "STARTTLS":
				c.say("220 ready")
				if !c.secure(cert, keep) {
					return
				}
			case "QUIT":
				c.say("221 bye")
				return
			default:
				c.say("250 ok")
			}
		}
	}
}

func TestCommandInjection(t *testing.T) {
	cert := certificate(t, nil, nil)
	for _, keep := range []bool{false, true} {
		var r record
		got := examine(t, patient, own, carrier(cert, keep, &r))
		if got.Outcome != evidence.Spoke || got.TLS == nil || got.TLS.Injected != keep || got.TLS.Version == "" {
			t.Errorf("server that keeps commands %t: %s at %s (%s), %+v", keep, got.Outcome, got.Step, got.Why, got.TLS)
		}
		if r.connections() != 3 || got.Postmaster == nil {
			t.Errorf("%d connections, postmaster %v", r.connections(), got.Postmaster)
		}
	}
	var r record
	if got := examine(t, patient, host, carrier(cert, true, &r)); got.TLS.Injected || r.connections() != 1 {
		t.Error("tried on a stranger's server")
	}
}
