package finding

import (
	"net/netip"
	"slices"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/generic"
)

// Of returns the findings that the view of the client supports, causes before effects.
func Of(c facts.Conn, e *evidence.View) []Finding {
	if e.Source.Kind == "none" {
		return nil
	}
	if e.Source.Special() {
		return []Finding{{
			Code: SourceSpecial, Severity: Info, Complete: true,
			Args: Args{Address: c.Client, Why: e.Source.Kind, RFC: e.Source.RFC},
		}}
	}
	if e.IPRev.Result == evidence.Unjudged {
		return nil
	}
	found := ofIPRev(nil, &e.IPRev)
	found = ofNames(found, e)
	return ofHelo(found, c.Client, e)
}

func ofIPRev(found []Finding, r *evidence.IPRev) []Finding {
	switch r.Result {
	case evidence.TempError:
		return append(found, trouble(r))
	case evidence.PermError:
		if r.PTR.State.Negative() {
			return append(found, Finding{
				Code: PTRMissing, Severity: Failure, Complete: true,
				Args: Args{Address: r.Address, Name: r.PTR.Name, State: r.PTR.State},
			})
		}
		return append(found, unusable(r))
	case evidence.Fail:
		return append(found, unconfirmed(r))
	default:
		return found
	}
}

// trouble names the first question that was not answered.
func trouble(r *evidence.IPRev) Finding {
	culprit := &r.PTR
	if !r.PTR.State.Trouble() {
		for i := range r.Names {
			if fwd := r.Names[i].Forward; r.Names[i].State == evidence.NameTrouble {
				culprit = &fwd[0]
				break
			}
		}
	}
	return Finding{
		Code: DNSTrouble, Severity: Unknown,
		Args: Args{Address: r.Address, Name: culprit.Name, State: culprit.State, Why: culprit.Reason.String(), Server: culprit.Server},
	}
}

func unusable(r *evidence.IPRev) Finding {
	f := Finding{Code: PTRUnusable, Severity: Failure, Complete: true, Args: Args{Address: r.Address}}
	if len(r.Names) > 0 {
		f.Args.Name, f.Args.Why = r.Names[0].Name, string(r.Names[0].Fault)
	}
	return f
}

func unconfirmed(r *evidence.IPRev) Finding {
	f := Finding{Code: PTRUnconfirmed, Severity: Failure, Complete: true, Args: Args{Address: r.Address, Count: r.Total}}
	for i := range r.Names {
		n := &r.Names[i]
		f.Args.Names = append(f.Args.Names, n.Name)
		if f.Args.Name.IsZero() && n.Fault == dnsname.Usable {
			f.Args.Name, f.Args.State, f.Args.Others = n.Name, n.Forward[0].State, few(n.Addresses)
		}
	}
	return f
}

// few keeps a stored finding small where a name has thousands of addresses.
func few(addrs []netip.Addr) []netip.Addr { return addrs[:min(len(addrs), 16)] }

func ofNames(found []Finding, e *evidence.View) []Finding {
	r := &e.IPRev
	if r.Total > evidence.MaxNames {
		found = append(found, Finding{
			Code: PTRTooMany, Severity: Warn, Complete: true, Args: Args{Address: r.Address, Count: r.Total},
		})
	}
	if orgs := organizations(r.Names); len(orgs) > 1 {
		found = append(found, Finding{
			Code: PTRSeveral, Severity: Warn, Complete: true, Args: Args{Address: r.Address, Count: len(orgs), Names: orgs},
		})
	}
	if g := &e.Generic; g.Degree != generic.Own {
		code := PTRGeneric
		if g.Degree == generic.GenericStatic {
			code = PTRGenericStatic
		}
		found = append(found, Finding{
			Code: code, Severity: Warn, Complete: r.Result != evidence.TempError,
			Args: Args{Address: r.Address, Name: g.Name, Parts: g.Reasons()},
		})
	}
	return found
}

func organizations(names []evidence.PTRName) []dnsname.Name {
	if len(names) < 2 {
		return nil
	}
	var orgs []dnsname.Name
	for i := range names {
		if org := names[i].Name.Org(); names[i].Fault == dnsname.Usable && !slices.Contains(orgs, org) {
			orgs = append(orgs, org)
		}
	}
	return orgs
}

func ofHelo(found []Finding, client netip.Addr, e *evidence.View) []Finding {
	h := &e.Helo
	add := func(code Code, severity Severity, args Args) {
		args.Address, args.Said = client, h.Said
		found = append(found, Finding{Code: code, Severity: severity, Complete: true, Args: args})
	}
	switch h.Kind {
	case evidence.HeloMissing:
		add(HeloMissing, Warn, Args{})
	case evidence.HeloNotFQDN:
		add(HeloNotFQDN, Warn, Args{Why: string(h.Fault)})
	case evidence.HeloBareIP:
		add(HeloBareIP, Warn, Args{})
	case evidence.HeloLiteral:
		if h.Address != client {
			add(HeloLiteralMismatch, Warn, Args{})
		}
	case evidence.HeloName:
		heloName(h, client, &e.IPRev, add)
	}
	return found
}

// heloName compares the HELO name with the address and the PTR names. Where
// the DNS did not answer completely it says nothing.
func heloName(h *evidence.Helo, client netip.Addr, r *evidence.IPRev, add func(Code, Severity, Args)) {
	negative, complete := 0, true
	var addrs []netip.Addr
	for i := range h.Answers {
		a := &h.Answers[i]
		complete = complete && a.State.Complete()
		if a.State.Negative() {
			negative++
		}
		addrs = append(addrs, a.Addrs...)
	}
	switch {
	case slices.Contains(addrs, client), len(h.Answers) == 0, !complete:
	case negative == len(h.Answers):
		add(HeloUnresolvable, Warn, Args{Name: h.Name, State: h.Answers[0].State})
	default:
		add(HeloNotClient, Info, Args{Name: h.Name, Others: few(addrs)})
	}
	if r.Result == evidence.Pass && !sameOrganization(h.Name, r.Names) {
		add(HeloNotPTR, Info, Args{Name: h.Name, Names: []dnsname.Name{r.Confirmed}})
	}
}

func sameOrganization(helo dnsname.Name, names []evidence.PTRName) bool {
	for i := range names {
		if names[i].State == evidence.Confirmed && (names[i].Name == helo || names[i].Name.Org() == helo.Org()) {
			return true
		}
	}
	return false
}
