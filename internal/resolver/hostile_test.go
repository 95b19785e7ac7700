package resolver_test

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver"
)

// row is a hostile input with the state that it must lead to. A server that
// does it is asked for ptr; check sees the rest.
type row struct {
	name  string
	do    func(*call)
	want  evidence.State
	check func(*testing.T, evidence.Answer, *script, resolver.Stats)
}

// run asks for all rows at the same time, for some have to wait for a
// deadline, and then looks at each answer.
func run(t *testing.T, rows []row) {
	t.Helper()
	servers := make([]*script, len(rows))
	resolvers := make([]*resolver.Resolver, len(rows))
	waiting := make([]evidence.Pending, len(rows))
	for i, tt := range rows {
		servers[i] = serve(t, tt.do)
		resolvers[i] = open(t, func(cfg *resolver.Config) { cfg.Timeout = 6 * time.Second }, servers[i])
		waiting[i] = resolvers[i].Ask(t.Context(), ptr)
	}
	for i, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			s, r, a := servers[i], resolvers[i], waiting[i].Wait()[0]
			switch tt.want {
			case evidence.Found:
				wantGood(t, a)
			case evidence.NXDomain, evidence.NoData:
				if a.State != tt.want {
					t.Fatalf("got %s (%s), want %s", a.State, a.Reason, tt.want)
				}
			default:
				wantTrouble(t, a, tt.want)
			}
			if a.Server != s.addr || a.At.IsZero() || a.Took <= 0 {
				t.Errorf("server %s, at %s, took %s: not all told", a.Server, a.At, a.Took)
			}
			if tt.check != nil {
				tt.check(t, a, s, r.Stats())
			}
		})
	}
}

// queries checks how many queries the server has seen.
func queries(n int64) func(*testing.T, evidence.Answer, *script, resolver.Stats) {
	return func(t *testing.T, _ evidence.Answer, s *script, _ resolver.Stats) {
		if got := s.calls.Load(); got != n {
			t.Errorf("%d queries, want %d", got, n)
		}
	}
}

func code(rcode int) func(*call) {
	return func(c *call) {
		m := c.reply(rcode)
		if rcode > 15 {
			m.SetEdns0(1232, false)
		}
		c.send(c.pack(m))
	}
}

// withoutEDNS answers well, but only to queries without EDNS.
func withoutEDNS(rcode int) func(*call) {
	return func(c *call) {
		if c.msg.IsEdns0() != nil {
			code(rcode)(c)
			return
		}
		c.good()
	}
}

func negative(rcode int, soa string) func(*call) {
	return func(c *call) {
		m := c.reply(rcode)
		if soa != "" {
			m.Ns = append(m.Ns, c.record(soa))
		}
		c.send(c.pack(m))
	}
}

func TestRcodes(t *testing.T) {
	const soa = "113.0.203.in-addr.arpa. 3600 IN SOA ns.example.org. host.example.org. 1 2 3 4 300"
	ttl := func(want time.Duration) func(*testing.T, evidence.Answer, *script, resolver.Stats) {
		return func(t *testing.T, a evidence.Answer, _ *script, _ resolver.Stats) {
			if a.TTL != want {
				t.Errorf("remembered for %s, want %s", a.TTL, want)
			}
		}
	}
	run(t, []row{
		{"D001 NXDOMAIN with SOA", negative(dns.RcodeNameError, soa), evidence.NXDomain, ttl(300 * time.Second)},
		{"D002 NODATA with SOA", negative(dns.RcodeSuccess, soa), evidence.NoData, ttl(300 * time.Second)},
		{"D003 NXDOMAIN without SOA", negative(dns.RcodeNameError, ""), evidence.NXDomain, ttl(5 * time.Second)},
		{"D004 NODATA without SOA", negative(dns.RcodeSuccess, ""), evidence.NoData, ttl(5 * time.Second)},
		{"D005 SERVFAIL", code(dns.RcodeServerFailure), evidence.ServFail, ttl(5 * time.Second)},
		{"D006 REFUSED", code(dns.RcodeRefused), evidence.Refused, queries(1)},
		{"D007 NOTIMP", code(dns.RcodeNotImplemented), evidence.Failed, queries(1)},
		{"D008 NOTAUTH", code(dns.RcodeNotAuth), evidence.Failed, queries(1)},
		{"D009 YXDOMAIN", code(dns.RcodeYXDomain), evidence.Failed, queries(1)},
		{"D010 unassigned rcode", code(15), evidence.Failed, queries(1)},
		{"D011 BADCOOKIE", code(dns.RcodeBadCookie), evidence.Failed, queries(1)},
		{"D012 FORMERR to EDNS", withoutEDNS(dns.RcodeFormatError), evidence.Found, queries(2)},
		{"D012 FORMERR to everything", code(dns.RcodeFormatError), evidence.Failed, queries(2)},
		{"D013 BADVERS to EDNS", withoutEDNS(dns.RcodeBadVers), evidence.Found, queries(2)},
		{"D013 BADVERS to everything", code(dns.RcodeBadVers), evidence.Failed, queries(2)},
		{"D014 silence", func(*call) {}, evidence.Timeout, queries(3)},
		{"a referral instead of recursion", func(c *call) {
			m := c.reply(dns.RcodeSuccess)
			m.RecursionAvailable = false
			m.Ns = append(m.Ns, c.record("203.in-addr.arpa. 60 IN NS ns.example.net."))
			c.send(c.pack(m))
		}, evidence.Refused, nil},
	})
}

func TestStrangeDatagrams(t *testing.T) {
	// first sends what make returns, then the right answer.
	first := func(make func(c *call) []byte) func(*call) {
		return func(c *call) {
			c.send(make(c))
			c.good()
		}
	}
	short := func(n int) func(*call) {
		return first(func(c *call) []byte { return c.pack(c.reply(0))[:n] })
	}
	// forged changes the right answer, which then names another host.
	forged := func(change func(m *dns.Msg)) func(*call) {
		return first(func(c *call) []byte {
			m := c.reply(0, "@ 300 IN PTR forged.example.net.")
			change(m)
			return c.pack(m)
		})
	}
	counted := func(count func(resolver.Stats) uint64) func(*testing.T, evidence.Answer, *script, resolver.Stats) {
		return func(t *testing.T, _ evidence.Answer, s *script, stats resolver.Stats) {
			if count(stats) == 0 {
				t.Errorf("not counted: %+v", stats)
			}
			queries(1)(t, evidence.Answer{}, s, stats)
		}
	}
	shorts := counted(func(s resolver.Stats) uint64 { return s.Short })
	ids := counted(func(s resolver.Stats) uint64 { return s.WrongID })
	wrongID := func(change func(m *dns.Msg)) func(*call) {
		return forged(func(m *dns.Msg) { m.Id ^= 0x55; change(m) })
	}
	run(t, []row{
		{"D034 of 0 octets", short(0), evidence.Found, shorts},
		{"D035 of 1 octet", short(1), evidence.Found, shorts},
		{"D036 of 3 octets", short(3), evidence.Found, shorts},
		{"D037 of 11 octets", short(11), evidence.Found, shorts},
		{"D038 wrong id", wrongID(func(*dns.Msg) {}), evidence.Found, ids},
		{"D039 wrong id and broken body", first(func(c *call) []byte {
			b := c.craft([3]uint16{9, 9, 9}, 0xff, 0xff, 0xff)
			b[0] ^= 0x55
			return b
		}), evidence.Found, ids},
		{"D040 wrong id and SERVFAIL", wrongID(func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }), evidence.Found, ids},
		{"D041 wrong id and TC", wrongID(func(m *dns.Msg) { m.Truncated = true }), evidence.Found, ids},
		{
			"D044 wrong question", forged(func(m *dns.Msg) { m.Question[0].Name = "8.113.0.203.in-addr.arpa." }),
			evidence.Found, counted(func(s resolver.Stats) uint64 { return s.WrongQuestion }),
		},
		{
			"D044 wrong type", forged(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeA }),
			evidence.Found, counted(func(s resolver.Stats) uint64 { return s.WrongQuestion }),
		},
		{
			"D045 no question", forged(func(m *dns.Msg) { m.Question = nil }),
			evidence.Found, counted(func(s resolver.Stats) uint64 { return s.WrongCount }),
		},
		{
			"D046 two questions", forged(func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }),
			evidence.Found, counted(func(s resolver.Stats) uint64 { return s.WrongCount }),
		},
		{
			"D047 not a response", forged(func(m *dns.Msg) { m.Response = false }),
			evidence.Found, counted(func(s resolver.Stats) uint64 { return s.NotResponse }),
		},
		{
			"D048 opcode 5", forged(func(m *dns.Msg) { m.Opcode = 5 }),
			evidence.Found, counted(func(s resolver.Stats) uint64 { return s.WrongOpcode }),
		},
		{
			"D049 class CH", forged(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }),
			evidence.Found, counted(func(s resolver.Stats) uint64 { return s.WrongClass }),
		},
		{"D042 500 wrong ids", flood(500), evidence.Found, guessed},
		{"D043 50000 wrong ids", flood(50_000), evidence.Found, guessed},
		{"an answer that comes twice", func(c *call) { c.good(); c.good() }, evidence.Found, queries(1)},
		{"wrong questions without end, then TCP", func(c *call) {
			if c.tcp != nil {
				c.good()
				return
			}
			for range 100 {
				m := c.reply(0, "@ 300 IN PTR forged.example.net.")
				m.Question[0].Name = "8.113.0.203.in-addr.arpa."
				c.send(c.pack(m))
			}
		}, evidence.Found, guessed},
	})
}

// flood sends n answers with wrong ids, then the right one.
func flood(n int) func(*call) {
	return func(c *call) {
		if c.tcp == nil {
			m := c.reply(0, "@ 300 IN PTR forged.example.net.")
			b := c.pack(m)
			for i := range n {
				b[0], b[1] = byte(m.Id>>8)^0x40, byte(i)
				c.send(b)
			}
		}
		c.good()
	}
}

// guessed checks that the question moved to TCP, or was answered before.
func guessed(t *testing.T, _ evidence.Answer, s *script, stats resolver.Stats) {
	if stats.WrongID+stats.WrongQuestion < 64 || stats.Suspected == 0 || s.tcps.Load() == 0 {
		t.Errorf("guesses went unnoticed: %+v, %d TCP connections", stats, s.tcps.Load())
	}
}
