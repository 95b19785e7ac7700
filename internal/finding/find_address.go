package finding

import (
	"net/netip"
	"slices"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// longChain is the number of aliases before a PTR record that nobody needs: RFC
// 2317 takes one, and another one where a customer passes it on.
const longChain = 4

// OfChain says whether too many aliases stand before the PTR record.
func OfChain(r *evidence.IPRev) []Finding {
	if len(r.PTR.Aliases) <= longChain {
		return nil
	}
	return []Finding{{
		Code: PTRLongChain, Severity: Warn, Complete: true,
		Args: Args{Address: r.Address, Name: r.PTR.Name, Count: len(r.PTR.Aliases)},
	}}
}

// OfStrays names the PTR names that do not lead back, beside one that does. It is
// no fault, for a pass beats an error on another name. Of too many names, of
// which not all were looked up, another finding tells.
func OfStrays(r *evidence.IPRev) []Finding {
	if r.Result != evidence.Pass || r.Total > evidence.MaxNames {
		return nil
	}
	f := Finding{Code: PTRSomeUnconfirmed, Severity: Info, Complete: true, Args: Args{Address: r.Address, Name: r.Confirmed}}
	for i := range r.Names {
		n := &r.Names[i]
		var why string
		switch n.State {
		case evidence.Mismatch:
			why = "resolves to " + join(few(n.Addresses))
		case evidence.NameNXDomain:
			why = "does not exist"
		case evidence.NameNoData:
			why = "has no address of this family"
		case evidence.NameUnusable:
			why = fault(string(n.Fault))
		case evidence.NameTrouble:
			why, f.Complete = "could not be looked up", false
		default:
			continue
		}
		f.Args.Names = append(f.Args.Names, n.Name)
		f.Args.Parts = append(f.Args.Parts, n.Name.String()+" ("+why+")")
	}
	if len(f.Args.Names) == 0 {
		return nil
	}
	return []Finding{f}
}

// OfHelo says that a HELO name could not be looked up, so that it is not known
// whether it leads to the client. The gate holds no HELO name against anybody,
// and is not told.
func OfHelo(client netip.Addr, e *evidence.View) []Finding {
	if e.Helo.Kind != evidence.HeloName {
		return nil
	}
	var culprit *evidence.Answer
	for i := range e.Helo.Answers {
		a := &e.Helo.Answers[i]
		if slices.Contains(a.Addrs, client) {
			return nil
		}
		if culprit == nil && a.State.Trouble() {
			culprit = a
		}
	}
	// The result of iprev tells of the name already.
	if culprit == nil || e.IPRev.Result == evidence.TempError && trouble(&e.IPRev).Args.Name == culprit.Name {
		return nil
	}
	return []Finding{unanswered(Args{Address: client}, culprit)}
}

// OfFamilies says whether a host with named IPv4 addresses has an IPv6 address
// without a PTR record. The IPRevs are those of one host.
func OfFamilies(host dnsname.Name, addresses []*evidence.IPRev) []Finding {
	var named, nameless []netip.Addr
	for _, r := range addresses {
		switch {
		case r.Address.Is4() && r.Result == evidence.Pass:
			named = append(named, r.Address)
		case !r.Address.Is4() && r.PTR.State.Negative():
			nameless = append(nameless, r.Address)
		}
	}
	if len(named) == 0 {
		return nil
	}
	var found []Finding
	for _, addr := range nameless {
		found = append(found, Finding{
			Code: IPv6NoPTR, Severity: Warn, Complete: true, Args: Args{Address: addr, Host: host, Others: named},
		})
	}
	return found
}

// OfAlignment says under which organizations the examined servers of a domain
// are named, where none of them is the domain's own.
func OfAlignment(domain dnsname.Name, addresses []*evidence.IPRev) []Finding {
	var orgs []dnsname.Name
	for _, r := range addresses {
		if r.Result != evidence.Pass {
			continue
		}
		org := r.Confirmed.Org()
		if org == domain.Org() {
			return nil
		}
		if !slices.Contains(orgs, org) {
			orgs = append(orgs, org)
		}
	}
	if len(orgs) == 0 {
		return nil
	}
	return []Finding{{Code: DomainAlignment, Severity: Info, Complete: true, Args: Args{Name: domain, Names: orgs}}}
}

// OfLists returns what DNS lists say of the address. A list that can't be
// believed is unknown: it neither lists nor clears.
func OfLists(addr netip.Addr, answers []evidence.ListAnswer) []Finding {
	var found []Finding
	for i := range answers {
		a := &answers[i]
		f := Finding{Args: Args{Address: addr, Zone: a.Zone, Others: few(a.Codes), Said: a.Text, State: a.Answer.State}}
		switch a.State {
		case evidence.Listed:
			f.Code, f.Severity, f.Complete = Listed, Warn, true
			if a.Allow {
				f.Code, f.Severity = AllowListed, Info
			}
		case evidence.ListRefused:
			f.Code, f.Severity = ListRefused, Unknown
		case evidence.ListBroken:
			f.Code, f.Severity, f.Args.Why = ListBroken, Unknown, testFault(a.Tests)
		case evidence.ListRewrote:
			f.Code, f.Severity = ListRewritten, Unknown
		case evidence.ListTrouble:
			f.Code, f.Severity, f.Args.Why = ListSilent, Unknown, a.Answer.Reason.String()
		default:
			continue
		}
		found = append(found, f)
	}
	return found
}

// testFault says which test point of a list was answered how.
func testFault(tests []evidence.Answer) string {
	var words []string
	for i := range tests {
		words = append(words, tests[i].Name.String()+" "+tests[i].State.Mnemonic())
	}
	return list(words)
}
