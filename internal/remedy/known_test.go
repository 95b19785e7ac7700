package remedy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/remedy"
)

// unheard has no server of the zone answer.
func unheard(z *evidence.Zone, state evidence.ServerState) *evidence.Zone {
	for i := range z.Servers {
		z.Servers[i].State, z.Servers[i].SOA, z.Servers[i].Answer = state, nil, evidence.Answer{}
	}
	return z
}

// answer is what our own DNS server says to a question.
func answer(qname string, typ evidence.Type, a evidence.Answer) evidence.Answer {
	a.Question = evidence.Question{Name: name(qname), Type: typ}
	return a
}

// office is a network from which no zone's server can be asked, with what our
// own DNS server answers.
func office(ptr, a evidence.Answer) remedy.Input {
	in := missing("203.0.113.9", "mail.example.org")
	in.Reverse, in.Forward = unheard(reverse(none()), evidence.Barred), []*evidence.Zone{unheard(forward(none()), evidence.Barred)}
	in.View = &evidence.View{
		IPRev: evidence.IPRev{PTR: answer("9.113.0.203.in-addr.arpa", evidence.PTR, ptr)},
		Helo:  evidence.Helo{Kind: evidence.HeloName, Name: name("mail.example.org"), Answers: []evidence.Answer{answer("mail.example.org", evidence.A, a)}},
	}
	return in
}

func steps(r *remedy.Remedy) string {
	var b strings.Builder
	for _, s := range r.Steps {
		b.WriteString(s.Say + " " + s.Lines + "\n")
	}
	return b.String()
}

// TestOurAnswerCounts: where the zone's servers can't be asked one by one, as
// behind most firewalls, our own DNS server's answer says what is there.
func TestOurAnswerCounts(t *testing.T) {
	b := open(t)
	t.Run("the record is there", func(t *testing.T) {
		r := b.For(office(none(), addrs(5*time.Minute, "203.0.113.9")))
		if strings.Contains(steps(r), "publish") || !r.Records[0].Held || strings.Contains(r.Texts["nsupdate"], " A ") {
			t.Errorf("a record that is there is to be published: %s", show(r))
		}
		if why := strings.Join(r.Ready.Why, " "); r.Ready.OK || !r.Ready.Unknown || strings.Contains(why, "barred") || !strings.Contains(why, "Our own DNS server answers with the address") {
			t.Errorf("%+v", r.Ready)
		}
		if got := r.Visible.Last.Sub(noon); got > 24*time.Hour+10*time.Minute || !strings.Contains(strings.Join(r.Visible.Because, " "), "there is none for another 10 min") {
			t.Errorf("%+v", r.Visible)
		}
		if !strings.Contains(r.Ticket, "(mail.example.org A 203.0.113.9) is in place") {
			t.Errorf("%s", r.Ticket)
		}
	})
	t.Run("another address is there", func(t *testing.T) {
		r := b.For(office(none(), addrs(5*time.Minute, "198.51.100.7")))
		for format, want := range map[string]string{
			"octodns": `- "198.51.100.7"`, "terraform": `addresses = ["198.51.100.7", "203.0.113.9"]`, "bind": "; there already: mail.example.org. 300 IN A 198.51.100.7\n",
		} {
			if !strings.Contains(r.Texts[format], want) {
				t.Errorf("%s would take an address out:\n%s", format, r.Texts[format])
			}
		}
		if !strings.Contains(steps(r), "beside 198.51.100.7, or in its place") || r.Ready.OK || r.Ready.Unknown {
			t.Errorf("%s", show(r))
		}
	})
	t.Run("no answer at all", func(t *testing.T) {
		r := b.For(office(evidence.Answer{State: evidence.ServFail}, evidence.Answer{State: evidence.ServFail}))
		if strings.Contains(r.Texts["octodns"], "type: A\n") || strings.Contains(r.Texts["terraform"], "dns_a_record_set") || !strings.Contains(r.Texts["bind"], "; if it is not there already:\nmail") {
			t.Errorf("%s", show(r))
		}
		if !r.Ready.Unknown {
			t.Errorf("%+v", r.Ready)
		}
	})
	t.Run("more addresses than an answer holds", func(t *testing.T) {
		in := missing("203.0.113.9", "mail.example.org")
		a := addrs(time.Hour, "198.51.100.7")
		a.Total = 200
		in.Forward = []*evidence.Zone{forward(a)}
		r := b.For(in)
		if strings.Contains(r.Texts["octodns"], "type: A\n") || strings.Contains(r.Texts["terraform"], "dns_a_record_set") {
			t.Errorf("a set without all its records:\n%s\n%s", r.Texts["octodns"], r.Texts["terraform"])
		}
	})
}

// TestSilentServersLackNothing: a record that every server gives which answers
// is not to be published again because others don't answer.
func TestSilentServersLackNothing(t *testing.T) {
	for label, worse := range map[string]func(*evidence.NameServer){
		"silent":   func(s *evidence.NameServer) { s.State, s.Answer = evidence.Silent, evidence.Answer{} },
		"SERVFAIL": func(s *evidence.NameServer) { s.Answer = evidence.Answer{State: evidence.ServFail} },
		"lame":     func(s *evidence.NameServer) { s.State, s.Answer = evidence.Lame, evidence.Answer{} },
	} {
		t.Run(label, func(t *testing.T) {
			in := missing("203.0.113.9", "mail.example.org")
			z := forward(addrs(time.Hour, "203.0.113.9"))
			worse(&z.Servers[1])
			in.Forward = []*evidence.Zone{z}
			r := open(t).For(in)
			if strings.Contains(steps(r), "publish") || !r.Records[0].Held || r.Ready.OK || !r.Ready.Unknown {
				t.Errorf("%s", show(r))
			}
		})
	}
}

// RFC 1034 §3.6.2: no other record stands beside a CNAME. One that leads to
// strangers has to give way; one that leads to a name of one's own is followed.
func TestWantedNameIsAnAlias(t *testing.T) {
	aliased := func(to, apex string) remedy.Input {
		in := missing("203.0.113.9", "mail.example.org")
		z := forward(addrs(time.Hour, "198.51.100.7"))
		z.Chain = []evidence.Alias{{Owner: name("mail.example.org"), Target: name(to), Zone: name("example.org"), TTL: time.Hour}}
		z.Name, z.Apex = name(to), name(apex)
		in.Forward = []*evidence.Zone{z}
		return in
	}
	b := open(t)
	t.Run("of a stranger's name", func(t *testing.T) {
		r := b.For(aliased("cdn.example.net", "example.net"))
		want := remedy.Record{Owner: name("mail.example.org"), Type: evidence.A, Data: "203.0.113.9", TTL: 3600, Zone: name("example.org"), Instead: name("cdn.example.net")}
		if len(r.Records) != 2 || r.Records[0] != want {
			t.Errorf("%+v", r.Records)
		}
		if !strings.Contains(steps(r), "First take the alias (CNAME to cdn.example.net) of mail.example.org out of the zone example.org") {
			t.Errorf("%s", steps(r))
		}
		if !strings.Contains(r.Texts["nsupdate"], "update delete mail.example.org. CNAME\nupdate add mail.example.org. 3600 A") || !strings.Contains(r.Texts["bind"], "; take out: mail.example.org. IN CNAME cdn.example.net.\n") {
			t.Errorf("the alias stays:\n%s", show(r))
		}
		if strings.Contains(r.Texts["terraform"], "198.51.100.7") || r.Ready.OK || r.Ready.Unknown {
			t.Errorf("%s", show(r))
		}
	})
	t.Run("of a name of one's own", func(t *testing.T) {
		r := b.For(aliased("host.example.org", "example.org"))
		if r.Records[1].Owner != name("host.example.org") || r.Records[1].Instead != (dnsname.Name{}) || !strings.Contains(steps(r), "host.example.org. 3600 IN A 203.0.113.9") {
			t.Errorf("%s", show(r))
		}
	})
	t.Run("into a ring", func(t *testing.T) {
		in := aliased("host.example.org", "example.org")
		in.Forward[0].ChainFault, in.Forward[0].Servers = evidence.ChainLoop, nil
		if r := b.For(in); r.Records[0].Owner != name("mail.example.org") || r.Records[0].Instead != name("host.example.org") {
			t.Errorf("%s", show(r))
		}
	})
	t.Run("the address is there already", func(t *testing.T) {
		in := aliased("cdn.example.net", "example.net")
		in.Forward[0].Servers[0].Answer, in.Forward[0].Servers[1].Answer = addrs(time.Hour, "203.0.113.9"), addrs(time.Hour, "203.0.113.9")
		if r := b.For(in); !r.Ready.OK || strings.Contains(steps(r), "alias") {
			t.Errorf("%s", show(r))
		}
	})
}
