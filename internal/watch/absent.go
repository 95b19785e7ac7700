package watch

import (
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
)

// absent reports whether the examination shows that a problem which it does not
// name is gone. It does where the place was examined and gave a complete answer
// to what the problem is about: silence is no repair, and neither is a place
// that nobody looked at.
func (s *Snapshot) absent(p Problem) bool {
	switch p.Part {
	case OfServer:
		if smtp := s.server(p); smtp != nil {
			return heard(p.Code, smtp)
		}
	case OfAddress:
		if a := s.address(p); a != nil {
			return shown(p, a)
		}
	default:
		return s.ofTarget(p)
	}
	// The address does not belong to the target any more, if all that leads to
	// its addresses was answered.
	return s.whole()
}

// whole reports whether the addresses found are all that there are.
func (s *Snapshot) whole() bool {
	return s.x.Error == "" && !s.x.Partial && !slices.ContainsFunc(s.x.Lookups, func(a evidence.Answer) bool { return !a.State.Complete() })
}

func (s *Snapshot) server(p Problem) *evidence.SMTP {
	for i := range s.x.Servers {
		if smtp := s.x.Servers[i].SMTP; smtp.Peer.Addr() == p.Address {
			return smtp
		}
	}
	if s.address(p) != nil {
		return new(evidence.SMTP) // still an address of the target, and not tried
	}
	return nil
}

func (s *Snapshot) address(p Problem) *doctor.Address {
	for i := range s.x.Addresses {
		if a := &s.x.Addresses[i]; a.Address == p.Address {
			return a
		}
	}
	return nil
}

// heard reports whether the dialogue got far enough to show a problem.
func heard(code finding.Code, smtp *evidence.SMTP) bool {
	switch {
	case strings.HasPrefix(string(code), "smtp-"):
		return smtp.Outcome == evidence.Spoke || smtp.Outcome == evidence.Turned
	case strings.HasPrefix(string(code), "tls-"):
		return smtp.Outcome == evidence.Spoke && smtp.TLS != nil
	default:
		return smtp.Outcome == evidence.Spoke
	}
}

// shown reports whether the answers about an address are complete, as far as the
// problem rests on them.
func shown(p Problem, a *doctor.Address) bool {
	code := string(p.Code)
	view := a.Case.Evidence.View
	switch {
	case p.Code == finding.Listed, strings.HasPrefix(code, "list-"):
		return slices.ContainsFunc(a.Lists, func(l evidence.ListAnswer) bool {
			return l.Zone == p.Zone && (l.State == evidence.Listed || l.State == evidence.NotListed)
		})
	case strings.HasPrefix(code, "zone-"), p.Code == finding.PTRLongChain, p.Code == finding.ResolverDiffers:
		return answered(zoneOf(p, a))
	case view == nil || view.IPRev.Result == evidence.TempError:
		return false
	case strings.HasPrefix(code, "helo-"), p.Code == finding.DNSTrouble:
		return !slices.ContainsFunc(view.Helo.Answers, func(h evidence.Answer) bool { return !h.State.Complete() })
	default:
		return true
	}
}

// zoneOf returns the zone that a problem is about, else that of the PTR record.
func zoneOf(p Problem, a *doctor.Address) *evidence.Zone {
	for _, z := range a.Forward {
		if z != nil && z.Apex == p.Zone && !p.Zone.IsZero() {
			return z
		}
	}
	return a.Reverse
}

// answered reports whether the servers of a zone were asked, and one at least
// answered for it.
func answered(z *evidence.Zone) bool {
	return z != nil && !z.Partial && slices.ContainsFunc(z.Servers, func(n evidence.NameServer) bool { return n.State == evidence.Authoritative })
}

// ofTarget is absent for what concerns no single address.
func (s *Snapshot) ofTarget(p Problem) bool {
	switch {
	case p.Code == Unexaminable:
		return s.x.Error == ""
	case p.Code == finding.Port25Blocked:
		return slices.ContainsFunc(s.x.Servers, func(v doctor.Server) bool { return heard("smtp-", v.SMTP) })
	case p.Code == finding.SPFUnreadable:
		d := s.x.Domain
		return d != nil && d.SPF != nil && !slices.ContainsFunc(d.SPF.Answers, func(a evidence.Answer) bool { return !a.State.Complete() })
	default:
		return s.whole()
	}
}
