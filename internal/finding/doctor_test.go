package finding_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/untrusted"
)

var (
	client  = netip.MustParseAddr("203.0.113.9")
	client6 = netip.MustParseAddr("2001:db8::9")
	other   = netip.MustParseAddr("198.51.100.1")
	clock   = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	good    = evidence.StartOfAuthority{Serial: 1, Refresh: 7200, Retry: 3600, Expire: 1209600, Minimum: 3600, TTL: 3600}
)

// zone is a healthy reverse zone of two servers, then changed.
func zone(change func(*evidence.Zone)) *evidence.Zone {
	name := dnsname.Reverse(client)
	z := &evidence.Zone{
		Question: evidence.Question{Name: name, Type: evidence.PTR}, Name: name, Apex: dnsname.MustParse("113.0.203.in-addr.arpa"),
		SOA: &good, Security: evidence.Security{State: evidence.Insecure},
	}
	for i, server := range []string{"ns1.example.net", "ns2.example.net"} {
		soa := good
		z.Servers = append(z.Servers, evidence.NameServer{
			Name: dnsname.MustParse(server), Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), State: evidence.Authoritative, SOA: &soa,
			Answer: evidence.Answer{Question: z.Question, State: evidence.Found, Names: names("mail.example.org")},
		})
	}
	if change != nil {
		change(z)
	}
	return z
}

// forward is a healthy zone of the PTR name, then changed.
func forward(change func(*evidence.Zone)) *evidence.Zone {
	return zone(func(z *evidence.Zone) {
		z.Question, z.Name, z.Apex = evidence.Question{Name: dnsname.MustParse("mail.example.org"), Type: evidence.A}, dnsname.MustParse("mail.example.org"), dnsname.MustParse("example.org")
		for i := range z.Servers {
			z.Servers[i].Answer = evidence.Answer{Question: z.Question, State: evidence.Found, Addrs: []netip.Addr{client}}
		}
		change(z)
	})
}

func names(list ...string) []dnsname.Name {
	var out []dnsname.Name
	for _, n := range list {
		out = append(out, dnsname.MustParse(n))
	}
	return out
}

// server is a healthy mail server, then changed.
func server(change func(*finding.Server, *evidence.SMTP)) []finding.Finding {
	host := dnsname.MustParse("mail.example.org")
	p := &evidence.SMTP{
		Host: host, Peer: netip.AddrPortFrom(client, 25), Outcome: evidence.Spoke, At: clock,
		Greeting: reply(220, "mail.example.org ESMTP"), BannerName: untrusted.New("mail.example.org"),
		EHLO: reply(250, "mail.example.org"), EHLOName: untrusted.New("mail.example.org"),
		TLS: &evidence.TLS{
			Offered: true, Version: "TLS 1.3", Names: []untrusted.Text{untrusted.New("mail.example.org")},
			NotBefore: clock.AddDate(0, -1, 0), NotAfter: clock.AddDate(0, 1, 0), Matches: true, Trusted: true,
		},
		Steps: []evidence.SMTPStep{{Name: "connect", Took: time.Millisecond}, {Name: "greeting", Took: time.Millisecond}},
	}
	s := finding.Server{
		SMTP: p, Needed: true, IPRev: passing(client, "mail.example.org"),
		Names: []evidence.Answer{
			{Question: evidence.Question{Name: host, Type: evidence.A}, State: evidence.Found, Addrs: []netip.Addr{client}},
			{Question: evidence.Question{Name: host, Type: evidence.AAAA}, State: evidence.NoData},
		},
	}
	if change != nil {
		change(&s, p)
	}
	return finding.OfServer(s)
}

func reply(code int, line string) *evidence.SMTPReply {
	return &evidence.SMTPReply{Code: code, Lines: []untrusted.Text{untrusted.New(line)}}
}

func passing(addr netip.Addr, name string) *evidence.IPRev {
	n := dnsname.MustParse(name)
	return &evidence.IPRev{
		Result: evidence.Pass, Address: addr, Confirmed: n, Total: 1,
		PTR:   evidence.Answer{Question: evidence.Question{Name: dnsname.Reverse(addr), Type: evidence.PTR}, State: evidence.Found, Names: []dnsname.Name{n}},
		Names: []evidence.PTRName{{Name: n, State: evidence.Confirmed}},
	}
}

func nameless(addr netip.Addr) *evidence.IPRev {
	return &evidence.IPRev{
		Result: evidence.PermError, Address: addr,
		PTR: evidence.Answer{Question: evidence.Question{Name: dnsname.Reverse(addr), Type: evidence.PTR}, State: evidence.NXDomain},
	}
}

// helo is what OfHelo says of a name, also the PTR name, whose A question came to
// state and whose AAAA question to some addresses.
func helo(result evidence.Result, state evidence.State, addrs ...netip.Addr) []finding.Finding {
	name := dnsname.MustParse("mail.example.org")
	a := evidence.Answer{Question: evidence.Question{Name: name, Type: evidence.A}, State: state}
	aaaa := evidence.Answer{Question: evidence.Question{Name: name, Type: evidence.AAAA}, State: evidence.Found, Addrs: addrs}
	return finding.OfHelo(client, &evidence.View{
		Helo: evidence.Helo{Kind: evidence.HeloName, Name: name, Answers: []evidence.Answer{aaaa, a}},
		IPRev: evidence.IPRev{
			Address: client, Result: result, PTR: evidence.Answer{State: evidence.Found},
			Names: []evidence.PTRName{{Name: name, State: evidence.NameTrouble, Forward: []evidence.Answer{a}}},
		},
	})
}

// domain is a healthy mail domain, then changed.
func domain(change func(*evidence.MailDomain)) []finding.Finding {
	d := &evidence.MailDomain{
		Name: dnsname.MustParse("example.org"), MX: evidence.Answer{Question: evidence.Question{Name: dnsname.MustParse("example.org"), Type: evidence.MX}, State: evidence.Found},
		Hosts: []evidence.MailHost{{
			Name: dnsname.MustParse("mail.example.org"),
			A:    evidence.Answer{State: evidence.Found, Addrs: []netip.Addr{client}}, AAAA: evidence.Answer{State: evidence.NoData},
		}},
		SPF: &evidence.SPF{Domain: dnsname.MustParse("example.org")},
	}
	if change != nil {
		change(d)
	}
	return finding.OfDomain(d)
}

func listing(state evidence.ListState, change func(*evidence.ListAnswer)) []finding.Finding {
	a := evidence.ListAnswer{List: evidence.List{Zone: dnsname.MustParse("dnsbl.example.net")}, State: state, Codes: []netip.Addr{netip.MustParseAddr("127.0.0.2")}}
	if change != nil {
		change(&a)
	}
	return finding.OfLists(client, []evidence.ListAnswer{a})
}

// doctorCases are evidence with one fault each, and all that it means.
var doctorCases = []struct {
	name string
	of   func() []finding.Finding
	want string // codes with severities
}{
	{"a healthy reverse zone", func() []finding.Finding { return finding.OfZone(client, zone(nil)) }, ""},
	{"a zone that was not looked for", func() []finding.Finding { return finding.OfZone(client, &evidence.Zone{}) }, ""},
	{"a zone that could not be found", func() []finding.Finding {
		return finding.OfZone(client, &evidence.Zone{Question: evidence.Question{Name: dnsname.Reverse(client)}, Trouble: &evidence.Answer{State: evidence.ServFail}})
	}, "zone-unfound unknown"},
	{"a zone that is only a guess, for nobody told of any nearer", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) {
			z.Trouble = &evidence.Answer{State: evidence.ServFail}
			z.Servers[0].State, z.Servers[1].State = evidence.Silent, evidence.Lame
		}))
	}, "zone-unfound unknown"},
	{"a zone that does not validate", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) { z.Security.State = evidence.BogusZone }))
	}, "zone-bogus warn"},
	{"an island of security", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) { z.Security.State = evidence.Island }))
	}, "zone-island info"},
	{"one server is lame", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) {
			z.Servers[1].State, z.Servers[1].Why = evidence.Lame, untrusted.New("it answers REFUSED")
		}))
	}, "zone-lame warn"},
	{"one server has no address", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) {
			z.Servers[1].State, z.Servers[1].Address = evidence.Addressless, netip.Addr{}
		}))
	}, "zone-lame warn"},
	{"all servers are lame: still no failure", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) {
			z.Servers[0].State, z.Servers[1].State = evidence.Lame, evidence.Lame
		}))
	}, "zone-lame warn"},
	{"one server is silent", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) { z.Servers[1].State = evidence.Silent }))
	}, "zone-silent warn"},
	{"all servers are silent: it may be us", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) {
			z.Servers[0].State, z.Servers[1].State = evidence.Silent, evidence.Unreachable
		}))
	}, "zone-silent unknown"},
	{"K131 no IPv6 server answers: it is our network", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) {
			z.Servers[1].State, z.Servers[1].Address = evidence.Unreachable, client6
		}))
	}, ""},
	{"K131 no IPv4 server answers: it is our network", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) {
			z.Servers[0].State, z.Servers[1].Address = evidence.Unreachable, client6
		}))
	}, ""},
	{"a server that we do not ask", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) { z.Servers[1].State = evidence.Barred }))
	}, ""},
	{"a server at a private address", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) {
			z.Servers[1].State, z.Servers[1].Address = evidence.Barred, netip.MustParseAddr("10.0.0.12")
		}))
	}, "zone-lame warn"},
	{"a zone under transfer", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) { z.Servers[1].SOA.Serial = 2 }))
	}, "zone-lag info"},
	{"a secondary lags behind, and it matters", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) {
			z.Servers[1].SOA.Serial = 2
			z.Servers[1].Answer = evidence.Answer{State: evidence.NXDomain}
		}))
	}, "zone-lag warn, zone-disagrees warn"},
	{"the servers disagree", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) { z.Servers[1].Answer = evidence.Answer{State: evidence.NXDomain} }))
	}, "zone-disagrees warn"},
	{"PTR names in another order are the same", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) {
			z.Servers[0].Answer.Names, z.Servers[1].Answer.Names = names("a.example.org", "b.example.org"), names("b.example.org", "a.example.org")
		}))
	}, ""},
	{"an answer that did not come disagrees with nobody", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) { z.Servers[1].Answer = evidence.Answer{State: evidence.Timeout} }))
	}, ""},
	{"other addresses beside the one that matters", func() []finding.Finding {
		return finding.OfZone(client, forward(func(z *evidence.Zone) { z.Servers[1].Answer.Addrs = []netip.Addr{other, client} }))
	}, ""},
	{"addresses that differ and are all others", func() []finding.Finding {
		return finding.OfZone(client, forward(func(z *evidence.Zone) {
			z.Servers[0].Answer.Addrs, z.Servers[1].Answer.Addrs = []netip.Addr{other}, []netip.Addr{netip.MustParseAddr("198.51.100.2")}
		}))
	}, ""},
	{"one forward server lacks the address", func() []finding.Finding {
		return finding.OfZone(client, forward(func(z *evidence.Zone) { z.Servers[1].Answer.Addrs = []netip.Addr{other} }))
	}, "zone-disagrees warn"},
	{"an absence is remembered for a week", func() []finding.Finding {
		return finding.OfZone(client, zone(func(z *evidence.Zone) {
			soa := good
			soa.Minimum, soa.TTL, z.SOA = 604800, 604800, &soa
		}))
	}, "zone-soa info"},

	{"K135 our resolver hides a record", func() []finding.Finding {
		return finding.OfResolver(client, zone(nil), &evidence.Answer{Question: zone(nil).Question, State: evidence.NXDomain, TTL: 5 * time.Minute})
	}, "resolver-differs unknown"},
	{"K135 our resolver makes a record up", func() []finding.Finding {
		return finding.OfResolver(client, zone(func(z *evidence.Zone) {
			for i := range z.Servers {
				z.Servers[i].Answer.State = evidence.NXDomain
			}
		}), &evidence.Answer{Question: zone(nil).Question, State: evidence.Found, Names: names("ads.example.com")})
	}, "resolver-differs unknown"},
	{"our resolver says the same", func() []finding.Finding {
		return finding.OfResolver(client, zone(nil), &zone(nil).Servers[0].Answer)
	}, ""},
	{"our resolver says another kind of no", func() []finding.Finding {
		return finding.OfResolver(client, zone(func(z *evidence.Zone) {
			for i := range z.Servers {
				z.Servers[i].Answer.State = evidence.NXDomain
			}
		}), &evidence.Answer{Question: zone(nil).Question, State: evidence.NoData})
	}, ""},
	{"our resolver got no answer", func() []finding.Finding {
		return finding.OfResolver(client, zone(nil), &evidence.Answer{Question: zone(nil).Question, State: evidence.ServFail})
	}, ""},
	{"the servers disagree, so that any answer is right", func() []finding.Finding {
		return finding.OfResolver(client, zone(func(z *evidence.Zone) { z.Servers[1].Answer.State = evidence.NXDomain }), &evidence.Answer{Question: zone(nil).Question, State: evidence.NXDomain})
	}, ""},

	{"RFC 2317", func() []finding.Finding {
		r := passing(client, "mail.example.org")
		r.PTR.Aliases = names("9.0-15.113.0.203.in-addr.arpa")
		return finding.OfChain(r)
	}, ""},
	{"D076 eight aliases", func() []finding.Finding {
		r := passing(client, "mail.example.org")
		r.PTR.Aliases = names("a", "b", "c", "d", "e", "f", "g", "h")
		return finding.OfChain(r)
	}, "ptr-long-chain warn"},
	{"one PTR name leads back, another does not", func() []finding.Finding {
		r := passing(client, "mail.example.org")
		r.Names = append(r.Names, evidence.PTRName{Name: dnsname.MustParse("old.example.org"), State: evidence.NameNXDomain})
		return finding.OfStrays(r)
	}, "ptr-some-unconfirmed info"},
	{"every PTR name leads back", func() []finding.Finding {
		return finding.OfStrays(passing(client, "mail.example.org"))
	}, ""},
	{"of too many names it is told otherwise", func() []finding.Finding {
		r := passing(client, "mail.example.org")
		r.Total, r.Names = 15, append(r.Names, evidence.PTRName{Name: dnsname.MustParse("old.example.org"), State: evidence.NameNXDomain})
		return finding.OfStrays(r)
	}, ""},
	{"D080 aliases in a circle", func() []finding.Finding {
		return finding.OfZone(client, &evidence.Zone{Question: evidence.Question{Name: dnsname.Reverse(client)}, ChainFault: evidence.ChainLoop})
	}, "ptr-long-chain warn"},
	{"IPv6 without a name", func() []finding.Finding {
		return finding.OfFamilies(dnsname.MustParse("mail.example.org"), []*evidence.IPRev{passing(client, "mail.example.org"), nameless(client6)})
	}, "ipv6-no-ptr warn"},
	{"neither family has a name", func() []finding.Finding {
		return finding.OfFamilies(dnsname.MustParse("mail.example.org"), []*evidence.IPRev{nameless(client), nameless(client6)})
	}, ""},
	{"a provider's server", func() []finding.Finding {
		return finding.OfAlignment(dnsname.MustParse("example.org"), []*evidence.IPRev{passing(client, "mail.example.net")})
	}, "domain-alignment info"},
	{"one of the servers is the domain's own", func() []finding.Finding {
		return finding.OfAlignment(dnsname.MustParse("example.org"), []*evidence.IPRev{passing(client, "mail.example.net"), passing(client6, "mx.example.org")})
	}, ""},

	{"a listing", func() []finding.Finding { return listing(evidence.Listed, nil) }, "listed warn"},
	{"an allow list", func() []finding.Finding {
		return listing(evidence.Listed, func(a *evidence.ListAnswer) { a.Allow = true })
	}, "allow-listed info"},
	{"no listing", func() []finding.Finding { return listing(evidence.NotListed, nil) }, ""},
	{"a list that was not asked", func() []finding.Finding { return listing(evidence.ListSkipped, nil) }, ""},
	{"a refusal is no listing", func() []finding.Finding {
		return listing(evidence.ListRefused, func(a *evidence.ListAnswer) { a.Codes[0] = netip.MustParseAddr("127.255.255.254") })
	}, "list-refused unknown"},
	{"a list that has ended", func() []finding.Finding {
		return listing(evidence.ListBroken, func(a *evidence.ListAnswer) {
			a.Tests = []evidence.Answer{{Question: evidence.Question{Name: dnsname.MustParse("2.0.0.127.dnsbl.example.net")}, State: evidence.NXDomain}}
		})
	}, "list-broken unknown"},
	{"K135 a resolver that rewrites", func() []finding.Finding {
		return listing(evidence.ListRewrote, func(a *evidence.ListAnswer) { a.Codes[0] = other })
	}, "list-rewritten unknown"},
	{"a list without an answer", func() []finding.Finding {
		return listing(evidence.ListTrouble, func(a *evidence.ListAnswer) { a.Answer.State = evidence.Timeout })
	}, "list-silent unknown"},

	{"a healthy domain", func() []finding.Finding { return domain(nil) }, ""},
	{"a null MX", func() []finding.Finding { return domain(func(d *evidence.MailDomain) { d.Null = true }) }, "mx-null info"},
	{"no MX, but an address", func() []finding.Finding {
		return domain(func(d *evidence.MailDomain) { d.MX.State = evidence.NoData })
	}, "mx-missing info"},
	{"no MX and no address", func() []finding.Finding {
		return domain(func(d *evidence.MailDomain) {
			d.MX.State, d.Hosts[0].A = evidence.NoData, evidence.Answer{State: evidence.NoData}
		})
	}, "mx-missing warn"},
	{"no MX, and the address is not known", func() []finding.Finding {
		return domain(func(d *evidence.MailDomain) {
			d.MX.State, d.Hosts[0].A = evidence.NoData, evidence.Answer{Question: evidence.Question{Name: d.Name}, State: evidence.ServFail}
		})
	}, "mx-missing info, dns-trouble unknown"},
	{"the MX question is not answered", func() []finding.Finding {
		return domain(func(d *evidence.MailDomain) { d.MX.State = evidence.ServFail })
	}, "dns-trouble unknown"},
	{"an MX host is an alias", func() []finding.Finding {
		return domain(func(d *evidence.MailDomain) { d.Hosts[0].A.Aliases = names("web.example.org") })
	}, "mx-cname warn"},
	{"an address as MX host", func() []finding.Finding {
		return domain(func(d *evidence.MailDomain) {
			d.Hosts[0] = evidence.MailHost{Name: dnsname.MustParse("192.0.2.1"), Fault: finding.AddressLiteral}
		})
	}, "mx-literal warn"},
	{"a label as MX host", func() []finding.Finding {
		return domain(func(d *evidence.MailDomain) {
			d.Hosts[0] = evidence.MailHost{Name: dnsname.MustParse("mail"), Fault: "single-label"}
		})
	}, "mx-unusable warn"},
	{"an MX host with a private address", func() []finding.Finding {
		return domain(func(d *evidence.MailDomain) { d.Hosts[0].A.Addrs = []netip.Addr{netip.MustParseAddr("10.0.0.1")} })
	}, "mx-private warn"},
	{"an MX host without an address", func() []finding.Finding {
		return domain(func(d *evidence.MailDomain) {
			d.Hosts[0].A = evidence.Answer{State: evidence.NXDomain}
			d.Hosts[0].AAAA = d.Hosts[0].A
		})
	}, "mx-no-address warn"},
	{"an MX host that could not be looked up", func() []finding.Finding {
		return domain(func(d *evidence.MailDomain) {
			d.Hosts[0].A = evidence.Answer{Question: evidence.Question{Name: d.Hosts[0].Name}, State: evidence.Timeout}
		})
	}, "dns-trouble unknown"},
	{"a HELO name that could not be looked up", func() []finding.Finding { return helo(evidence.Pass, evidence.ServFail) }, "dns-trouble unknown"},
	{"a HELO name of which one family leads to the client", func() []finding.Finding { return helo(evidence.Pass, evidence.ServFail, client) }, ""},
	{"a HELO name that does not exist", func() []finding.Finding { return helo(evidence.Pass, evidence.NXDomain) }, ""},
	{"a HELO name of which iprev tells already", func() []finding.Finding { return helo(evidence.TempError, evidence.ServFail) }, ""},
	{"an SPF record with a macro", func() []finding.Finding {
		return domain(func(d *evidence.MailDomain) { d.SPF.Faults = []string{"exists:%{i} depends on the message"} })
	}, "spf-unreadable info"},
	{"an SPF record that breaks a rule", func() []finding.Finding {
		return domain(func(d *evidence.MailDomain) { d.SPF.Faults, d.SPF.Permerror = []string{"two records"}, true })
	}, "spf-unreadable warn"},
	{"an SPF record that could not be looked up", func() []finding.Finding {
		return domain(func(d *evidence.MailDomain) {
			d.SPF.Faults, d.SPF.Answers = []string{"SERVFAIL"}, []evidence.Answer{{State: evidence.ServFail}}
		})
	}, "spf-unreadable unknown"},

	{"a healthy server", func() []finding.Finding { return server(nil) }, ""},
	{"connection refused", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) {
			p.Outcome, p.Step, p.TLS = evidence.Declined, "connect", nil
		})
	}, "smtp-closed unknown"},
	{"connection refused by a host that only sends", func() []finding.Finding {
		return server(func(s *finding.Server, p *evidence.SMTP) {
			p.Outcome, p.Step, s.Needed = evidence.Declined, "connect", false
		})
	}, ""},
	{"no answer to the connection", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.Outcome, p.Step = evidence.Slow, "connect" })
	}, "smtp-closed unknown"},
	{"the greeting refuses", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) {
			p.Outcome, p.Step, p.Greeting, p.EHLO, p.EHLOName = evidence.Turned, "greeting", reply(554, "no"), nil, untrusted.Text{}
		})
	}, "smtp-turned-away unknown"},
	{"the greeting refuses, of a host that need not let us in", func() []finding.Finding {
		return server(func(s *finding.Server, p *evidence.SMTP) {
			p.Outcome, p.Step, p.Greeting, s.Needed = evidence.Turned, "greeting", reply(554, "no"), false
		})
	}, "smtp-turned-away info"},
	{"the server hangs up", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.Outcome, p.Step = evidence.Closed, "greeting" })
	}, "smtp-turned-away unknown"},
	{"an HTTP server on port 25", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.Outcome, p.Step = evidence.Babble, "greeting" })
	}, "smtp-garbled warn"},
	{"a step does not end", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.Outcome, p.Step, p.TLS = evidence.Slow, "ehlo", nil })
	}, "smtp-slow unknown"},
	{"a step takes long", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.Steps[1].Took = 12 * time.Second })
	}, "smtp-slow info"},
	{"a greeting that is late on purpose, and cost us the rest", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) {
			p.Outcome, p.Step, p.Delayed, p.TLS, p.EHLOName, p.BannerName = evidence.Spoke, "", true, nil, untrusted.New("mail.example.org"), untrusted.New("mail.example.org")
			p.Steps[1].Took = 9 * time.Second
		})
	}, "smtp-delayed info"},
	{"an examination that was not allowed", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.Outcome = evidence.NotAllowed })
	}, ""},
	{"a greeting without a name", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.BannerName = untrusted.Text{} })
	}, "banner-name warn"},
	{"localhost in the greeting", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.BannerName = untrusted.New("localhost") })
	}, "banner-name warn"},
	{"a label in the answer to EHLO", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.EHLOName = untrusted.New("mail") })
	}, "ehlo-name warn"},
	{"a name that leads elsewhere", func() []finding.Finding {
		return server(func(s *finding.Server, _ *evidence.SMTP) { s.Names[0].Addrs = []netip.Addr{other} })
	}, "ehlo-not-address info"},
	{"a name that could not be looked up", func() []finding.Finding {
		return server(func(s *finding.Server, _ *evidence.SMTP) {
			s.Names[0] = evidence.Answer{Question: s.Names[0].Question, State: evidence.ServFail}
		})
	}, ""},
	{"a greeting of another organization", func() []finding.Finding {
		return server(func(s *finding.Server, _ *evidence.SMTP) { s.IPRev = passing(client, "host.example.com") })
	}, "banner-not-ptr info"},
	{"no PTR name to compare the greeting with", func() []finding.Finding {
		return server(func(s *finding.Server, _ *evidence.SMTP) { s.IPRev = nameless(client) })
	}, ""},
	{"no STARTTLS", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.TLS = &evidence.TLS{} })
	}, "tls-missing warn"},
	{"a handshake that fails", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) {
			p.TLS = &evidence.TLS{Offered: true, Error: untrusted.New("handshake failure")}
		})
	}, "tls-failed warn"},
	{"STARTTLS injection", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.TLS.Injected = true })
	}, "tls-injection fail"},
	{"an expired certificate", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.TLS.NotAfter = clock.AddDate(0, 0, -1) })
	}, "tls-expired warn"},
	{"K136 our clock is a year behind", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.At = clock.AddDate(-1, 0, 0) })
	}, "tls-expired unknown"},
	{"a certificate that signs itself", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.TLS.SelfSigned, p.TLS.Trusted = true, false })
	}, "tls-untrusted info"},
	{"a certificate for another name", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) {
			p.TLS.Matches, p.TLS.Names[0] = false, untrusted.New("www.example.net")
		})
	}, "tls-name info"},
	{"VRFY tells", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.VRFY = reply(250, "someone@example.org") })
	}, "vrfy-open warn"},
	{"VRFY does not tell", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.VRFY, p.EXPN = reply(252, "try"), reply(502, "no") })
	}, ""},
	{"EXPN tells", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.EXPN = reply(250, "someone@example.org") })
	}, "expn-open warn"},
	{"postmaster is refused", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.Postmaster = reply(550, "no such user") })
	}, "postmaster-refused warn"},
	{"our address is on a block list of theirs", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) {
			p.Postmaster = reply(554, "5.7.1 Service unavailable; Client host [198.51.100.1] blocked using list.example.net")
			p.Abuse = p.Postmaster
		})
	}, "smtp-turned-away unknown"},
	{"our address is named, and nothing else", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.Postmaster = reply(550, "5.7.1 [2001:db8::1]: no.") })
	}, "smtp-turned-away unknown"},
	{"our address has no name", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.Abuse = reply(550, "5.7.25 go away") })
	}, "smtp-turned-away unknown"},
	{"the mailbox is refused, by its code", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) {
			p.Postmaster = reply(550, "5.1.1 postmaster is not listed here")
		})
	}, "postmaster-refused warn"},
	{"the mailbox is refused, with the server's own address", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.Postmaster = reply(550, "5.7.1 no relay at 203.0.113.9") })
	}, "postmaster-refused warn"},
	{"a handshake that failed", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) {
			p.Step, p.TLS = "handshake", &evidence.TLS{Offered: true, Error: untrusted.New("no cipher")}
		})
	}, "tls-failed warn"},
	{"a handshake that did not end in time", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) {
			p.Step, p.TLS = "handshake", &evidence.TLS{Offered: true, Error: untrusted.New("no handshake in time"), Late: true}
			p.Steps = append(p.Steps, evidence.SMTPStep{Name: "handshake", Took: time.Minute})
		})
	}, "smtp-slow unknown"},
	{"postmaster is greylisted", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.Postmaster = reply(451, "later") })
	}, ""},
	{"abuse is refused", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.Abuse = reply(550, "no such user") })
	}, "abuse-refused info"},
	{"an open relay", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.Relay = reply(250, "ok") })
	}, "relay-open fail"},
	{"no relay", func() []finding.Finding {
		return server(func(_ *finding.Server, p *evidence.SMTP) { p.Relay = reply(530, "authentication required") })
	}, ""},
	{"K130 no mail server can be reached", func() []finding.Finding { return finding.OfPort25(unreached(evidence.Slow, evidence.Slow)) }, "port25-blocked unknown"},
	{"one mail server can't be reached: it may be that one", func() []finding.Finding { return finding.OfPort25(unreached(evidence.Slow)) }, ""},
	{"another mail server can be reached", func() []finding.Finding {
		return finding.OfPort25(unreached(evidence.Slow, evidence.Slow, evidence.Spoke))
	}, ""},
}

func unreached(outcomes ...evidence.SMTPOutcome) []*evidence.SMTP {
	var out []*evidence.SMTP
	for i, o := range outcomes {
		out = append(out, &evidence.SMTP{Host: dnsname.MustParse(fmt.Sprintf("mx%d.example.org", i)), Outcome: o, Step: "connect", Peer: netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i + 1)}), 25)})
	}
	return out
}

// TestWhatEvidenceMeans has a case for every code that only the doctor finds,
// and for what must not be taken for one.
func TestWhatEvidenceMeans(t *testing.T) {
	shown := map[finding.Code]bool{}
	for _, c := range doctorCases {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range c.of() {
				shown[f.Code] = true
				got = append(got, fmt.Sprintf("%s %s", f.Code, f.Severity))
				if text := f.Text(); !strings.HasSuffix(text, ".") || strings.Contains(text, "  ") || strings.Contains(text, "()") {
					t.Errorf("text %q", text)
				}
				if f.Severity == finding.Failure && !f.Complete {
					t.Errorf("%s fails on incomplete answers", f.Code)
				}
			}
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("found %q, want %q", text, c.want)
			}
		})
	}
	for _, e := range finding.All() {
		if e.Doctor && !shown[e.Code] {
			t.Errorf("%s has no case", e.Code)
		}
	}
}

// TestAllHoldsTheGatesAndTheDoctors keeps the two apart: rules speak of the
// gate's codes only.
func TestAllHoldsTheGatesAndTheDoctors(t *testing.T) {
	gate := finding.Catalogue()
	seen := map[finding.Code]bool{}
	for i, e := range finding.All() {
		if seen[e.Code] {
			t.Errorf("%s stands there twice", e.Code)
		}
		seen[e.Code] = true
		isGate := slices.ContainsFunc(gate, func(g finding.Entry) bool { return g.Code == e.Code })
		if e.Doctor == isGate || finding.Known(e.Code) != isGate || isGate != (i < len(gate)) {
			t.Errorf("%s: Doctor %t, known to rules %t", e.Code, e.Doctor, finding.Known(e.Code))
		}
	}
}

// TestOurFamilies: a server that is silent counts against the zone only where
// another of its address family has answered, be it as a lame one: else it may
// be our own network that lacks the family.
func TestOurFamilies(t *testing.T) {
	for state, want := range map[evidence.ServerState]bool{
		evidence.Authoritative: true, evidence.Lame: true, evidence.Garbled: true, evidence.Silent: false, evidence.Unreachable: false,
	} {
		found := finding.OfZone(client, zone(func(z *evidence.Zone) {
			six := z.Servers[0]
			six.Address = netip.MustParseAddr("2001:db8::53")
			z.Servers = append(z.Servers, six)
			z.Servers[0].State, z.Servers[1].State = evidence.Silent, state
		}))
		blamed := slices.ContainsFunc(found, func(f finding.Finding) bool { return f.Code == finding.ZoneSilent })
		if blamed != want {
			t.Errorf("beside a server that is %s: silent %v, want %v", state, blamed, want)
		}
	}
}
