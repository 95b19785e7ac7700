package evidence

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// SMTP is what one mail server said on port 25.
type SMTP struct {
	Host    dnsname.Name   `json:"host,omitzero"` // the name that led to it
	Peer    netip.AddrPort `json:"peer"`
	Outcome SMTPOutcome    `json:"outcome"`
	// Step is where it ended, when not at its end: "connect", "greeting", "ehlo",
	// "starttls", …; Why what the network, the server or our limits said.
	Step string         `json:"step,omitempty"`
	Why  untrusted.Text `json:"why,omitzero"`

	Greeting *SMTPReply `json:"greeting,omitempty"`
	// BannerName is the first word after the 220 (RFC 5321 §4.2), EHLOName that
	// of the reply to EHLO (RFC 5321 §4.1.1.1).
	BannerName untrusted.Text   `json:"banner_name,omitzero"`
	EHLO       *SMTPReply       `json:"ehlo,omitempty"`
	EHLOName   untrusted.Text   `json:"ehlo_name,omitzero"`
	Extensions []untrusted.Text `json:"extensions,omitempty"`
	TLS        *TLS             `json:"tls,omitempty"`
	// The replies to VRFY, EXPN, and to RCPT for the role mailboxes and for a
	// stranger's domain (open relay), or to MAIL where that refuses already; nil
	// where they were not tried, or can't be relied on.
	VRFY       *SMTPReply `json:"vrfy,omitempty"`
	EXPN       *SMTPReply `json:"expn,omitempty"`
	Postmaster *SMTPReply `json:"postmaster,omitempty"`
	Abuse      *SMTPReply `json:"abuse,omitempty"`
	Relay      *SMTPReply `json:"relay,omitempty"`

	// Steps are the times of the dialogue, in order.
	Steps []SMTPStep `json:"steps"`
	// Notes are oddities that are no failure: "long-line" for a reply beyond 512
	// octets (RFC 5321 §4.5.3.1.5), "no-ehlo" for a server that only knows HELO,
	// "starttls-data" for one that sends something in the clear behind its reply to
	// STARTTLS, where only the handshake may come.
	Notes []string `json:"notes,omitempty"`
	// Delayed says that the greeting came late, and the replies after it did not:
	// a delay on purpose (greet pause, tarpit), not a slow server. A server that
	// looks its client up before it greets can't be told from it.
	Delayed bool `json:"delayed,omitempty"`
	// At is when the examination began.
	At time.Time `json:"at"`
}

// SMTPReply is one reply of a server (RFC 5321 §4.2), cut to our limits.
type SMTPReply struct {
	Code  int              `json:"code"`
	Lines []untrusted.Text `json:"lines"`
}

// Positive reports whether the reply is a completion, 2yz (RFC 5321 §4.2.1).
func (r *SMTPReply) Positive() bool { return r != nil && r.Code >= 200 && r.Code < 300 }

// SMTPStep is one step of the dialogue and how long it took.
type SMTPStep struct {
	Name string        `json:"name"` // connect, greeting, ehlo, starttls, handshake …
	Took time.Duration `json:"-"`
}

// took is the duration of a step in JSON, in milliseconds.
type took struct {
	Took float64 `json:"took_ms"`
}

type plainStep SMTPStep

// MarshalJSON writes all fields, with took_ms.
func (s SMTPStep) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		plainStep
		took
	}{plainStep(s), took{float64(s.Took.Microseconds()) / 1000}})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *SMTPStep) UnmarshalJSON(data []byte) error {
	var both struct {
		*plainStep
		took
	}
	both.plainStep = (*plainStep)(s)
	if err := json.Unmarshal(data, &both); err != nil {
		return err
	}
	s.Took = time.Duration(both.took.Took * float64(time.Millisecond))
	return nil
}

// SMTPOutcome says how the dialogue ended. Each value has its own remedy; none
// but Spoke and Turned says anything of the server's configuration.
type SMTPOutcome string

// The outcomes.
const (
	Spoke       SMTPOutcome = "spoke"       // 220, EHLO answered, left with QUIT
	Turned      SMTPOutcome = "turned-away" // greeted with 4yz or 5yz, or refused EHLO
	Closed      SMTPOutcome = "closed"      // hung up before it was done
	Declined    SMTPOutcome = "refused"     // connection refused
	NoRoute     SMTPOutcome = "unreachable"
	Slow        SMTPOutcome = "timeout" // no connection, or a step that did not end in time
	Babble      SMTPOutcome = "garbled" // what it says is not SMTP, or breaks our limits
	NotAllowed  SMTPOutcome = "barred"  // we don't connect to such an address or port
	OverBudget  SMTPOutcome = "over-budget"
	Unconnected SMTPOutcome = "not-tried"
)

// TLS is the result of STARTTLS (RFC 3207).
type TLS struct {
	Offered bool `json:"offered"`
	// Version and Cipher are empty when the handshake failed; Error says why.
	Version string         `json:"version,omitempty"`
	Cipher  string         `json:"cipher,omitempty"`
	Error   untrusted.Text `json:"error,omitzero"`
	// Late says that it failed because it did not end in time.
	Late bool `json:"-"`
	// Names are the names of the certificate, cut to our limit; Total counts them.
	Names     []untrusted.Text `json:"names,omitempty"`
	Total     int              `json:"total,omitempty"`
	Issuer    untrusted.Text   `json:"issuer,omitzero"`
	NotBefore time.Time        `json:"not_before,omitzero"`
	NotAfter  time.Time        `json:"not_after,omitzero"`
	// Matches says that a name covers the host name (RFC 6125 §6.4), Trusted that
	// the chain leads to a root of this machine, SelfSigned that it is its own.
	Matches    bool `json:"matches"`
	Trusted    bool `json:"trusted"`
	SelfSigned bool `json:"self_signed,omitempty"`
	// Injected says that the server took a command which was sent in the clear
	// behind STARTTLS over into the TLS session (RFC 3207 §4.2, CVE-2011-0411):
	// tried with the operator's own servers only.
	Injected bool `json:"injected,omitempty"`
}

// SMTPTarget is one mail server to examine.
type SMTPTarget struct {
	Host dnsname.Name
	Addr netip.Addr
	// Domain is the mail domain whose role mailboxes are asked for, when Own.
	Domain dnsname.Name
	// Own says that the operator vouches for the server: VRFY, EXPN and the role
	// mailboxes are tried; Relay besides that he asked for the relay test.
	Own, Relay bool
}

// Prober speaks SMTP with servers, up to RCPT at most and never DATA.
type Prober interface {
	// Probe examines one server. It returns within ctx and never nil.
	Probe(ctx context.Context, t SMTPTarget) *SMTP
}
