package report

import (
	"fmt"
	"strings"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/reply"
)

func (w words) domain(x *doctor.Examination) subject {
	s := subject{Title: "The domain itself", Verdict: doctor.Pass, Details: domainDetails(x.Domain)}
	if x.Domain == nil {
		s.Title = "What they have in common"
	}
	s.Problems, s.Notices = w.problems(x.Problems)
	for _, p := range s.Problems {
		if rank(p.Severity) < rank(severityOf(s.Verdict)) {
			s.Verdict = p.Verdict()
		}
	}
	if d := x.Domain; d != nil && len(s.Problems) == 0 && len(d.Hosts) > 0 {
		s.Fine = append(s.Fine, plural(len(d.Hosts), "MX host")+" with addresses")
	}
	return s
}

func (w words) address(a *doctor.Address, common []doctor.Problem) subject {
	s := subject{Title: a.Address.String(), Verdict: a.Verdict, Details: addressDetails(a)}
	if !a.Host.IsZero() {
		s.Title += "  " + a.Host.String()
	}
	s.Problems, s.Notices = w.problems(a.Problems)
	s.Receivers, s.Unforeseen = grouped(a.Receivers), a.Unforeseen
	s.Fine = fine(a, spokenOf(a.Problems, common, a.Address))
	if a.Case != nil {
		s.Remark = heloRemark(a.Case, a.Assumed)
		s.Gate = w.gate(a.Case)
		if r := a.Case.Evidence.IPRev.Result; r != evidence.Unjudged {
			s.Gate.Said += ", iprev=" + r.String()
		}
	}
	return s
}

func (w words) server(m *doctor.Server, common []doctor.Problem) subject {
	s := subject{
		Title: joinNonEmpty(" ", "Mail server", m.SMTP.Host.String(), "at", m.SMTP.Peer.String()), Verdict: m.Verdict,
		Details: smtpDetails(m.SMTP), Fine: fineServer(m.SMTP, spokenOf(m.Problems, common, m.SMTP.Peer.Addr())),
	}
	s.Problems, s.Notices = w.problems(m.Problems)
	return s
}

// severityOf is the reverse of verdictOf.
func severityOf(v doctor.Verdict) finding.Severity {
	switch v {
	case doctor.Fail:
		return finding.Failure
	case doctor.Unknown:
		return finding.Unknown
	case doctor.Warn:
		return finding.Warn
	default:
		return finding.Info
	}
}

// heloRemark says which HELO argument was examined; assumed, that nobody said it.
func heloRemark(c *decision.Case, assumed bool) string {
	switch {
	case !c.Conn.HeloKnown:
		return ""
	case c.Conn.Helo.IsZero():
		return "no HELO name"
	case assumed:
		return fmt.Sprintf("HELO %s (assumed: the host's name)", c.Conn.Helo)
	default:
		return fmt.Sprintf("HELO %s", c.Conn.Helo)
	}
}

// gateWords are what the gate would do: this site's own, or one that nobody has
// set up.
type gateWords struct {
	Title string
	Said  string
	Reply string
	Notes []string
}

func (w words) gate(c *decision.Case) *gateWords {
	d := &c.Decision
	unkept := *c
	unkept.Ref = "" // nobody keeps the case of an examination
	said := []string{d.Action.String()}
	if d.Would != d.Action {
		said = append(said, "would "+d.Would.String())
	}
	if d.Exempt != decision.NotExempt {
		said = append(said, "exempt: "+string(d.Exempt))
	}
	if d.Points > 0 {
		said = append(said, plural(d.Points, "point"))
	}
	g := &gateWords{Title: "This site's rules", Said: strings.Join(said, ", "), Reply: Answer(w.options.Words, &unkept)}
	if !w.options.Site {
		g.Title = "A gate with Arpagate's defaults"
		return g
	}
	if w.options.Preset != "" {
		g.Said += " (preset " + w.options.Preset + ")"
	}
	g.Notes = append(listing("allow", c.Evidence.Memory.Allow), listing("block", c.Evidence.Memory.Block)...)
	g.Notes = append(g.Notes, d.Notes...)
	return g
}

// listing tells of the list entry that counted.
func listing(list string, hit *evidence.Listing) []string {
	if hit == nil {
		return nil
	}
	said := "on the " + list + " list as " + hit.Entry
	if hit.Reason != "" {
		said += ": " + hit.Reason
	}
	if hit.Owner != "" {
		said += " (" + hit.Owner + ")"
	}
	return []string{said}
}

// Answer returns the reply that a sender would get, empty for none.
func Answer(words reply.Site, c *decision.Case) string {
	if r := words.Of(c); r.Verb != reply.Pass {
		return r.Line()
	}
	return ""
}
