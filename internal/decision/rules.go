package decision

import (
	"fmt"
	"time"

	"github.com/arpagate/arpagate/internal/finding"
)

// Rule says what one finding earns.
type Rule struct {
	Code finding.Code `json:"code"`
	// Action is earned at once. Patient softens a reject to a defer until the
	// same complete negative was seen often and long enough; see Patience.
	Action  Action `json:"action"`
	Patient bool   `json:"patient,omitempty"`
	// Points are added up and compared with the thresholds.
	Points int `json:"points,omitempty"`
}

// Patience says when a patient rule's reject comes true.
type Patience struct {
	Times int           `json:"times"` // observations, this one included
	Over  time.Duration `json:"over"`  // between the first and this one
}

// Rules are a site's policy: a plain list that can be printed and edited.
type Rules struct {
	Preset string `json:"preset"`
	// Monitor judges and records everything, and refuses nothing.
	Monitor bool   `json:"monitor"`
	Rules   []Rule `json:"rules"`
	// TagAt, DeferAt and RejectAt are thresholds for the sum of points; 0 means
	// never.
	TagAt    int      `json:"tag_at"`
	DeferAt  int      `json:"defer_at"`
	RejectAt int      `json:"reject_at"`
	Patience Patience `json:"patience"`
	// FailOpen accepts what the DNS could not tell while our own DNS is sick;
	// without it the sender is asked to come back.
	FailOpen bool `json:"fail_open"`
}

// Presets returns the names that Preset knows, from mild to severe.
func Presets() []string { return []string{"monitor", "careful", "strict"} }

// Preset returns the rules of a preset: "monitor", "careful" or "strict".
func Preset(name string) (Rules, error) {
	r := Rules{Preset: name, Patience: Patience{Times: 3, Over: time.Hour}, Rules: mild()}
	switch name {
	case "monitor":
		r.Monitor = true
		r.TagAt = 3
		r.set(Reject, true, finding.PTRMissing, finding.PTRUnusable, finding.PTRUnconfirmed)
	case "careful":
		r.TagAt = 3
		r.set(Reject, true, finding.PTRMissing, finding.PTRUnusable, finding.PTRUnconfirmed)
	case "strict":
		r.TagAt, r.DeferAt = 3, 10
		r.set(Reject, false, finding.PTRMissing, finding.PTRUnusable, finding.PTRUnconfirmed, finding.PTRGeneric)
		r.set(Tag, false, finding.PTRGenericStatic)
	default:
		return Rules{}, fmt.Errorf("decision: preset %q is none of monitor, careful, strict", name)
	}
	return r, nil
}

// mild are the rules that the presets share: doubts add points, and trouble in
// the DNS asks the sender to come back.
func mild() []Rule {
	return []Rule{
		{Code: finding.SourceSpecial, Action: Accept},
		{Code: finding.DNSTrouble, Action: Defer},
		{Code: finding.PTRMissing, Action: Defer},
		{Code: finding.PTRUnusable, Action: Defer},
		{Code: finding.PTRUnconfirmed, Action: Defer},
		{Code: finding.PTRTooMany, Points: 1},
		{Code: finding.PTRSeveral, Points: 1},
		{Code: finding.PTRGeneric, Points: 4},
		{Code: finding.PTRGenericStatic, Points: 2},
		{Code: finding.HeloMissing, Points: 3},
		{Code: finding.HeloNotFQDN, Points: 3},
		{Code: finding.HeloBareIP, Points: 4},
		{Code: finding.HeloLiteralMismatch, Points: 3},
		{Code: finding.HeloUnresolvable, Points: 3},
		{Code: finding.HeloNotClient, Points: 1},
		{Code: finding.HeloNotPTR, Action: Accept},
	}
}

func (r *Rules) set(action Action, patient bool, codes ...finding.Code) {
	for _, code := range codes {
		*r.rule(code) = Rule{Code: code, Action: action, Patient: patient}
	}
}

// rule returns the rule for a code, nil where the site has none.
func (r *Rules) rule(code finding.Code) *Rule {
	for i := range r.Rules {
		if r.Rules[i].Code == code {
			return &r.Rules[i]
		}
	}
	return nil
}

// Override replaces the rule for a code. It refuses an unknown code, and a
// reject for dns-trouble, which would break the first law.
func (r *Rules) Override(rule Rule) error {
	if !finding.Known(rule.Code) {
		return fmt.Errorf("decision: no finding has the code %q", rule.Code)
	}
	if rule.Code == finding.DNSTrouble && (rule.Action == Reject || rule.Points != 0) {
		return fmt.Errorf("decision: %s may be accepted, tagged or deferred, never rejected or scored: trouble in the DNS is not the sender's guilt", rule.Code)
	}
	if rule.Points < 0 || rule.Points > 100 {
		return fmt.Errorf("decision: %s: points %d are not between 0 and 100", rule.Code, rule.Points)
	}
	if old := r.rule(rule.Code); old != nil {
		*old = rule
		return nil
	}
	r.Rules = append(r.Rules, rule)
	return nil
}
