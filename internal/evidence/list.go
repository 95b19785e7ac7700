package evidence

import (
	"net/netip"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// List is a DNS list of addresses (RFC 5782) that may be asked.
type List struct {
	Zone dnsname.Name `json:"zone"`
	// Allow says that a listing speaks for the address (DNSWL).
	Allow bool `json:"allow,omitempty"`
	// IPv6 says that the list files IPv6 addresses (RFC 5782 §2.4).
	IPv6 bool `json:"ipv6,omitempty"`
	// Page is where an operator looks an address up, %s standing for it.
	Page string `json:"page,omitempty"`
}

// ListState is what a list says of an address.
type ListState string

// The states of a listing. Only Listed and NotListed are answers; a refusal
// looks like a listing to those who don't read the code.
const (
	Listed      ListState = "listed"
	NotListed   ListState = "not-listed"
	ListRefused ListState = "refused"   // 127.255.255.x, of an allow list 127.0.0.255: the list does not answer our resolver
	ListBroken  ListState = "broken"    // a test point of RFC 5782 §5 is wrong: it lists everything, or nothing
	ListRewrote ListState = "rewritten" // the answer is not of 127.0.0.0/8: somebody rewrites
	ListTrouble ListState = "trouble"   // no complete answer
	ListSkipped ListState = "not-asked"
)

// ListAnswer is what one list says of one address.
type ListAnswer struct {
	List
	State ListState `json:"state"`
	// Codes are the addresses of the answer, Text the reason that the list gives.
	Codes []netip.Addr   `json:"codes,omitempty"`
	Text  untrusted.Text `json:"text,omitzero"`
	// Answer is that to the address, Tests those to the test points.
	Answer Answer   `json:"answer"`
	Tests  []Answer `json:"tests,omitempty"`
}

// Origin is the autonomous system that announces an address, and who holds it,
// as far as somebody told.
type Origin struct {
	ASN    uint32         `json:"asn,omitempty"`
	Prefix netip.Prefix   `json:"prefix,omitzero"`
	Org    untrusted.Text `json:"org,omitzero"`
	// Holder is the name of the registration (RDAP, RFC 9083), Handle its key.
	Holder untrusted.Text `json:"holder,omitzero"`
	Handle untrusted.Text `json:"handle,omitzero"`
	Answer *Answer        `json:"answer,omitempty"`
	// Late says that a registry was silent, and none told who holds the address.
	Late bool `json:"-"`
}

// MailDomain is what the DNS says about where a domain receives mail, and from
// where it says that it sends.
type MailDomain struct {
	Name dnsname.Name `json:"name"`
	MX   Answer       `json:"mx"`
	// Null says that the domain takes no mail (RFC 7505 §3).
	Null  bool       `json:"null,omitempty"`
	Hosts []MailHost `json:"hosts,omitempty"`
	SPF   *SPF       `json:"spf,omitempty"`
}

// MailHost is one MX host with its address records.
type MailHost struct {
	Name  dnsname.Name `json:"name"`
	Fault string       `json:"fault,omitempty"` // a dnsname.HostFault, or "address-literal"
	A     Answer       `json:"a"`
	AAAA  Answer       `json:"aaaa"`
}

// SPF is the list of addresses that a domain names as its senders (RFC 7208),
// read without judging any mail.
type SPF struct {
	Domain dnsname.Name   `json:"domain"`
	Record untrusted.Text `json:"record,omitzero"`
	// Senders are the networks in the order of the record, with the term that
	// led to each.
	Senders []SPFSender `json:"senders,omitempty"`
	// All is the qualifier of the record's all: + - ~ or ?, empty where it has none.
	All string `json:"all,omitempty"`
	// Faults say why the list is not complete: no or several records, too many
	// look-ups, a term that depends on the message (macros, exists), trouble.
	Faults []string `json:"faults,omitempty"`
	// Permerror says that one of them makes receivers give the whole record up
	// (RFC 7208 §2.6.7).
	Permerror bool `json:"permerror,omitempty"`
	// Lookups counts the terms that cost a query (RFC 7208 §4.6.4).
	Lookups int      `json:"lookups"`
	Answers []Answer `json:"answers,omitempty"`
}

// SPFSender is one network that may send.
type SPFSender struct {
	// Network has its host bits zero (RFC 4632 §3.1), but where Host is set:
	// there its address is that of the host.
	Network netip.Prefix `json:"network"`
	// Via are the include and redirect domains on the way; Term is the mechanism.
	Via  []dnsname.Name `json:"via,omitempty"`
	Term untrusted.Text `json:"term"`
	// Host is the name behind an a or mx mechanism.
	Host dnsname.Name `json:"host,omitzero"`
}
