// Package decision makes of the findings what the site's rules say: accept,
// tag, defer or reject. No check lives here and no word of the reply. The
// first law is enforced here, for every preset and every rule: only a complete
// negative answer of the DNS may earn a reject.
package decision

import (
	"fmt"

	"github.com/arpagate/arpagate/internal/finding"
)

// Action is what happens to the connection, from mild to severe.
type Action uint8

// The actions.
const (
	Accept Action = iota // nothing
	Tag                  // accept with a header that says why
	Defer                // 4xx: come back later
	Reject               // 5xx: never
)

var actionNames = [...]string{"accept", "tag", "defer", "reject"}

// String returns the action in lower case, as in the configuration.
func (a Action) String() string { return actionNames[a] }

// MarshalText returns what String returns.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads an action, as in the configuration.
func (a *Action) UnmarshalText(b []byte) error {
	for i, name := range actionNames {
		if name == string(b) {
			*a = Action(i)
			return nil
		}
	}
	return fmt.Errorf("decision: action %q is none of accept, tag, defer, reject", b)
}

// Exemption says why a client was let through whatever the findings are; empty
// means that it was not.
type Exemption string

// The exemptions.
const (
	NotExempt     Exemption = ""
	Authenticated Exemption = "authenticated"  // RFC 4954
	SpecialSource Exemption = "special-source" // loopback, private …
	NoAddress     Exemption = "no-address"     // the MTA named no client address
	OwnNetwork    Exemption = "own-network"    // listed in the configuration
	AllowListed   Exemption = "allow-listed"
	RoleRecipient Exemption = "role-recipient" // postmaster@ (RFC 5321 §4.5.1), abuse@ (RFC 2142 §4)
	SourceMasked  Exemption = "source-masked"  // the address can't be the client's
)

// Decision is what the rules made of the findings.
type Decision struct {
	Action Action `json:"action"`
	// Would is what Action would be without monitor mode and exemptions.
	Would  Action    `json:"would"`
	Exempt Exemption `json:"exempt,omitempty"`
	Points int       `json:"points"`
	// Because lists what each finding earned, the decisive one first.
	Because []Cause `json:"because,omitempty"`
	// Note says in words what softened or delayed the action: "first seen",
	// "dns degraded", "monitor".
	Notes []string `json:"notes,omitempty"`
}

// Cause is one finding's part in a decision.
type Cause struct {
	Code   finding.Code `json:"code"`
	Action Action       `json:"action"`
	Points int          `json:"points,omitempty"`
}
