package authority_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/resolver"
	"github.com/arpagate/arpagate/internal/resolver/authority"
	"github.com/miekg/dns"
)

func TestSecurity(t *testing.T) {
	const (
		ds     = "113.0.203.in-addr.arpa DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
		key    = "113.0.203.in-addr.arpa DNSKEY 257 3 13 AAECAwQFBgcICQoLDA0ODw==\n"
		secure = "secure 113.0.203.in-addr.arpa\n"
	)
	for _, tt := range []struct {
		name, world string
		want        evidence.SecurityState
		ds, key     bool
		why         string
	}{
		{"not signed", "", evidence.Insecure, false, false, ""},
		{"signed, and a resolver on this machine vouches for it", ds + key + secure, evidence.Secure, true, true, ""},
		{"signed, and nobody validates", ds + key, evidence.Signed, true, true, ""},
		{"signed, and the zone above does not say so", key, evidence.Island, false, true, ""},
		{"a DS record without a key", ds, evidence.BogusZone, true, false, "the zone above has a DS record, the zone no DNSKEY"},
		{"bogus", ds + key + "!bogus 113.0.203.in-addr.arpa DNSKEY\n", evidence.BogusZone, true, false, "no valid signature"},
		{
			"SERVFAIL without a reason, while the servers answer", ds + "!servfail 113.0.203.in-addr.arpa DNSKEY\n", evidence.BogusZone, true, false,
			"its servers answer for its key, but the resolver says SERVFAIL",
		},
		{"DS not to be had", "!timeout 113.0.203.in-addr.arpa DS\n", evidence.Indeterminate, false, false, "DS: timeout"},
		{"DNSKEY not to be had", "!timeout 113.0.203.in-addr.arpa DNSKEY\n", evidence.Indeterminate, false, false, "DNSKEY: timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, base+tt.world, nil).Zone(t.Context(), ptr("203.0.113.9")).Security
			if s.State != tt.want || s.DS != tt.ds || s.Key != tt.key || s.Why.String() != tt.why {
				t.Errorf("got %+v, want %s", s, tt.want)
			}
		})
	}
}

// SERVFAIL of the resolver is the servers' trouble where they don't answer that
// very question, whatever else they answer.
func TestServersFailAtTheKey(t *testing.T) {
	t.Parallel()
	w, err := lab.Parse(one + "113.0.203.in-addr.arpa DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n" +
		"!servfail 113.0.203.in-addr.arpa DNSKEY\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		rcode int
		want  evidence.SecurityState
		why   string
	}{
		{dns.RcodeServerFailure, evidence.Indeterminate, "DNSKEY: SERVFAIL"},
		{dns.RcodeSuccess, evidence.BogusZone, "its servers answer for its key, but the resolver says SERVFAIL"},
	} {
		server := script(t, "", func(c *call) {
			if c.msg.Question[0].Qtype == dns.TypeDNSKEY {
				m := new(dns.Msg).SetRcode(c.msg, tt.rcode)
				m.Authoritative = true
				c.send(c.pack(m))
				return
			}
			c.good()
		})
		z := ask(t, w, map[netip.AddrPort]netip.AddrPort{netip.MustParseAddrPort("198.51.100.1:53"): server}, nil).Zone(t.Context(), ptr("203.0.113.9"))
		if s := z.Security; s.State != tt.want || s.Why.String() != tt.why || z.Servers[0].State != evidence.Authoritative {
			t.Errorf("%s: got %+v\n%s", dns.RcodeToString[tt.rcode], s, told(z))
		}
	}
}

// The lab's world through our own resolver, over the wire: each planted fault is
// found, and where nothing is wrong, nothing is.
func TestLabWorld(t *testing.T) {
	w := lab.Default()
	server, err := lab.Listen(t.Context(), w, "127.0.0.1:0", lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	r, err := resolver.New(resolver.Config{Servers: []netip.AddrPort{server.Addr()}, Timeout: 30 * time.Second, Try: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	servers, err := w.ListenNameServers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer servers.Close()
	a := ask(t, w, servers.Map(), func(c *authority.Config) { c.DNS = r })
	for _, tt := range []struct {
		addr, want string
	}{
		{"203.0.113.1", `zone 113.0.203.in-addr.arpa in ., insecure, serial 1
ns.example.net 192.0.2.53 authoritative 1, found mail.example.org 1h0m0s
ns2.example.net 192.0.2.54 authoritative 1, found mail.example.org 1h0m0s
ns2.example.net 2001:db8::54 authoritative 1, found mail.example.org 1h0m0s
`},
		{"192.0.2.33", `alias 33.2.0.192.in-addr.arpa -> 33.32/27.2.0.192.in-addr.arpa in 2.0.192.in-addr.arpa
zone 32/27.2.0.192.in-addr.arpa in 2.0.192.in-addr.arpa, insecure, serial 1
ns.example.net 192.0.2.53 authoritative 1, found mail.delegated.example.org 1h0m0s
ns2.example.net 192.0.2.54 authoritative 1, found mail.delegated.example.org 1h0m0s
ns2.example.net 2001:db8::54 authoritative 1, found mail.delegated.example.org 1h0m0s
`},
		{"2001:db8::9", `zone 8.b.d.0.1.0.0.2.ip6.arpa in ., insecure, serial 1
ns.example.net 192.0.2.53 authoritative 1, nxdomain 5m0s
ns2.example.net 192.0.2.54 authoritative 1, nxdomain 5m0s
ns2.example.net 2001:db8::54 authoritative 1, nxdomain 5m0s
`},
		{"203.0.113.81", `zone 81.113.0.203.in-addr.arpa in 113.0.203.in-addr.arpa, insecure, serial 1
lame.example.net 192.0.2.81 lame (it answers REFUSED)
ns.example.net 192.0.2.53 authoritative 1, found lame.example.org 1h0m0s
`},
		{"203.0.113.82", `zone 82.113.0.203.in-addr.arpa in 113.0.203.in-addr.arpa, insecure, serial 2026030103
late.example.net 192.0.2.82 authoritative 2026030101, found late.example.org 1h0m0s
ns.example.net 192.0.2.53 authoritative 2026030103, found late.example.org 1h0m0s
`},
		{"203.0.113.83", `zone 83.113.0.203.in-addr.arpa in 113.0.203.in-addr.arpa, insecure, serial 1
differ.example.net 192.0.2.83 authoritative 1, found former.example.org 1h0m0s
ns.example.net 192.0.2.53 authoritative 1, found differ.example.org 1h0m0s
`},
		{"203.0.113.84", `zone 84.113.0.203.in-addr.arpa in 113.0.203.in-addr.arpa, insecure, serial 1
ns.example.net 192.0.2.53 authoritative 1, found partly.example.org 1h0m0s
partly.example.net 192.0.2.84 authoritative 1, nodata 5m0s
`},
		{"203.0.113.86", `zone 86.113.0.203.in-addr.arpa in 113.0.203.in-addr.arpa, insecure, serial 1
closed.example.net 192.0.2.86 unreachable (connection refused)
ns.example.net 192.0.2.53 authoritative 1, found away.example.org 1h0m0s
`},
	} {
		// The resolver gives the NS records in the order of the message.
		if got := told(a.Zone(t.Context(), ptr(tt.addr))); sorted(got) != sorted(tt.want) {
			t.Errorf("%s:\n%s", tt.addr, got)
		}
	}
	long := a.Zone(t.Context(), ptr("203.0.113.85"))
	if long.ChainFault != evidence.ChainTooLong || long.Apex.String() != "example.net" {
		t.Errorf("got\n%s", told(long))
	}
	half := told(a.Zone(t.Context(), question("mail.halfway.example.org", evidence.A)))
	if sorted(half) != sorted(`zone halfway.example.org in example.org, insecure, serial 1
halfway.example.net 192.0.2.87 authoritative 1, nxdomain 5m0s
ns.example.net 192.0.2.53 authoritative 1, found 203.0.113.87 1h0m0s
`) {
		t.Errorf("got\n%s", half)
	}
	if s := a.Zone(t.Context(), question("mail.example.com", evidence.A)).Security; s.State != evidence.Secure {
		t.Errorf("example.com: %+v", s)
	}
}

// A dead zone keeps a resolver busy until its patience ends; there is time left to
// ask the servers all the same.
func TestDeadZoneAndBusyResolver(t *testing.T) {
	t.Parallel()
	w, err := lab.Parse(strings.ReplaceAll(base, "ns 192.0.2.12 113.0.203.in-addr.arpa", "ns 192.0.2.12 113.0.203.in-addr.arpa refused") +
		"!timeout 203.0.113.9\n!timeout 113.0.203.in-addr.arpa\n")
	if err != nil {
		t.Fatal(err)
	}
	server, err := lab.Listen(t.Context(), w, "127.0.0.1:0", lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	r, err := resolver.New(resolver.Config{Servers: []netip.AddrPort{server.Addr()}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	servers, err := w.ListenNameServers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer servers.Close()
	z := ask(t, w, servers.Map(), func(c *authority.Config) { c.DNS, c.Patience = r, time.Second }).Zone(t.Context(), ptr("203.0.113.9"))
	want := `zone 113.0.203.in-addr.arpa in ., unknown, serial 7
ns1.example.net 192.0.2.11 authoritative 7, found mail.example.org 30m0s
ns2.example.net 192.0.2.12 lame (it answers REFUSED)
ns2.example.net 2001:db8::12 authoritative 7, found mail.example.org 30m0s
`
	if got := told(z); got != want || z.Trouble == nil || z.Trouble.State != evidence.Timeout {
		t.Errorf("got\n%s", got)
	}
}
