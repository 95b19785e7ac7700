package reply

import (
	"strings"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
)

// Site is what replies must know of the receiving site.
type Site struct {
	// AuthservID identifies us in Authentication-Results (RFC 8601 §2.5).
	AuthservID string
	// URL is the base of the links, without final slash and of at most 200
	// octets; empty for no link.
	URL string
}

// maxLine bounds code, enhanced code and text. RFC 5321 §4.5.3.1.5 allows 512
// octets with the line end; Postfix cuts at 510.
const maxLine = 500

// Of puts into words the decision of a case.
func (s Site) Of(c *decision.Case) Reply {
	r := Reply{AuthservID: s.AuthservID, Ref: c.Ref, Header: s.header(c)}
	switch c.Decision.Action {
	case decision.Defer:
		r.Verb = Defer
	case decision.Reject:
		r.Verb = Reject
	default:
		r.Verb = Pass
		if c.Decision.Would > decision.Tag && c.Decision.Exempt == decision.NotExempt {
			r.Warning = clip("monitor: would "+c.Decision.Would.String()+": "+s.sentence(c, c.Decision.Would), maxLine)
		}
		return r
	}
	r.Header = ""
	r.Code, r.Enhanced = codes(c)
	r.Text = s.cut(s.sentence(c, c.Decision.Action), len(r.Code)+len(r.Enhanced)+2, c.Ref)
	return r
}

// codes returns the reply code and the enhanced code: the class is the
// decision's, the detail the finding's, as RFC 3463 §2 divides them.
func codes(c *decision.Case) (code, enhanced string) {
	f, ok := decisive(c)
	detail := "7.1"
	if ok {
		detail = f.Entry().Detail
	}
	switch {
	case c.Decision.Action == decision.Reject:
		return "550", "5." + detail
	case ok && f.Code == finding.DNSTrouble:
		return "451", "4." + detail
	default:
		return "450", "4." + detail
	}
}

// decisive returns the finding behind the first cause; false where a list or
// the sum of points decided without one.
func decisive(c *decision.Case) (finding.Finding, bool) {
	if len(c.Decision.Because) == 0 {
		return finding.Finding{}, false
	}
	code := c.Decision.Because[0].Code
	for _, f := range c.Findings {
		if f.Code == code {
			return f, true
		}
	}
	return finding.Finding{}, false
}

// sentence states the fact first and what follows from it second; the link
// comes later. The words "Reverse DNS" and "PTR record" are those by which
// bounce classifiers know the reason.
func (s Site) sentence(c *decision.Case, action decision.Action) string {
	f, ok := decisive(c)
	switch {
	case !ok && len(c.Decision.Because) > 0:
		return "Client " + c.Conn.Client.String() + " is on this site's block list"
	case !ok:
		return "Client " + c.Conn.Client.String() + " is not acceptable here"
	case f.Code == finding.DNSTrouble:
		return "Reverse DNS of " + c.Conn.Client.String() + " could not be checked, please try again later"
	}
	text := f.Fact()
	if f.Entry().Detail == "7.25" {
		text = "Reverse DNS validation failed: " + text
	}
	if action == decision.Defer {
		text += ", please try again later"
	}
	return text
}

// cut joins sentence and link so that the link survives whatever the length of
// the names in the sentence, and only printable ASCII is left.
func (s Site) cut(sentence string, used int, ref string) string {
	tail := "."
	if s.URL != "" {
		tail = ". See " + s.URL + "/r/" + ref
	} else if ref != "" {
		tail = ". Reference " + ref
	}
	return clip(sentence, maxLine-used-len(tail)) + tail
}

// clip makes a text printable and no longer than room.
func clip(text string, room int) string {
	if len(text) > room {
		text = text[:room-3] + "..."
	}
	return strings.Map(printable, text)
}

// printable is the last line of defence: names and quoted texts come escaped,
// and nothing else in a sentence is a stranger's.
func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}

// header returns the body of the Authentication-Results field (RFC 8601 §2.2);
// empty where nothing was judged.
func (s Site) header(c *decision.Case) string {
	e := &c.Evidence
	if e.IPRev.Result == evidence.Unjudged || s.AuthservID == "" {
		return ""
	}
	b := make([]byte, 0, 160)
	b = append(b, s.AuthservID...)
	b = append(b, "; iprev="...)
	b = append(b, e.IPRev.Result.String()...)
	if c.Decision.Action == decision.Tag {
		b = appendReason(b, c.Decision.Because)
	}
	b = append(b, " policy.iprev="...)
	// RFC 8601 §2.2: a pvalue with a colon must be a quoted string.
	if e.IPRev.Address.Is6() {
		b = append(b, '"')
		b = e.IPRev.Address.AppendTo(b)
		b = append(b, '"')
	} else {
		b = e.IPRev.Address.AppendTo(b)
	}
	if name := e.IPRev.Confirmed; !name.IsZero() {
		b = append(b, " ("...)
		b = append(b, comment(name.String())...)
		b = append(b, ')')
	}
	return string(b)
}

// appendReason says for which findings a message is tagged, as the reasonspec
// of RFC 8601 §2.2. Codes are ours, so nothing needs quoting.
func appendReason(b []byte, because []decision.Cause) []byte {
	b = append(b, ` reason="tag:`...)
	for i := range because {
		b = append(append(b, ' '), because[i].Code...)
	}
	return append(b, '"')
}

// comment makes a text safe inside the parentheses of RFC 5322 §3.2.2.
func comment(s string) string {
	if strings.ContainsAny(s, `()\`) {
		return strings.NewReplacer(`(`, `\(`, `)`, `\)`, `\`, `\\`).Replace(s)
	}
	return s
}
