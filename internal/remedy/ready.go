package remedy

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// forwardReady says whether the PTR record can be set now. Several providers
// look the name up when it is entered, and refuse when it does not lead to the
// address, so every authoritative server must have the address record. A server
// counts by its name: one that answers at one of its addresses is well. Where
// none could be heard, our own DNS server's answer tells whether the record is
// missing, and can't tell whether it is everywhere.
func (j *job) forwardReady() *Ready {
	if j.noName {
		return &Ready{Why: []string{"There is no name to set yet."}}
	}
	k := j.forward()
	z, r := k.zone, &Ready{}
	say := func(format string, args ...any) { r.Why = append(r.Why, fmt.Sprintf(format, args...)) }
	if at := j.seat(); !at.instead.IsZero() {
		say("%s is an alias of %s, where the address %s is not.", j.choice.Name, at.instead, j.Address)
		return r
	}
	lacks := false
	if z == nil {
		say("The name servers of %s were not asked for its %s record.", j.choice.Name, family(j.Address))
	} else {
		lacks = zoneReady(z, j.Address, say)
	}
	r.OK = len(r.Why) == 0
	if r.OK || lacks {
		return r
	}
	r.Unknown = true
	if len(k.heard()) > 0 || k.ours == nil {
		return r
	}
	if k.holds(j.Address) {
		say("Our own DNS server answers with the address: the record is there, but whether every name server has it is not known.")
		return r
	}
	r.Unknown = false
	say("Our own DNS server answers without the address.")
	return r
}

// zoneReady has a sentence for each server that does not answer with the
// address, and reports whether one of them lacks it.
func zoneReady(z *evidence.Zone, addr netip.Addr, say func(string, ...any)) (lacks bool) {
	answers := map[dnsname.Name]bool{}
	for i := range z.Servers {
		s := &z.Servers[i]
		if s.State == evidence.Authoritative && has(s, addr) {
			answers[s.Name] = true
		}
	}
	for i := range z.Servers {
		s := &z.Servers[i]
		switch {
		case s.State == evidence.Authoritative && has(s, addr):
		case s.State == evidence.Authoritative && s.Answer.State == evidence.Found:
			lacks = true
			say("%s answers with other addresses than %s.", serverText(s), addr)
		case s.State == evidence.Authoritative && s.Answer.State.Negative():
			lacks = true
			say("%s has no %s record for %s.", serverText(s), family(addr), z.Question.Name)
		case s.State == evidence.Authoritative:
			say("%s gave no answer (%s).", serverText(s), s.Answer.State.Mnemonic())
		case answers[s.Name] && s.State != evidence.Lame && s.State != evidence.Garbled: // it answers at another of its addresses
		default:
			say("%s %s.", serverText(s), unheardWords[s.State])
		}
	}
	if z.More > 0 {
		say("%d more addresses of name servers were not asked.", z.More)
	}
	if len(z.Servers) == 0 {
		say("No name server of %s is known.", z.Question.Name)
	}
	return lacks
}

// unheardWords say why a server's answer is not known.
var unheardWords = map[evidence.ServerState]string{
	evidence.Lame:        "does not answer for the zone",
	evidence.Garbled:     "sends answers that can't be read",
	evidence.Silent:      "did not answer in time",
	evidence.Unreachable: "could not be reached",
	evidence.Addressless: "has no address",
	evidence.Barred:      "could not be asked from here",
	evidence.Unasked:     "was not asked in time",
}

func has(s *evidence.NameServer, addr netip.Addr) bool {
	return slices.ContainsFunc(s.Answer.Addrs, func(a netip.Addr) bool { return a.Unmap() == addr })
}

func serverText(s *evidence.NameServer) string {
	if !s.Address.IsValid() {
		return s.Name.String()
	}
	return fmt.Sprintf("%s (%s)", s.Name, s.Address)
}
