package report_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/bounce"
	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/gate"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/receivers"
	"github.com/arpagate/arpagate/internal/remedy"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// noon is when everything happens here.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

var (
	asked = netip.MustParseAddrPort("127.0.0.1:53")
	ns1   = netip.MustParseAddr("192.0.2.53")
	ns2   = netip.MustParseAddr("2001:db8::53")
	name  = dnsname.MustParse
)

// judged walks the corridor for a host of the lab world.
func judged(t *testing.T, address, helo string) *decision.Case {
	t.Helper()
	rules, err := decision.Preset("careful")
	if err != nil {
		t.Fatal(err)
	}
	world := lab.Default()
	world.Now = func() time.Time { return noon }
	g := gate.New(gate.Config{
		DNS: world, Policy: gate.Policy{Rules: rules}, Now: world.Now, Rand: func() uint64 { return 1 }, Thorough: true,
	})
	c := g.Examine(t.Context(), facts.Conn{
		Door: facts.Check, Stage: facts.Rcpt, Client: netip.MustParseAddr(address), Helo: untrusted.New(helo), HeloKnown: helo != "",
	})
	still := func(a *evidence.Answer) {
		if a.State != evidence.NotAsked {
			a.Took, a.Server, a.At = time.Millisecond, asked, noon
		}
	}
	still(&c.Evidence.IPRev.PTR)
	for i := range c.Evidence.IPRev.Names {
		for j := range c.Evidence.IPRev.Names[i].Forward {
			still(&c.Evidence.IPRev.Names[i].Forward[j])
		}
	}
	for i := range c.Evidence.Helo.Answers {
		still(&c.Evidence.Helo.Answers[i])
	}
	return c
}

// problems makes one problem of each finding of a case.
func problems(c *decision.Case) []doctor.Problem {
	var out []doctor.Problem
	for _, f := range c.Findings {
		out = append(out, doctor.Problem{Cause: f})
	}
	return out
}

func soa(serial uint32) *evidence.StartOfAuthority {
	return &evidence.StartOfAuthority{
		MName: name("ns1.example.net"), RName: name("hostmaster.example.net"),
		Serial: serial, Refresh: 3600, Retry: 900, Expire: 604800, Minimum: 300, TTL: 3600,
	}
}

func answer(owner string, t evidence.Type, state evidence.State) evidence.Answer {
	return evidence.Answer{Question: evidence.Question{Name: name(owner), Type: t}, State: state, TTL: time.Hour, Server: asked, At: noon, Took: time.Millisecond}
}

// reverse is the zone of 203.0.113.0/24, all of whose servers deny the name.
func reverse() *evidence.Zone {
	a := answer("9.113.0.203.in-addr.arpa", evidence.PTR, evidence.NXDomain)
	return &evidence.Zone{
		Question: a.Question, Name: a.Name, Apex: name("113.0.203.in-addr.arpa"), Parent: name("0.203.in-addr.arpa"), SOA: soa(7),
		Delegated: []dnsname.Name{name("ns1.example.net"), name("ns2.example.net")},
		Published: []dnsname.Name{name("ns1.example.net"), name("ns2.example.net")},
		Servers: []evidence.NameServer{
			{Name: name("ns1.example.net"), Address: ns1, State: evidence.Authoritative, SOA: soa(7), Answer: a},
			{Name: name("ns2.example.net"), Address: ns2, State: evidence.Authoritative, SOA: soa(7), Answer: a},
		},
		Security: evidence.Security{State: evidence.Insecure},
	}
}

// setPTR is how to put a missing PTR record right.
func setPTR() *remedy.Remedy {
	return &remedy.Remedy{
		Party: remedy.AddressHolder, Who: "Example Hosting, who run 113.0.203.in-addr.arpa", Contact: "hostmaster@example.net",
		Do: "Set the PTR record of 203.0.113.9 to nameless.example.org.",
		Steps: []remedy.Step{
			{Say: "Find the server's address in the console.", Console: "Network > Public IP addresses > 203.0.113.9 > Reverse DNS"},
			{Say: "Or set it from a shell.", Command: "example server set-rdns --ip 203.0.113.9 --hostname nameless.example.org web-1"},
			{Say: "Let the mail server say the same name.", File: "/etc/postfix/main.cf", Lines: "smtp_helo_name = nameless.example.org"},
		},
		Cautions: []string{"The provider refuses a name that does not lead to the address yet."},
		Records: []remedy.Record{
			{Owner: name("nameless.example.org"), Type: evidence.A, Data: "203.0.113.9", TTL: 3600, Zone: name("example.org"), Held: true},
			{Owner: name("9.113.0.203.in-addr.arpa"), Type: evidence.PTR, Data: "nameless.example.org.", TTL: 3600, Zone: name("113.0.203.in-addr.arpa")},
		},
		Texts: map[string]string{
			"bind":     "9.113.0.203.in-addr.arpa. 3600 IN PTR nameless.example.org.\n",
			"nsupdate": "zone 113.0.203.in-addr.arpa.\nupdate add 9.113.0.203.in-addr.arpa. 3600 PTR nameless.example.org.\nsend\n",
			"tinydns":  "^9.113.0.203.in-addr.arpa:nameless.example.org:3600\n",
		},
		Ready:   &remedy.Ready{OK: true},
		Ticket:  "Subject: PTR record for 203.0.113.9\n\nPlease set the PTR record of 203.0.113.9 to nameless.example.org.\n",
		Visible: &remedy.Visible{First: noon.Add(time.Minute), Last: noon.Add(5*time.Minute + time.Second), Because: []string{"the absence is remembered for 5m"}},
		Recipe:  &remedy.Recipe{ID: "example", Title: "Example Hosting", Date: "2026-08-21", Source: "https://hosting.example.com/rdns", Confirmed: true},
	}
}

// verdicts are receivers of every kind.
func verdicts() []receivers.Verdict {
	rule := receivers.Rule{
		ID: "example-ptr", When: "ptr-missing", Code: finding.PTRMissing, Effect: receivers.Reject, Reply: "550 no PTR record",
		Note: "since 2012", Source: "https://example.com/postmaster", Date: "2026-08-21", Confirmed: true,
	}
	score := rule
	score.ID, score.Effect, score.Points, score.Confirmed = "score-ptr", receivers.Score, 1.274, false
	return []receivers.Verdict{
		{Receiver: "Example Mail", Effect: receivers.Reject, Rules: []receivers.Rule{rule}},
		{Receiver: "Example Online", Effect: receivers.Reject, Rules: []receivers.Rule{rule}},
		{Receiver: "Example Post", Effect: receivers.Defer, Rules: []receivers.Rule{rule}},
		{Receiver: "Example Filter", Effect: receivers.Score, Points: 1.274, Rules: []receivers.Rule{score}},
		{Receiver: "Example Free", Effect: receivers.Nothing},
		{Receiver: "Example Far", Effect: receivers.Unsure},
	}
}

// nameless has no PTR record, and all that follows from it.
func nameless(t *testing.T) *doctor.Examination {
	c := judged(t, "203.0.113.9", "nameless.example.org")
	follows := finding.Finding{
		Code: finding.HeloNotPTR, Severity: finding.Info, Complete: true,
		Args: finding.Args{Address: c.Conn.Client, Name: name("nameless.example.org")},
	}
	return &doctor.Examination{
		Target: "203.0.113.9", Verdict: doctor.Fail, At: noon, Took: 1234 * time.Millisecond,
		Addresses: []doctor.Address{{
			Address: c.Conn.Client, Role: doctor.AsTarget, Verdict: doctor.Fail, Case: c, Reverse: reverse(),
			Lists: []evidence.ListAnswer{
				{
					List: evidence.List{Zone: name("list.example.net")}, State: evidence.NotListed, Answer: answer("9.113.0.203.list.example.net", evidence.A, evidence.NXDomain),
					Tests: []evidence.Answer{answer("2.0.0.127.list.example.net", evidence.A, evidence.Found)},
				},
				{
					List:  evidence.List{Zone: name("allow.example.net"), Allow: true, IPv6: true, Page: "https://example.net/?ip=%s"},
					State: evidence.Listed, Codes: []netip.Addr{netip.MustParseAddr("127.0.10.1")}, Text: untrusted.New("a mail server"),
					Answer: answer("9.113.0.203.allow.example.net", evidence.A, evidence.Found),
				},
			},
			Origin:    &evidence.Origin{ASN: 64496, Prefix: netip.MustParsePrefix("203.0.113.0/24"), Org: untrusted.New("EXAMPLE-AS"), Holder: untrusted.New("Example Hosting"), Handle: untrusted.New("EX1")},
			Problems:  []doctor.Problem{{Cause: c.Findings[0], Effects: []finding.Finding{follows}, Remedy: setPTR()}},
			Receivers: verdicts(),
		}},
	}
}

// healthy is as it should be.
func healthy(t *testing.T) *doctor.Examination {
	c := judged(t, "203.0.113.1", "mail.example.org")
	z := reverse()
	for i := range z.Servers {
		z.Servers[i].Answer.State, z.Servers[i].Answer.Names = evidence.Found, []dnsname.Name{name("mail.example.org")}
	}
	return &doctor.Examination{
		Target: "203.0.113.1", Verdict: doctor.Pass, At: noon, Took: time.Second,
		Addresses: []doctor.Address{{
			Address: c.Conn.Client, Role: doctor.AsTarget, Verdict: doctor.Pass, Case: c, Reverse: z, Problems: problems(c),
			Receivers: []receivers.Verdict{{Receiver: "Example Mail", Effect: receivers.Nothing}, {Receiver: "Example Post", Effect: receivers.Nothing}},
		}},
	}
}

// spoken is a server that says what it should.
func spoken() *evidence.SMTP {
	return &evidence.SMTP{
		Host: name("mail.example.org"), Peer: netip.MustParseAddrPort("203.0.113.1:25"), Outcome: evidence.Spoke, At: noon,
		Greeting:   &evidence.SMTPReply{Code: 220, Lines: []untrusted.Text{untrusted.New("mail.example.org ESMTP")}},
		BannerName: untrusted.New("mail.example.org"), EHLOName: untrusted.New("mail.example.org"),
		EHLO:       &evidence.SMTPReply{Code: 250, Lines: []untrusted.Text{untrusted.New("mail.example.org"), untrusted.New("STARTTLS")}},
		Extensions: []untrusted.Text{untrusted.New("STARTTLS")},
		TLS: &evidence.TLS{
			Offered: true, Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", Names: []untrusted.Text{untrusted.New("mail.example.org")}, Total: 1,
			Issuer: untrusted.New("Example CA"), NotBefore: noon.AddDate(0, -1, 0), NotAfter: noon.AddDate(0, 2, 0), Matches: true, Trusted: true,
		},
		Postmaster: &evidence.SMTPReply{Code: 250, Lines: []untrusted.Text{untrusted.New("ok")}},
		Relay:      &evidence.SMTPReply{Code: 554, Lines: []untrusted.Text{untrusted.New("relaying denied")}},
		Steps:      []evidence.SMTPStep{{Name: "connect", Took: time.Millisecond}, {Name: "greeting", Took: 5 * time.Second}},
		Delayed:    true,
	}
}

// domain is a mail domain with a good and a bad host, a server, and a fault of
// its own.
func domain(t *testing.T) *doctor.Examination {
	x := &doctor.Examination{
		Target: "example.org", Verdict: doctor.Fail, At: noon, Took: 2 * time.Second, Partial: true,
		Missing: []string{"port 25 of 203.0.113.8: not ready in time", "the time ran out before all answers were in: this is what was known by then"},
		Domain: &evidence.MailDomain{
			Name: name("example.org"), MX: answer("example.org", evidence.MX, evidence.Found),
			Hosts: []evidence.MailHost{{
				Name: name("mail.example.org"), A: answer("mail.example.org", evidence.A, evidence.Found), AAAA: answer("mail.example.org", evidence.AAAA, evidence.NoData),
			}},
			SPF: &evidence.SPF{
				Domain: name("example.org"), Record: untrusted.New("v=spf1 mx include:_spf.example.net -all"), Lookups: 2, All: "-",
				Senders: []evidence.SPFSender{{
					Network: netip.MustParsePrefix("203.0.113.1/32"), Term: untrusted.New("mx"), Host: name("mail.example.org"), Via: []dnsname.Name{name("_spf.example.net")},
				}},
				Faults:  []string{"exists:%{i}.example.net depends on the message"},
				Answers: []evidence.Answer{answer("example.org", evidence.TXT, evidence.Found)},
			},
		},
		Problems: []doctor.Problem{{Cause: finding.Finding{
			Code: finding.PTRSeveral, Severity: finding.Warn, Complete: true, Args: finding.Args{
				Address: netip.MustParseAddr("203.0.113.21"), Count: 2, Names: []dnsname.Name{name("example.org"), name("example.com")},
			},
		}}},
		Servers: []doctor.Server{{SMTP: spoken(), Verdict: doctor.Pass}},
		Lookups: []evidence.Answer{answer("example.org", evidence.MX, evidence.Found)},
	}
	good, bad := healthy(t).Addresses[0], nameless(t).Addresses[0]
	good.Role, good.Host, good.Assumed = doctor.AsMX, name("mail.example.org"), true
	bad.Role, bad.Host = doctor.AsSender, name("nameless.example.org")
	bad.Forward = []*evidence.Zone{reverse()}
	x.Addresses = []doctor.Address{good, bad}
	return x
}

// bounced is what came of a pasted refusal.
func bounced(t *testing.T) *doctor.Examination {
	x := healthy(t)
	x.Target = "203.0.113.1"
	x.Addresses[0].Role = doctor.AsBounce
	x.Bounce = &bounce.Reading{
		Format: "dsn", Address: x.Addresses[0].Address, Addresses: []netip.Addr{x.Addresses[0].Address}, Receiver: name("mx.example.com"),
		ReceiverAddress: netip.MustParseAddr("198.51.100.25"), Helo: untrusted.New("mail.example.org"), PTR: untrusted.New("unknown"),
		Code: 550, Enhanced: "5.7.25", Quote: untrusted.New("550-5.7.25 The IP address sending this message does not have a PTR record"),
		Class: "missing_or_fcrdns", Rule: "gmail-ptr", Recipient: name("example.com"), Domain: name("example.org"),
	}
	x.Now = &doctor.Comparison{State: "fine-now", Say: "The address has a PTR record that leads back to it."}
	return x
}

// nothing could be examined.
func nothing() *doctor.Examination {
	return &doctor.Examination{
		Target: "nothere.example.org", Verdict: doctor.Unknown, At: noon, Error: "the name does not exist: NXDOMAIN",
		Lookups: []evidence.Answer{answer("nothere.example.org", evidence.MX, evidence.NXDomain)},
	}
}
