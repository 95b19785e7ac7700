package authority_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/arpagate/arpagate/internal/dialer"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/resolver/authority"
)

// one is a world whose reverse zone has one server, the scripted one; nobody
// serves the zone above.
const one = `
113.0.203.in-addr.arpa SOA other.example.net hostmaster.example.net 3 3600 900 604800 300
113.0.203.in-addr.arpa NS other.example.net
other.example.net A 198.51.100.1
`

// examine asks a scripted server, and returns its row.
func examine(t *testing.T, only string, change func(*authority.Config), do func(*call)) evidence.NameServer {
	t.Helper()
	w, err := lab.Parse(one)
	if err != nil {
		t.Fatal(err)
	}
	at := map[netip.AddrPort]netip.AddrPort{netip.MustParseAddrPort("198.51.100.1:53"): script(t, only, do)}
	z := ask(t, w, at, change).Zone(t.Context(), ptr("203.0.113.9"))
	if len(z.Servers) != 1 || z.Apex.String() != "113.0.203.in-addr.arpa" {
		t.Fatalf("got\n%s", told(z))
	}
	return z.Servers[0]
}

func TestHostileServers(t *testing.T) {
	const good, found = evidence.Authoritative, evidence.Found
	repeat := func(n int, do func(*call)) func(*call) {
		return func(c *call) {
			for range n {
				do(c)
			}
			c.good()
		}
	}
	wrongID := func(c *call) { c.bad(func(b []byte) { b[0] ^= 0x55 }) }
	overTCP := func(do func(*call)) func(*call) {
		return func(c *call) {
			if c.tcp == nil {
				c.but(func(m *dns.Msg) { m.Truncated, m.Answer = true, nil })
				return
			}
			do(c)
		}
	}
	for _, tt := range []struct {
		name  string
		do    func(*call)
		state evidence.ServerState
		data  evidence.State
		why   string // that it begins with
	}{
		{"in order", (*call).good, good, found, ""},
		{"D034-D037 short datagrams before the answer", func(c *call) {
			if c.tcp == nil {
				for _, n := range []int{0, 1, 3, 11} {
					c.raw(c.query[:n])
				}
			}
			c.good()
		}, good, found, ""},
		{"D038-D041 wrong ids before the answer", repeat(5, wrongID), good, found, ""},
		{"D042 so many wrong ids that only TCP is believed", func(c *call) {
			for range 500 {
				if c.tcp == nil {
					wrongID(c)
				}
			}
			c.good()
		}, good, found, ""},
		{"D044 wrong question before the answer", repeat(1, func(c *call) { c.bad(func(b []byte) { b[13] ^= 1 }) }), good, found, ""},
		{"D045 no question", repeat(1, func(c *call) { c.bad(func(b []byte) { b[5] = 0 }) }), good, found, ""},
		{"D046 two questions", repeat(1, func(c *call) { c.bad(func(b []byte) { b[5] = 2 }) }), good, found, ""},
		{"D047 a query in place of the answer", repeat(1, func(c *call) { c.send(c.query) }), good, found, ""},
		{"D048 an update", repeat(1, func(c *call) { c.bad(func(b []byte) { b[2] |= 5 << 3 }) }), good, found, ""},
		{"D023 truncated, whole over TCP", overTCP((*call).good), good, found, ""},
		{
			"D027 truncated over TCP too", func(c *call) { c.but(func(m *dns.Msg) { m.Truncated = true }) },
			evidence.Garbled, evidence.Malformed, "truncated",
		},
		{"D025 TCP is closed at once", overTCP(func(c *call) { c.tcp.Close() }), evidence.Silent, evidence.Timeout, "over TCP: closed without an answer"},
		{"an endless stream of messages over TCP", overTCP(func(c *call) {
			for range 10_000 {
				wrongID(c)
			}
		}), evidence.Garbled, evidence.Malformed, "over TCP: too many messages"},
		{"D012 FORMERR to EDNS", func(c *call) {
			if c.msg.IsEdns0() != nil {
				c.but(func(m *dns.Msg) { m.Rcode, m.Answer = dns.RcodeFormatError, nil })
				return
			}
			c.good()
		}, good, found, ""},
		{
			"FORMERR to everything", func(c *call) { c.but(func(m *dns.Msg) { m.Rcode, m.Answer = dns.RcodeFormatError, nil }) },
			evidence.Lame, evidence.Failed, "it answers FORMERR",
		},
		{
			"D008 NOTAUTH", func(c *call) { c.but(func(m *dns.Msg) { m.Rcode, m.Answer = dns.RcodeNotAuth, nil }) },
			evidence.Lame, evidence.Failed, "it answers NOTAUTH",
		},
		{
			"D010 an rcode that nobody knows", func(c *call) { c.but(func(m *dns.Msg) { m.Rcode, m.Answer = 15, nil }) },
			evidence.Lame, evidence.Failed, "it answers RCODE15",
		},
		{
			"D053 65535 records, and none there", func(c *call) { c.bad(func(b []byte) { b[6], b[7] = 0xff, 0xff }) },
			evidence.Garbled, evidence.Malformed, "dns",
		},
		{
			"D054 65535 records of authority, and none there", func(c *call) { c.bad(func(b []byte) { b[8], b[9] = 0xff, 0xff }) },
			evidence.Garbled, evidence.Malformed, "dns",
		},
		{"D056-D059 a name that points forward", func(c *call) {
			c.bad(func(b []byte) { copy(b[len(b)-4:], []byte{0xff, 0xff, 0xff, 0xff}); b[c.end()] = 0xff })
		}, evidence.Garbled, evidence.Malformed, "dns"},
		{"D067 a record that runs past the end", func(c *call) {
			b := c.pack(c.reply())
			c.send(b[:len(b)-3])
		}, evidence.Garbled, evidence.Malformed, "dns"},
		{"D071 garbage behind the message", func(c *call) { c.send(append(c.pack(c.reply()), make([]byte, 512)...)) }, good, found, ""},
		{"a referral to itself", func(c *call) {
			c.but(func(m *dns.Msg) {
				rr, _ := dns.NewRR("113.0.203.in-addr.arpa. NS other.example.net.")
				m.Authoritative, m.Answer, m.Ns = false, nil, []dns.RR{rr}
			})
		}, evidence.Lame, evidence.Refused, "it refers to the servers of 113.0.203.in-addr.arpa"},
		{"the SOA record of another zone", func(c *call) {
			c.but(func(m *dns.Msg) {
				rr, _ := dns.NewRR("example.com. SOA ns. host. 1 2 3 4 5")
				m.Answer, m.Ns = nil, []dns.RR{rr}
			})
		}, evidence.Lame, evidence.Refused, "dnswire: SOA record of another zone"},
		{"NXDOMAIN for the apex", func(c *call) {
			c.but(func(m *dns.Msg) {
				rr, _ := dns.NewRR("in-addr.arpa. SOA ns. host. 1 2 3 4 5")
				m.Rcode, m.Answer, m.Ns = dns.RcodeNameError, nil, []dns.RR{rr}
			})
		}, evidence.Lame, evidence.NXDomain, "it answers NXDOMAIN"},
		{
			"NXDOMAIN with an answer", func(c *call) { c.but(func(m *dns.Msg) { m.Rcode = dns.RcodeNameError }) },
			evidence.Garbled, evidence.Malformed, "dnswire: NXDOMAIN with an answer",
		},
		{"the SOA question alone is answered badly", func(c *call) {
			if c.msg.Question[0].Qtype == dns.TypeSOA {
				c.bad(func(b []byte) { b[6], b[7] = 0xff, 0xff })
				return
			}
			c.good()
		}, good, found, "SOA: dns"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			row := examine(t, "", nil, tt.do)
			if row.State != tt.state || row.Answer.State != tt.data || !strings.HasPrefix(row.Why.String(), tt.why) ||
				tt.why == "" && !row.Why.IsZero() {
				t.Errorf("got %s, %s (%s), want %s, %s (%s)", row.State, row.Answer.State, row.Why, tt.state, tt.data, tt.why)
			}
			if (row.SOA != nil) != (tt.state == good && tt.why == "") {
				t.Errorf("SOA %+v", row.SOA)
			}
		})
	}
}

// end returns the offset of the first octet behind the question.
func (c *call) end() int {
	i := 12
	for c.query[i] != 0 {
		i += int(c.query[i]) + 1
	}
	return i + 5
}

// These servers keep us waiting.
func TestSlowServers(t *testing.T) {
	truncated := func(c *call) bool {
		if c.tcp == nil {
			c.but(func(m *dns.Msg) { m.Truncated, m.Answer = true, nil })
		}
		return c.tcp == nil
	}
	for _, tt := range []struct {
		name, only string
		do         func(*call)
		state      evidence.ServerState
		why        string
	}{
		{"no answer", "", func(*call) {}, evidence.Silent, "no answer in time"},
		{"no answer to EDNS", "", func(c *call) {
			if c.msg.IsEdns0() == nil {
				c.good()
			}
		}, evidence.Authoritative, ""},
		{"D043 datagrams of others only, without end", "", func(c *call) {
			if c.tcp == nil {
				c.bad(func(b []byte) { b[0] ^= 0x55 })
			}
		}, evidence.Silent, "no answer in time"},
		{"D049 another class", "", func(c *call) { c.bad(func(b []byte) { b[c.end()-1] = 3 }) }, evidence.Silent, "no answer in time"},
		{"D024 truncated, TCP refused", "udp", func(c *call) { truncated(c) }, evidence.Unreachable, "over TCP: connection refused"},
		{"D026 TCP stalls", "", func(c *call) { truncated(c) }, evidence.Silent, "over TCP: no answer in time"},
		{"D028 a message of no octets over TCP", "", func(c *call) {
			if !truncated(c) {
				c.raw([]byte{0, 0})
			}
		}, evidence.Silent, "over TCP: no answer in time"},
		{"D031 a length of 65535, and ten octets", "", func(c *call) {
			if !truncated(c) {
				c.raw(append([]byte{0xff, 0xff}, make([]byte, 10)...))
			}
		}, evidence.Silent, "over TCP: no answer in time"},
		{"D032 an octet at a time", "", func(c *call) {
			if truncated(c) {
				return
			}
			b := binary.BigEndian.AppendUint16(nil, 0xffff)
			for range 40 {
				c.raw(b)
				b = []byte{0}
				time.Sleep(50 * time.Millisecond)
			}
		}, evidence.Silent, "over TCP: no answer in time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			row := examine(t, tt.only, hasty, tt.do)
			if row.State != tt.state || row.Why.String() != tt.why {
				t.Errorf("got %s (%s), want %s (%s)", row.State, row.Why, tt.state, tt.why)
			}
			if d := time.Since(began); d > 20*time.Second {
				t.Errorf("took %s", d)
			}
		})
	}
}

// What a stranger writes into his zone decides neither where we send nor how much.
func TestHostileNameServers(t *testing.T) {
	zone := func(lines ...string) string {
		return "113.0.203.in-addr.arpa SOA ns1.example.net hostmaster.example.net 3 3600 900 604800 300\n" + strings.Join(lines, "\n") + "\n"
	}
	for _, tt := range []struct{ name, world, want string }{
		{"special addresses", zone("113.0.203.in-addr.arpa NS evil.example.net", "evil.example.net A 127.0.0.1", "evil.example.net A 10.0.0.1",
			"evil.example.net A 169.254.169.254", "evil.example.net AAAA ::1", "evil.example.net AAAA ::ffff:127.0.0.1"), `
evil.example.net 10.0.0.1 barred private: special-purpose address, RFC 1918
evil.example.net 127.0.0.1 barred loopback: special-purpose address, RFC 1122
evil.example.net 169.254.169.254 barred link-local: special-purpose address, RFC 3927
evil.example.net ::1 barred loopback: special-purpose address, RFC 4291
evil.example.net ::ffff:127.0.0.1 barred loopback: special-purpose address, RFC 1122
`},
		{"an alias", zone("113.0.203.in-addr.arpa NS alias.example.net", "alias.example.net CNAME ns1.example.net", "ns1.example.net A 192.0.2.11",
			"ns 192.0.2.11 113.0.203.in-addr.arpa"), `
alias.example.net 192.0.2.11 authoritative its name is an alias (CNAME) of ns1.example.net
`},
		{"no address", zone("113.0.203.in-addr.arpa NS none.example.net", "113.0.203.in-addr.arpa NS sick.example.net",
			"!servfail sick.example.net", "113.0.203.in-addr.arpa NS ."), `
none.example.net invalid IP no-address its name has no address: NXDOMAIN
sick.example.net invalid IP no-address its address could not be looked up: SERVFAIL
. invalid IP no-address its name has no address: NODATA
`},
		{"one address under two names", zone("113.0.203.in-addr.arpa NS a.example.net", "113.0.203.in-addr.arpa NS b.example.net",
			"a.example.net A 192.0.2.11", "b.example.net A 192.0.2.11", "ns 192.0.2.11 113.0.203.in-addr.arpa"), `
a.example.net 192.0.2.11 authoritative
b.example.net 192.0.2.11 authoritative
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			z := open(t, tt.world, nil).Zone(t.Context(), ptr("203.0.113.9"))
			var b strings.Builder
			for _, s := range z.Servers {
				b.WriteString(strings.TrimSpace(fmt.Sprintf("%s %s %s %s", s.Name, s.Address, s.State, s.Why)) + "\n")
				if s.Answer.Type != evidence.PTR || s.Answer.Name != z.Name {
					t.Errorf("the answer is to %s", s.Answer.Question)
				}
			}
			if got := b.String(); got != strings.TrimPrefix(tt.want, "\n") {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	soa := "113.0.203.in-addr.arpa SOA n1.example.net hostmaster.example.net 3 3600 900 604800 300\n"
	t.Run("fifty name servers", func(t *testing.T) {
		world := soa + "$GENERATE 1-50 113.0.203.in-addr.arpa NS n$.example.net\n$GENERATE 1-50 n$.example.net A 198.51.100.$\n"
		z := open(t, world, nil).Zone(t.Context(), ptr("203.0.113.9"))
		asked := 0
		for _, s := range z.Servers {
			if s.State != evidence.Unasked {
				asked++
			}
		}
		if len(z.Servers) != 10 || asked != 8 || z.More != 40 {
			t.Errorf("got\n%s", told(z))
		}
	})
	t.Run("fifty name servers, as the zone above has them too", func(t *testing.T) {
		world := soa + "$GENERATE 1-50 113.0.203.in-addr.arpa NS n$.example.net\n$GENERATE 1-50 n$.example.net A 198.51.100.$\n" +
			". NS root.example.net\nroot.example.net A 192.0.2.1\nns 192.0.2.1 .\n"
		z := open(t, world, nil).Zone(t.Context(), ptr("203.0.113.9"))
		if len(z.Delegated) != 10 || len(z.Published) != 10 || len(z.Servers) != 10 || z.More != 40 {
			t.Errorf("got\n%s", told(z))
		}
	})
	t.Run("a name server of a hundred addresses", func(t *testing.T) {
		world := soa + "113.0.203.in-addr.arpa NS n1.example.net\n$GENERATE 1-100 n1.example.net AAAA 2001:db8:$::1\n"
		z := open(t, world, nil).Zone(t.Context(), ptr("203.0.113.9"))
		if len(z.Servers) != 32 || z.More != 68 {
			t.Errorf("got\n%s", told(z))
		}
	})
	t.Run("the budget of questions", func(t *testing.T) {
		z := open(t, base, func(c *authority.Config) { c.Queries = 3 }).Zone(t.Context(), ptr("203.0.113.9"))
		if !z.Partial || !strings.Contains(told(z), "not-asked (no questions left)") {
			t.Errorf("got\n%s", told(z))
		}
	})
	t.Run("the caller's time", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		began := time.Now()
		z := open(t, base+sub+"silent", nil).Zone(ctx, ptr("203.0.113.9"))
		if d := time.Since(began); !z.Partial || d > 5*time.Second || len(z.Servers) != 2 || z.Servers[1].State != evidence.Silent {
			t.Errorf("after %s\n%s", d, told(z))
		}
	})
	t.Run("a caller with more time than we would take", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		short := func(c *authority.Config) { c.Timeout = time.Nanosecond }
		if z := open(t, base, short).Zone(ctx, ptr("203.0.113.9")); z.Partial || len(z.Servers) == 0 {
			t.Errorf("got\n%s", told(z))
		}
		if z := open(t, base, short).Zone(t.Context(), ptr("203.0.113.9")); !z.Partial {
			t.Errorf("without a deadline\n%s", told(z))
		}
	})
	t.Run("no time at all", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		z := open(t, base, nil).Zone(ctx, ptr("203.0.113.9"))
		if z == nil || !z.Partial || !z.Apex.IsZero() || z.Trouble == nil {
			t.Errorf("got %+v", z)
		}
	})
	t.Run("no name", func(t *testing.T) {
		if z := open(t, base, nil).Zone(t.Context(), evidence.Question{Type: evidence.PTR}); z == nil || len(z.Servers) > 0 {
			t.Errorf("got %+v", z)
		}
	})
	if _, err := authority.New(authority.Config{}); err == nil {
		t.Error("neither resolver nor dialer, and no error")
	}
}

// Where too many connections are open, a question waits for its turn.
func TestWaitsForItsTurn(t *testing.T) {
	var tries atomic.Int64
	a := open(t, base, func(c *authority.Config) {
		dial := c.Dial
		c.Try = time.Second
		c.Dial = func(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
			if tries.Add(1)%2 == 1 {
				return nil, &dialer.OverBudget{To: to, Scope: "open", Limit: 1}
			}
			return dial(ctx, network, to)
		}
	})
	if z := a.Zone(t.Context(), ptr("203.0.113.9")); len(z.Servers) != 3 || strings.Count(told(z), "authoritative") != 3 {
		t.Errorf("got\n%s", told(z))
	}
	spent := open(t, base, func(c *authority.Config) {
		c.Dial = func(_ context.Context, _ string, to netip.AddrPort) (net.Conn, error) {
			return nil, &dialer.OverBudget{To: to, Scope: "address", Limit: 1}
		}
	})
	for _, s := range spent.Zone(t.Context(), ptr("203.0.113.9")).Servers {
		if s.State != evidence.Unasked || s.Why.String() != "it was asked too often of late" {
			t.Errorf("%s: %s (%s)", s.Name, s.State, s.Why)
		}
	}
}

// What we lack ourselves is no fault of a server.
func TestOurOwnTrouble(t *testing.T) {
	w, err := lab.Parse(one)
	if err != nil {
		t.Fatal(err)
	}
	for _, cause := range []error{errors.New("socket: too many open files"), &net.OpError{Op: "dial", Err: errors.New("network is unreachable")}} {
		a, err := authority.New(authority.Config{DNS: w, Dial: func(context.Context, string, netip.AddrPort) (net.Conn, error) { return nil, cause }})
		if err != nil {
			t.Fatal(err)
		}
		z := a.Zone(t.Context(), ptr("203.0.113.9"))
		if len(z.Servers) != 1 || z.Servers[0].State != evidence.Unasked || z.Servers[0].Why.IsZero() {
			t.Errorf("%v: got\n%s", cause, told(z))
		}
	}
}
