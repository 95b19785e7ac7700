// Package bounce reads what came back: a non-delivery report (RFC 3464), an
// SMTP reply or lines of a mail log. It finds the address that the receiver
// saw, the receiver, and the class of the refusal by rules that are data. It
// does not judge whether the receiver was right.
package bounce

import (
	"errors"
	"net/netip"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// ErrNothing is returned for a text that holds no refusal, no report and no line
// of a log that is known.
var ErrNothing = errors.New("bounce: no refusal, report or log line found in the text")

// ErrDelivered is returned for lines of a log that tell of mail which was taken,
// and of no refusal.
var ErrDelivered = errors.New("bounce: the log tells of mail that was delivered, and of no refusal")

// Class is what a refusal says of the sender's DNS identity: "missing",
// "fcrdns", "missing_or_fcrdns", "generic", "missing_or_generic",
// "rdns_tempfail", "v6_missing", "v6_missing_or_fcrdns", "helo_bad", … ; the
// rules name them. Other is a refusal for another reason.
type Class string

// Other is the class of a refusal that has nothing to do with reverse DNS or
// HELO, or that no rule knows.
const Other Class = "other"

// Found says where the address was found.
type Found string

// The places, from sure to doubtful.
const (
	InRefusal  Found = "refusal"  // the receiver wrote it into its refusal
	InLog      Found = "log"      // the receiver's own log names the client
	InReport   Found = "report"   // a field of the report
	InReceived Found = "received" // a Received field of the returned message: some hop before the refusal
)

// Reading is what was read out of a text.
type Reading struct {
	// Format is what the text is: "dsn", "reply", "postfix", "exim",
	// "sendmail", "opensmtpd", "exchange", "hmailserver", "mdaemon".
	Format string `json:"format"`
	// Address is the sending address as the receiver saw it, invalid where the
	// text does not tell; Addresses are all candidates. Private says that no
	// public one was found.
	Address   netip.Addr   `json:"address,omitzero"`
	Found     Found        `json:"found,omitempty"`
	Private   bool         `json:"private,omitempty"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// Receiver is the host that refused, ReceiverAddress its address.
	Receiver        dnsname.Name `json:"receiver,omitzero"`
	ReceiverAddress netip.Addr   `json:"receiver_address,omitzero"`
	// Helo and PTR are the names by which the receiver, or the log, calls the client.
	Helo untrusted.Text `json:"helo,omitzero"`
	PTR  untrusted.Text `json:"ptr,omitzero"`
	// Code and Enhanced are the reply's codes (RFC 5321 §4.2, RFC 3463), 0 and
	// empty where there is none; Temporary says 4yz.
	Code      int    `json:"code,omitempty"`
	Enhanced  string `json:"enhanced,omitempty"`
	Temporary bool   `json:"temporary,omitempty"`
	// Quote is the text of the refusal, folded to one line, with its codes once.
	Quote untrusted.Text `json:"quote,omitzero"`
	// Class is what the rule named Rule makes of it.
	Class Class  `json:"class"`
	Rule  string `json:"rule,omitempty"`
	// Recipient is the domain that the mail was for.
	Recipient dnsname.Name `json:"recipient,omitzero"`
	// Domain is the sender's domain.
	Domain dnsname.Name `json:"domain,omitzero"`
	// Notes are for the reader: what was cut, what is doubtful.
	Notes []string `json:"notes,omitempty"`
}
