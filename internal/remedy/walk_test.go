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
)

// TestTemplateNamesAreTheProviders: a name made from a template lies in the domain
// of whoever made it, so that name servers in that domain are not the customer's.
func TestTemplateNamesAreTheProviders(t *testing.T) {
	in := about(finding.PTRGeneric, "203.0.113.9", "")
	in.Finding.Args.Name = name("dsl-203-0-113-9.example.net")
	in.Names, in.MTA = []dnsname.Name{in.Finding.Args.Name}, "postfix"
	in.Reverse = reverse(ptrs(time.Hour, "dsl-203-0-113-9.example.net"))
	r := open(t).For(in)
	if strings.Contains(r.Do, "its own name servers") || strings.Contains(steps(r), "raise its serial") || r.Ticket == "" {
		t.Errorf("the customer is to run the provider's zone: %s", show(r))
	}
	if !strings.Contains(show(r), "relayhost") || !strings.Contains(steps(r), "control panel") {
		t.Errorf("no smarthost, or nobody to ask: %s", show(r))
	}
}

// TestNoNameKnown: the record stands there with a place for the name.
func TestNoNameKnown(t *testing.T) {
	in := missing("203.0.113.9", "")
	in.Reverse = reverse(none())
	r := open(t).For(in)
	for format, want := range map[string]string{
		"bind": "9.113.0.203.in-addr.arpa. 3600 IN PTR MAIL.YOUR-DOMAIN.\n", "nsupdate": "PTR MAIL.YOUR-DOMAIN.\n", "tinydns": "^9.113.0.203.in-addr.arpa:MAIL.YOUR-DOMAIN:3600\n",
		"octodns": `value: "MAIL.YOUR-DOMAIN."`, "terraform": `"MAIL.YOUR-DOMAIN."`, "dnscontrol": `"MAIL.YOUR-DOMAIN."`,
	} {
		if !strings.Contains(r.Texts[format], want) {
			t.Errorf("%s: no %q in %q", format, want, r.Texts[format])
		}
	}
	if !strings.Contains(strings.Join(r.Cautions, " "), "in the place of MAIL.YOUR-DOMAIN, or give it with --name") {
		t.Errorf("%q", r.Cautions)
	}
}

// TestWhoPastes: the PTR record does not belong into a zone of one's own domain.
func TestWhoPastes(t *testing.T) {
	in := missing("203.0.113.9", "mail.example.org")
	in.Reverse = reverse(none())
	for format, text := range open(t).For(in).Texts {
		if !strings.Contains(text, "by whoever runs this zone, not in a zone of your own domain") {
			t.Errorf("%s does not say who is to paste it:\n%s", format, text)
		}
	}
	in.Reverse = zone("9.113.0.203.in-addr.arpa", evidence.PTR, "113.0.203.in-addr.arpa", server("ns1.example.org", "198.51.100.1", 1, none()))
	if text := open(t).For(in).Texts["bind"]; strings.Contains(text, "by whoever") {
		t.Errorf("the zone is one's own:\n%s", text)
	}
}

// TestTrouble: who is at fault where a question was not answered.
func TestTrouble(t *testing.T) {
	trouble := func(state evidence.State, why string, z *evidence.Zone) remedy.Input {
		in := about(finding.DNSTrouble, "203.0.113.9", "mail.example.org")
		in.Finding.Args.State, in.Finding.Args.Why, in.Finding.Args.Server = state, why, netip.MustParseAddrPort("127.0.0.1:53")
		in.Reverse = z
		return in
	}
	for label, tc := range map[string]struct {
		in    remedy.Input
		party remedy.Party
		do    string
	}{
		"the zone's servers answer":       {trouble(evidence.ServFail, "", reverse(ptrs(time.Hour, "mail.example.org"))), remedy.OurDNS, "the fault is there, for the zone's own servers answer (with mail.example.org)"},
		"they answer that there is none":  {trouble(evidence.Timeout, "", reverse(none())), remedy.OurDNS, "has no such record, NXDOMAIN)"},
		"nothing listens":                 {trouble(evidence.Failed, "read udp: connection refused", nil), remedy.OurDNS, "Start the DNS server 127.0.0.1:53, or name another one (--dns): none runs there"},
		"DNSSEC":                          {trouble(evidence.Bogus, "", reverse(ptrs(time.Hour, "mail.example.org"))), remedy.ZoneOperator, "DNSSEC signatures of 113.0.203.in-addr.arpa"},
		"a filter":                        {trouble(evidence.Filtered, "", nil), remedy.OurDNS, "withholds or rewrites"},
		"nobody knows":                    {trouble(evidence.ServFail, "", nil), remedy.OurDNS, "Look up other addresses"},
		"the zone's servers don't answer": {trouble(evidence.ServFail, "", unheard(reverse(none()), evidence.Silent)), remedy.ZoneOperator, "Have the name servers of 113.0.203.in-addr.arpa put right"},
		"they can't be asked from here":   {trouble(evidence.ServFail, "", unheard(reverse(none()), evidence.Barred)), remedy.OurDNS, "Look up other addresses"},
		"an answer to another question": {func() remedy.Input {
			in := trouble(evidence.ServFail, "", reverse(none()))
			in.Finding.Args.Name = name("mail.example.org")
			return in
		}(), remedy.OurDNS, "Look up other addresses"},
	} {
		t.Run(label, func(t *testing.T) {
			if r := open(t).For(tc.in); r.Party != tc.party || !strings.Contains(r.Do, tc.do) {
				t.Errorf("%s: %s", r.Party, r.Do)
			}
		})
	}
}

// TestAliasRing: the way out of a ring is to take the alias out.
func TestAliasRing(t *testing.T) {
	in := about("ptr-long-chain", "203.0.113.9", "mail.example.org")
	in.Finding.Args.Why = string(evidence.ChainLoop)
	in.Reverse = reverse(none())
	in.Reverse.Servers, in.Reverse.ChainFault, in.Reverse.Name = nil, evidence.ChainLoop, name("a.example.net")
	in.Reverse.Chain = []evidence.Alias{
		{Owner: name("9.113.0.203.in-addr.arpa"), Target: name("a.example.net"), Zone: name("113.0.203.in-addr.arpa")},
		{Owner: name("a.example.net"), Target: name("9.113.0.203.in-addr.arpa"), Zone: name("example.net")},
	}
	r := open(t).For(in)
	text := show(r)
	for _, want := range []string{
		"Have the alias (CNAME) of 9.113.0.203.in-addr.arpa taken out of the zone 113.0.203.in-addr.arpa",
		"; take out: 9.113.0.203.in-addr.arpa. IN CNAME a.example.net.\n9.113.0.203.in-addr.arpa. 3600 IN PTR mail.example.org.\n",
		"update delete 9.113.0.203.in-addr.arpa. CNAME\n", "CNAME:    a.example.net. (please delete)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	for _, never := range []string{"One is enough", "Both halves"} {
		if strings.Contains(text, never) {
			t.Errorf("%q in %s", never, text)
		}
	}
}

// TestLongChainTicket: the PTR record can't be set beside the CNAME.
func TestLongChainTicket(t *testing.T) {
	in := about("ptr-long-chain", "203.0.113.9", "mail.example.org")
	in.Reverse = chained("9.0/25.113.0.203.in-addr.arpa")
	in.Reverse.Servers[0].Answer, in.Reverse.Servers[1].Answer = ptrs(time.Hour, "mail.example.org"), ptrs(time.Hour, "mail.example.org")
	r := open(t).For(in)
	if !strings.Contains(strings.Join(strings.Fields(r.Ticket), " "), "Please delete the CNAME record at its owner name, and set the PTR record there in its place: Address: 203.0.113.9 Owner: 9.113.0.203.in-addr.arpa PTR: mail.example.org. CNAME: 9.0/25.113.0.203.in-addr.arpa. (please delete)") {
		t.Errorf("%s", r.Ticket)
	}
}

// TestAllOthersGo: an answer holds ten PTR names at most, and all others go.
func TestAllOthersGo(t *testing.T) {
	in := about(finding.PTRTooMany, "203.0.113.9", "mail.example.org")
	a := ptrs(time.Hour, "mail.example.org", "a.example.org", "b.example.org")
	a.Total = 15
	in.Reverse = reverse(a)
	r := open(t).For(in)
	if !strings.Contains(r.Texts["bind"], "take out all other PTR records of that name too: 12 more") || !strings.Contains(strings.Join(r.Cautions, " "), "there are 15 in all") {
		t.Errorf("%s", show(r))
	}
}

// TestRootIsNobodysZone: a resolver that found no closer zone has found none.
func TestRootIsNobodysZone(t *testing.T) {
	in := missing("203.0.113.9", "mail.example.org")
	in.Reverse = &evidence.Zone{Question: evidence.Question{Name: dnsname.Reverse(in.Address), Type: evidence.PTR}, Name: dnsname.Reverse(in.Address), Apex: name(".")}
	text := show(open(t).For(in))
	for _, never := range []string{"the zone .", "; zone \n", "unknown servers"} {
		if strings.Contains(text, never) {
			t.Errorf("%q in %s", never, text)
		}
	}
}

// TestContactIsOfTheParty: the mailbox of a zone that is not the provider's is not
// the provider's.
func TestContactIsOfTheParty(t *testing.T) {
	in := missing("203.0.113.9", "mail.example.org")
	in.Reverse, in.Provider = reverse(none()), "hetzner"
	if r := open(t).For(in); r.Contact != "" {
		t.Errorf("%s: %s", r.Who, r.Contact)
	}
}

// TestOtherProductsAreNamed: who has another product of the same provider sees
// that its steps are others.
func TestOtherProductsAreNamed(t *testing.T) {
	in := missing("203.0.113.9", "mail.example.org")
	in.Provider = "hetzner"
	if r := open(t).For(in); !strings.Contains(strings.Join(r.Cautions, " "), "may belong to Hetzner dedicated server (Robot) instead") {
		t.Errorf("%q", r.Cautions)
	}
}

// TestWords: every word of the manual's table means its mail server.
func TestWords(t *testing.T) {
	b := open(t)
	for word, want := range map[string]string{"postfix": "postfix", "Postfix": "postfix", "exim4": "exim", "smtpd": "opensmtpd", "DMS": "dockermailserver", "notqmail": "qmail", "no-such": "", "": ""} {
		if id, ok := b.Server(word); id != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", word, id, ok)
		}
	}
	if id, ok := b.Provider("Hetzner"); id != "hetzner" || !ok {
		t.Errorf("%q, %v", id, ok)
	}
	if _, ok := b.Provider(""); ok {
		t.Error("no word means a provider")
	}
}

// TestTheNameInUse: of two PTR names that don't lead back, the one that the mail
// server says gets the address.
func TestTheNameInUse(t *testing.T) {
	in := about(finding.PTRUnconfirmed, "203.0.113.9", "")
	in.Finding.Args.Name = name("www.example.org")
	in.View = &evidence.View{
		IPRev: evidence.IPRev{Names: []evidence.PTRName{{Name: name("www.example.org"), State: evidence.Mismatch}, {Name: name("mail.example.org"), State: evidence.Mismatch}}},
		Helo:  evidence.Helo{Kind: evidence.HeloName, Name: name("mail.example.org")},
	}
	if r := open(t).For(in); r.Records[len(r.Records)-1].Owner != name("mail.example.org") {
		t.Errorf("%s", show(r))
	}
}

// TestSharedName: where several addresses are to have one name, no text holds a
// whole set of its addresses, for the next one would take this one's out.
func TestSharedName(t *testing.T) {
	in := missing("203.0.113.9", "mail.example.org")
	in.Forward = []*evidence.Zone{forward(none())}
	for format, set := range map[string]string{"octodns": `value: "203.0.113.9"`, "terraform": `["203.0.113.9"]`} {
		in.Shared = false
		if text := open(t).For(in).Texts[format]; !strings.Contains(text, set) {
			t.Fatalf("%s alone:\n%s", format, text)
		}
		in.Shared = true
		if text := open(t).For(in).Texts[format]; strings.Contains(text, set) {
			t.Errorf("%s of several:\n%s", format, text)
		}
	}
}
