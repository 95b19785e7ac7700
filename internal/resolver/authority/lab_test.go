package authority_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dialer"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/resolver/authority"
)

// base is a healthy world: a root, a reverse zone with two servers, a forward
// zone with two.
const base = `
. SOA ns.root.example.net hostmaster.example.net 1 3600 900 604800 300
. NS ns.root.example.net
ns.root.example.net A 192.0.2.1
ns 192.0.2.1 .

113.0.203.in-addr.arpa 7200 SOA ns1.example.net hostmaster.example.net 7 3600 900 604800 600
113.0.203.in-addr.arpa NS ns1.example.net
113.0.203.in-addr.arpa NS ns2.example.net
ns1.example.net A 192.0.2.11
ns2.example.net A 192.0.2.12
ns2.example.net AAAA 2001:db8::12
ns 192.0.2.11 113.0.203.in-addr.arpa
ns 192.0.2.12 113.0.203.in-addr.arpa
ns 2001:db8::12 113.0.203.in-addr.arpa

ptr 203.0.113.9 1800 mail.example.org
mail.example.org A 203.0.113.9
`

// open starts the name servers of a world, and asks the world itself where a
// recursive resolver is wanted.
func open(t *testing.T, text string, change func(*authority.Config)) *authority.Authority {
	t.Helper()
	w, err := lab.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	servers, err := w.ListenNameServers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	return ask(t, w, servers.Map(), change)
}

// ask returns an Authority that reaches the servers of the map, and nobody else.
func ask(t *testing.T, w *lab.World, at map[netip.AddrPort]netip.AddrPort, change func(*authority.Config)) *authority.Authority {
	t.Helper()
	d, err := dialer.New(dialer.Config{Map: at})
	if err != nil {
		t.Fatal(err)
	}
	cfg := authority.Config{DNS: w, Dial: d.Dial, Try: 10 * time.Second, Timeout: time.Minute}
	if change != nil {
		change(&cfg)
	}
	a, err := authority.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// hasty is for worlds with servers that never answer.
func hasty(c *authority.Config) { c.Try = 400 * time.Millisecond }

func ptr(addr string) evidence.Question {
	return evidence.Question{Name: dnsname.Reverse(netip.MustParseAddr(addr)), Type: evidence.PTR}
}

// told writes a zone in a few lines: the zone, and each server.
func told(z *evidence.Zone) string {
	var b strings.Builder
	for _, link := range z.Chain {
		fmt.Fprintf(&b, "alias %s -> %s in %s\n", link.Owner, link.Target, link.Zone)
	}
	if z.ChainFault != "" {
		fmt.Fprintf(&b, "chain %s\n", z.ChainFault)
	}
	fmt.Fprintf(&b, "zone %s in %s, %s", z.Apex, z.Parent, z.Security.State)
	if z.SOA != nil {
		fmt.Fprintf(&b, ", serial %d", z.SOA.Serial)
	}
	b.WriteString("\n")
	if !slices.Equal(z.Delegated, z.Published) {
		fmt.Fprintf(&b, "delegated %s\npublished %s\n", z.Delegated, z.Published)
	}
	for _, s := range z.Servers {
		fmt.Fprintf(&b, "%s", s.Name)
		if s.Address.IsValid() {
			fmt.Fprintf(&b, " %s", s.Address)
		}
		fmt.Fprintf(&b, " %s", s.State)
		if s.SOA != nil {
			fmt.Fprintf(&b, " %d", s.SOA.Serial)
		}
		if s.State == evidence.Authoritative {
			fmt.Fprintf(&b, ", %s", s.Answer.State)
			for _, n := range append(slices.Clone(s.Answer.Aliases), s.Answer.Names...) {
				fmt.Fprintf(&b, " %s", n)
			}
			for _, n := range s.Answer.Addrs {
				fmt.Fprintf(&b, " %s", n)
			}
			fmt.Fprintf(&b, " %s", s.Answer.TTL)
		}
		if !s.Why.IsZero() {
			fmt.Fprintf(&b, " (%s)", s.Why)
		}
		b.WriteString("\n")
	}
	if z.More > 0 {
		fmt.Fprintf(&b, "%d more\n", z.More)
	}
	if z.Partial {
		b.WriteString("partial\n")
	}
	return b.String()
}

// sub is a zone of one address, between the reverse zone and the root, with one
// server that has its own words.
const sub = `
9.113.0.203.in-addr.arpa SOA ns1.example.net hostmaster.example.net 3 3600 900 604800 300
9.113.0.203.in-addr.arpa NS ns1.example.net
9.113.0.203.in-addr.arpa NS other.example.net
ns 192.0.2.11 9.113.0.203.in-addr.arpa
other.example.net A 198.51.100.1
ns 198.51.100.1 9.113.0.203.in-addr.arpa `

func TestZone(t *testing.T) {
	const good = "ns1.example.net 192.0.2.11 authoritative 3, found mail.example.org 30m0s\n"
	for _, tt := range []struct {
		name  string
		world string // beside base
		ask   evidence.Question
		want  string
	}{
		{"in order", "", ptr("203.0.113.9"), `
zone 113.0.203.in-addr.arpa in ., insecure, serial 7
ns1.example.net 192.0.2.11 authoritative 7, found mail.example.org 30m0s
ns2.example.net 192.0.2.12 authoritative 7, found mail.example.org 30m0s
ns2.example.net 2001:db8::12 authoritative 7, found mail.example.org 30m0s
`},
		{"no PTR: the negative TTL", "", ptr("203.0.113.10"), `
zone 113.0.203.in-addr.arpa in ., insecure, serial 7
ns1.example.net 192.0.2.11 authoritative 7, nxdomain 10m0s
ns2.example.net 192.0.2.12 authoritative 7, nxdomain 10m0s
ns2.example.net 2001:db8::12 authoritative 7, nxdomain 10m0s
`},
		{"the root itself", "", question("example.org", evidence.A), `
zone . in , insecure, serial 1
delegated []
published [ns.root.example.net]
ns.root.example.net 192.0.2.1 authoritative 1, nodata 5m0s
`},
		{"lame", sub + "refused", ptr("203.0.113.9"), below + good + "other.example.net 198.51.100.1 lame (it answers REFUSED)\n"},
		{"lame with SERVFAIL", sub + "servfail", ptr("203.0.113.9"), below + good + "other.example.net 198.51.100.1 lame (it answers SERVFAIL)\n"},
		{"lame, upward", sub + "upward", ptr("203.0.113.9"), below + good + "other.example.net 198.51.100.1 lame (it refers to the servers of .)\n"},
		{"lame, without AA", sub + "noaa", ptr("203.0.113.9"), below + good + "other.example.net 198.51.100.1 lame (it answers without authority (no AA bit))\n"},
		{"silent", sub + "silent", ptr("203.0.113.9"), below + good + "other.example.net 198.51.100.1 silent (no answer in time)\n"},
		{"closed", sub + "closed", ptr("203.0.113.9"), below + good + "other.example.net 198.51.100.1 unreachable (connection refused)\n"},
		{"serial lag", sub + "serial=2", ptr("203.0.113.9"), below + good +
			"other.example.net 198.51.100.1 authoritative 2, found mail.example.org 30m0s\n"},
		{"disagreeing", sub + "\nat 198.51.100.1 ptr 203.0.113.9 60 old.example.org", ptr("203.0.113.9"), below + good +
			"other.example.net 198.51.100.1 authoritative 3, found old.example.org 1m0s\n"},
		{"one without the record", sub + "\nat 198.51.100.1 none 203.0.113.9", ptr("203.0.113.9"), below + good +
			"other.example.net 198.51.100.1 authoritative 3, nodata 5m0s\n"},
		{"one with an alias of another zone", sub + "\nat 198.51.100.1 none 203.0.113.9\n" +
			"at 198.51.100.1 9.113.0.203.in-addr.arpa CNAME 9.customer.example.org", ptr("203.0.113.9"), below + good +
			"other.example.net 198.51.100.1 authoritative 3, nodata 9.customer.example.org 1h0m0s\n"},
		{"a server of the zone above", `
9.113.0.203.in-addr.arpa SOA ns1.example.net hostmaster.example.net 3 3600 900 604800 300
9.113.0.203.in-addr.arpa NS ns1.example.net
9.113.0.203.in-addr.arpa NS ns2.example.net
ns 192.0.2.11 9.113.0.203.in-addr.arpa
at 192.0.2.12 none 9.113.0.203.in-addr.arpa NS
at 2001:db8::12 none 9.113.0.203.in-addr.arpa SOA
`, ptr("203.0.113.9"), `
zone 9.113.0.203.in-addr.arpa in 113.0.203.in-addr.arpa, insecure, serial 3
ns1.example.net 192.0.2.11 authoritative 3, found mail.example.org 30m0s
ns2.example.net 192.0.2.12 authoritative 3, found mail.example.org 30m0s
ns2.example.net 2001:db8::12 lame (it refers to the servers of 9.113.0.203.in-addr.arpa)
`},
		{"the zone names other servers than the one above", `
at 192.0.2.1 113.0.203.in-addr.arpa NS ns1.example.net
at 192.0.2.1 113.0.203.in-addr.arpa NS former.example.net
former.example.net A 198.51.100.2
ns 198.51.100.2 example.com
`, ptr("203.0.113.9"), `
zone 113.0.203.in-addr.arpa in ., insecure, serial 7
delegated [ns1.example.net former.example.net]
published [ns1.example.net ns2.example.net]
ns1.example.net 192.0.2.11 authoritative 7, found mail.example.org 30m0s
former.example.net 198.51.100.2 lame (it answers REFUSED)
ns2.example.net 192.0.2.12 authoritative 7, found mail.example.org 30m0s
ns2.example.net 2001:db8::12 authoritative 7, found mail.example.org 30m0s
`},
		{"a server that only the zone itself names, which the resolver can't ask", `
at 192.0.2.1 113.0.203.in-addr.arpa NS ns1.example.net
!servfail 113.0.203.in-addr.arpa NS
`, ptr("203.0.113.9"), `
zone 113.0.203.in-addr.arpa in ., insecure, serial 7
delegated [ns1.example.net]
published [ns1.example.net ns2.example.net]
ns1.example.net 192.0.2.11 authoritative 7, found mail.example.org 30m0s
ns2.example.net 192.0.2.12 authoritative 7, found mail.example.org 30m0s
ns2.example.net 2001:db8::12 authoritative 7, found mail.example.org 30m0s
`},
		{"the CNAME itself, at each server", `
8.113.0.203.in-addr.arpa CNAME 8.customer.example.org
at 192.0.2.12 none 8.113.0.203.in-addr.arpa CNAME
`, question("8.113.0.203.in-addr.arpa", evidence.CNAME), `
zone 113.0.203.in-addr.arpa in ., insecure, serial 7
ns1.example.net 192.0.2.11 authoritative 7, found 8.customer.example.org 30m0s
ns2.example.net 192.0.2.12 authoritative 7, nxdomain 10m0s
ns2.example.net 2001:db8::12 authoritative 7, found 8.customer.example.org 30m0s
`},
		{"the forward zone, by family", `
example.org SOA ns1.example.net hostmaster.example.net 4 3600 900 604800 120
example.org NS ns1.example.net
example.org NS ns2.example.net
ns 192.0.2.11,192.0.2.12,2001:db8::12 example.org
at 2001:db8::12 none mail.example.org A
`, question("mail.example.org", evidence.A), `
zone example.org in ., insecure, serial 4
ns1.example.net 192.0.2.11 authoritative 4, found 203.0.113.9 30m0s
ns2.example.net 192.0.2.12 authoritative 4, found 203.0.113.9 30m0s
ns2.example.net 2001:db8::12 authoritative 4, nxdomain 2m0s
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			change := hasty
			if !strings.Contains(tt.world, "silent") {
				change = nil
			}
			z := open(t, base+tt.world, change).Zone(t.Context(), tt.ask)
			if got := told(z); got != strings.TrimPrefix(tt.want, "\n") {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

const below = "zone 9.113.0.203.in-addr.arpa in 113.0.203.in-addr.arpa, insecure, serial 3\n"

func question(name string, kind evidence.Type) evidence.Question {
	return evidence.Question{Name: dnsname.MustParse(name), Type: kind}
}

// RFC 2317: the chain with the zone of each link, and the zone at its end.
func TestChain(t *testing.T) {
	links := func(n int) string {
		var b strings.Builder
		b.WriteString("9.113.0.203.in-addr.arpa CNAME h1.example.net\n")
		for i := 1; i < n; i++ {
			fmt.Fprintf(&b, "h%d.example.net CNAME h%d.example.net\n", i, i+1)
		}
		return b.String()
	}
	world := strings.ReplaceAll(base, "ptr 203.0.113.9 1800 mail.example.org", "") + `
example.net SOA ns1.example.net hostmaster.example.net 4 3600 900 604800 60
example.net NS ns1.example.net
ns 192.0.2.11 example.net
`
	for _, tt := range []struct {
		name, world string
		links       int
		fault       evidence.ChainFault
		end, zone   string
		state       evidence.State
	}{
		{"RFC 2317", `
9.113.0.203.in-addr.arpa 600 CNAME 9.8/29.113.0.203.in-addr.arpa
9.8/29.113.0.203.in-addr.arpa PTR mail.example.org
8/29.113.0.203.in-addr.arpa SOA ns1.example.net hostmaster.example.net 5 3600 900 604800 60
8/29.113.0.203.in-addr.arpa NS ns1.example.net
ns 192.0.2.11 8/29.113.0.203.in-addr.arpa
`, 1, "", "9.8/29.113.0.203.in-addr.arpa", "8/29.113.0.203.in-addr.arpa", evidence.Found},
		{"without a PTR record at its end", links(1) + "h1.example.net TXT empty\n", 1, "", "h1.example.net", "example.net", evidence.NoData},
		{"D076: eleven links", links(11) + "h11.example.net PTR mail.example.org\n", 11, "", "h11.example.net", "example.net", evidence.Found},
		{"D077: twelve links", links(12) + "h12.example.net PTR mail.example.org\n", 12, evidence.ChainTooLong, "h11.example.net", "example.net", evidence.Found},
		{"D078: a hundred links", links(100), 12, evidence.ChainTooLong, "h11.example.net", "example.net", evidence.NXDomain},
		{
			"D079: an alias of itself", "9.113.0.203.in-addr.arpa CNAME 9.113.0.203.in-addr.arpa\n", 1, evidence.ChainLoop,
			"9.113.0.203.in-addr.arpa", "113.0.203.in-addr.arpa", evidence.NoData,
		},
		{
			"D080: a loop of two", "9.113.0.203.in-addr.arpa CNAME h1.example.net\nh1.example.net CNAME 9.113.0.203.in-addr.arpa\n", 2,
			evidence.ChainLoop, "h1.example.net", "example.net", evidence.NoData,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			z := open(t, world+tt.world, nil).Zone(t.Context(), ptr("203.0.113.9"))
			if len(z.Chain) != tt.links || z.ChainFault != tt.fault || z.Name.String() != tt.end || z.Apex.String() != tt.zone {
				t.Fatalf("got\n%s", told(z))
			}
			if first := z.Chain[0]; first.Owner != z.Question.Name || first.Zone.String() != "113.0.203.in-addr.arpa" || first.TTL == 0 {
				t.Errorf("first link %+v", first)
			}
			if len(z.Servers) == 0 || z.Servers[0].State != evidence.Authoritative {
				t.Errorf("got\n%s", told(z))
			}
			if got := z.Servers[0].Answer.State; got != tt.state {
				t.Errorf("the server says %s, want %s", got, tt.state)
			}
		})
	}
}

// Where all servers of the zone are dead, the resolver knows nothing of it, but
// the zone above knows whom it gave it to.
func TestDeadZone(t *testing.T) {
	dead := strings.NewReplacer(
		"ns 192.0.2.11 113.0.203.in-addr.arpa", "ns 192.0.2.11 113.0.203.in-addr.arpa closed",
		"ns 192.0.2.12 113.0.203.in-addr.arpa", "ns 192.0.2.12 113.0.203.in-addr.arpa refused",
		"ns 2001:db8::12 113.0.203.in-addr.arpa", "ns 2001:db8::12 113.0.203.in-addr.arpa closed").Replace(base)
	for _, tt := range []struct{ name, world, want string }{
		{"its servers' names live", dead + "!servfail 203.0.113.9\n!servfail 203.0.113.9 CNAME\n!servfail 113.0.203.in-addr.arpa\n", `
zone 113.0.203.in-addr.arpa in ., unknown
delegated [ns1.example.net ns2.example.net]
published []
ns1.example.net 192.0.2.11 unreachable (connection refused)
ns2.example.net 192.0.2.12 lame (it answers REFUSED)
ns2.example.net 2001:db8::12 unreachable (connection refused)
`},
		{"its servers' names are dead too, but for the glue", dead + "!servfail 203.0.113.9\n!servfail 113.0.203.in-addr.arpa\n" +
			"!servfail ns1.example.net\n!servfail ns2.example.net\n", `
zone 113.0.203.in-addr.arpa in ., unknown
delegated [ns1.example.net ns2.example.net]
published []
ns1.example.net 192.0.2.11 unreachable (connection refused; its address is known from the zone above only)
ns2.example.net 192.0.2.12 lame (it answers REFUSED; its address is known from the zone above only)
ns2.example.net 2001:db8::12 unreachable (connection refused; its address is known from the zone above only)
`},
		{"only the resolver is sick of this zone", base + "!servfail 203.0.113.9\n!servfail 113.0.203.in-addr.arpa\n", `
zone 113.0.203.in-addr.arpa in ., unknown, serial 7
ns1.example.net 192.0.2.11 authoritative 7, found mail.example.org 30m0s
ns2.example.net 192.0.2.12 authoritative 7, found mail.example.org 30m0s
ns2.example.net 2001:db8::12 authoritative 7, found mail.example.org 30m0s
`},
		{"the resolver is sick of everything", "!servfail 203.0.113.9\n!servfail 113.0.203.in-addr.arpa\n!servfail 0.203.in-addr.arpa\n" +
			"!servfail 203.in-addr.arpa\n!servfail in-addr.arpa\n!servfail arpa\n!servfail .\n", "zone  in , unknown\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			z := open(t, tt.world, nil).Zone(t.Context(), ptr("203.0.113.9"))
			if got := told(z); got != strings.TrimPrefix(tt.want, "\n") {
				t.Errorf("got\n%s", got)
			}
			if z.Trouble == nil || z.Trouble.State != evidence.ServFail {
				t.Errorf("trouble %+v", z.Trouble)
			}
		})
	}
}

// sorted puts the lines into an order that does not depend on that of the NS
// records, and drops the sets themselves.
func sorted(told string) string {
	lines := strings.Split(strings.TrimSpace(told), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "delegated ") || strings.HasPrefix(l, "published ")
	})
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// bare is a resolver that leaves the SOA record out of its denials.
type bare struct{ evidence.DNS }

// Ask asks the other one.
func (b bare) Ask(ctx context.Context, questions ...evidence.Question) evidence.Pending {
	answers := slices.Clone(b.DNS.Ask(ctx, questions...).Wait())
	for i := range answers {
		if answers[i].State.Negative() {
			answers[i].SOA = nil
		}
	}
	return said(answers)
}

type said []evidence.Answer

// Wait returns the answers.
func (s said) Wait() []evidence.Answer { return s }

// RFC 2308 §3 wants the SOA record in a denial, but not all forwarders pass it on.
func TestResolverWithoutSOA(t *testing.T) {
	a := open(t, base+sub, func(c *authority.Config) { c.DNS = bare{c.DNS} })
	for _, tt := range []struct{ addr, zone, parent string }{
		{"203.0.113.9", "9.113.0.203.in-addr.arpa", "113.0.203.in-addr.arpa"},
		{"203.0.113.10", "113.0.203.in-addr.arpa", "."},
	} {
		z := a.Zone(t.Context(), ptr(tt.addr))
		if z.Apex.String() != tt.zone || z.Parent.String() != tt.parent || len(z.Delegated) != 2 || z.SOA == nil || len(z.Servers) == 0 || z.Servers[0].State != evidence.Authoritative {
			t.Errorf("got\n%s", told(z))
		}
	}
}
