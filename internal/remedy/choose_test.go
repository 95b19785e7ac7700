package remedy_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/remedy"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// TestChoose: change one thing. A good PTR name stays and EHLO follows it; a
// PTR name from a template goes, and follows EHLO; of several domains one is
// enough.
func TestChoose(t *testing.T) {
	confirmed := func(n string) evidence.PTRName {
		return evidence.PTRName{Name: name(n), State: evidence.Confirmed}
	}
	mismatch := func(n string) evidence.PTRName {
		return evidence.PTRName{Name: name(n), State: evidence.Mismatch}
	}
	for label, tc := range map[string]struct {
		c            remedy.Candidates
		name, change string
	}{
		"nothing known": {remedy.Candidates{}, "", ""},
		"asked for":     {remedy.Candidates{Asked: name("mx.example.org"), EHLO: name("mail.example.org")}, "mx.example.org", "ptr"},
		"all is well":   {remedy.Candidates{PTR: []evidence.PTRName{confirmed("mail.example.org")}, EHLO: name("mail.example.org")}, "mail.example.org", ""},
		"good PTR, EHLO of another host": {
			remedy.Candidates{PTR: []evidence.PTRName{confirmed("mail.example.org")}, EHLO: name("web.example.org")}, "mail.example.org", "helo",
		},
		"good PTR, EHLO .local": {
			remedy.Candidates{PTR: []evidence.PTRName{confirmed("mail.example.org")}, EHLO: name("exchange.corp.local")}, "mail.example.org", "helo",
		},
		"generic PTR, EHLO good": {
			remedy.Candidates{PTR: []evidence.PTRName{confirmed("dsl-9.example.net")}, Generic: name("dsl-9.example.net"), EHLO: name("mail.example.org"), Leads: true}, "mail.example.org", "ptr",
		},
		"generic PTR, EHLO the same": {
			remedy.Candidates{PTR: []evidence.PTRName{confirmed("dsl-9.example.net")}, Generic: name("dsl-9.example.net"), EHLO: name("dsl-9.example.net"), Other: []dnsname.Name{name("mail.example.org")}}, "mail.example.org", "ptr",
		},
		"generic PTR, EHLO .lan, MX good": {
			remedy.Candidates{PTR: []evidence.PTRName{confirmed("dsl-9.example.net")}, Generic: name("dsl-9.example.net"), EHLO: name("box.lan"), Other: []dnsname.Name{name("mx.example.org"), name("mx.example.com")}}, "mx.example.org", "ptr",
		},
		"several PTR names, one is said in EHLO": {
			remedy.Candidates{PTR: []evidence.PTRName{confirmed("a.example.net"), confirmed("mail.example.org")}, EHLO: name("mail.example.org")}, "mail.example.org", "ptr",
		},
		"PTR does not lead back, EHLO does": {
			remedy.Candidates{PTR: []evidence.PTRName{mismatch("old.example.org")}, EHLO: name("mail.example.org"), Leads: true}, "mail.example.org", "ptr",
		},
		"PTR does not lead back, no EHLO": {remedy.Candidates{PTR: []evidence.PTRName{mismatch("old.example.org")}}, "old.example.org", "ptr"},
		"only names that can't be hosts":  {remedy.Candidates{EHLO: name("localhost"), Other: []dnsname.Name{name("mail"), name(`a\;b.example.org`), name("203.0.113.9")}}, "", ""},
		"asked for what can't be a host":  {remedy.Candidates{Asked: name("mail"), EHLO: name("mail.example.org")}, "mail.example.org", "ptr"},
	} {
		t.Run(label, func(t *testing.T) {
			got := remedy.Choose(tc.c)
			if got.Name.String() != tc.name || got.Change != tc.change || got.Why == "" {
				t.Errorf("%+v, want %s, change %q", got, tc.name, tc.change)
			}
		})
	}
}

// TestSeveralDomains says why one name is enough.
func TestSeveralDomains(t *testing.T) {
	in := missing("203.0.113.9", "")
	in.Names = []dnsname.Name{name("mail.example.org"), name("mail.example.com"), name("mail.example.net")}
	r := open(t).For(in)
	if r.Wanted.Name != in.Names[0] || !strings.Contains(r.Wanted.Why, "3 would do, and one is enough for all domains") {
		t.Errorf("%+v", r.Wanted)
	}
}

// TestOneThing: for a HELO finding the remedy changes EHLO where the PTR record
// is good, and the address record where it is not.
func TestOneThing(t *testing.T) {
	b := open(t)
	in := about(finding.HeloNotClient, "203.0.113.9", "")
	in.Finding.Args.Name = name("web.example.org")
	in.View = &evidence.View{
		IPRev: evidence.IPRev{Result: evidence.Pass, Confirmed: name("mail.example.org"), Names: []evidence.PTRName{{Name: name("mail.example.org"), State: evidence.Confirmed}}},
		Helo:  evidence.Helo{Kind: evidence.HeloName, Name: name("web.example.org"), Said: untrusted.New("web.example.org")},
	}
	if r := b.For(in); r.Party != remedy.MailAdmin || r.Wanted.Name != name("mail.example.org") || len(r.Records) > 0 {
		t.Errorf("good PTR name: %s", show(r))
	}
	in.View.Generic = evidence.Generic{Name: name("mail.example.org"), Parts: []string{"octets"}}
	if r := b.For(in); r.Party != remedy.ZoneOperator || r.Wanted.Name != name("web.example.org") || len(r.Records) != 1 {
		t.Errorf("generic PTR name: %s", show(r))
	}
}

// TestWho: the party by the zone, the registration, the origin and the name,
// and what is said where they disagree.
func TestWho(t *testing.T) {
	b := open(t)
	at := func(ns string) *evidence.Zone {
		return zone("9.113.0.203.in-addr.arpa", evidence.PTR, "113.0.203.in-addr.arpa", server(ns, "198.51.100.1", 1, none()))
	}
	providers := load[provider](t, "providers")
	first, other := "ns1."+providers["hetzner"].Known.Zone[0], "ns1."+providers["contabo"].Known.Zone[0]
	hetzner, contabo := uint32(24940), uint32(51167)
	for label, tc := range map[string]struct {
		in           func(*remedy.Input)
		who, caution string
		ticket       bool
	}{
		"nothing known":        {func(*remedy.Input) {}, "the holder of the address", "at its registrar, does nothing", true},
		"the zone's servers":   {func(in *remedy.Input) { in.Reverse = at(first) }, "Hetzner, whose name servers hold the zone 113.0.203.in-addr.arpa", "", true},
		"the origin":           {func(in *remedy.Input) { in.Origin = &evidence.Origin{ASN: contabo} }, "Contabo, who announces the address (AS51167)", "Not confirmed", true},
		"unknown, with origin": {func(in *remedy.Input) { in.Origin = &evidence.Origin{ASN: 64500, Org: untrusted.New("EXAMPLE-NET")} }, "announced by AS64500 EXAMPLE-NET", "", true},
		"a reseller": {func(in *remedy.Input) {
			in.Reverse, in.Origin = at(other), &evidence.Origin{ASN: hetzner}
		}, "Contabo", "a reseller may stand between", true},
		"own servers": {func(in *remedy.Input) {
			in.Reverse, in.Origin = at("ns1.example.org"), &evidence.Origin{ASN: hetzner}
		}, "whoever runs the zone 113.0.203.in-addr.arpa on ns1.example.org", "Hetzner can't change it", false},
		"servers of unknown hands": {func(in *remedy.Input) {
			in.Reverse, in.Origin = at("ns1.example.net"), &evidence.Origin{ASN: hetzner}
		}, "Hetzner", "are not known to be those of Hetzner", true},
		"registered here, announced there": {func(in *remedy.Input) {
			in.Origin = &evidence.Origin{ASN: hetzner, Holder: untrusted.New("Contabo GmbH")}
		}, "Contabo, to whom the address is registered", "registered to Contabo and announced by Hetzner", true},
		"said by the operator": {func(in *remedy.Input) { in.Reverse, in.Provider = at(first), "vultr" }, "Vultr", "", true},
	} {
		t.Run(label, func(t *testing.T) {
			in := missing("203.0.113.9", "mail.example.org")
			tc.in(&in)
			r := b.For(in)
			if !strings.Contains(r.Who, tc.who) || !strings.Contains(strings.Join(r.Cautions, "\n"), tc.caution) || (r.Ticket != "") != tc.ticket {
				t.Errorf("who %q, cautions %q, ticket %v", r.Who, r.Cautions, r.Ticket != "")
			}
		})
	}
}

func TestContact(t *testing.T) {
	b := open(t)
	for rname, want := range map[string]string{
		"hostmaster.example.net": "hostmaster@example.net", `host\.master.example.net`: "host.master@example.net",
		"nobody.invalid": "", "hostmaster.host.invalid": "", ".": "", `a\032b.example.net`: "", `x\010y.example.net`: "", "example": "",
	} {
		in := missing("203.0.113.9", "mail.example.org")
		in.Reverse = reverse(none())
		in.Reverse.SOA.RName = name(rname)
		if got := b.For(in).Contact; got != want {
			t.Errorf("%s: %q, want %q", rname, got, want)
		}
	}
}

// TestTicket: it can be sent as it is, from any form and program.
func TestTicket(t *testing.T) {
	b := open(t)
	long := "a-rather-long-host-name-of-a-mail-server-in-the-cellar.mail.department.example.org"
	for _, addr := range []string{"203.0.113.9", "2001:db8::25"} {
		for _, want := range []string{"mail.example.org", long} {
			in := missing(addr, want)
			in.Reverse = zone(dnsname.Reverse(in.Address).String(), evidence.PTR, "arpa", server("ns1.example.net", "198.51.100.1", 1, ptrs(time.Hour, "old.example.net")))
			ticket := b.For(in).Ticket
			for _, part := range []string{addr, dnsname.Reverse(netip.MustParseAddr(addr)).String(), want, "old.example.net", "not the operators"} {
				if !strings.Contains(ticket, part) {
					t.Errorf("no %q in\n%s", part, ticket)
				}
			}
			for line := range strings.Lines(ticket) {
				if n := len(strings.TrimSuffix(line, "\n")); n > 72 && !strings.Contains(line, long) {
					t.Errorf("%d columns: %q", n, line)
				}
				for _, c := range []byte(strings.TrimSuffix(line, "\n")) {
					if c < ' ' || c > '~' {
						t.Errorf("octet %#x in %q", c, line)
					}
				}
			}
		}
	}
}

// TestNoIPv6: where the provider has no PTR records for IPv6, the mail server
// is bound to IPv4, and nothing is to be published.
func TestNoIPv6(t *testing.T) {
	b := open(t)
	for id, p := range load[provider](t, "providers") {
		for _, code := range []finding.Code{finding.PTRMissing, finding.PTRSeveral, finding.PTRGeneric, "ptr-long-chain", "ipv6-no-ptr"} {
			in := about(code, "2001:db8::25", "mail.example.org")
			in.Provider, in.MTA = id, "postfix"
			in.Finding.Args.Others = []netip.Addr{netip.MustParseAddr("203.0.113.9")}
			r := b.For(in)
			if bound := r.Party == remedy.MailAdmin && len(r.Records) == 0 && strings.Contains(r.Do, "IPv4 only"); bound != (p.Ways[0].IPv6 == "no") {
				t.Errorf("%s, %s: %s: %s", id, code, r.Party, r.Do)
			}
		}
	}
}

// TestChooseSaysWhoSaid: a name that nobody has heard is not called the server's
// own word.
func TestChooseSaysWhoSaid(t *testing.T) {
	host := dnsname.MustParse("mail.example.org")
	for assumed, want := range map[bool]string{
		true:  "it is the name of the host, and it has the address already",
		false: "the mail server says it in EHLO, and it has the address already",
	} {
		if got := remedy.Choose(remedy.Candidates{EHLO: host, Assumed: assumed, Leads: true}); got.Why != want {
			t.Errorf("assumed %v: %q", assumed, got.Why)
		}
	}
}
