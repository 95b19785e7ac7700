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

// report writes a case for people: verdict, causes with their remedies, then
// what the DNS said.
type report struct {
	strings.Builder
	paint palette
	width int
}

func (r *report) line(format string, args ...any) { fmt.Fprintf(r, format+"\n", args...) }

// headline is the verdict and the fact behind it.
func (r *report) headline(c *decision.Case, verdict string) {
	fact := "reverse and forward DNS agree"
	switch {
	case len(c.Findings) > 0 && verdict != verdictPass:
		fact = c.Findings[0].Title()
	case verdict == verdictUnknown:
		fact = "nothing was judged"
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

// dns lists the questions with their answers, as they came.
func (r *report) dns(c *decision.Case) {
	r.line("")
	r.line("%s", r.paint.bold("DNS"))
	if ptr := &c.Evidence.IPRev.PTR; ptr.State != evidence.NotAsked {
		r.answer(ptr)
	}
	for _, name := range c.Evidence.IPRev.Names {
		if name.State == evidence.NameUnusable {
			r.line("   %s  %s", name.Name, r.paint.dim("not looked up: "+string(name.Fault)))
		}
		for i := range name.Forward {
			r.answer(&name.Forward[i])
		}
	}
	for i := range c.Evidence.Helo.Answers {
		r.answer(&c.Evidence.Helo.Answers[i])
	}
	if more := c.Evidence.IPRev.Total - len(c.Evidence.IPRev.Names); more > 0 {
		r.line("   %s", r.paint.dim(fmt.Sprintf("%d more PTR names were not looked at", more)))
	}
}

// shownRecords is the number of records of one answer that a report lists.
const shownRecords = 8

func (r *report) answer(a *evidence.Answer) {
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
		said = strings.ToUpper(a.State.String())
	}
	from := fmt.Sprintf("ttl %s", a.TTL.Round(time.Second))
	if a.Server.IsValid() {
		from += fmt.Sprintf(", %s, %s", a.Server, a.Took.Round(time.Millisecond/10))
	}
	if !a.Reason.IsZero() {
		from += ", " + a.Reason.String()
	}
	r.line("   %-4s %s", a.Type, a.Name)
	for _, alias := range a.Aliases {
		r.line("        %s", r.paint.dim("alias of "+alias.String()))
	}
	r.line("        %s  %s", said, r.paint.dim("("+from+")"))
}

// sentence says what the rules make of the case.
func (r *report) decision(c *decision.Case, line string) {
	r.line("")
	d := &c.Decision
	said := d.Action.String()
	if d.Would != d.Action {
		said += ", would " + d.Would.String()
	}
	if d.Exempt != decision.NotExempt {
		said += ", exempt: " + string(d.Exempt)
	}
	if d.Points > 0 {
		said += fmt.Sprintf(", %d points", d.Points)
	}
	r.line("%s  %s", r.paint.bold("Decision"), said)
	if line != "" {
		r.wrapped("   ", line)
	}
	for _, note := range d.Notes {
		r.line("   %s", r.paint.dim(note))
	}
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
