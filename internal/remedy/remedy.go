// Package remedy says how to put a finding right: which one party can, by
// which step at its provider or in its mail server, with which records, and
// from which hour the repair can be seen. Its recipes are data files with date
// and source; what nobody confirmed says so.
package remedy

import (
	"net/netip"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
)

// Input is what a remedy is made from. Only Finding is always there.
type Input struct {
	Finding finding.Finding
	// Address is the address under examination; Wanted the name that it should
	// have: what the operator asked for, or the best that was found.
	Address netip.Addr
	Wanted  dnsname.Name
	// Shared says that other addresses are to have the wanted name too, so that
	// nothing is told of the whole set of its addresses.
	Shared bool
	View   *evidence.View
	// Assumed says that the HELO name of View is that of the host, which nobody
	// has heard the mail server say.
	Assumed bool
	// Reverse is the zone of the address's PTR record, Forward those of the
	// names that should lead back, as their servers gave them.
	Reverse *evidence.Zone
	Forward []*evidence.Zone
	Origin  *evidence.Origin
	SMTP    *evidence.SMTP
	// Domain is the mail domain under examination, nil where it is none.
	Domain *evidence.MailDomain
	// Names are other names that would do: EHLO, MX, PTR names in use.
	Names []dnsname.Name
	// MTA names the recipe of the mail server; empty: recognised from the banner.
	MTA string
	// Provider names the recipe of the address's holder; empty: recognised.
	Provider string
	// Page is where the list of the finding looks an address up, %s standing for
	// it; empty where it is not known.
	Page string
	Now  time.Time
}

// Party is who can put a finding right.
type Party string

// The parties.
const (
	AddressHolder Party = "address-holder" // the provider, or whoever runs the reverse zone
	ZoneOperator  Party = "zone-operator"  // whoever runs the zone of the name
	MailAdmin     Party = "mail-admin"     // whoever configures the mail server
	ListOperator  Party = "list-operator"  // whoever runs a DNS list; delisting is asked for there
	OurDNS        Party = "own-dns"        // whoever runs the DNS server that was asked
	Nobody        Party = "nobody"         // there is nothing to do
)

// Remedy is how to put one finding right.
type Remedy struct {
	Party Party `json:"party"`
	// Who names the party as far as it is known: a provider, the operator of a
	// zone with its servers and mailbox. Contact is where to write to.
	Who     string `json:"who"`
	Contact string `json:"contact,omitempty"`
	// Do says in one sentence what is to be done.
	Do string `json:"do"`
	// Steps are to be done in their order.
	Steps []Step `json:"steps,omitempty"`
	// Cautions are the known reasons for which the party refuses, and the traps.
	Cautions []string `json:"cautions,omitempty"`
	// Records are to be published, in this order: addresses first, then PTR.
	Records []Record `json:"records,omitempty"`
	// Texts are the records in the formats of name servers and tools, by the
	// words of Formats.
	Texts map[string]string `json:"texts,omitempty"`
	// Ready says whether the PTR record can be set now: every authoritative
	// server of the forward zone answers with the address. Nil where no PTR
	// record is to be set.
	Ready *Ready `json:"ready,omitempty"`
	// Ticket is a message to the party, ready to send.
	Ticket string `json:"ticket,omitempty"`
	// Visible says when the repair can be seen, if it is made at Input.Now.
	Visible *Visible `json:"visible,omitempty"`
	// Recipe names the data that the steps come from.
	Recipe *Recipe `json:"recipe,omitempty"`
	// Others are the steps for the party's other products, where it can't be
	// told from here which one the address belongs to.
	Others []Way `json:"others,omitempty"`
	// Classless is the RFC 2317 delegation behind the address, if there is one.
	Classless *Classless `json:"classless,omitempty"`
	// Wanted says which name was chosen and why; nil where no name is needed.
	Wanted *Choice `json:"wanted,omitempty"`
}

// Way is another recipe of the same party.
type Way struct {
	Recipe   Recipe   `json:"recipe"`
	Steps    []Step   `json:"steps"`
	Cautions []string `json:"cautions,omitempty"`
}

// Step is one thing to do: a sentence, and a command to run or a path to click
// or a line to write into a file.
type Step struct {
	Say     string `json:"say"`
	Command string `json:"command,omitempty"`
	Console string `json:"console,omitempty"` // "Network > Public IP addresses > …"
	File    string `json:"file,omitempty"`    // "/etc/postfix/main.cf"
	Lines   string `json:"lines,omitempty"`   // what to write there
}

// Record is one resource record with full owner name.
type Record struct {
	Owner dnsname.Name  `json:"owner"`
	Type  evidence.Type `json:"type"`
	Data  string        `json:"data"`
	TTL   uint32        `json:"ttl"` // seconds
	Zone  dnsname.Name  `json:"zone,omitzero"`
	// Held says that the servers have it already.
	Held bool `json:"held,omitempty"`
	// Instead is the target of the CNAME that stands at the owner now and has to
	// be taken out, the zero Name where there is none.
	Instead dnsname.Name `json:"instead,omitzero"`

	// open says that there may be further records of the set, which nobody told.
	open bool
	// drop is the data of the record whose place this one takes.
	drop string
	// foreign says that the zone is most likely not one's own.
	foreign bool
}

// Ready says whether a provider that looks at the forward record first would
// accept the name now.
type Ready struct {
	OK bool `json:"ok"`
	// Unknown says that no server is known to lack the address, but not all
	// could be asked.
	Unknown bool     `json:"unknown,omitempty"`
	Why     []string `json:"why,omitempty"` // one sentence for each server that does not answer with the address
}

// Visible is the range of time in which the old answer gives way to the new.
type Visible struct {
	// First is when somebody can see the repair, Last when everybody does.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// Because are the delays that make it up, in words with their durations.
	Because []string `json:"because"`
}

// Recipe names the data file's entry behind the steps.
type Recipe struct {
	ID        string `json:"id"`
	Title     string `json:"title"`
	Date      string `json:"date"` // of the source, as 2026-08-21
	Source    string `json:"source"`
	Confirmed bool   `json:"confirmed"` // false: general knowledge, nobody has checked it
}
