// Package doctor walks the corridor for one host and all that belongs to it,
// with the authoritative servers, the DNS lists and port 25 as further
// sources, folds effects under their causes, and adds the remedies. It opens no
// socket itself.
package doctor

import (
	"net/netip"
	"time"

	"github.com/arpagate/arpagate/internal/bounce"
	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/receivers"
	"github.com/arpagate/arpagate/internal/remedy"
)

// Verdict sums an examination up. What could not be found out is never folded
// into another verdict, and a failure on complete answers beats it.
type Verdict string

// The verdicts, from good to bad; unknown stands apart.
const (
	Pass    Verdict = "pass"
	Warn    Verdict = "warn"
	Unknown Verdict = "unknown"
	Fail    Verdict = "fail"
)

// Examination is everything that was found out about one target.
type Examination struct {
	Target  string    `json:"target"` // as it was understood
	Verdict Verdict   `json:"verdict"`
	At      time.Time `json:"at"`
	// Partial says that the time ran out or that somebody interrupted; Missing
	// says in words what was not examined, for whatever reason.
	Partial bool     `json:"partial,omitempty"`
	Missing []string `json:"missing,omitempty"`
	// Error says why there was nothing to examine.
	Error string `json:"error,omitempty"`

	// Bounce is what a pasted text said, and Now whether that still holds.
	Bounce *bounce.Reading `json:"bounce,omitempty"`
	Now    *Comparison     `json:"now,omitempty"`

	Domain *evidence.MailDomain `json:"domain,omitempty"`
	// Problems are those of the domain itself; each address and server has its
	// own.
	Problems  []Problem `json:"problems"`
	Addresses []Address `json:"addresses"`
	Servers   []Server  `json:"servers,omitempty"`
	// Lookups are the questions that led from the target to the addresses.
	Lookups []evidence.Answer `json:"lookups,omitempty"`

	Took time.Duration `json:"-"`
}

// Comparison holds a bounce against the DNS of today.
type Comparison struct {
	// State is "still-wrong", "fine-now", "other-fault" (what the receiver
	// complained of is gone, another fault is there) or "unknown".
	State string `json:"state"`
	Say   string `json:"say"` // a sentence or two for people
}

// Role says why an address was examined.
type Role string

// The roles.
const (
	AsTarget Role = "target" // it was named
	AsHost   Role = "host"   // an address of the host that was named
	AsMX     Role = "mx"     // an address of an MX host
	AsSender Role = "spf"    // a sender by SPF
	AsEgress Role = "egress" // an address that this machine sends from
	AsBounce Role = "bounce" // the address that a receiver saw
)

// Address is the examination of one address as a sender.
type Address struct {
	Address netip.Addr   `json:"address"`
	Host    dnsname.Name `json:"host,omitzero"` // the name that led to it
	Role    Role         `json:"role"`
	Verdict Verdict      `json:"verdict"`
	// Case is the gate's own walk: iprev, HELO, findings, decision.
	Case *decision.Case `json:"-"`
	// Assumed says that the HELO name examined is that of the host, not one
	// that was seen or given.
	Assumed   bool                  `json:"helo_assumed,omitempty"`
	Reverse   *evidence.Zone        `json:"reverse,omitempty"`
	Forward   []*evidence.Zone      `json:"forward,omitempty"`
	Lists     []evidence.ListAnswer `json:"lists,omitempty"`
	Origin    *evidence.Origin      `json:"origin,omitempty"`
	Problems  []Problem             `json:"problems"`
	Receivers []receivers.Verdict   `json:"receivers,omitempty"`
	// Unforeseen says why there are no Receivers, where it can't be told what
	// they do.
	Unforeseen string `json:"receivers_unknown,omitempty"`
}

// Server is the examination of one mail server on port 25.
type Server struct {
	SMTP     *evidence.SMTP `json:"smtp"`
	Verdict  Verdict        `json:"verdict"`
	Problems []Problem      `json:"problems"`
}

// Problem is one cause, with the findings that follow from it and need no
// remedy of their own.
type Problem struct {
	Cause   finding.Finding   `json:"cause"`
	Effects []finding.Finding `json:"effects,omitempty"`
	Remedy  *remedy.Remedy    `json:"remedy,omitempty"`
}
