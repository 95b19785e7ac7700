package finding

import (
	"net/netip"

	"github.com/arpagate/arpagate/internal/evidence"
)

// AddressLiteral is the fault of an MX record that holds an address (RFC 1035
// §3.3.9 wants a name); see evidence.MailHost.
const AddressLiteral = "address-literal"

// OfDomain returns what a mail domain's MX records, their hosts and its SPF
// record show. Receiving mail is not what a sender is judged by, so that nothing
// of it fails.
func OfDomain(d *evidence.MailDomain) []Finding {
	var found []Finding
	base := Args{Name: d.Name}
	switch {
	case d.Null:
		found = append(found, Finding{Code: MXNull, Severity: Info, Complete: true, Args: base})
	case d.MX.State.Negative():
		found = append(found, mxMissing(d))
		for i := range d.Hosts {
			found = hostTrouble(found, base, &d.Hosts[i])
		}
	case d.MX.State.Trouble():
		found = append(found, unanswered(base, &d.MX))
		for i := range d.Hosts {
			found = hostTrouble(found, base, &d.Hosts[i])
		}
	}
	if d.MX.State == evidence.Found && !d.Null {
		for i := range d.Hosts {
			found = ofHost(found, base, &d.Hosts[i])
		}
	}
	return ofSPF(found, base, d.SPF)
}

// unanswered names a question that led to no answer.
func unanswered(base Args, a *evidence.Answer) Finding {
	base.Name, base.State, base.Why, base.Server = a.Name, a.State, a.Reason.String(), a.Server
	return Finding{Code: DNSTrouble, Severity: Unknown, Args: base}
}

// mxMissing is harmless where the domain's own address takes its mail (RFC 5321
// §5.1), as long as that is known.
func mxMissing(d *evidence.MailDomain) Finding {
	f := Finding{Code: MXMissing, Severity: Info, Complete: true, Args: Args{Name: d.Name, State: d.MX.State}}
	for i := range d.Hosts {
		h := &d.Hosts[i]
		f.Args.Others = append(f.Args.Others, few(append(append([]netip.Addr{}, h.A.Addrs...), h.AAAA.Addrs...))...)
		if h.A.State.Negative() && h.AAAA.State.Negative() {
			f.Severity, f.Args.Why = Warn, "no address"
		}
	}
	return f
}

func ofHost(found []Finding, base Args, h *evidence.MailHost) []Finding {
	base.Host = h.Name
	add := func(code Code, args Args) {
		found = append(found, Finding{Code: code, Severity: Warn, Complete: true, Args: args})
	}
	switch h.Fault {
	case "":
	case AddressLiteral:
		add(MXLiteral, base)
		return found
	default:
		base.Why = h.Fault
		add(MXUnusable, base)
		return found
	}
	aliases := h.A.Aliases
	if len(aliases) == 0 {
		aliases = h.AAAA.Aliases
	}
	if len(aliases) > 0 {
		args := base
		args.Names = aliases
		add(MXCNAME, args)
	}
	if h.A.State.Negative() && h.AAAA.State.Negative() {
		args := base
		args.State = h.A.State
		add(MXNoAddress, args)
	}
	return mxPrivate(hostTrouble(found, base, h), base, h)
}

func hostTrouble(found []Finding, base Args, h *evidence.MailHost) []Finding {
	for _, a := range []*evidence.Answer{&h.A, &h.AAAA} {
		if a.State.Trouble() {
			return append(found, unanswered(base, a))
		}
	}
	return found
}

func mxPrivate(found []Finding, base Args, h *evidence.MailHost) []Finding {
	for _, addrs := range [][]netip.Addr{h.A.Addrs, h.AAAA.Addrs} {
		for _, addr := range addrs {
			if s := evidence.SourceOf(addr); s.Special() {
				base.Others, base.Why, base.RFC = append(base.Others, addr), s.Kind, s.RFC
			}
		}
	}
	if len(base.Others) == 0 {
		return found
	}
	base.Others = few(base.Others)
	return append(found, Finding{Code: MXPrivate, Severity: Warn, Complete: true, Args: base})
}

func ofSPF(found []Finding, base Args, s *evidence.SPF) []Finding {
	if s == nil || len(s.Faults) == 0 {
		return found
	}
	f := Finding{Code: SPFUnreadable, Severity: Info, Complete: true, Args: base}
	f.Args.Parts = s.Faults
	// RFC 7208 §2.6.7: with permerror the record helps nobody.
	if s.Permerror {
		f.Severity = Warn
	}
	for i := range s.Answers {
		if s.Answers[i].State.Trouble() {
			f.Severity, f.Complete, f.Args.State = Unknown, false, s.Answers[i].State
		}
	}
	return append(found, f)
}
