// Package facts holds what a listener was told about one SMTP connection, or
// an operator about one host. Nothing in it has been verified: an address is
// the one that the MTA reports, every other field is a claim.
package facts

import (
	"net/netip"
	"strings"

	"github.com/arpagate/arpagate/internal/untrusted"
)

// Door names the protocol through which the facts came.
type Door string

// The doors.
const (
	Policy Door = "policy" // Postfix policy delegation
	Milter Door = "milter"
	Check  Door = "check" // an operator at the command line
)

// Stage is the point of the SMTP dialogue at which a question is asked
// (RFC 5321 §4.1.1).
type Stage string

// The stages, spelled as Postfix spells protocol_state.
const (
	Connect      Stage = "CONNECT"
	Ehlo         Stage = "EHLO"
	Mail         Stage = "MAIL"
	Rcpt         Stage = "RCPT"
	Data         Stage = "DATA"
	EndOfMessage Stage = "END-OF-MESSAGE"
)

// Conn is one question of a listener: an SMTP client and what it has said so
// far.
type Conn struct {
	Door  Door  `json:"door"`
	Stage Stage `json:"stage"`

	// Client is the address of the SMTP client, unmapped and without zone; the
	// zero Addr means that the MTA named none (a UNIX socket, a vanished peer).
	Client     netip.Addr `json:"client"`
	ClientPort uint16     `json:"client_port,omitempty"`

	// Helo is the argument of HELO or EHLO; HeloKnown is false where the
	// protocol has not told us yet, which is not the same as an empty one.
	Helo      untrusted.Text `json:"helo"`
	HeloKnown bool           `json:"helo_known"`

	// Sender and Recipient are the mailboxes of MAIL and RCPT, without brackets.
	Sender    untrusted.Text `json:"sender,omitzero"`
	Recipient untrusted.Text `json:"recipient,omitzero"`

	// AuthUser is the SASL login; not empty means that the client has
	// authenticated (RFC 4954).
	AuthUser untrusted.Text `json:"auth_user,omitzero"`

	// MTAName is the client name that the MTA found for itself. A hint for the
	// report; it never decides anything.
	MTAName untrusted.Text `json:"mta_name,omitzero"`

	// Daemon names the MTA's listening service, and Server its address.
	Daemon untrusted.Text `json:"daemon,omitzero"`
	Server netip.AddrPort `json:"server,omitzero"`

	// Instance is equal for all questions about one mail transaction, and empty
	// where the protocol does not tell.
	Instance untrusted.Text `json:"instance,omitzero"`

	// Stress says that the MTA is overloaded and wants a quick answer.
	Stress bool `json:"stress,omitempty"`
}

// Authenticated reports whether the client has logged in.
func (c Conn) Authenticated() bool { return !c.AuthUser.IsZero() }

// Address reads a client address as MTAs write it: plain, or with the prefix
// "IPv6:" (RFC 5321 §4.1.3), IPv4-mapped or not. The result is unmapped. What
// is not exactly one address ("unknown", a zone, a port, leading zeros,
// blanks) gives the zero Addr.
func Address(s string) netip.Addr {
	if len(s) > len("IPv6:") && strings.EqualFold(s[:len("IPv6:")], "IPv6:") {
		s = s[len("IPv6:"):]
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}
	}
	return a.Unmap()
}
