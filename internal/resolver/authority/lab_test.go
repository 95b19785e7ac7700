package authority_test

import (
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

// try is short, for the sake of servers that never answer.
const try = 100 * time.Millisecond

// open starts the name servers of a world, and asks the world itself where a
// recursive resolver is wanted.
func open(t *testing.T, text string) *authority.Authority {
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
	d, err := dialer.New(dialer.Config{Map: servers.Map()})
	if err != nil {
		t.Fatal(err)
	}
	a, err := authority.New(authority.Config{DNS: w, Dial: d.Dial, Try: try})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

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

func TestZone(t *testing.T) {
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
		{"one server of each fault", `
ns 192.0.2.12 113.0.203.in-addr.arpa refused
ns 2001:db8::12 113.0.203.in-addr.arpa serial=5
at 2001:db8::12 ptr 203.0.113.9 old.example.org
113.0.203.in-addr.arpa NS ns3.example.net
113.0.203.in-addr.arpa NS ns4.example.net
113.0.203.in-addr.arpa NS ns5.example.net
113.0.203.in-addr.arpa NS ns6.example.net
113.0.203.in-addr.arpa NS ns7.example.net
113.0.203.in-addr.arpa NS ns8.example.net
113.0.203.in-addr.arpa NS ns9.example.net
ns3.example.net A 192.0.2.13
ns4.example.net A 192.0.2.14
ns5.example.net A 192.0.2.15
ns6.example.net A 192.0.2.16
ns7.example.net A 192.0.2.17
ns8.example.net A 192.0.2.18
ns9.example.net A 192.0.2.19
ns 192.0.2.13 113.0.203.in-addr.arpa silent
ns 192.0.2.14 113.0.203.in-addr.arpa closed
ns 192.0.2.15 113.0.203.in-addr.arpa noaa
ns 192.0.2.16 113.0.203.in-addr.arpa upward
ns 192.0.2.17 113.0.203.in-addr.arpa servfail
ns 192.0.2.18 0.203.in-addr.arpa
ns 192.0.2.19 113.0.203.in-addr.arpa
at 192.0.2.19 none 203.0.113.9
0.203.in-addr.arpa SOA ns1.example.net hostmaster.example.net 1 3600 900 604800 600
at 192.0.2.18 none 113.0.203.in-addr.arpa NS
`, ptr("203.0.113.9"), `
zone 113.0.203.in-addr.arpa in 0.203.in-addr.arpa, insecure, serial 7
delegated []
published [ns1.example.net ns2.example.net ns3.example.net ns4.example.net ns5.example.net ns6.example.net ns7.example.net ns8.example.net ns9.example.net]
ns1.example.net 192.0.2.11 authoritative 7, found mail.example.org 30m0s
ns2.example.net 192.0.2.12 lame (it answers REFUSED)
ns2.example.net 2001:db8::12 authoritative 5, found old.example.org 1h0m0s
ns3.example.net 192.0.2.13 silent (no answer in time)
ns4.example.net 192.0.2.14 unreachable (connection refused)
ns5.example.net 192.0.2.15 lame (it answers without authority (no AA bit))
ns6.example.net 192.0.2.16 lame (it refers to the servers of .)
ns7.example.net 192.0.2.17 lame (it answers SERVFAIL)
ns8.example.net 192.0.2.18 authoritative 7, found mail.example.org 30m0s
ns9.example.net 192.0.2.19 authoritative 7, nxdomain 10m0s
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := open(t, base+tt.world).Zone(t.Context(), tt.ask)
			if got := told(z); got != strings.TrimPrefix(tt.want, "\n") {
				t.Errorf("got\n%s", got)
			}
		})
	}
}
