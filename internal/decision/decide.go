package decision

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
)

// Site is what the rules must know of the receiving site.
type Site struct {
	// OwnNetworks are never refused, whatever their DNS says.
	OwnNetworks []netip.Prefix
}

// BlockListed stands in Because where the site's block list decided.
const BlockListed finding.Code = "block-listed"

// Decide applies the rules to one connection's evidence and findings.
func (r *Rules) Decide(s *Site, c facts.Conn, e *evidence.Evidence, found []finding.Finding) Decision {
	d := Decision{}
	if e.Memory.Block != nil {
		d.add(Cause{Code: BlockListed, Action: Reject})
	} else {
		for i := range found {
			r.earn(&d, &found[i], e)
		}
		r.addPoints(&d, found)
	}
	d.lawful(e, found)
	d.Would = d.Action
	if d.Exempt = exemption(s, c, e); d.Exempt != NotExempt {
		d.Action = Accept
	}
	if r.Monitor && d.Action > Tag {
		d.Action = Accept
		d.Notes = append(d.Notes, "monitor")
	}
	return d
}

// earn adds what the rule for one finding says.
func (r *Rules) earn(d *Decision, f *finding.Finding, e *evidence.Evidence) {
	rule := r.rule(f.Code)
	if rule == nil || rule.Action == Accept && rule.Points == 0 {
		return
	}
	if f.Code == finding.DNSTrouble && e.Weather.Degraded && r.FailOpen {
		d.Notes = append(d.Notes, "open: accepted without an answer")
		return
	}
	cause := Cause{Code: f.Code, Action: rule.Action, Points: rule.Points}
	if cause.Action == Reject && rule.Patient {
		if note := r.Patience.wait(e); note != "" {
			cause.Action = Defer
			d.Notes = append(d.Notes, note)
		}
	}
	// RFC 5321 §4.1.4: a HELO that does not fit the address refuses nothing.
	if f.Entry().HeloOnly && cause.Action > Tag {
		cause.Action = Tag
	}
	d.add(cause)
}

// add files a cause, the most severe first.
func (d *Decision) add(c Cause) {
	at := len(d.Because)
	if c.Action > d.Action {
		d.Action, at = c.Action, 0
	}
	d.Points += c.Points
	d.Because = slices.Insert(d.Because, at, c)
}

// addPoints compares the sum with the thresholds. Findings of HELO against the
// address count for tagging; to defer or reject, the others must suffice.
func (r *Rules) addPoints(d *Decision, found []finding.Finding) {
	weighty := 0
	for i := range found {
		rule := r.rule(found[i].Code)
		if rule != nil && rule.Points > 0 && !found[i].Entry().HeloOnly {
			weighty += rule.Points
		}
	}
	earned := Accept
	if reached(d.Points, r.TagAt) {
		earned = Tag
	}
	if reached(weighty, r.DeferAt) {
		earned = Defer
	}
	if reached(weighty, r.RejectAt) {
		earned = Reject
	}
	d.Action = max(d.Action, earned)
}

func reached(points, threshold int) bool { return threshold > 0 && points >= threshold }

// wait says why a patient reject must wait, "" when it need not. The memory
// counts the observations before this one, of the same kind; this one counts
// when it is a new answer of the DNS, and not too close to the last.
func (p Patience) wait(e *evidence.Evidence) string {
	m := &e.Memory
	seen, span := 1, time.Duration(0)
	if m.Negatives > 0 && m.NegativeKind == e.IPRev.Result {
		seen, span = m.Negatives, e.At.Sub(m.NegativeSince)
		if e.IPRev.Observed().Sub(m.NegativeLast) >= evidence.Apart {
			seen++
		}
	}
	if seen >= p.Times && span >= p.Over {
		return ""
	}
	return fmt.Sprintf("patience: seen %d of %d times, over %s of %s", min(seen, p.Times), p.Times, minutes(min(span, p.Over)), minutes(p.Over))
}

// minutes writes a time without the units that are zero: 1h, 1h30m, 40m.
func minutes(d time.Duration) string {
	text := strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
	if rest, ok := strings.CutSuffix(text, "h0m"); ok {
		return rest + "h"
	}
	if text == "" {
		return "0m"
	}
	return text
}

// lawful is the first law, and the only place where a reject becomes a defer for
// its sake: nobody is refused for good while our own means are sick, nor where
// the DNS answered in part or from old memory only. What the site has listed
// itself needs no DNS.
func (d *Decision) lawful(e *evidence.Evidence, found []finding.Finding) {
	if e.Weather.Degraded {
		d.Action = min(d.Action, Defer)
		d.Notes = append(d.Notes, "dns degraded: "+e.Weather.Why)
		return
	}
	doubtful := e.IPRev.Result == evidence.TempError || e.IPRev.Stale ||
		slices.ContainsFunc(found, func(f finding.Finding) bool { return !f.Complete })
	if d.Action == Reject && doubtful && e.Memory.Block == nil {
		d.Action = Defer
		d.Notes = append(d.Notes, "dns answered in part only")
	}
}

// exemption returns the first reason to let the client through.
func exemption(s *Site, c facts.Conn, e *evidence.Evidence) Exemption {
	switch {
	case !c.Client.IsValid():
		return NoAddress
	case c.Authenticated():
		return Authenticated
	case e.Source.Special():
		return SpecialSource
	case s.Owns(c.Client):
		return OwnNetwork
	case e.Memory.Allow != nil:
		return AllowListed
	case roleMailbox(c.Recipient.Raw()):
		return RoleRecipient
	case e.Weather.Masked:
		return SourceMasked
	default:
		return NotExempt
	}
}

// Owns reports whether the address is of the site's own networks.
func (s *Site) Owns(addr netip.Addr) bool {
	return slices.ContainsFunc(s.OwnNetworks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// roleMailbox reports whether the recipient must be reachable for everybody:
// postmaster (RFC 5321 §4.5.1), with or without domain, and abuse (RFC 2142
// §4). A local part in quotes is the same without (RFC 5321 §4.1.2).
func roleMailbox(recipient string) bool {
	local := recipient
	if at := strings.LastIndexByte(recipient, '@'); at >= 0 {
		local = recipient[:at]
	}
	if len(local) > 2 && local[0] == '"' && local[len(local)-1] == '"' {
		local = local[1 : len(local)-1]
	}
	return strings.EqualFold(local, "postmaster") || strings.EqualFold(local, "abuse")
}
