// Package receivers says what well-known receivers and filters do with a mail
// server's DNS identity, each rule with its source, from a data file. It knows
// what they publish or what was seen of them, not what they do in secret.
package receivers

import (
	"math"
	"slices"

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

// The effects, from bad to good. Unsure means that nobody knows: the DNS gave no
// complete answer, or the receiver publishes nothing.
const (
	Reject  Effect = "reject"
	Defer   Effect = "defer"
	Score   Effect = "score"
	Unsure  Effect = "unknown"
	Nothing Effect = "nothing"
)

var effects = []Effect{Reject, Defer, Score, Unsure, Nothing}

// worse reports whether e is a stronger effect than f.
func (e Effect) worse(f Effect) bool { return slices.Index(effects, e) < slices.Index(effects, f) }

// Verdict is what one receiver does with an identity, and by which rule.
type Verdict struct {
	Receiver string `json:"receiver"` // "Gmail", "rspamd (defaults)", …
	Effect   Effect `json:"effect"`
	// Points are those of a score, in the receiver's own unit.
	Points float64 `json:"points,omitempty"`
	// Rules are those that fired; empty with Nothing. With Unsure they say why
	// nothing is known.
	Rules []Rule `json:"rules,omitempty"`
	// Open are the rules that could not be judged, for the HELO name is not known
	// or the DNS gave no answer.
	Open []string `json:"open,omitempty"`
}

// Rule is one rule of a receiver as far as it is known.
type Rule struct {
	ID     string       `json:"id"`
	When   string       `json:"when"`           // the condition, in the words of the data file
	Code   finding.Code `json:"code,omitempty"` // the finding that it fires on
	Effect Effect       `json:"effect"`
	Points float64      `json:"points,omitempty"`
	// Sets are the points by SpamAssassin's score sets: neither network tests nor
	// Bayes, network tests, Bayes, both. Points are those of the last.
	Sets []float64 `json:"sets,omitempty"`
	// Reply is what the sender reads, where it is known.
	Reply     string `json:"reply,omitempty"`
	Note      string `json:"note,omitempty"`
	Source    string `json:"source"`
	Date      string `json:"date"`
	Confirmed bool   `json:"confirmed"`

	when []condition
	// computed marks a score that depends on the name.
	computed bool
}

// Receiver is one receiver with its rules; the last says what happens when no
// other fires.
type Receiver struct {
	Name  string `json:"name"`
	Rules []Rule `json:"rules"`
}

// Receivers returns all receivers in the order of the data file.
func (b *Book) Receivers() []Receiver { return slices.Clone(b.receivers) }

// Judge says what each receiver does with the identity, in the order of the data
// file. Of an address that no receiver can see (private, loopback) or that
// nobody examined there is nothing to say: the result is then nil.
func (b *Book) Judge(id Identity) []Verdict {
	if id.View == nil || id.View.Source.Special() || id.View.IPRev.Result == evidence.Unjudged {
		return nil
	}
	c := b.look(id)
	verdicts := make([]Verdict, len(b.receivers))
	for i := range b.receivers {
		verdicts[i] = c.judge(&b.receivers[i])
	}
	return verdicts
}

func (c *client) judge(r *Receiver) Verdict {
	v := Verdict{Receiver: r.Name, Effect: Nothing}
	hidden, foreseen := Nothing, false
	last := len(r.Rules) - 1
	for i := range r.Rules[:last] {
		rule := r.Rules[i]
		switch c.all(rule.when) {
		case yes:
			if rule.computed {
				rule.Points = c.points(rule.when)
			}
			rule.Code = c.code(rule.when)
			v.Points += rule.Points
			v.Rules = append(v.Rules, rule)
			foreseen = foreseen || rule.Effect != Unsure && rule.foreseesTrouble()
			if rule.Effect.worse(v.Effect) {
				v.Effect = rule.Effect
			}
		case dark:
			v.Open = append(v.Open, rule.ID)
			if rule.Effect.worse(hidden) {
				hidden = rule.Effect
			}
		case unasked:
			v.Open = append(v.Open, rule.ID)
		}
	}
	v.Points = math.Round(v.Points*1000) / 1000 // no source gives more digits
	switch otherwise := r.Rules[last]; {
	case hidden.worse(v.Effect) && !foreseen:
		v.Effect = Unsure
	case len(v.Rules) == 0:
		v.Effect = otherwise.Effect
		if v.Effect == Unsure {
			v.Rules = []Rule{otherwise}
		}
	}
	return v
}

// foreseesTrouble reports whether the rule says what the receiver does while the
// DNS gives no answer.
func (r *Rule) foreseesTrouble() bool {
	return slices.ContainsFunc(r.when, func(c condition) bool { return c.trouble })
}
