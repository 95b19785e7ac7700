package evidence

import (
	"net/netip"
	"slices"
	"time"
)

// maxShown is the number of addresses of one answer that outlive the verdict. A
// record set can have thousands, and a view lives as long as its case.
const maxShown = 16

// thin cuts the record sets of a view that has been judged. The client's own
// address stays, so that the view still shows what confirmed it.
func (v *View) thin() {
	client := v.IPRev.Address
	thinAnswers(v.Helo.Answers, client)
	for i := range v.IPRev.Names {
		n := &v.IPRev.Names[i]
		n.Addresses = thinAddrs(n.Addresses, client)
		thinAnswers(n.Forward, client)
	}
}

func thinAnswers(answers []Answer, client netip.Addr) {
	for i := range answers {
		a := &answers[i]
		a.Addrs = thinAddrs(a.Addrs, client)
		if a.Stale != nil && len(a.Stale.Addrs) > maxShown {
			stale := *a.Stale
			stale.Addrs = thinAddrs(stale.Addrs, client)
			a.Stale = &stale
		}
	}
}

// thinAddrs returns a long list cut in a copy, for the list is shared with
// others who ask the same.
func thinAddrs(addrs []netip.Addr, client netip.Addr) []netip.Addr {
	if len(addrs) <= maxShown {
		return addrs
	}
	short := slices.Clone(addrs[:maxShown])
	if slices.Contains(addrs[maxShown:], client) {
		short[maxShown-1] = client
	}
	return short
}

// Observed returns when the youngest of the answers arrived on which the result
// rests: an old answer from memory is no new observation.
func (r *IPRev) Observed() time.Time {
	at := r.PTR.At
	for i := range r.Names {
		for j := range r.Names[i].Forward {
			if f := &r.Names[i].Forward[j]; f.At.After(at) {
				at = f.At
			}
		}
	}
	return at
}
