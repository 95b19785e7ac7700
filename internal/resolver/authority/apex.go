package authority

import (
	"net/netip"
	"slices"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver/dnswire"
)

// chase follows the CNAMEs one by one, as a resolver would that gives up after
// evidence.MaxChain of them. It returns the answer to the SOA question at the
// name where they end.
func (w *walk) chase() evidence.Answer {
	z := w.zone
	passed := []dnsname.Name{z.Name}
	for {
		if z.Question.Type == evidence.CNAME {
			// The link itself is the question; the SOA one would follow it.
			return evidence.Answer{State: evidence.NotAsked}
		}
		answers := w.ask(
			evidence.Question{Name: z.Name, Type: evidence.CNAME},
			evidence.Question{Name: z.Name, Type: evidence.SOA},
		)
		link := answers[0]
		if link.State != evidence.Found || len(link.Names) == 0 {
			w.aliasZones()
			return answers[1]
		}
		target := link.Names[0]
		z.Chain = append(z.Chain, evidence.Alias{Owner: z.Name, Target: target, TTL: link.TTL})
		switch {
		case slices.Contains(passed, target):
			z.ChainFault = evidence.ChainLoop
		case len(z.Chain) > evidence.MaxChain:
			z.ChainFault = evidence.ChainTooLong
		default:
			z.Name, passed = target, append(passed, target)
			continue
		}
		w.aliasZones()
		// The SOA question would go round as well: the zone is found from above.
		return evidence.Answer{Question: answers[1].Question, State: evidence.NotAsked}
	}
}

// aliasZones finds the zones of the links. No apex is an alias (RFC 1034
// §3.6.2), so that the search begins one label up.
func (w *walk) aliasZones() {
	var questions []evidence.Question
	for _, link := range w.zone.Chain {
		questions = append(questions, evidence.Question{Name: above(link.Owner), Type: evidence.SOA})
	}
	if len(questions) == 0 {
		return
	}
	for i, answer := range w.ask(questions...) {
		w.zone.Chain[i].Zone = zoneOf(answer)
	}
}

// zoneOf returns the closest enclosing zone that the answer to a SOA question
// names, the zero Name where it names none.
func zoneOf(a evidence.Answer) dnsname.Name {
	switch {
	case !a.State.Complete() || len(a.Aliases) > 0 || a.SOA == nil || !a.Name.Under(a.SOA.Zone):
		return dnsname.Name{}
	case a.State == evidence.Found && a.SOA.Zone != a.Name:
		return dnsname.Name{}
	}
	return a.SOA.Zone
}

// above returns the name without its first label; the root has none above.
func above(name dnsname.Name) dnsname.Name {
	wire := name.AppendWire(nil)
	if wire[0] == 0 {
		return name
	}
	up, _, err := dnsname.FromWire(wire, 1+int(wire[0]))
	if err != nil {
		return dnsname.MustParse(".")
	}
	return up
}

// apex finds the closest enclosing zone and the one above it. Where the resolver
// can't tell the first, because its servers are dead, those of the closest zone
// that lives know to whom they gave it.
func (w *walk) apex(soa evidence.Answer) {
	z := w.zone
	if zone := zoneOf(soa); !zone.IsZero() {
		z.Apex, z.SOA = zone, soa.SOA
	} else {
		if soa.State.Trouble() {
			z.Trouble = &soa
		}
		living := w.living(z.Name)
		if living == nil {
			return
		}
		if cut := w.delegation(living.Zone, z.Name); cut.Zone.IsZero() {
			z.Apex, z.SOA = living.Zone, living
		} else {
			z.Apex, z.Parent = cut.Zone, living.Zone
			w.delegate(cut)
			return
		}
	}
	if z.Apex.String() == "." {
		return
	}
	z.Parent = zoneOf(w.ask(evidence.Question{Name: above(z.Apex), Type: evidence.SOA})[0])
	if z.Parent.IsZero() {
		if living := w.living(z.Apex); living != nil {
			z.Parent = living.Zone
		}
	}
	if !z.Parent.IsZero() {
		w.delegate(w.delegation(z.Parent, z.Apex))
	}
}

// living returns the SOA record of the deepest zone above the name of which the
// resolver knows one, nil where it knows none.
func (w *walk) living(name dnsname.Name) *evidence.StartOfAuthority {
	var questions []evidence.Question
	for name.String() != "." {
		name = above(name)
		questions = append(questions, evidence.Question{Name: name, Type: evidence.SOA})
	}
	if len(questions) == 0 {
		return nil
	}
	for _, answer := range w.ask(questions...) { // from the closest name up
		if !zoneOf(answer).IsZero() {
			return answer.SOA
		}
	}
	return nil
}

// delegate notes the delegation of the zone.
func (w *walk) delegate(cut dnswire.Delegation) {
	if cut.Zone != w.zone.Apex {
		return
	}
	w.zone.Delegated = cut.Names
	w.unnamed = max(cut.Total-len(cut.Names), 0)
	for _, g := range cut.Glue {
		w.glue[g.Name] = append(w.glue[g.Name], g.Addr)
	}
}

// delegation asks the servers of a zone for the delegation below it that holds
// the name. The zero Delegation means that there is none, or that none of the
// servers said so.
func (w *walk) delegation(parent, name dnsname.Name) dnswire.Delegation {
	ns := w.ask(evidence.Question{Name: parent, Type: evidence.NS})[0]
	hosts := w.addresses(ns.Names[:min(len(ns.Names), maxParents)])
	var questions []question
	for _, addr := range byTurns(hosts) {
		questions = append(questions, question{addr, evidence.Question{Name: name, Type: evidence.NS}})
	}
	var found dnswire.Delegation
	for _, reply := range w.exchange(questions) {
		cut, r := reply.cut, reply.response
		if reply.outcome == answered && r.Authoritative && r.Total > 0 && len(r.Aliases) == 0 {
			// The server holds both zones, and answers from the lower one.
			cut = dnswire.Delegation{Zone: name, Names: r.Names, Total: r.Total}
		}
		if cut.Zone.IsZero() || cut.Zone == parent || !cut.Zone.Under(parent) {
			continue
		}
		if found.Zone.IsZero() || len(cut.Glue) > len(found.Glue) {
			found = cut
		}
	}
	return found
}

// byTurns returns the first IPv4 address of each host, then the first IPv6 ones,
// which not everybody can reach; at most maxParents.
func byTurns(hosts []host) []netip.Addr {
	var out []netip.Addr
	for _, four := range []bool{true, false} {
		for _, h := range hosts {
			at := slices.IndexFunc(h.addrs, func(a netip.Addr) bool { return a.Is4() == four })
			if at >= 0 && len(out) < maxParents && !slices.Contains(out, h.addrs[at]) {
				out = append(out, h.addrs[at])
			}
		}
	}
	return out
}
