package doctor

import (
	"net/netip"

	"github.com/arpagate/arpagate/internal/bounce"
	"github.com/arpagate/arpagate/internal/dnsname"
)

// Target says what to examine. One of Address, Name, Bounce and Egress is set;
// Address or Name beside Bounce is examined in place of what the text tells.
type Target struct {
	Address netip.Addr
	// Name is a host or a mail domain; with Mailbox it is that of a mailbox, and
	// so a mail domain for certain.
	Name    dnsname.Name
	Mailbox bool
	Bounce  *bounce.Reading
	// Egress are the addresses that this machine sends from, as far as it knows.
	Egress []netip.Addr

	// Helo is what the mail server says in EHLO, nil where nobody told; the name
	// of the host is then assumed, where there is one.
	Helo *string
	// Wanted is the name that the operator wants the address to have; the zero
	// Name lets the doctor choose.
	Wanted dnsname.Name
	// Own says that the operator vouches for the servers, so that VRFY, EXPN and
	// the role mailboxes are tried too; Relay that he asked for the relay test.
	Own, Relay bool
}

// String returns the target as it was understood.
func (t Target) String() string {
	switch {
	case t.Address.IsValid():
		return t.Address.String()
	case !t.Name.IsZero():
		return t.Name.String()
	case t.Bounce != nil && saw(t.Bounce).IsValid():
		return saw(t.Bounce).String()
	case t.Bounce != nil:
		return "bounce"
	case len(t.Egress) > 0:
		return "this machine"
	default:
		return ""
	}
}
