package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
)

// The verdicts of check, from good to bad; unknown stands apart.
const (
	verdictPass    = "pass"
	verdictWarn    = "warn"
	verdictFail    = "fail"
	verdictUnknown = "unknown"
)

// verdictOf sums a case up. What could not be found out is never folded into
// another verdict, and a failure on complete answers beats it.
func verdictOf(c *decision.Case) string {
	verdict := verdictPass
	if c.Evidence.IPRev.Result == evidence.Unjudged {
		verdict = verdictUnknown
	}
	for i := range c.Findings {
		switch c.Findings[i].Severity {
		case finding.Failure:
			return verdictFail
		case finding.Unknown:
			verdict = verdictUnknown
		case finding.Warn:
			if verdict == verdictPass {
				verdict = verdictWarn
			}
		}
	}
	return verdict
}

// worse returns the worse of two verdicts. What is unknown may be as bad as can
// be, but a failure is certain.
func worse(a, b string) string {
	rank := map[string]int{verdictPass: 0, verdictWarn: 1, verdictUnknown: 2, verdictFail: 3}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// report writes a case for people: verdict, causes with their remedies, then
// what the DNS said.
type report struct {
	strings.Builder
	paint palette
	width int
	shown map[evidence.Question]bool // the answers that stand there already
}

func (r *report) line(format string, args ...any) { fmt.Fprintf(r, format+"\n", args...) }

// check writes the examination of a target. For a name the verdict on all its
// addresses comes first, with the lookups that led to them.
func (r *report) check(result *checkResult) {
	if len(result.Lookups) > 0 {
		r.summary(result)
		r.answers(result.Lookups)
	}
	for i := range result.Addresses {
		a := &result.Addresses[i]
		if r.Len() > 0 {
			r.line("")
		}
		r.headline(a.judged, a.Verdict)
		r.helo(a.judged, result.assumed)
		r.findings(a.judged)
		r.dns(a.judged)
		r.decision(a.judged, result.preset, answerLine(result.words, a.judged))
	}
}

// summary is the verdict on a name, with a line for each address and for each
// thing that is missing.
func (r *report) summary(result *checkResult) {
	said := "1 address"
	if n := len(result.Addresses); n != 1 {
		said = fmt.Sprintf("%d addresses", n)
	}
	r.line("%s  %s  %s", r.paint.bold(result.Target), r.paint.verdict(result.Verdict), said)
	longest := 0
	for i := range result.Addresses {
		longest = max(longest, len(result.Addresses[i].Address.String()))
	}
	for i := range result.Addresses {
		a := &result.Addresses[i]
		gap := strings.Repeat(" ", longest-len(a.Address.String()))
		r.line("   %s%s  %s  %s", a.Address, gap, r.paint.verdict(a.Verdict), a.Host)
	}
	if result.Error != "" {
		r.wrapped("   ", result.Error)
	}
	for _, note := range result.Notes {
		r.wrapped("   ", note)
	}
}

// helo says which HELO argument was examined; assumed, that nobody said it.
func (r *report) helo(c *decision.Case, assumed bool) {
	switch {
	case !c.Conn.HeloKnown:
	case c.Conn.Helo.IsZero():
		r.line("   no HELO name")
	case assumed:
		r.line("   HELO %s %s", c.Conn.Helo, r.paint.dim("(assumed: the host's name)"))
	default:
		r.line("   HELO %s", c.Conn.Helo)
	}
}

// headline is the verdict and the result of iprev behind it; the findings
// below say the rest.
func (r *report) headline(c *decision.Case, verdict string) {
	fact := "iprev=" + c.Evidence.IPRev.Result.String()
	switch {
	case c.Evidence.IPRev.Result == evidence.Unjudged:
		fact = "nothing was judged"
	case len(c.Findings) == 0:
		fact += ", reverse and forward DNS agree"
	}
	r.line("%s  %s  %s", r.paint.bold(c.Conn.Client.String()), r.paint.verdict(verdict), fact)
}

func (r *report) findings(c *decision.Case) {
	for _, f := range c.Findings {
		e := f.Entry()
		r.line("")
		r.line("%s  %s", r.paint.severity(f.Severity), r.paint.bold(e.Title))
		r.wrapped("   ", f.Text())
		if f.Severity != finding.Info {
			r.wrapped("   To do: ", e.Remedy)
		}
		r.line("   %s", r.paint.dim(string(f.Code)+", "+e.RFC))
	}
}

// dns lists the questions with their answers, as they came, each once: PTR and
// HELO often name the same host, and a host's addresses have its name in common.
func (r *report) dns(c *decision.Case) {
	var answers []evidence.Answer
	if c.Evidence.IPRev.PTR.State != evidence.NotAsked {
		answers = append(answers, c.Evidence.IPRev.PTR)
	}
	var remarks []string
	for _, name := range c.Evidence.IPRev.Names {
		if name.State == evidence.NameUnusable {
			remarks = append(remarks, fmt.Sprintf("%s was not looked up, for it is no host name (%s)", name.Name, name.Fault))
		}
		answers = append(answers, name.Forward...)
	}
	answers = append(answers, c.Evidence.Helo.Answers...)
	if more := c.Evidence.IPRev.Total - len(c.Evidence.IPRev.Names); more > 0 {
		remarks = append(remarks, fmt.Sprintf("%d more PTR names were not looked at", more))
	}
	r.answers(answers)
	for _, remark := range remarks {
		r.wrapped("   ", r.paint.dim(remark))
	}
}

// answers lists the answers that the report has not shown yet.
func (r *report) answers(answers []evidence.Answer) {
	if r.shown == nil {
		r.shown = make(map[evidence.Question]bool)
	}
	heading := false
	for i := range answers {
		a := &answers[i]
		if r.shown[a.Question] {
			continue
		}
		r.shown[a.Question] = true
		if !heading {
			r.line("")
			r.line("%s", r.paint.bold("DNS"))
			heading = true
		}
		r.answer(a)
	}
}

// shownRecords is the number of records of one answer that a report lists.
const shownRecords = 8

func (r *report) answer(a *evidence.Answer) {
	const indent = "        "
	var values []string
	for _, n := range a.Names {
		values = append(values, n.String())
	}
	for _, addr := range a.Addrs {
		values = append(values, addr.String())
	}
	if len(values) > shownRecords {
		values = append(values[:shownRecords], fmt.Sprintf("and %d more", a.Total-shownRecords))
	}
	said := strings.Join(values, ", ")
	if len(values) == 0 {
		said = a.State.Mnemonic()
	}
	r.line("   %-4s %s", a.Type, a.Name)
	for _, alias := range a.Aliases {
		r.line("%s%s", indent, r.paint.dim("alias of "+alias.String()))
	}
	from := "(" + source(a) + ")"
	if len(indent)+len(said)+2+len(from) <= r.width {
		r.line("%s%s  %s", indent, said, r.paint.dim(from))
		return
	}
	r.wrapped(indent, said)
	r.wrapped(indent, r.paint.dim(from))
}

// source says how long an answer holds, and who gave it, how soon, and why.
func source(a *evidence.Answer) string {
	from := "ttl " + span(a.TTL)
	if a.Server.IsValid() {
		from += fmt.Sprintf(", %s, %.1f ms", a.Server, float64(a.Took)/float64(time.Millisecond))
	}
	if !a.Reason.IsZero() {
		from += ", " + a.Reason.String()
	}
	return from
}

// span writes a time in whole seconds without the parts that are nought: "1h",
// "5m", "1m30s".
func span(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// decision says what the rules make of the case; preset names the rules, empty
// where they are not known any more.
func (r *report) decision(c *decision.Case, preset, line string) {
	r.line("")
	d := &c.Decision
	said := d.Action.String()
	if d.Would != d.Action {
		said += ", would " + d.Would.String()
	}
	if d.Exempt != decision.NotExempt {
		said += ", exempt: " + string(d.Exempt)
	}
	switch {
	case d.Points == 1:
		said += ", 1 point"
	case d.Points > 1:
		said += fmt.Sprintf(", %d points", d.Points)
	}
	if preset != "" {
		said += "  " + r.paint.dim("(preset "+preset+")")
	}
	r.line("%s  %s", r.paint.bold("Decision"), said)
	if line != "" {
		r.wrapped("   ", line)
	}
	r.listing("allow", c.Evidence.Memory.Allow)
	r.listing("block", c.Evidence.Memory.Block)
	for _, note := range d.Notes {
		r.wrapped("   ", note)
	}
}

// listing tells of the list entry that counted.
func (r *report) listing(list string, hit *evidence.Listing) {
	if hit == nil {
		return
	}
	said := "on the " + list + " list as " + hit.Entry
	if hit.Reason != "" {
		said += ": " + hit.Reason
	}
	if hit.Owner != "" {
		said += " (" + hit.Owner + ")"
	}
	r.wrapped("   ", said)
}

// wrapped writes a text in lines of the terminal's width; the lines after the
// first are indented as far as the prefix is long.
func (r *report) wrapped(prefix, text string) {
	indent := strings.Repeat(" ", len(prefix))
	line := prefix
	for _, word := range strings.Fields(text) {
		if len(line) > len(prefix) && len(line)+1+len(word) > r.width {
			r.line("%s", line)
			line = indent
		}
		if len(line) > len(prefix) {
			line += " "
		}
		line += word
	}
	r.line("%s", line)
}
