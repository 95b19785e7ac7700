package remedy_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/remedy"
	"github.com/arpagate/arpagate/internal/untrusted"
)

var update = flag.Bool("update", false, "write testdata and docs/remedies.md anew: read the difference")

// noon is the time of all tests.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func open(t testing.TB) *remedy.Book {
	t.Helper()
	b, err := remedy.Open()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// golden compares text with a file of testdata.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run go test ./internal/remedy -update", err)
	}
	if !bytes.Equal(want, []byte(got)) {
		t.Errorf("%s differs: run go test ./internal/remedy -update and read the difference", path)
	}
}

// about is a finding about an address, with the name that it should have.
func about(code finding.Code, addr, want string) remedy.Input {
	a := netip.MustParseAddr(addr)
	in := remedy.Input{
		Finding: finding.Finding{Code: code, Severity: finding.Failure, Complete: true, Args: finding.Args{
			Address: a, Name: dnsname.Reverse(a), State: evidence.NXDomain,
		}},
		Address: a, Now: noon,
	}
	if want != "" {
		in.Wanted = dnsname.MustParse(want)
	}
	return in
}

// missing is the case of an address without a PTR record.
func missing(addr, want string) remedy.Input { return about(finding.PTRMissing, addr, want) }

func name(s string) dnsname.Name { return dnsname.MustParse(s) }

// soa makes a SOA record with the usual times.
func soa(serial uint32) *evidence.StartOfAuthority {
	return &evidence.StartOfAuthority{
		MName: name("ns1.example.net"), RName: name(`host\.master.example.net`), Serial: serial,
		Refresh: 7200, Retry: 900, Expire: 1209600, Minimum: 600, TTL: 3600,
	}
}

// server is a name server that has the serial and answers with the answer.
func server(ns, addr string, serial uint32, a evidence.Answer) evidence.NameServer {
	return evidence.NameServer{
		Name: name(ns), Address: netip.MustParseAddr(addr), State: evidence.Authoritative, SOA: soa(serial), Answer: a,
	}
}

func none() evidence.Answer { return evidence.Answer{State: evidence.NXDomain, TTL: 10 * time.Minute} }

func addrs(ttl time.Duration, list ...string) evidence.Answer {
	a := evidence.Answer{State: evidence.Found, TTL: ttl}
	for _, s := range list {
		a.Addrs = append(a.Addrs, netip.MustParseAddr(s))
	}
	return a
}

func ptrs(ttl time.Duration, list ...string) evidence.Answer {
	a := evidence.Answer{State: evidence.Found, TTL: ttl}
	for _, s := range list {
		a.Names = append(a.Names, name(s))
	}
	return a
}

// zone is what the servers say to a question.
func zone(qname string, typ evidence.Type, apex string, servers ...evidence.NameServer) *evidence.Zone {
	z := &evidence.Zone{
		Question: evidence.Question{Name: name(qname), Type: typ}, Name: name(qname), Apex: name(apex), SOA: soa(1), Servers: servers,
	}
	for i := range servers {
		z.Published = append(z.Published, servers[i].Name)
	}
	return z
}

// reverse is the zone of 203.0.113.9 on the provider's servers.
func reverse(a evidence.Answer) *evidence.Zone {
	return zone("9.113.0.203.in-addr.arpa", evidence.PTR, "113.0.203.in-addr.arpa",
		server("ns1.example.net", "198.51.100.1", 1, a), server("ns2.example.net", "198.51.100.2", 1, a))
}

// forward is the zone of mail.example.org.
func forward(a evidence.Answer) *evidence.Zone {
	return zone("mail.example.org", evidence.A, "example.org",
		server("ns1.example.org", "198.51.100.11", 7, a), server("ns2.example.org", "198.51.100.12", 7, a))
}

func banner(line string) *evidence.SMTP {
	return &evidence.SMTP{Outcome: evidence.Spoke, Greeting: &evidence.SMTPReply{Code: 220, Lines: []untrusted.Text{untrusted.New(strings.TrimPrefix(line, "220 "))}}}
}

// show writes a remedy down for reading.
func show(r *remedy.Remedy) string {
	var b strings.Builder
	p := func(f string, a ...any) { fmt.Fprintf(&b, f, a...) }
	p("party: %s\nwho: %s\n", r.Party, r.Who)
	if r.Contact != "" {
		p("contact: %s\n", r.Contact)
	}
	p("do: %s\n", r.Do)
	if r.Wanted != nil {
		p("name: %s, change %q, because %s\n", r.Wanted.Name, r.Wanted.Change, r.Wanted.Why)
	}
	showSteps(&b, r.Steps)
	for _, o := range r.Others {
		p("or %s:\n", o.Recipe.Title)
		showSteps(&b, o.Steps)
		for _, c := range o.Cautions {
			p("   ! %s\n", c)
		}
	}
	for _, c := range r.Cautions {
		p("! %s\n", c)
	}
	if c := r.Classless; c != nil {
		p("classless: %s %s\nparent:\n%sown:\n%s", c.Spelling, c.Block, c.ParentText, c.OwnText)
	}
	for _, f := range remedy.Formats() {
		if t := r.Texts[f]; t != "" {
			p("--- %s\n%s", f, t)
		}
	}
	if r.Ready != nil {
		p("--- ready: %v\n", r.Ready.OK)
		for _, w := range r.Ready.Why {
			p("  %s\n", w)
		}
	}
	if v := r.Visible; v != nil {
		p("--- visible %s to %s\n", v.First.Format(time.DateTime), v.Last.Format(time.DateTime))
		for _, w := range v.Because {
			p("  %s\n", w)
		}
	}
	if r.Recipe != nil {
		p("--- recipe %s: %s, %s, %s, confirmed %v\n", r.Recipe.ID, r.Recipe.Title, r.Recipe.Date, r.Recipe.Source, r.Recipe.Confirmed)
	}
	if r.Ticket != "" {
		p("--- ticket\n%s", r.Ticket)
	}
	return b.String()
}

func showSteps(b *strings.Builder, steps []remedy.Step) {
	for i, s := range steps {
		fmt.Fprintf(b, "%d. %s\n", i+1, s.Say)
		for _, part := range [][2]string{{"console", s.Console}, {"file", s.File}, {"lines", s.Lines}, {"command", s.Command}} {
			if part[1] != "" {
				fmt.Fprintf(b, "   %s: %s\n", part[0], strings.ReplaceAll(part[1], "\n", "\n      "))
			}
		}
	}
}

// TestCases shows whole remedies; they are read, not only compared.
func TestCases(t *testing.T) {
	b := open(t)
	chained := reverse(none())
	chained.Chain = []evidence.Alias{{Owner: name("9.113.0.203.in-addr.arpa"), Target: name("9.0/25.113.0.203.in-addr.arpa"), Zone: name("113.0.203.in-addr.arpa"), TTL: time.Hour}}
	chained.Name, chained.Apex = name("9.0/25.113.0.203.in-addr.arpa"), name("0/25.113.0.203.in-addr.arpa")
	v6 := about("ipv6-no-ptr", "2001:db8::25", "mail.example.org")
	v6.Finding.Args.Others = []netip.Addr{netip.MustParseAddr("203.0.113.9")}
	v6.SMTP = banner("220 mail.example.org ESMTP Postfix")
	lag := about("zone-lag", "203.0.113.9", "mail.example.org")
	lag.Finding.Args.Zone = name("113.0.203.in-addr.arpa")
	lag.Reverse = reverse(none())
	lag.Reverse.Servers[1].SOA = soa(0)
	unconfirmed := about(finding.PTRUnconfirmed, "203.0.113.9", "mail.example.org")
	unconfirmed.Finding.Args.Name = name("mail.example.org")
	unconfirmed.Reverse, unconfirmed.Forward = reverse(ptrs(time.Hour, "mail.example.org")), []*evidence.Zone{forward(addrs(2*time.Hour, "198.51.100.7"))}
	helo := about(finding.HeloNotFQDN, "203.0.113.9", "mail.example.org")
	helo.MTA = "exchange"
	ready := missing("203.0.113.9", "mail.example.org")
	ready.Reverse, ready.Forward = reverse(none()), []*evidence.Zone{forward(addrs(time.Hour, "203.0.113.9"))}
	generic := about(finding.PTRGeneric, "203.0.113.9", "mail.example.org")
	generic.Finding.Args.Name = name("dsl-203-0-113-9.example.net")
	generic.Reverse, generic.MTA = reverse(ptrs(24*time.Hour, "dsl-203-0-113-9.example.net")), "exim"
	for file, in := range map[string]remedy.Input{
		"missing": ready, "ipv6": v6, "zone-lag": lag, "unconfirmed": unconfirmed, "helo": helo, "generic": generic,
		"unknown-name": missing("203.0.113.9", ""),
		"classless": func() remedy.Input {
			in := missing("203.0.113.9", "mail.example.org")
			in.Reverse = chained
			return in
		}(),
	} {
		t.Run(file, func(t *testing.T) { golden(t, "testdata/"+file+".golden", show(b.For(in))) })
	}
}

// TestEveryCodeHasARemedy holds the room to the catalogue: a finding without
// a remedy of its own has only the catalogue's sentence.
func TestEveryCodeHasARemedy(t *testing.T) {
	b := open(t)
	var all strings.Builder
	for _, e := range finding.All() {
		in := about(e.Code, "203.0.113.9", "mail.example.org")
		in.Finding.Args.Zone, in.MTA = name("list.example.net"), "postfix"
		r := b.For(in)
		fmt.Fprintf(&all, "==== %s: %s, %s\n%s\n", e.Code, r.Party, r.Who, r.Do)
		showSteps(&all, r.Steps)
		for _, c := range r.Cautions {
			fmt.Fprintf(&all, "! %s\n", c)
		}
		if r.Who == "" || r.Party == "" || !strings.HasSuffix(r.Do, ".") {
			t.Errorf("%s: %+v", e.Code, r)
		}
		if !remedy.Written(e.Code) {
			t.Errorf("%s: there is no remedy but the catalogue's sentence", e.Code)
		}
	}
	golden(t, "testdata/codes.golden", all.String())
}

func TestUnknownCode(t *testing.T) {
	r := open(t).For(about("no-such-code", "203.0.113.9", "mail.example.org"))
	if r.Party != remedy.Nobody || r.Do == "" || r.Who == "" {
		t.Errorf("%+v", r)
	}
}
