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
// counts by its name: one that answers at one of its addresses is well.
func (j *job) forwardReady() *Ready {
	if j.noName {
		return &Ready{Why: []string{"There is no name to set yet."}}
	}
	z := forwardZone(j.Input, j.choice.Name)
	if z == nil {
		return &Ready{Why: []string{fmt.Sprintf("The name servers of %s were not asked for its %s record.", j.choice.Name, family(j.Address))}}
	}
	return readiness(z, j.Address)
}

func readiness(z *evidence.Zone, addr netip.Addr) *Ready {
	r := &Ready{}
	say := func(format string, args ...any) { r.Why = append(r.Why, fmt.Sprintf(format, args...)) }
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
			say("%s answers with other addresses than %s.", serverText(s), addr)
		case s.State == evidence.Authoritative && s.Answer.State.Negative():
			say("%s has no %s record for %s.", serverText(s), family(addr), z.Question.Name)
		case s.State == evidence.Authoritative:
			say("%s gave no answer (%s).", serverText(s), s.Answer.State.Mnemonic())
		case s.State == evidence.Lame, s.State == evidence.Garbled:
			say("%s does not answer for the zone (%s).", serverText(s), s.State)
		case answers[s.Name]: // it answers at another of its addresses
		default:
			say("%s could not be asked (%s).", serverText(s), s.State)
		}
	}
	if z.More > 0 {
		say("%d more addresses of name servers were not asked.", z.More)
	}
	if len(z.Servers) == 0 {
		say("No name server of %s is known.", z.Question.Name)
	}
	r.OK = len(r.Why) == 0
	return r
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
