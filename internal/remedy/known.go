package remedy

import (
	"net/netip"
	"slices"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// known is what was found out about the records of a name: what each server of
// its zone says, and what our own DNS server answered, which counts where none
// of those could be heard.
type known struct {
	zone *evidence.Zone
	ours *evidence.Answer
}

// forward is what is known of the wanted name's address records.
func (j *job) forward() known {
	q := evidence.Question{Name: j.choice.Name, Type: family(j.Address)}
	k := known{zone: forwardZone(j.Input, q.Name)}
	for _, a := range ourAnswers(j.Input) {
		if a.Question == q && a.State.Complete() && k.ours == nil {
			k.ours = a
		}
	}
	return k
}

// reverse is what is known of the address's PTR records.
func (j *job) reverse() known {
	k := known{zone: j.Reverse}
	if j.View != nil && j.View.IPRev.PTR.State.Complete() {
		k.ours = &j.View.IPRev.PTR
	}
	return k
}

// ourAnswers are the address records that our own DNS server was asked for.
func ourAnswers(in Input) []*evidence.Answer {
	var out []*evidence.Answer
	if v := in.View; v != nil {
		for i := range v.IPRev.Names {
			for k := range v.IPRev.Names[i].Forward {
				out = append(out, &v.IPRev.Names[i].Forward[k])
			}
		}
		for i := range v.Helo.Answers {
			out = append(out, &v.Helo.Answers[i])
		}
	}
	if d := in.Domain; d != nil {
		for i := range d.Hosts {
			out = append(out, &d.Hosts[i].A, &d.Hosts[i].AAAA)
		}
	}
	return out
}

// heard are the complete answers of the zone's servers. One that only passes on
// to another zone (a CNAME) is none.
func (k known) heard() []*evidence.Answer {
	var out []*evidence.Answer
	if k.zone == nil {
		return nil
	}
	for i := range k.zone.Servers {
		s := &k.zone.Servers[i]
		if s.State == evidence.Authoritative && s.Answer.State.Complete() && (s.Answer.State == evidence.Found || len(s.Answer.Aliases) == 0) {
			out = append(out, &s.Answer)
		}
	}
	return out
}

// answers are those of the zone's servers, or else ours.
func (k known) answers() []*evidence.Answer {
	out := k.heard()
	if len(out) == 0 && k.ours != nil {
		out = append(out, k.ours)
	}
	return out
}

// holds reports whether the address is in every answer there is. A server that
// does not answer does not lack the record.
func (k known) holds(addr netip.Addr) bool {
	all := k.answers()
	for _, a := range all {
		if !slices.ContainsFunc(a.Addrs, func(b netip.Addr) bool { return b.Unmap() == addr }) {
			return false
		}
	}
	return len(all) > 0
}

// addrs are the addresses of all answers, each once.
func (k known) addrs() []netip.Addr {
	var out []netip.Addr
	for _, answer := range k.answers() {
		for _, a := range answer.Addrs {
			if a = a.Unmap(); !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

// whole reports whether all records of the set are known, so that the set can be
// written anew without taking any out.
func (k known) whole() bool {
	all := k.answers()
	return len(all) > 0 && !slices.ContainsFunc(all, func(a *evidence.Answer) bool { return a.Total > max(len(a.Addrs), len(a.Names)) })
}

// names are the PTR names of all answers, each once, and total the number of
// those that the DNS holds: an answer keeps a few only.
func (k known) names() (names []dnsname.Name, total int) {
	for _, a := range k.answers() {
		total = max(total, a.Total)
		for _, n := range a.Names {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	return names, max(total, len(names))
}

// alias returns what the name is an alias of in the end, and the first alias on
// the way; the zero Name where it is none.
func (k known) alias() (end dnsname.Name, first evidence.Alias) {
	switch {
	case k.zone != nil && len(k.zone.Chain) > 0:
		return k.zone.Name, k.zone.Chain[0]
	case k.ours != nil && len(k.ours.Aliases) > 0:
		return k.ours.Aliases[len(k.ours.Aliases)-1], evidence.Alias{Owner: k.ours.Name, Target: k.ours.Aliases[0]}
	default:
		return dnsname.Name{}, evidence.Alias{}
	}
}

// seat is where the address record of the wanted name belongs.
type seat struct {
	owner, zone dnsname.Name
	// instead is the target of a CNAME that has to give way (RFC 1034 §3.6.2: no
	// other record beside it); the zero Name where none stands there.
	instead dnsname.Name
}

// seat follows an alias to a name of one's own. One that leads to strangers, into
// a ring or nowhere has to go: nobody but they can publish a record there.
func (j *job) seat() seat {
	k := j.forward()
	s := seat{owner: j.choice.Name, zone: forwardApex(j.Input, j.choice.Name)}
	end, first := k.alias()
	switch {
	case end.IsZero():
		return s
	case k.holds(j.Address), end.Org() == j.choice.Name.Org() && safe(end) && (k.zone == nil || k.zone.ChainFault == ""):
		s.owner = end
		return s
	default:
		return seat{owner: j.choice.Name, zone: first.Zone, instead: first.Target}
	}
}
