package doctor

import (
	"context"
	"net/netip"
	"slices"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// subject is one address with all that was found out about it.
type subject struct {
	addr netip.Addr
	host dnsname.Name
	role Role

	foreign bool // a sender that the domain includes from another one
	assumed bool // the HELO name is that of the host
	judged  *decision.Case
	reverse *evidence.Zone
	forward []*evidence.Zone
	lists   []evidence.ListAnswer
	origin  *evidence.Origin
	smtp    *evidence.SMTP
	names   []evidence.Answer // for the names that the server calls itself
	asked   []dnsname.Name    // the names whose zones were examined
}

// view returns what the gate saw.
func (s *subject) view() *evidence.View { return s.judged.Evidence.View }

// iprev returns the result of iprev.
func (s *subject) iprev() *evidence.IPRev { return &s.judged.Evidence.IPRev }

// examine asks everybody about one address, all at once; only the zones of its
// names must wait for the names, and the server's names for the server.
func (w *walk) examine(s *subject) {
	defer func() {
		if cause := recover(); cause != nil {
			w.bench.broke(s.addr.String(), cause)
		}
	}()
	of := " of " + s.addr.String()
	conn := w.facts(s)
	judged := start(w.bench, "the identity"+of, func(ctx context.Context) *decision.Case { return w.Gate.Examine(ctx, conn) })
	if evidence.SourceOf(s.addr).Special() {
		s.identity(judged) // nobody else knows anything about such an address
		return
	}
	var reverse *part[*evidence.Zone]
	if w.Authority != nil {
		q := evidence.Question{Name: dnsname.Reverse(s.addr), Type: evidence.PTR}
		reverse = start(w.bench, "the reverse zone"+of, func(ctx context.Context) *evidence.Zone { return w.Authority.Zone(ctx, q) })
	}
	var lists *part[[]evidence.ListAnswer]
	if w.Lists != nil {
		lists = start(w.bench, "the DNS lists about "+s.addr.String(), func(ctx context.Context) []evidence.ListAnswer { return w.Lists(ctx, s.addr) })
	}
	var origin *part[*evidence.Origin]
	if w.Origin != nil {
		origin = start(w.bench, "the origin"+of, func(ctx context.Context) *evidence.Origin { return w.Origin(ctx, s.addr) })
	}
	probe := w.probe(s)

	s.identity(judged)
	zones := w.forwardZones(s, w.leading(s))
	s.smtp = probe.wait()
	calls := serverNames(s.smtp)
	s.names = w.nameAnswers(s, calls)
	if s.iprev().Result != evidence.Pass {
		zones = append(zones, w.forwardZones(s, calls)...)
	}
	for _, z := range zones {
		if zone := z.wait(); zone != nil {
			s.forward = append(s.forward, zone)
		}
	}
	s.reverse, s.lists, s.origin = reverse.wait(), lists.wait(), origin.wait()
}

// zones are those of the address and of its names.
func (s *subject) zones() []*evidence.Zone {
	if s.reverse == nil {
		return s.forward
	}
	return append([]*evidence.Zone{s.reverse}, s.forward...)
}

// blank is a case in which nothing was judged; it stands where the gate said
// nothing.
func blank(addr netip.Addr) *decision.Case {
	view := &evidence.View{
		Source: evidence.SourceOf(addr), Helo: evidence.Helo{Kind: evidence.HeloUnknown},
		IPRev: evidence.IPRev{Address: addr, Names: []evidence.PTRName{}},
	}
	return &decision.Case{
		Conn:     facts.Conn{Door: facts.Check, Stage: facts.Rcpt, Client: addr},
		Evidence: evidence.Evidence{View: view}, Findings: []finding.Finding{},
	}
}

// identity takes over what the gate makes of the address.
func (s *subject) identity(judged *part[*decision.Case]) {
	if c := judged.wait(); c != nil && c.Evidence.View != nil {
		c.Ref = "" // nobody keeps the case
		s.judged = c
	}
}

// facts are those of a client that says the HELO name told, that of the bounce,
// or else the host's.
func (w *walk) facts(s *subject) facts.Conn {
	c := facts.Conn{Door: facts.Check, Stage: facts.Rcpt, Client: s.addr}
	switch b := w.target.Bounce; {
	case w.target.Helo != nil:
		c.Helo, c.HeloKnown = untrusted.New(*w.target.Helo), true
	case b != nil && !b.Helo.IsZero():
		c.Helo, c.HeloKnown = b.Helo, true
	case !s.host.IsZero():
		c.Helo, c.HeloKnown = untrusted.New(s.host.String()), true
		s.assumed = true
	}
	return c
}

// probe examines port 25, but not that of hosts which are known as senders only.
func (w *walk) probe(s *subject) *part[*evidence.SMTP] {
	if w.Prober == nil || s.role == AsSender || s.role == AsEgress {
		return nil
	}
	t := evidence.SMTPTarget{Host: s.host, Addr: s.addr, Domain: w.target.Name, Own: w.target.Own, Relay: w.target.Relay}
	what := "port 25 of " + s.addr.String()
	return start(w.bench, what, func(ctx context.Context) *evidence.SMTP { return w.Prober.Probe(ctx, t) })
}

// maxForward is the number of names whose zones are examined for one address.
const maxForward = 3

// forwardZones examines the zones of names that lead to the address or should,
// each once, as far as the number goes.
func (w *walk) forwardZones(s *subject, names []dnsname.Name) []*part[*evidence.Zone] {
	if w.Authority == nil {
		return nil
	}
	var out []*part[*evidence.Zone]
	for _, name := range names {
		if len(s.asked) == maxForward || slices.Contains(s.asked, name) || name.HostFault() != dnsname.Usable {
			continue
		}
		s.asked = append(s.asked, name)
		q := evidence.Question{Name: name, Type: familyOf(s.addr)}
		out = append(out, start(w.bench, "the zone of "+name.String(), func(ctx context.Context) *evidence.Zone { return w.Authority.Zone(ctx, q) }))
	}
	return out
}

// leading are the PTR names, the names wanted and said in HELO, and that of the
// host. Of many PTR names the first ones stand for all.
func (w *walk) leading(s *subject) []dnsname.Name {
	var names []dnsname.Name
	r := s.iprev()
	if !r.Confirmed.IsZero() {
		names = append(names, r.Confirmed)
	}
	for i := range r.Names {
		if len(names) < maxForward-1 && !slices.Contains(names, r.Names[i].Name) {
			names = append(names, r.Names[i].Name)
		}
	}
	return append(names, w.target.Wanted, s.view().Helo.Name, s.host)
}

func familyOf(addr netip.Addr) evidence.Type {
	if addr.Is4() {
		return evidence.A
	}
	return evidence.AAAA
}

// serverNames are the usable names by which a server calls itself.
func serverNames(p *evidence.SMTP) []dnsname.Name {
	if p == nil {
		return nil
	}
	var names []dnsname.Name
	for _, said := range []untrusted.Text{p.EHLOName, p.BannerName} {
		if h := evidence.ReadHelo(said); h.Kind == evidence.HeloName && !slices.Contains(names, h.Name) {
			names = append(names, h.Name)
		}
	}
	return names
}

// nameAnswers looks those names up.
func (w *walk) nameAnswers(s *subject, names []dnsname.Name) []evidence.Answer {
	var questions []evidence.Question
	for _, n := range names {
		questions = append(questions, evidence.Question{Name: n, Type: evidence.A}, evidence.Question{Name: n, Type: evidence.AAAA})
	}
	return w.answers("the names of the server at "+s.addr.String(), questions)
}
