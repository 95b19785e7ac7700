package report

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
)

// fine says in few words what stood the examination of an address. It repeats
// what the answers say and judges nothing: where a finding speaks of the same
// thing, it is silent.
func fine(a *doctor.Address, found spoken) []string {
	var out []string
	if c := a.Case; c != nil && c.Evidence.View != nil {
		unsure := found.of("zone-disagrees") || found.of("resolver-differs")
		if r := &c.Evidence.IPRev; r.Result == evidence.Pass && !r.Stale && !unsure {
			out = append(out, fmt.Sprintf("PTR record %s leads back to the address", r.Confirmed))
		} else if r.PTR.State == evidence.Found && r.Result == evidence.Fail {
			out = append(out, "there is a PTR record")
		}
		if h := &c.Evidence.Helo; h.Kind == evidence.HeloName && leadsTo(h.Answers, a) && !found.of("helo-") && !unsure {
			out = append(out, "the HELO name leads to it")
		}
	}
	out = append(out, fineZone(a.Reverse)...)
	for _, z := range a.Forward {
		out = append(out, fineZone(z)...)
	}
	out = append(out, fineLists(a.Lists)...)
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(s string) bool {
		again := seen[s]
		seen[s] = true
		return again
	})
}

func leadsTo(answers []evidence.Answer, a *doctor.Address) bool {
	return slices.ContainsFunc(answers, func(x evidence.Answer) bool { return slices.Contains(x.Addrs, a.Address) })
}

// spoken are the codes that findings speak of.
type spoken map[finding.Code]bool

// spokenOf are the codes of an address or server: its own, and those that are told
// once for several.
func spokenOf(own, common []doctor.Problem, addr netip.Addr) spoken {
	found := spoken{}
	add := func(p *doctor.Problem) {
		found[p.Cause.Code] = true
		for i := range p.Effects {
			found[p.Effects[i].Code] = true
		}
	}
	for i := range own {
		add(&own[i])
	}
	for i := range common {
		if slices.Contains(common[i].Cause.Args.Covers, addr) {
			add(&common[i])
		}
	}
	return found
}

// of reports whether there is a code that begins so.
func (s spoken) of(prefix string) bool {
	for code := range s {
		if strings.HasPrefix(string(code), prefix) {
			return true
		}
	}
	return false
}

// fineZone praises a zone all of whose servers answer for it, with one serial
// and one answer. That they agree that there is no record is no comfort.
func fineZone(z *evidence.Zone) []string {
	if z == nil || len(z.Servers) == 0 || z.Apex.IsZero() || z.Servers[0].Answer.State != evidence.Found {
		return nil
	}
	first := &z.Servers[0]
	names := map[string]bool{}
	for i := range z.Servers {
		s := &z.Servers[i]
		same := s.State == evidence.Authoritative && s.Answer.State == first.Answer.State && slices.Equal(s.Answer.Names, first.Answer.Names) &&
			(s.SOA == nil || first.SOA == nil || s.SOA.Serial == first.SOA.Serial)
		if !same {
			return nil
		}
		names[s.Name.String()] = true
	}
	if len(names) == 1 {
		return []string{fmt.Sprintf("the name server of %s answers", z.Apex)}
	}
	said := fmt.Sprintf("%d name servers of %s agree", len(names), z.Apex)
	if z.Security.State == evidence.Secure {
		said += ", signed"
	}
	return []string{said}
}

// fineLists counts the lists that speak well of the address.
func fineLists(lists []evidence.ListAnswer) []string {
	var out []string
	clear := 0
	for i := range lists {
		switch l := &lists[i]; {
		case l.Allow && l.State == evidence.Listed:
			out = append(out, "on the allow list "+l.Zone.String())
		case !l.Allow && l.State == evidence.NotListed:
			clear++
		}
	}
	if clear > 0 {
		out = append(out, "not on "+plural(clear, "block list"))
	}
	return out
}

// fineServer says what a mail server did right.
func fineServer(m *evidence.SMTP, found spoken) []string {
	if m.Outcome != evidence.Spoke {
		return nil
	}
	var out []string
	if !found.of("banner-") {
		out = append(out, fmt.Sprintf("greets as %s", orNothing(m.BannerName.String())))
	}
	if m.Delayed {
		out = append(out, "lets clients wait before the greeting, on purpose as it seems")
	}
	if t := m.TLS; t != nil && t.Offered && t.Error.IsZero() && !found.of("tls-injection") {
		said := "STARTTLS with " + orNothing(t.Version)
		if t.Matches && t.Trusted && !t.NotAfter.IsZero() && !found.of("tls-") {
			said += ", certificate good until " + day(t.NotAfter)
		}
		out = append(out, said)
	}
	for _, mailbox := range []struct {
		name  string
		reply *evidence.SMTPReply
	}{{"postmaster@", m.Postmaster}, {"abuse@", m.Abuse}} {
		if mailbox.reply.Positive() {
			out = append(out, "takes mail for "+mailbox.name)
		}
	}
	if m.Relay != nil && !m.Relay.Positive() {
		out = append(out, "no open relay")
	}
	return out
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
