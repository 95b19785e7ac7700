package report

import (
	"strings"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/evidence"
)

// Case returns a stored case of the gate for a terminal, with the DNS as it was
// then.
func Case(c *decision.Case, o Options) string {
	t := newText(o)
	t.line("%s", t.paint.Dim(clean(c.Ref)+"  "+c.At.UTC().Format("2006-01-02 15:04:05 UTC")+"  by "+string(c.Conn.Door)))
	fact := "iprev=" + c.Evidence.IPRev.Result.String()
	switch {
	case c.Evidence.IPRev.Result == evidence.Unjudged:
		fact = "nothing was judged"
	case len(c.Findings) == 0:
		fact += ", reverse and forward DNS agree"
	}
	t.hanging(t.paint.Bold(c.Conn.Client.String())+"  "+t.paint.Verdict(caseVerdict(c))+"  ", indent, fact, plain)
	o.Site = true // whose gate kept it
	w := words{options: o, at: c.At}
	var causes []doctor.Problem
	for _, f := range c.Findings {
		causes = append(causes, doctor.Problem{Cause: f})
	}
	s := subject{Remark: heloRemark(c, false), Gate: w.gate(c)}
	s.Gate.Title, s.Gate.Reply = "Decision", Answer(o.Words, c)
	s.Problems, s.Notices = w.problems(causes)
	t.remark(s.Remark)
	for i := range s.Problems {
		t.problem(&s.Problems[i])
	}
	t.notices(s.Notices)
	t.details(caseDetails(c))
	t.gate(s.Gate)
	return strings.TrimRight(t.String(), "\n") + "\n"
}

// caseVerdict sums a case up. What could not be found out is never folded into
// another verdict, and a failure on complete answers beats it.
func caseVerdict(c *decision.Case) doctor.Verdict {
	verdict := doctor.Pass
	if c.Evidence.IPRev.Result == evidence.Unjudged {
		verdict = doctor.Unknown
	}
	for i := range c.Findings {
		if s := c.Findings[i].Severity; rank(s) < rank(severityOf(verdict)) {
			verdict = verdictOf(s)
		}
	}
	return verdict
}
