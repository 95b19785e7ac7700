package report

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/evidence"
)

// detail is a table of what stands behind a report, for those who want to see.
type detail struct {
	Title   string
	Entries []entry
}

// entry is one line of it: what was asked, what came back, and from where.
type entry struct{ Head, Said, Note string }

func nonEmpty(title string, entries []entry) []detail {
	if len(entries) == 0 {
		return nil
	}
	return []detail{{title, entries}}
}

// addressDetails lists everything that was asked about an address.
func addressDetails(a *doctor.Address) []detail {
	var out []detail
	if a.Case != nil {
		out = append(out, caseDetails(a.Case)...)
	}
	out = append(out, zoneDetails(a.Reverse)...)
	for _, z := range a.Forward {
		out = append(out, zoneDetails(z)...)
	}
	out = append(out, listDetails(a.Lists)...)
	out = append(out, originDetails(a.Origin)...)
	return append(out, ruleDetails(a.Receivers)...)
}

// caseDetails lists the questions of a case, each once: PTR and HELO often name
// the same host.
func caseDetails(c *decision.Case) []detail {
	if c.Evidence.View == nil {
		return nil
	}
	r := &c.Evidence.IPRev
	var answers []evidence.Answer
	if r.PTR.State != evidence.NotAsked {
		answers = append(answers, r.PTR)
	}
	var remarks []entry
	for i := range r.Names {
		name := &r.Names[i]
		if name.State == evidence.NameUnusable {
			remarks = append(remarks, entry{Note: fmt.Sprintf("%s was not looked up, for it is no host name (%s)", name.Name, name.Fault)})
		}
		answers = append(answers, name.Forward...)
	}
	answers = append(answers, c.Evidence.Helo.Answers...)
	if more := r.Total - len(r.Names); more > 0 {
		remarks = append(remarks, entry{Note: fmt.Sprintf("%d more PTR names were not looked at", more)})
	}
	return nonEmpty("DNS", append(answerEntries(answers), remarks...))
}

// lookupDetails lists the way from a name to its addresses.
func (w words) lookupDetails(x *doctor.Examination) []detail {
	return nonEmpty("DNS", answerEntries(x.Lookups))
}

func answerEntries(answers []evidence.Answer) []entry {
	seen := make(map[evidence.Question]bool)
	var out []entry
	for i := range answers {
		a := &answers[i]
		if !seen[a.Question] {
			seen[a.Question] = true
			out = append(out, entry{Head: fmt.Sprintf("%-4s %s", a.Type, a.Name), Said: said(a), Note: source(a)})
		}
	}
	return out
}

// shownRecords is the number of records of one answer that a report lists.
const shownRecords = 8

// said returns the records of an answer, or how the question ended.
func said(a *evidence.Answer) string {
	var values []string
	for _, n := range a.Names {
		values = append(values, n.String())
	}
	for _, addr := range a.Addrs {
		values = append(values, addr.String())
	}
	for _, text := range a.Texts {
		values = append(values, quoted(text.String()))
	}
	if s := a.SOA; s != nil && a.Type == evidence.SOA && a.State == evidence.Found {
		values = append(values, fmt.Sprintf("%s %s %d", s.MName, s.RName, s.Serial))
	}
	if len(values) > shownRecords {
		values = append(values[:shownRecords], fmt.Sprintf("and %d more", max(a.Total, len(values))-shownRecords))
	}
	text := strings.Join(values, ", ")
	if len(values) == 0 {
		text = a.State.Mnemonic()
	}
	for _, alias := range a.Aliases {
		text += ", by way of " + alias.String()
	}
	return text
}

// source says how long an answer holds, and who gave it, how soon, and why.
func source(a *evidence.Answer) string {
	from := "ttl " + Span(a.TTL)
	if a.Server.IsValid() {
		from += fmt.Sprintf(", %s, %s", a.Server, milliseconds(a.Took))
	}
	if !a.At.IsZero() {
		from += " at " + a.At.UTC().Format("15:04:05 UTC")
	}
	if a.Validated {
		from += ", validated"
	}
	if !a.Reason.IsZero() {
		from += ", " + a.Reason.String()
	}
	return from
}

// zoneDetails lists the name servers of a zone.
func zoneDetails(z *evidence.Zone) []detail {
	if z == nil {
		return nil
	}
	var entries []entry
	for _, alias := range z.Chain {
		entries = append(entries, entry{Head: "CNAME " + alias.Owner.String(), Said: alias.Target.String(), Note: "ttl " + Span(alias.TTL)})
	}
	if z.ChainFault != "" {
		entries = append(entries, entry{Head: "CNAME " + z.Name.String(), Said: string(z.ChainFault)})
	}
	if z.SOA != nil {
		entries = append(entries, entry{
			Head: "SOA " + z.Apex.String(), Said: fmt.Sprintf("%s %s, serial %d", z.SOA.MName, z.SOA.RName, z.SOA.Serial),
			Note: fmt.Sprintf("negative answers are remembered for %s", Span(z.SOA.NegativeTTL())),
		})
	}
	for i := range z.Servers {
		entries = append(entries, serverEntry(&z.Servers[i]))
	}
	if z.More > 0 {
		entries = append(entries, entry{Note: fmt.Sprintf("%d more addresses of name servers were not asked", z.More)})
	}
	if z.Partial {
		entries = append(entries, entry{Note: "the time, or the number of questions, was used up before the end"})
	}
	if z.Trouble != nil {
		entries = append(entries, answerEntries([]evidence.Answer{*z.Trouble})...)
	}
	why := ""
	if !z.Security.Why.IsZero() {
		why = z.Security.Why.String()
	}
	entries = append(entries, entry{Head: "DNSSEC", Said: string(z.Security.State), Note: why})
	return nonEmpty("Name servers for "+z.Question.Name.String()+" "+z.Question.Type.String(), entries)
}

func serverEntry(s *evidence.NameServer) entry {
	e := entry{Head: s.Name.String(), Said: string(s.State)}
	if s.Address.IsValid() {
		e.Head += " " + s.Address.String()
	}
	switch {
	case s.Answer.State.Complete():
		e.Said += ": " + said(&s.Answer)
		e.Note = source(&s.Answer)
	case s.Answer.State != evidence.NotAsked:
		e.Note = "after " + milliseconds(s.Answer.Took)
	}
	if s.SOA != nil {
		e.Note = joinNonEmpty(", ", e.Note, fmt.Sprintf("serial %d", s.SOA.Serial))
	}
	if !s.Why.IsZero() {
		e.Note = joinNonEmpty(", ", e.Note, s.Why.String())
	}
	return e
}

// listDetails lists what DNS lists say, with their test points.
func listDetails(lists []evidence.ListAnswer) []detail {
	var entries []entry
	for i := range lists {
		l := &lists[i]
		e := entry{Head: l.Zone.String(), Said: string(l.State), Note: source(&l.Answer)}
		if l.Allow {
			e.Head += " (allow list)"
		}
		if len(l.Codes) > 0 {
			e.Said += " as " + addresses(l.Codes)
		}
		if !l.Text.IsZero() {
			e.Said += ": " + l.Text.String()
		}
		entries = append(entries, e)
		for j := range l.Tests {
			t := &l.Tests[j]
			entries = append(entries, entry{Head: "  test point " + t.Name.String(), Said: said(t), Note: source(t)})
		}
	}
	return nonEmpty("DNS lists", entries)
}

func addresses(list []netip.Addr) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}

func originDetails(o *evidence.Origin) []detail {
	if o == nil {
		return nil
	}
	var entries []entry
	if o.ASN != 0 {
		said := fmt.Sprintf("AS%d", o.ASN)
		if !o.Org.IsZero() {
			said += " " + o.Org.String()
		}
		prefix := ""
		if o.Prefix.IsValid() {
			prefix = o.Prefix.String()
		}
		entries = append(entries, entry{Head: "announced by", Said: said, Note: prefix})
	}
	if !o.Holder.IsZero() || !o.Handle.IsZero() {
		entries = append(entries, entry{Head: "registered to", Said: joinNonEmpty(", ", o.Holder.String(), o.Handle.String()), Note: "RDAP"})
	}
	return nonEmpty("Holder of the address", entries)
}
