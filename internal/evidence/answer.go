package evidence

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// Type is a DNS record type (RFC 1035 §3.2.2).
type Type uint16

// The record types that arpagate asks for.
const (
	A      Type = 1
	NS     Type = 2
	CNAME  Type = 5
	SOA    Type = 6
	PTR    Type = 12
	MX     Type = 15
	TXT    Type = 16
	AAAA   Type = 28
	DS     Type = 43 // RFC 4034 §5
	DNSKEY Type = 48 // RFC 4034 §2
)

var typeNames = map[Type]string{
	A: "A", NS: "NS", CNAME: "CNAME", SOA: "SOA", PTR: "PTR", MX: "MX", TXT: "TXT", AAAA: "AAAA",
	DS: "DS", DNSKEY: "DNSKEY",
}

// Plain reports whether the type is one that every mail client costs. Their
// answers are kept small: they carry no SOA record and no word on DNSSEC.
func (t Type) Plain() bool { return t == A || t == AAAA || t == PTR }

// String returns the mnemonic, or TYPEn (RFC 3597 §5).
func (t Type) String() string {
	if s, ok := typeNames[t]; ok {
		return s
	}
	return fmt.Sprintf("TYPE%d", uint16(t))
}

// MarshalText returns what String returns.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (t *Type) UnmarshalText(b []byte) error {
	for v, name := range typeNames {
		if name == string(b) {
			*t = v
			return nil
		}
	}
	_, err := fmt.Sscanf(string(b), "TYPE%d", (*uint16)(t))
	return err
}

// Question is one question to the DNS, in class IN.
type Question struct {
	Name dnsname.Name `json:"name"`
	Type Type         `json:"type"`
}

// State says how a question ended. The states stay apart from the wire to the
// page, for each has another remedy.
type State uint8

// The states. Found, NXDomain and NoData are complete answers (RFC 2308 §2);
// all others mean that nothing is known.
const (
	NotAsked  State = iota // the budget or an earlier answer made it needless
	Found                  // NOERROR with records of the type asked
	NXDomain               // the name does not exist
	NoData                 // the name exists without such a record
	ServFail               // the servers of the name, or ours, failed
	Refused                // the server refuses to answer us
	Timeout                // no answer in time
	Bogus                  // DNSSEC validation failed (RFC 8914 §4.7)
	Malformed              // the answer can't be read, or is a CNAME loop
	Filtered               // the resolver says that it rewrote the answer (RFC 8914 §4.16)
	Failed                 // any other rcode, or no way to reach a server
)

var stateNames = [...]string{
	"not-asked", "found", "nxdomain", "nodata", "servfail", "refused", "timeout", "bogus", "malformed", "filtered", "failed",
}

// String returns the state in lower case, as in the JSON.
func (s State) String() string { return stateNames[s] }

// Mnemonic returns the state as people who know the DNS write it: NXDOMAIN,
// NODATA, SERVFAIL, REFUSED; the rest in lower case.
func (s State) Mnemonic() string {
	switch s {
	case NXDomain, NoData, ServFail, Refused:
		return strings.ToUpper(s.String())
	default:
		return s.String()
	}
}

// Complete reports whether the state is an answer, be it a negative one.
func (s State) Complete() bool { return s == Found || s.Negative() }

// Negative reports whether the DNS says that there is no such record.
func (s State) Negative() bool { return s == NXDomain || s == NoData }

// Trouble reports whether the question was asked and not answered.
func (s State) Trouble() bool { return s > NoData }

// MarshalText returns what String returns.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *State) UnmarshalText(b []byte) error {
	for i, name := range stateNames {
		if name == string(b) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("evidence: unknown state %q", b)
}

// MaxNames is the number of names that an Answer keeps of one record set; see
// Answer.Total. It is the limit of RFC 7208 §4.6.4, as RFC 8601 §3 suggests.
const MaxNames = 10

// MaxAddrs is the number of addresses that an Answer keeps of one record set:
// more than a DNS message can carry, for a client may be the last of them.
const MaxAddrs = 4096

// MaxTexts is the number of TXT records that an Answer keeps, each of at most
// untrusted.MaxLong octets.
const MaxTexts = 64

// Answer is what the DNS said to one Question, and when, and who said it.
type Answer struct {
	Question
	State State `json:"state"`

	// Names are the targets of PTR, NS, MX (in order of preference) or CNAME
	// records, without duplicates, in the order of the message. Of more than
	// MaxNames PTR names those that sort first are kept, so that a server that
	// rotates its answers gets the same verdict each time. Addrs are the
	// addresses of A or AAAA records, at most MaxAddrs; an IPv4-mapped one stays
	// mapped. Total counts the distinct records of the set before the cut.
	Names []dnsname.Name `json:"names,omitempty"`
	Addrs []netip.Addr   `json:"addrs,omitempty"`
	Total int            `json:"total,omitempty"`

	// Preferences are those of MX records, one for each of Names (RFC 1035
	// §3.3.9). Texts are the TXT records, each with its character-strings joined
	// without a blank between them (RFC 7208 §3.3).
	Preferences []uint16         `json:"preferences,omitempty"`
	Texts       []untrusted.Text `json:"texts,omitempty"`

	// SOA is the record asked for, or that of a negative answer: its Zone is then
	// the closest enclosing one. Answers for Plain types leave it out.
	SOA *StartOfAuthority `json:"soa,omitempty"`

	// Aliases are the CNAME targets passed on the way (RFC 2317), in order.
	Aliases []dnsname.Name `json:"aliases,omitempty"`

	// TTL is the time for which the answer may still be believed, counted from
	// when it was handed out: of the records, of the negative answer (RFC 2308
	// §5), or of the memory of a failure (RFC 9520 §3.2).
	TTL time.Duration `json:"-"`

	// Rcode is the response code (RFC 6895 §2.3), -1 where none arrived.
	Rcode int `json:"rcode"`

	// EDE is the extended error code plus one (RFC 8914 §2), 0 for none, and
	// Reason its text or the local cause of the failure.
	EDE    uint16         `json:"ede,omitempty"`
	Reason untrusted.Text `json:"reason,omitzero"`

	Server netip.AddrPort `json:"server,omitzero"` // who answered, or was asked last
	At     time.Time      `json:"at"`              // when the answer arrived
	Took   time.Duration  `json:"-"`               // from the first datagram to the answer
	Cached bool           `json:"cached,omitempty"`

	// Validated says that a resolver on this machine vouches for the answer by
	// DNSSEC (RFC 4035 §4.9.3): the AD bit of one further away could be anybody's.
	// It is not asked for with Plain types.
	Validated bool `json:"validated,omitempty"`

	// Stale is the last good answer where State is Trouble and memory has one
	// not older than a day (RFC 8767 §5); it may confirm, never refuse.
	Stale *Answer `json:"stale,omitempty"`
}

// units are the durations of an Answer in JSON: the TTL in seconds, as the DNS
// counts it, and the time to the answer in milliseconds.
type units struct {
	TTL  int64   `json:"ttl"`
	Took float64 `json:"took_ms"`
}

type plainAnswer Answer

// MarshalJSON writes all fields, with ttl in seconds and took_ms.
func (a Answer) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		plainAnswer
		units
	}{plainAnswer(a), units{int64(a.TTL / time.Second), float64(a.Took.Microseconds()) / 1000}})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (a *Answer) UnmarshalJSON(data []byte) error {
	var both struct {
		*plainAnswer
		units
	}
	both.plainAnswer = (*plainAnswer)(a)
	if err := json.Unmarshal(data, &both); err != nil {
		return err
	}
	a.TTL, a.Took = time.Duration(both.units.TTL)*time.Second, time.Duration(both.units.Took*float64(time.Millisecond))
	return nil
}

// DNS is somebody who answers questions: the resolver, or a zone in memory.
type DNS interface {
	// Ask sends the questions that memory can't answer, all at once, and
	// returns without waiting.
	Ask(ctx context.Context, questions ...Question) Pending
}

// Pending are questions under way.
type Pending interface {
	// Wait returns one Answer for each Question, in their order, when all are
	// in or ctx of Ask has ended; what is then missing has state Timeout.
	Wait() []Answer
}
