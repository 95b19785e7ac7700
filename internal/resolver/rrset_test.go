package resolver_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/arpagate/arpagate/internal/evidence"
)

// over sends m over UDP if it fits into what the query offers, as a server
// does it.
func (c *call) over(m *dns.Msg) {
	b := c.pack(m)
	if c.tcp == nil && len(b) > 1232 {
		m.Answer, m.Truncated = nil, true
		b = c.pack(m)
	}
	c.send(b)
}

func TestPTRSets(t *testing.T) {
	many := func(n int, name func(i int) string) []string {
		var out []string
		for i := range n {
			out = append(out, "@ 300 IN PTR "+name(i))
		}
		return out
	}
	host := func(i int) string { return fmt.Sprintf("h%d.example.org.", i) }
	tests := []struct {
		name         string
		records      []string
		names, total int
	}{
		{"D115 a name that is no host, and a good one", []string{`@ 300 IN PTR a\032b.example.`, "@ 300 IN PTR mail.example.org."}, 2, 2},
		{"D116 2 names", many(2, host), 2, 2},
		{"D117 10 names", many(10, host), 10, 10},
		{"D118 11 names", many(11, host), 10, 11},
		{"D119 100 names", many(100, host), 10, 100},
		{"D120 1000 names", many(1000, host), 10, 1000},
		{"D121 2000 names", many(2000, host), 10, 2000},
		{"D122 50 duplicates", many(50, func(int) string { return "mail.example.org." }), 1, 1},
		{"D123 50 variants in case", many(50, func(i int) string {
			return strings.ToUpper("mail.example.org."[:i%16]) + "mail.example.org."[i%16:]
		}), 1, 1},
	}
	s := serve(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.set(func(c *call) { c.over(c.reply(0, tt.records...)) })
			r := open(t, nil, s)
			first, again := ask(t, r, ptr), ask(t, r, ptr)
			if len(first.Names) != tt.names || first.Total != tt.total {
				t.Errorf("got %d names of %d, want %d of %d", len(first.Names), first.Total, tt.names, tt.total)
			}
			if !again.Cached || !slices.Equal(first.Names, again.Names) || again.Total != first.Total {
				t.Errorf("from memory: %v of %d, cached %t", again.Names, again.Total, again.Cached)
			}
		})
	}
}

func TestAddressSets(t *testing.T) {
	many := func(n int) []string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf("@ 300 IN A 198.51.%d.%d", 100+i/250, i%250))
		}
		return out
	}
	tests := []struct {
		name    string
		typ     evidence.Type
		records []string
		state   evidence.State
		total   int
		addrs   []string // the first ones
	}{
		{"D124 100 addresses", evidence.A, many(100), evidence.Found, 100, []string{"198.51.100.0"}},
		{"D125 101 addresses", evidence.A, many(101), evidence.Found, 101, []string{"198.51.100.0"}},
		{"D126 4000 addresses", evidence.A, many(4000), evidence.Found, 4000, []string{"198.51.100.0"}},
		{"D127 a neighbour", evidence.A, []string{"@ 60 IN A 203.0.113.8"}, evidence.Found, 1, []string{"203.0.113.8"}},
		{"D128 loopback", evidence.A, []string{"@ 60 IN A 127.0.0.1"}, evidence.Found, 1, []string{"127.0.0.1"}},
		{"D129 the unspecified address", evidence.A, []string{"@ 60 IN A 0.0.0.0"}, evidence.Found, 1, []string{"0.0.0.0"}},
		{
			"D130 a mapped address stays one", evidence.AAAA,
			[]string{"@ 60 IN AAAA ::ffff:203.0.113.9"},
			evidence.Found, 1,
			[]string{"::ffff:203.0.113.9"},
		},
		{
			"D131 a loop of aliases", evidence.A,
			[]string{"@ 60 IN CNAME b.example.net.", "b.example.net. 60 IN CNAME @"},
			evidence.Malformed, 0, nil,
		},
		{"D132 no record of the type", evidence.A, []string{"@ 60 IN MX 10 mail.example.org."}, evidence.NoData, 0, nil},
		{
			"duplicates", evidence.AAAA,
			[]string{"@ 60 IN AAAA 2001:db8::1", "@ 60 IN AAAA 2001:db8::1", "@ 60 IN AAAA 2001:db8::2"},
			evidence.Found, 2,
			[]string{"2001:db8::1", "2001:db8::2"},
		},
	}
	s := serve(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.set(func(c *call) { c.over(c.reply(0, tt.records...)) })
			r := open(t, nil, s)
			q := question("mail.example.org", tt.typ)
			for _, a := range []evidence.Answer{ask(t, r, q), ask(t, r, q)} {
				if a.State != tt.state || a.Total != tt.total || len(a.Addrs) != min(tt.total, evidence.MaxAddrs) {
					t.Fatalf("got %s, %d of %d addresses", a.State, len(a.Addrs), a.Total)
				}
				for i, want := range tt.addrs {
					if a.Addrs[i] != netip.MustParseAddr(want) {
						t.Errorf("address %d is %s, want %s", i, a.Addrs[i], want)
					}
				}
			}
		})
	}
}

func TestOtherTypes(t *testing.T) {
	s := serve(t, nil)
	r := open(t, nil, s)
	s.set(answers("@ 60 IN MX 20 b.example.org.", "@ 60 IN MX 10 a.example.org.", "@ 60 IN MX 30 ."))
	a := ask(t, r, question("example.org", evidence.MX))
	if got := fmt.Sprint(a.Names); got != "[a.example.org b.example.org .]" || a.Total != 3 {
		t.Errorf("MX in order of preference: %s", got)
	}
	s.set(answers("@ 60 IN TXT x", "@ 60 IN TXT y"))
	if a := ask(t, r, question("example.org", evidence.TXT)); a.State != evidence.Found || a.Total != 2 {
		t.Errorf("TXT: %s, %d records", a.State, a.Total)
	}
	s.set(answers("@ 60 IN CNAME a.example.org."))
	if a := ask(t, r, question("www.example.org", evidence.CNAME)); fmt.Sprint(a.Names) != "[a.example.org]" || len(a.Aliases) != 0 {
		t.Errorf("CNAME: %v, aliases %v", a.Names, a.Aliases)
	}
}
