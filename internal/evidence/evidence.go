// Package evidence gathers what the DNS and our memory say about the facts of
// a connection, without judging what that is worth: iprev of RFC 8601 §3, the
// addresses of the HELO name, the class of the source address, what we
// remember of it, and how well our own DNS is.
package evidence

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/generic"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// Evidence is everything known about one connection at one moment.
type Evidence struct {
	At time.Time `json:"at"`
	*View
	Memory  Memory  `json:"memory"`
	Weather Weather `json:"weather"`
}

// View is what the address registries and the DNS say of a client and its HELO
// argument. It is never changed once it is made, so that many cases can share
// one for as long as its answers may be believed.
type View struct {
	Source Source `json:"source"`
	IPRev  IPRev  `json:"iprev"`
	Helo   Helo   `json:"helo"`
	// Generic says which parts of the confirmed (or else the first usable) PTR
	// name look assigned from a template; empty means that none does.
	Generic Generic `json:"generic,omitzero"`
	// Until is the time at which the first of the answers is to be believed no
	// more; the zero time where nothing was asked, or an answer is not complete.
	Until time.Time `json:"until,omitzero"`
}

// Source is the class of an address by the special-purpose registries (RFC
// 6890).
type Source struct {
	// Kind is "public", or the name of the special block: "loopback",
	// "private", "shared" (CGNAT), "link-local", "nat64", "6to4", "teredo",
	// "multicast", "reserved", …; "none" without an address.
	Kind string `json:"kind"`
	// Block is the prefix of the registry, invalid for a public address.
	Block netip.Prefix `json:"block,omitzero"`
	// RFC names the document that reserves the block.
	RFC string `json:"rfc,omitempty"`
	// Documentation says that the address is of the documentation blocks (RFC
	// 5737, RFC 3849), which are judged like public ones.
	Documentation bool `json:"documentation,omitempty"`
}

// Special reports whether the address can't be that of a host on the Internet.
func (s Source) Special() bool { return s.Kind != "public" }

// Result is a result of iprev, RFC 8601 §2.7.3.
type Result uint8

// The results. There is no "none" for this method.
const (
	Unjudged Result = iota // not a result: nothing was asked (special source)
	Pass
	Fail
	TempError
	PermError
)

var resultNames = [...]string{"unjudged", "pass", "fail", "temperror", "permerror"}

// String returns the word of RFC 8601 §2.7.3.
func (r Result) String() string { return resultNames[r] }

// MarshalText returns what String returns.
func (r Result) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (r *Result) UnmarshalText(b []byte) error {
	for i, name := range resultNames {
		if name == string(b) {
			*r = Result(i)
			return nil
		}
	}
	return fmt.Errorf("evidence: unknown iprev result %q", b)
}

// IPRev is the reverse and forward examination of one address.
type IPRev struct {
	Result  Result     `json:"result"`
	Address netip.Addr `json:"address"`
	PTR     Answer     `json:"ptr,omitzero"`
	// Names are the PTR names in the order of the answer, at most MaxNames.
	Names []PTRName `json:"names"`
	// Confirmed is the first name that leads back to the address.
	Confirmed dnsname.Name `json:"confirmed,omitzero"`
	// Total is the number of distinct PTR names that the DNS holds.
	Total int `json:"total"`
	// Stale says that the pass rests on remembered answers, for the DNS did
	// not give fresh ones.
	Stale bool `json:"stale,omitempty"`
	// Queries is the number of DNS questions spent.
	Queries int `json:"queries"`
}

// NameState is what became of one PTR name.
type NameState string

// The states of a PTR name.
const (
	Confirmed    NameState = "confirmed" // leads back to the address
	Mismatch     NameState = "mismatch"  // has addresses, not this one
	NameNXDomain NameState = "nxdomain"  // does not exist
	NameNoData   NameState = "nodata"    // has no address of the client's family
	NameTrouble  NameState = "trouble"   // could not be looked up
	NameUnusable NameState = "unusable"  // is not the name of a host
	NameSkipped  NameState = "skipped"   // not looked up: budget
)

// PTRName is one PTR name with what its forward lookup said.
type PTRName struct {
	Name      dnsname.Name      `json:"name"`
	State     NameState         `json:"state"`
	Fault     dnsname.HostFault `json:"fault,omitempty"`
	Addresses []netip.Addr      `json:"addresses"`
	Forward   []Answer          `json:"forward,omitempty"`
}

// HeloKind is the form of a HELO argument (RFC 5321 §4.1.3, §4.1.1.1).
type HeloKind string

// The forms.
const (
	HeloUnknown HeloKind = "unknown"      // not told yet
	HeloMissing HeloKind = "missing"      // empty
	HeloName    HeloKind = "name"         // a fully qualified domain name
	HeloNotFQDN HeloKind = "not-fqdn"     // single label, bad characters, localhost …
	HeloBareIP  HeloKind = "bare-address" // 192.0.2.1 without brackets
	HeloLiteral HeloKind = "literal"      // [192.0.2.1], [IPv6:2001:db8::1]
)

// Helo is the HELO argument and what the DNS says about it.
type Helo struct {
	Said untrusted.Text `json:"said"`
	Kind HeloKind       `json:"kind"`
	// Name is the argument as a domain name, for HeloName.
	Name  dnsname.Name      `json:"name,omitzero"`
	Fault dnsname.HostFault `json:"fault,omitempty"`
	// Address is the address of a literal or bare address.
	Address netip.Addr `json:"address,omitzero"`
	// Answers are the A and AAAA answers for Name.
	Answers []Answer `json:"answers,omitempty"`
}

// Generic is the verdict of the generic-name classifier with its reasons.
type Generic struct {
	Name   dnsname.Name   `json:"name,omitzero"`
	Degree generic.Degree `json:"degree,omitzero"`
	Score  float64        `json:"score,omitzero"` // how likely, 0 to 1
	// Parts are the parts of the name that speak for a template, the heaviest
	// first, each with its weight: "octets 203-0-113-9 +5.9", "word dsl +1.4".
	Parts []string `json:"parts,omitempty"`
}

// Reasons returns the parts without their weights, for those who read a
// sentence.
func (g *Generic) Reasons() []string {
	reasons := slices.Clone(g.Parts)
	for i, p := range reasons {
		if at := strings.LastIndexByte(p, ' '); at > 0 {
			reasons[i] = p[:at]
		}
	}
	return reasons
}

// Apart is the least time between two negative results that both count, so that
// a sender that tries three times in a second has been seen once.
const Apart = 5 * time.Minute

// Memory is what the store remembers of an address.
type Memory struct {
	FirstSeen time.Time `json:"first_seen,omitzero"`
	// Negatives counts the complete negative iprev results seen in a row, of
	// the same kind, before this one; NegativeSince is the time of the first,
	// NegativeLast that of the last that was counted.
	Negatives     int       `json:"negatives,omitempty"`
	NegativeSince time.Time `json:"negative_since,omitzero"`
	NegativeLast  time.Time `json:"negative_last,omitzero"`
	NegativeKind  Result    `json:"negative_kind,omitempty"`
	Allow         *Listing  `json:"allow,omitempty"`
	Block         *Listing  `json:"block,omitempty"`
}

// Listing is the list entry that an address or confirmed name fell under.
type Listing struct {
	Entry  string    `json:"entry"` // the network or domain as it was entered
	Reason string    `json:"reason"`
	Owner  string    `json:"owner"`
	Expiry time.Time `json:"expiry,omitzero"`
}

// Weather is the state of our own means, which a stranger must not pay for.
type Weather struct {
	// Degraded says that our DNS is sick: too many troubled answers, or a
	// canary name that fails. Why tells the operator.
	Degraded bool   `json:"degraded,omitempty"`
	Why      string `json:"why,omitempty"`
	// Masked says that most clients come from one private or gateway address,
	// so that the source address can't be the client's.
	Masked    bool   `json:"masked,omitempty"`
	MaskedWhy string `json:"masked_why,omitempty"`
}
