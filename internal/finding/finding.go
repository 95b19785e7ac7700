// Package finding says what the evidence means. Findings are data: a code, a
// severity and named arguments, with title, text, RFC and remedy in one
// catalogue that the gate, the doctor, the audit and the pages share. What a
// finding earns is not decided here.
package finding

import (
	"encoding/json"
	"net/netip"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// Code names a kind of finding; codes are stable.
type Code string

// The codes.
const (
	PTRMissing          Code = "ptr-missing"
	PTRUnusable         Code = "ptr-unusable"
	PTRUnconfirmed      Code = "ptr-unconfirmed"
	PTRSeveral          Code = "ptr-several"
	PTRTooMany          Code = "ptr-too-many"
	PTRGeneric          Code = "ptr-generic"
	PTRGenericStatic    Code = "ptr-generic-static"
	DNSTrouble          Code = "dns-trouble"
	HeloMissing         Code = "helo-missing"
	HeloNotFQDN         Code = "helo-not-fqdn"
	HeloBareIP          Code = "helo-bare-ip"
	HeloLiteralMismatch Code = "helo-literal-mismatch"
	HeloUnresolvable    Code = "helo-unresolvable"
	HeloNotClient       Code = "helo-not-client"
	HeloNotPTR          Code = "helo-not-ptr"
	SourceSpecial       Code = "source-special"
)

// Severity says how bad a finding is for the sender.
type Severity string

// The severities.
const (
	Info    Severity = "info"
	Warn    Severity = "warn"
	Failure Severity = "fail"
	Unknown Severity = "unknown" // could not be found out
)

// Finding is one thing that the evidence means. Title, Text and the rest of
// the words come from the catalogue.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	// Complete says that every answer it rests on is complete; only then may it
	// earn a reject.
	Complete bool `json:"complete"`
	Args     Args `json:"args"`
}

// Args are the particulars that the texts of the catalogue are made from; each
// code uses a few of them.
type Args struct {
	Address netip.Addr     `json:"address,omitzero"`
	Name    dnsname.Name   `json:"name,omitzero"`
	Names   []dnsname.Name `json:"names,omitempty"`
	Others  []netip.Addr   `json:"others,omitempty"` // addresses that were found instead
	Said    untrusted.Text `json:"said,omitzero"`    // the HELO argument
	Count   int            `json:"count,omitempty"`
	State   evidence.State `json:"state,omitzero"`
	Why     string         `json:"why,omitempty"` // a host fault, a source kind …
	Parts   []string       `json:"parts,omitempty"`
	RFC     string         `json:"rfc,omitempty"`
	Server  netip.AddrPort `json:"server,omitzero"` // our DNS server that was asked

	// Those that only the doctor uses.
	Zone  dnsname.Name   `json:"zone,omitzero"`  // the apex of the zone concerned, or that of a DNS list
	Host  dnsname.Name   `json:"host,omitzero"`  // the mail server's name
	Peer  netip.AddrPort `json:"peer,omitzero"`  // the mail server
	Of    int            `json:"of,omitempty"`   // of how many Count counts a part
	When  time.Time      `json:"when,omitzero"`  // a certificate's last, or first, second
	Clock time.Time      `json:"clock,omitzero"` // what the clock said here
	// Covers are the addresses that the finding concerns, where it was made for
	// several and is told once.
	Covers []netip.Addr `json:"covers,omitempty"`
}

// Title returns the heading, a few words that don't depend on the case.
func (f Finding) Title() string { return catalogue[f.Code].Title }

// Text returns one or two sentences for the report.
func (f Finding) Text() string {
	text := catalogue[f.Code].text(f.Args)
	if len(f.Args.Covers) > 1 {
		text += " It concerns " + join(f.Args.Covers) + "."
	}
	return text
}

// Fact returns the few words for the SMTP reply, without a final dot; the title
// where the gate has no use for any.
func (f Finding) Fact() string {
	if e := catalogue[f.Code]; e.fact != nil {
		return e.fact(f.Args)
	}
	return f.Title()
}

// Entry returns the catalogue's entry.
func (f Finding) Entry() Entry { return catalogue[f.Code] }

// MarshalJSON adds title, text and remedy to the fields.
func (f Finding) MarshalJSON() ([]byte, error) {
	type plain Finding
	e := f.Entry()
	return json.Marshal(struct {
		plain
		Title  string `json:"title"`
		Text   string `json:"text"`
		Remedy string `json:"remedy"`
		Ref    string `json:"reference"`
	}{plain(f), e.Title, f.Text(), e.Remedy, e.RFC})
}
