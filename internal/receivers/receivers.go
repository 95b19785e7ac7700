// Package receivers says what well-known receivers and filters do with a mail
// server's DNS identity, each rule with its source, from a data file. It knows
// what they publish or what was seen of them, not what they do in secret.
package receivers

import (
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
)

// Identity is what a receiver sees of a client.
type Identity struct {
	View     *evidence.View
	Findings []finding.Finding
	Lists    []evidence.ListAnswer
}

// Effect is what a receiver does.
type Effect string

// The effects, from bad to good. Unsure means that the DNS gave no complete
// answer, so that what the receiver will see is not known.
const (
	Reject  Effect = "reject"
	Defer   Effect = "defer"
	Score   Effect = "score"
	Nothing Effect = "nothing"
	Unsure  Effect = "unknown"
)

// Verdict is what one receiver does with an identity, and by which rule.
type Verdict struct {
	Receiver string `json:"receiver"` // "Gmail", "rspamd (defaults)", …
	Effect   Effect `json:"effect"`
	// Points are those of a score, in the receiver's own unit.
	Points float64 `json:"points,omitempty"`
	// Rules are those that fired; empty with Nothing.
	Rules []Rule `json:"rules,omitempty"`
}

// Rule is one rule of a receiver as far as it is known.
type Rule struct {
	ID     string       `json:"id"`
	Code   finding.Code `json:"code,omitempty"` // the finding that it fires on
	Effect Effect       `json:"effect"`
	Points float64      `json:"points,omitempty"`
	// Reply is what the sender reads, where it is known.
	Reply     string `json:"reply,omitempty"`
	Note      string `json:"note,omitempty"`
	Source    string `json:"source"`
	Date      string `json:"date"`
	Confirmed bool   `json:"confirmed"`
}
