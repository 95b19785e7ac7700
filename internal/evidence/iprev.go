package evidence

import (
	"net/netip"
	"slices"

	"github.com/arpagate/arpagate/internal/dnsname"
)

// forwards holds the forward answers for the PTR names: answers[i] are those
// for the i-th name of the PTR answer, empty for a name that was not asked.
type forwards [][]Answer

// judge finds the iprev result (RFC 8601 §3) once all answers are in. The PTR
// answer and each forward answer may be troubled and carry a stale one; stale
// answers can only turn temperror into pass.
func judge(addr netip.Addr, ptr Answer, fwd forwards) IPRev {
	r := IPRev{Address: addr, PTR: ptr, Total: ptr.Total}
	believed, stalePTR := ptr, false
	if ptr.State.Trouble() && ptr.Stale != nil {
		believed, stalePTR = *ptr.Stale, true
	}
	r.Names = make([]PTRName, len(believed.Names))
	for i, name := range believed.Names {
		r.Names[i] = ptrName(addr, name, fwd[i])
	}
	r.Result = verdict(ptr, r.Names)
	if at := confirmedAt(r.Names); at >= 0 {
		r.Result, r.Stale, r.Confirmed = Pass, stalePTR, r.Names[at].Name
		return r
	}
	if r.Result == TempError {
		r.passOnStale(believed, fwd)
	}
	return r
}

// verdict combines the states of the names, none of which may be looked at
// alone: a pass beats an error on another name, and an error beats a mismatch,
// for the missing answer could have been the confirming one.
func verdict(ptr Answer, names []PTRName) Result {
	// RFC 8601 §2.7.3: no PTR record is permerror, a failed query temperror.
	switch {
	case ptr.State.Negative():
		return PermError
	case ptr.State != Found:
		return TempError
	}
	usable, trouble := false, false
	for i := range names {
		switch names[i].State {
		case Confirmed:
			return Pass
		case NameUnusable:
		case NameTrouble, NameSkipped:
			usable, trouble = true, true
		default:
			usable = true
		}
	}
	switch {
	case !usable:
		return PermError
	case trouble:
		return TempError
	default:
		return Fail
	}
}

func confirmedAt(names []PTRName) int {
	return slices.IndexFunc(names, func(n PTRName) bool { return n.State == Confirmed })
}

// ptrName says what the forward answers mean for one name. Only the answer of
// the client's own family, the first, can confirm or refuse.
func ptrName(addr netip.Addr, name dnsname.Name, answers []Answer) PTRName {
	n := PTRName{Name: name, Fault: name.HostFault(), Forward: answers, Addresses: []netip.Addr{}}
	if n.Fault != dnsname.Usable {
		n.State = NameUnusable
		return n
	}
	if len(answers) == 0 {
		n.State = NameSkipped
		return n
	}
	for i := range answers {
		n.Addresses = append(n.Addresses, answers[i].Addrs...)
	}
	switch state := answers[0].State; state {
	case Found:
		n.State = Mismatch
		if slices.Contains(answers[0].Addrs, addr) {
			n.State = Confirmed
		}
	case NXDomain:
		n.State = NameNXDomain
	case NoData:
		n.State = NameNoData
	case NotAsked:
		n.State = NameSkipped
	default:
		n.State = NameTrouble
	}
	return n
}

// passOnStale turns temperror into pass when remembered answers confirm the
// address: serving stale data is for passing only (RFC 8767 §5).
func (r *IPRev) passOnStale(ptr Answer, fwd forwards) {
	if ptr.State != Found {
		return
	}
	for i := range r.Names {
		if r.Names[i].State != NameTrouble {
			continue
		}
		stale := fwd[i][0].Stale
		if stale != nil && stale.State == Found && slices.Contains(stale.Addrs, r.Address) {
			r.Names[i].State = Confirmed
			r.Names[i].Addresses = stale.Addrs
			r.Result, r.Stale, r.Confirmed = Pass, true, r.Names[i].Name
			return
		}
	}
}

// family returns the type of the address record that can hold addr.
func family(addr netip.Addr) Type {
	if addr.Is4() {
		return A
	}
	return AAAA
}

// otherFamily returns the other type of address record.
func otherFamily(addr netip.Addr) Type {
	if addr.Is4() {
		return AAAA
	}
	return A
}
