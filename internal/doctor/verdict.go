package doctor

import "github.com/arpagate/arpagate/internal/finding"

var ranks = map[Verdict]int{Pass: 0, Warn: 1, Unknown: 2, Fail: 3}

// worse returns the worse of two verdicts. What is unknown may be as bad as can
// be, but a failure is certain.
func worse(a, b Verdict) Verdict {
	if ranks[b] > ranks[a] {
		return b
	}
	return a
}

// verdicts are what a finding makes of the host; information is no complaint.
var verdicts = map[finding.Severity]Verdict{
	finding.Info: Pass, finding.Warn: Warn, finding.Unknown: Unknown, finding.Failure: Fail,
}
