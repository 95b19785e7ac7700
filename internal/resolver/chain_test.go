package resolver_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver"
)

// chain returns the records of n aliases and a PTR record at their end.
func chain(n int) []string {
	var records []string
	owner := "@"
	for i := range n {
		target := fmt.Sprintf("h%d.example.net.", i)
		records = append(records, owner+" 60 IN CNAME "+target)
		owner = target
	}
	return append(records, owner+" 300 IN PTR mail.example.org.")
}

// answers sends the records that belong to the name asked, all of them, or
// only the first one of each owner on the way.
func answers(records ...string) func(*call) {
	return func(c *call) { c.answer(0, records...) }
}

// zone answers each question from records with absolute owners, one hop at a
// time.
func zone(records map[string]string) func(*call) {
	return func(c *call) {
		name := strings.ToLower(c.msg.Question[0].Name)
		if records[name] == "" {
			c.answer(dns.RcodeNameError)
			return
		}
		c.answer(0, "@ 60 IN "+records[name])
	}
}

func TestAliases(t *testing.T) {
	aliases := func(n int) func(*testing.T, evidence.Answer, *script, resolver.Stats) {
		return func(t *testing.T, a evidence.Answer, _ *script, _ resolver.Stats) {
			if len(a.Aliases) != n || a.TTL.Seconds() != 60 {
				t.Errorf("aliases %v, TTL %s; want %d and the least TTL", a.Aliases, a.TTL, n)
			}
		}
	}
	const name = "9.113.0.203.in-addr.arpa."
	hop := map[string]string{
		name:                             "CNAME 9.0-15.113.0.203.in-addr.arpa.",
		"9.0-15.113.0.203.in-addr.arpa.": "PTR mail.example.org.",
	}
	run(t, []row{
		{"D073 a PTR record of another name", answers("8.113.0.203.in-addr.arpa. 60 IN PTR forged.example.net."), evidence.NoData, nil},
		{"D074 RFC 2317, 1 hop", answers(chain(1)...), evidence.Found, aliases(1)},
		{"D075 RFC 2317, 2 hops", answers(chain(2)...), evidence.Found, aliases(2)},
		{"D076 RFC 2317, 8 hops", answers(chain(8)...), evidence.Found, aliases(8)},
		{"D076 11 hops, the limit", answers(chain(11)...), evidence.Found, aliases(11)},
		{"D077 12 hops", answers(chain(12)...), evidence.Malformed, nil},
		{"D078 100 hops", answers(chain(100)...), evidence.Malformed, nil},
		{"D078 without end, one hop in each answer", func(c *call) {
			c.answer(0, fmt.Sprintf("@ 60 IN CNAME h%d.example.net.", c.n))
		}, evidence.Malformed, queries(12)},
		{"D079 an alias of itself", answers("@ 60 IN CNAME @"), evidence.Malformed, nil},
		{
			"D080 a loop of two", answers("@ 60 IN CNAME b.example.net.", "b.example.net. 60 IN CNAME @"),
			evidence.Malformed, nil,
		},
		{"D080 a loop of two, one in each answer", zone(map[string]string{
			name: "CNAME b.example.net.", "b.example.net.": "CNAME " + name,
		}), evidence.Malformed, nil},
		{
			"D081 an alias outside in-addr.arpa",
			answers("@ 60 IN CNAME ptr.example.net.", "ptr.example.net. 300 IN PTR mail.example.org."),
			evidence.Found, aliases(1),
		},
		{
			"D082 an alias beside the PTR record",
			answers("@ 60 IN CNAME b.example.net.", "b.example.net. 60 IN PTR forged.example.net.", "@ 60 IN PTR mail.example.org."),
			evidence.Found, nil,
		},
		{"D083 an alias without its data", zone(hop), evidence.Found, aliases(1)},
		{"D083 an alias of a name that does not exist", zone(map[string]string{name: "CNAME gone.example.net."}), evidence.NXDomain, nil},
		{
			"D084 a DNAME over the zone",
			answers("113.0.203.in-addr.arpa. 60 IN DNAME rev.example.net.", "9.rev.example.net. 300 IN PTR mail.example.org."),
			evidence.Found, aliases(1),
		},
		{"the records in the wrong order", func(c *call) {
			m := c.reply(0, chain(3)...)
			for i, j := 0, len(m.Answer)-1; i < j; i, j = i+1, j-1 {
				m.Answer[i], m.Answer[j] = m.Answer[j], m.Answer[i]
			}
			c.send(c.pack(m))
		}, evidence.Found, aliases(3)},
	})
}
