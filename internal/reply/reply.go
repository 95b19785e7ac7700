// Package reply puts a decision into words: the SMTP reply line (RFC 5321
// §4.2) with its enhanced status code (RFC 3463, RFC 7372), the
// Authentication-Results field (RFC 8601), and the text for the MTA's log.
package reply

// Verb is what a listener has to do, whatever its protocol calls it.
type Verb uint8

// The verbs.
const (
	Pass   Verb = iota // no opinion; add Header where there is one
	Defer              // answer Line, a 4xx
	Reject             // answer Line, a 5xx
)

// Reply is the answer to one question of a listener. Every text in it is
// printable ASCII without line ends, ready for the wire.
type Reply struct {
	Verb Verb

	// Code and Enhanced are the codes of a Defer or Reject ("550", "5.7.25"),
	// and Text the words behind them. Code, Enhanced and Text together with
	// their blanks have at most 500 octets.
	Code     string
	Enhanced string
	Text     string

	// Header is the body of an Authentication-Results field to add, without
	// the name; empty for none.
	Header string

	// AuthservID is the identifier whose forged Authentication-Results fields
	// must go (RFC 8601 §5).
	AuthservID string

	// Warning is for the MTA's log, where the protocol can carry one: what
	// would have happened without monitor mode.
	Warning string

	// Ref is the reference of the case, empty when none was recorded.
	Ref string
}

// Line returns the reply without its line end: "550 5.7.25 Reverse DNS …".
func (r Reply) Line() string { return r.Code + " " + r.Enhanced + " " + r.Text }
