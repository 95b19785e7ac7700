package milterd_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/milterd"
)

// TestConnect sends connect commands, good and bad, and looks at the address
// that is then asked about.
func TestConnect(t *testing.T) {
	const v4 = "203.0.113.9"
	rows := []struct {
		name string
		body string
		want string // the address and port asked about, or "no IP", or "closed"
	}{
		{"M042 family 4", "mail.example.net\x00" + "4\x02\x01" + v4 + "\x00", "203.0.113.9 513"},
		{"M043 family 6", "mail.example.net\x00" + "6\x02\x01" + "2001:db8::9\x00", "2001:db8::9 513"},
		{"M044 family L", "localhost\x00" + "L\x00\x00/run/mta.sock\x00", "no IP"},
		{"M044 family L without port", "localhost\x00" + "L/run/mta.sock\x00", "no IP"},
		{"M045 family U", "unknown\x00" + "U", "no IP"},
		{"M046 family X", "mail.example.net\x00" + "X\x02\x01" + v4 + "\x00", "no IP"},
		{"M047 family 0", "mail.example.net\x00" + "\x00\x02\x01" + v4 + "\x00", "no IP"},
		{"M048 family 4 with IPv6 text", "mail.example.net\x00" + "4\x02\x01" + "2001:db8::9\x00", "no IP"},
		{"M049 family 6 with IPv4 text", "mail.example.net\x00" + "6\x02\x01" + v4 + "\x00", "no IP"},
		{"M050 address with IPv6:", "mail.example.net\x00" + "6\x02\x01" + "IPv6:2001:db8::1\x00", "2001:db8::1 513"},
		{"M051 plain IPv6 address", "mail.example.net\x00" + "6\x02\x01" + "2001:db8::1\x00", "2001:db8::1 513"},
		{"M052 IPv4-mapped address", "mail.example.net\x00" + "6\x02\x01" + "::ffff:198.51.100.7\x00", "198.51.100.7 513"},
		{"M053 address with zone", "mail.example.net\x00" + "6\x02\x01" + "fe80::1%eth0\x00", "no IP"},
		{"M054 leading zeros", "mail.example.net\x00" + "4\x02\x01" + "198.51.100.007\x00", "no IP"},
		{"M055 empty address", "mail.example.net\x00" + "4\x02\x01" + "\x00", "no IP"},
		{"M056 address unknown", "unknown\x00" + "4\x02\x01" + "unknown\x00", "no IP"},
		{"M057 blank after the address", "mail.example.net\x00" + "4\x02\x01" + "198.51.100.7 \x00", "no IP"},
		{"M058 no NUL after the host name", "mail.example.net", "closed"},
		{"M058 nothing at all", "", "closed"},
		{"M058 no family", "mail.example.net\x00", "closed"},
		{"M059 no port", "mail.example.net\x00" + "4", "closed"},
		{"M059 half a port", "mail.example.net\x00" + "4\x00", "closed"},
		{"M060 port 0", "mail.example.net\x00" + "4\x00\x00" + v4 + "\x00", "203.0.113.9 0"},
		{"M061 no NUL after the address", "mail.example.net\x00" + "4\x02\x01" + v4, "closed"},
		{"M062 host name of 64 KiB", strings.Repeat("x", 64<<10) + "\x00" + "4\x02\x01" + v4 + "\x00", "closed"},
		{"M062 host name of 60 KiB", strings.Repeat("x", 60<<10) + "\x00" + "4\x02\x01" + v4 + "\x00", "203.0.113.9 513"},
		{"M063 CR LF in the host name", "mail\r\n.example.net\x00" + "4\x02\x01" + v4 + "\x00", "203.0.113.9 513"},
		{"M064 octets after the last NUL", "mail.example.net\x00" + "4\x02\x01" + v4 + "\x00" + strings.Repeat("x", 500), "203.0.113.9 513"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := dial(t, always(pass))
			p.negotiate()
			p.send('C', row.body)
			if row.want == "closed" {
				p.closed()
				if p.h.Stats().FramesRefused != 1 || len(p.logged()) != 1 {
					t.Errorf("counted %d, logged %v: want one each", p.h.Stats().FramesRefused, p.logged())
				}
				return
			}
			p.envelope()
			p.want('c', "")
			q := p.gate.last(t)
			got := "no IP"
			if q.Client.IsValid() {
				got = strings.Replace(netip.AddrPortFrom(q.Client, q.ClientPort).String(), "]:", " ", 1)
				got = strings.TrimPrefix(got, "[")
				if q.Client.Is4() {
					got = strings.Replace(got, ":", " ", 1)
				}
			}
			if got != row.want {
				t.Errorf("asked about %q, want %q", got, row.want)
			}
			if name := q.MTAName.String(); strings.ContainsAny(name, "\r\n") || len(q.MTAName.Raw()) > 255 {
				t.Errorf("name of the MTA printed as %.300q", name)
			}
		})
	}
}

func TestConnectAgain(t *testing.T) {
	second := func(t *testing.T, between string) {
		p := dial(t, always(pass))
		p.negotiate()
		p.send('D', "C{daemon_name}\x00submission\x00{daemon_addr}\x00192.0.2.25\x00{daemon_port}\x00587\x00")
		p.connect("203.0.113.9")
		p.send('D', "M{auth_authen}\x00alice\x00")
		p.envelope()
		p.want('c', "")
		first := p.gate.last(t)
		if first.Server != netip.MustParseAddrPort("192.0.2.25:587") || first.Daemon.String() != "submission" || !first.Authenticated() {
			t.Fatalf("first connection: %+v", first)
		}
		p.send('L', "Authentication-Results\x00mx.example.org; iprev=pass\x00")
		p.raw(between)
		p.connect("2001:db8::9")
		p.send('R', "<carol@example.org>\x00")
		p.want('c', "")
		q := p.gate.last(t)
		want := facts.Conn{
			Door: facts.Milter, Stage: facts.Rcpt, Client: netip.MustParseAddr("2001:db8::9"), ClientPort: 513,
			MTAName: first.MTAName, Recipient: q.Recipient, Instance: q.Instance,
		}
		if q != want || q.Instance == first.Instance {
			t.Errorf("second connection asks %+v\nwant %+v", q, want)
		}
		p.send('E')
		if indices, _ := p.deletions(); len(indices) > 0 {
			t.Errorf("header fields of the first connection: deletes %v", indices)
		}
	}
	t.Run("M065 C twice", func(t *testing.T) { second(t, "") })
	t.Run("M066 K, then C", func(t *testing.T) { second(t, encode('K')) })
}

func TestHelo(t *testing.T) {
	rows := []struct {
		name string
		helo string
		want string // as printed
	}{
		{"M067 empty", "\x00", ""},
		{"M067 no octet", "", ""},
		{"M068 64 KiB", strings.Repeat("x", 64<<10) + "\x00", strings.Repeat("x", 255)},
		{"M069 CR LF", "mail\r\nX: y\x00", `mail\013\010X: y`},
		{"M070 NUL", "mail\x00.example.net\x00", "mail"},
		{"M072 loopback literal", "[127.0.0.1]\x00", "[127.0.0.1]"},
		{"M073 markup", "<script>\x00", "<script>"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := dial(t, always(pass))
			p.negotiate()
			p.connect("203.0.113.9")
			p.send('H', row.helo)
			p.send('M', "<alice@example.net>\x00")
			p.send('R', "<bob@example.org>\x00")
			p.want('c', "")
			q := p.gate.last(t)
			if !q.HeloKnown || q.Helo.String() != row.want {
				t.Errorf("HELO known %v as %.300q, want %.300q", q.HeloKnown, q.Helo.String(), row.want)
			}
			if q.Client != netip.MustParseAddr("203.0.113.9") {
				t.Errorf("asked about %v", q.Client)
			}
		})
	}
	t.Run("M071 before C", func(t *testing.T) {
		p := dial(t, always(pass))
		p.negotiate()
		p.send('H', "early.example.net\x00")
		p.connect("203.0.113.9")
		p.send('R', "<bob@example.org>\x00")
		p.want('c', "")
		if q := p.gate.last(t); q.HeloKnown {
			t.Errorf("HELO %v of before the connection", q.Helo)
		}
	})
}

func TestMail(t *testing.T) {
	rows := []struct {
		name string
		body string
		want string
	}{
		{"M074 no argument", "", ""},
		{"M075 empty argument", "\x00", ""},
		{"M076 null sender", "<>\x00", ""},
		{"M077 1000 parameters", "<alice@example.net>\x00" + strings.Repeat("SIZE=1\x00", 1000), "alice@example.net"},
		{"M078 unterminated", "<alice@example.net>", "alice@example.net"},
		{"M079 8-bit", "<al\xefce@example.net>\x00", `al\239ce@example.net`},
		{"M080 64 KiB", "<" + strings.Repeat("x", 64<<10) + ">\x00", "<" + strings.Repeat("x", 254)},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := dial(t, always(pass))
			p.negotiate()
			p.connect("203.0.113.9")
			p.send('M', row.body)
			p.send('R', "<bob@example.org>\x00")
			p.want('c', "")
			if q := p.gate.last(t); q.Sender.String() != row.want || q.Recipient.String() != "bob@example.org" {
				t.Errorf("asked about sender %.300q, recipient %q", q.Sender.String(), q.Recipient.String())
			}
			p.alive()
		})
	}
}

func TestManyRecipients(t *testing.T) {
	t.Run("M081 R x10000", func(t *testing.T) {
		g := always(pass)
		p := dial(t, g)
		p.begin()
		instance := g.last(t).Instance
		frames := strings.Repeat(encode('R', "<bob@example.org>\x00"), 100)
		for range 100 {
			p.raw(frames)
			for range 100 {
				p.want('c', "")
			}
		}
		if n := len(g.questions()); n != 10001 {
			t.Errorf("%d questions, want 10001", n)
		}
		if got := g.last(t).Instance; got != instance {
			t.Errorf("instance %v in the middle of message %v", got, instance)
		}
	})
}

func TestMacros(t *testing.T) {
	rows := []struct {
		name string
		body string
		auth string
	}{
		{"M082 empty", "", ""},
		{"M083 for an unknown command", "z{auth_authen}\x00alice\x00", ""},
		{"M084 odd number of strings", "Mi\x004F2x\x00{auth_authen}\x00", ""},
		{"M084 unterminated value", "M{auth_authen}\x00alice", ""},
		{"M085 10000 pairs", "M" + strings.Repeat("a\x00b\x00", 10000) + "{auth_authen}\x00alice\x00", "alice"},
		{"M086 value of 1 MiB", "M{auth_authen}\x00alice\x00x\x00" + strings.Repeat("x", 1<<20) + "\x00", "alice"},
		{"M086 login of 1 MiB", "M{auth_authen}\x00" + strings.Repeat("x", 1<<20) + "\x00", ""},
		{"M087 value with CR LF", "M{auth_authen}\x00al\r\nice\x00", `al\013\010ice`},
		{"M088 name without braces", "Mauth_authen\x00alice\x00", ""},
		{"M090 {auth_authen}", "M{auth_type}\x00PLAIN\x00{auth_authen}\x00alice\x00", "alice"},
		{"M090 {auth_authen} of a blank", "M{auth_authen}\x00 \x00", ""},
		{"M091 {daemon_name} unknown", "M{daemon_name}\x00nobody-knows\x00", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := dial(t, always(pass))
			p.negotiate()
			p.connect("203.0.113.9")
			p.send('D', row.body)
			p.envelope()
			p.want('c', "")
			if q := p.gate.last(t); q.AuthUser.String() != row.auth || q.Authenticated() != (row.auth != "") {
				t.Errorf("login %.300q, want %q", q.AuthUser.String(), row.auth)
			}
		})
	}
}

func TestClientAddressMacro(t *testing.T) {
	rows := []struct {
		name  string
		macro string
		want  int64
	}{
		{"M089 another address", "198.51.100.7", 1},
		{"M089 the same address", "203.0.113.9", 0},
		{"M089 the same, mapped", "::ffff:203.0.113.9", 0},
		{"M089 no address", "unknown", 0},
	}
	for _, row := range rows {
		for _, stage := range []string{"C", "R"} {
			t.Run(row.name+" at "+stage, func(t *testing.T) {
				p := dial(t, always(pass))
				p.negotiate()
				if stage == "C" {
					p.send('D', "C{client_addr}\x00"+row.macro+"\x00")
				}
				p.connect("203.0.113.9")
				if stage == "R" {
					p.send('D', "R{client_addr}\x00"+row.macro+"\x00")
				}
				p.envelope()
				p.want('c', "")
				if q := p.gate.last(t); q.Client != netip.MustParseAddr("203.0.113.9") {
					t.Errorf("asked about %v: the connect command must win", q.Client)
				}
				if got := p.h.Stats().AddressMismatches; got != row.want {
					t.Errorf("%d mismatches counted, want %d", got, row.want)
				}
			})
		}
	}
}

// TestLogin shows to which message a login belongs.
func TestLogin(t *testing.T) {
	p := dial(t, always(pass))
	p.negotiate()
	p.connect("203.0.113.9")
	p.send('D', "M{auth_authen}\x00alice\x00")
	p.send('A') // the MTA refused MAIL itself
	p.envelope()
	p.want('c', "")
	if p.gate.last(t).Authenticated() {
		t.Error("login of a transaction that was given up")
	}
	p.send('D', "M{auth_authen}\x00alice\x00")
	p.envelope() // without an abort, as Sendmail does where MAIL needs no answer
	p.want('c', "")
	if !p.gate.last(t).Authenticated() {
		t.Error("login lost when a message followed without an abort")
	}
	p.send('M', "<alice@example.net>\x00")
	p.send('D', "R{auth_authen}\x00alice\x00")
	p.send('R', "<bob@example.org>\x00")
	p.want('c', "")
	if !p.gate.last(t).Authenticated() {
		t.Error("login at RCPT not believed")
	}
	p.send('M', "<alice@example.net>\x00")
	p.send('R', "<bob@example.org>\x00")
	p.want('c', "")
	if p.gate.last(t).Authenticated() {
		t.Error("login of the message before")
	}
}

// TestOutOfTurn sends good commands at the wrong time, behind an envelope that
// passed.
func TestOutOfTurn(t *testing.T) {
	const sender = "alice@example.net"
	rows := []struct {
		name    string
		send    string
		answers string // that are due; a header is only inserted for a message
		sender  string // of the message that goes on
	}{
		{"M117 B after E", encode('E') + encode('B', "text"), "icc", ""},
		{"M118 E without M", encode('A') + encode('E'), "c", ""},
		{"M119 N without M", encode('A') + encode('N'), "c", ""},
		{"M120 T before R", encode('M', "<alice@example.net>\x00") + encode('T'), "cc", sender},
		{"M121 A amid the header", encode('L', "Subject\x00hello\x00") + encode('A'), "c", ""},
		{"M122 A x10000", strings.Repeat(encode('A'), 10000), "", ""},
		{"M124 U of 64 KiB", encode('U', strings.Repeat("x", 64<<10)), "c", sender},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := dial(t, always(pass))
			p.offer(offerVersion, offerActions, 0)
			p.read()
			p.connect("203.0.113.9")
			p.envelope()
			for range "CHMR" {
				p.want('c', "")
			}
			p.raw(row.send)
			for _, want := range []byte(row.answers) {
				if got, body := p.read(); got != want {
					t.Fatalf("answer %q %q, want %q", got, body, want)
				}
			}
			p.send('R', "<bob@example.org>\x00")
			p.want('c', "")
			q := p.gate.last(t)
			if q.Client != netip.MustParseAddr("203.0.113.9") || !q.HeloKnown {
				t.Errorf("connection state lost: %+v", q)
			}
			if q.Sender.String() != row.sender {
				t.Errorf("sender %q, want %q", q.Sender.String(), row.sender)
			}
		})
	}
	t.Run("M125 Q amid a message", func(t *testing.T) {
		p := dial(t, always(pass))
		p.begin()
		p.send('Q')
		p.closed()
		if logs := p.logged(); len(logs) > 0 {
			t.Errorf("logged: %v", logs)
		}
	})
}

func TestTwoMessages(t *testing.T) {
	t.Run("M126 the second is judged afresh", func(t *testing.T) {
		p := dial(t, always(pass))
		p.begin()
		first := p.gate.last(t)
		p.send('E')
		if _, inserted := p.deletions(); len(inserted) != 1 {
			t.Errorf("inserted %q into the first message", inserted)
		}
		p.gate.answer = always(reject).answer
		p.send('M', "<carol@example.net>\x00")
		p.send('R', "<dave@example.org>\x00")
		p.want('y', "550 5.7.25 Reverse DNS validation failed: 203.0.113.9 has no PTR record.\x00")
		second := p.gate.last(t)
		if second.Instance == first.Instance || second.Sender.String() != "carol@example.net" || !second.HeloKnown {
			t.Errorf("second question %+v after %+v", second, first)
		}
		p.send('E')
		if indices, inserted := p.deletions(); len(indices)+len(inserted) > 0 {
			t.Errorf("changes %v %q left over from the first message", indices, inserted)
		}
	})
}

// TestInstances shows that no two messages of one Handler share a name.
func TestInstances(t *testing.T) {
	g := always(pass)
	h := &milterd.Handler{Ask: g.Ask}
	seen := map[string]bool{}
	for range 3 {
		p := serve(t, g, h)
		p.begin()
		p.send('E')
		p.deletions()
		p.envelope()
		p.want('c', "")
	}
	for _, q := range g.questions() {
		seen[q.Instance.Raw()] = true
	}
	if len(seen) != 6 || seen[""] {
		t.Errorf("instances %v of 6 messages", seen)
	}
}
