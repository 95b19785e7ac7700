package evidence

import (
	"context"
	"net/netip"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// StartOfAuthority is a SOA record (RFC 1035 §3.3.13). All times are in
// seconds, as the DNS counts them.
type StartOfAuthority struct {
	Zone    dnsname.Name `json:"zone"`  // the owner of the record: the apex
	MName   dnsname.Name `json:"mname"` // the primary server
	RName   dnsname.Name `json:"rname"` // the mailbox of the person in charge
	Serial  uint32       `json:"serial"`
	Refresh uint32       `json:"refresh"`
	Retry   uint32       `json:"retry"`
	Expire  uint32       `json:"expire"`
	Minimum uint32       `json:"minimum"` // with TTL: the negative TTL (RFC 2308 §4)
	TTL     uint32       `json:"ttl"`
}

// NegativeTTL returns for how long the absence of a name of the zone may be
// remembered (RFC 2308 §5).
func (s *StartOfAuthority) NegativeTTL() time.Duration {
	return time.Duration(min(s.TTL, s.Minimum)) * time.Second
}

// Zone is what the authoritative servers of the zone that holds a name say,
// each asked by itself and without recursion.
type Zone struct {
	// Question is what was to be found out: the PTR record of an address, or the
	// address records of a name.
	Question Question `json:"question"`
	// Chain are the CNAMEs on the way (RFC 2317), from Question.Name to Name;
	// empty where Name is the name asked for.
	Chain []Alias      `json:"chain,omitempty"`
	Name  dnsname.Name `json:"name"`
	// ChainFault says what is wrong with the chain. Name is then the owner of its
	// last CNAME, whose zone has to be put right.
	ChainFault ChainFault `json:"chain_fault,omitempty"`

	// Apex is the closest enclosing zone of Name, the zero Name when it could not
	// be found. Trouble is the resolver's answer that hid it; the servers of the
	// zone above may have told it all the same.
	Apex    dnsname.Name `json:"apex,omitzero"`
	Trouble *Answer      `json:"trouble,omitempty"`
	// SOA is that of the apex, as its primary or else the first server gives it.
	SOA *StartOfAuthority `json:"soa,omitempty"`
	// Parent is the zone above, Delegated the name servers that it names, and
	// Published those that the zone names itself.
	Parent    dnsname.Name   `json:"parent,omitzero"`
	Delegated []dnsname.Name `json:"delegated,omitempty"`
	Published []dnsname.Name `json:"published,omitempty"`
	// Servers has a row for each address of each name server, and one for each
	// name without an address.
	Servers []NameServer `json:"servers"`
	// More counts the addresses and the names of name servers that have no row.
	More int `json:"more,omitempty"`
	// Partial says that the time or the budget was used up before the end.
	Partial bool `json:"partial,omitempty"`
	// Security is the DNSSEC state of the zone.
	Security Security `json:"security"`
}

// ChainFault is what is wrong with a chain of CNAMEs.
type ChainFault string

// The faults of a chain. The empty one means that there is none.
const (
	ChainLoop    ChainFault = "loop"     // it leads back to a name that it came through
	ChainTooLong ChainFault = "too-long" // more than MaxChain, which resolvers give up
)

// MaxChain is the number of CNAMEs that a resolver follows for one question;
// unbound has the same limit (max-query-restarts).
const MaxChain = 11

// Alias is a CNAME record with the zone that holds it, as the resolver has it: TTL
// is what is left there. To ask every server of that zone for the record, ask
// Authority for the CNAME of Owner.
type Alias struct {
	Owner  dnsname.Name  `json:"owner"`
	Target dnsname.Name  `json:"target"`
	Zone   dnsname.Name  `json:"zone,omitzero"`
	TTL    time.Duration `json:"-"`
}

// NameServer is one address of one authoritative server.
type NameServer struct {
	Name    dnsname.Name `json:"name"`
	Address netip.Addr   `json:"address,omitzero"`
	State   ServerState  `json:"state"`
	// Why is what the server, or the network, said about the failure, or what else
	// is wrong with the server: its name is an alias, it was refused a question.
	Why untrusted.Text `json:"why,omitzero"`
	// SOA is the record of the apex as this server has it.
	SOA *StartOfAuthority `json:"soa,omitempty"`
	// Answer is its answer to the question, with its own TTL, at Zone.Name. Where
	// it says that Name is an alias of a name of another zone, State is NoData, and
	// Aliases has the target.
	Answer Answer `json:"answer"`
}

// ServerState says how a name server stood the examination.
type ServerState string

// The states of a name server.
const (
	Authoritative ServerState = "authoritative" // answers for the zone with AA (RFC 1035 §4.1.1)
	Lame          ServerState = "lame"          // answers, but not for this zone (RFC 8499 §7)
	Silent        ServerState = "silent"        // no answer in time
	Unreachable   ServerState = "unreachable"   // the network says that it can't be reached
	Addressless   ServerState = "no-address"    // its name has no address
	Garbled       ServerState = "garbled"       // its answer can't be read
	Barred        ServerState = "barred"        // we don't send to such an address (special use)
	Unasked       ServerState = "not-asked"     // the budget or the time was used up
)

// Security is the DNSSEC state of a zone, as far as it can be told from DS and
// DNSKEY records and from a validating resolver's word (RFC 4035 §4.3).
type Security struct {
	State SecurityState `json:"state"`
	// DS says that the parent has a DS record, Key that the zone has a DNSKEY.
	DS  bool `json:"ds"`
	Key bool `json:"dnskey"`
	// Why says what an unknown or bogus state rests on.
	Why untrusted.Text `json:"why,omitzero"`
}

// SecurityState is a word of RFC 4035 §4.3, or "island" for a zone that is
// signed while its parent does not say so.
type SecurityState string

// The DNSSEC states.
const (
	Secure        SecurityState = "secure" // DS, DNSKEY, and the resolver validated it (AD)
	Signed        SecurityState = "signed" // DS and DNSKEY, but nobody here validates
	Insecure      SecurityState = "insecure"
	Island        SecurityState = "island"
	BogusZone     SecurityState = "bogus"
	Indeterminate SecurityState = "unknown"
)

// Authority asks the authoritative servers of a name's zone, one by one.
type Authority interface {
	// Zone finds the closest enclosing zone of the question's name, behind its
	// CNAMEs, and asks every server of it. It returns within ctx, with what is
	// missing marked as such, and never nil.
	Zone(ctx context.Context, q Question) *Zone
}
