package finding

import (
	"fmt"
	"slices"

	"github.com/arpagate/arpagate/internal/evidence"
)

// The codes of what the doctor finds about an address beside the gate's.
const (
	PTRLongChain       Code = "ptr-long-chain"
	PTRSomeUnconfirmed Code = "ptr-some-unconfirmed"
	IPv6NoPTR          Code = "ipv6-no-ptr"
	DomainAlignment    Code = "domain-alignment"
)

// doctorEntries are the findings that only the doctor makes, causes before
// effects.
var doctorEntries = slices.Concat(zoneEntries, addressEntries, listEntries, domainEntries, serverEntries)

var addressEntries = []Entry{
	{
		Code: PTRLongChain, Title: "The record stands behind too many aliases", RFC: "RFC 1034 §3.6.2",
		Remedy: "Whoever runs the zone should let the alias lead straight to the name that holds the record; for a PTR record RFC 2317 needs one alias.",
		text: func(a Args) string {
			if a.Why == string(evidence.ChainLoop) {
				return fmt.Sprintf("The aliases of %s lead in a circle, so that there is nothing at their end.", a.Name)
			}
			return fmt.Sprintf("Between %s and its record stand %d aliases; some resolvers give up after a few.", a.Name, a.Count)
		},
	},
	{
		Code: PTRSomeUnconfirmed, Title: "Not every PTR name leads back to the address", RFC: "RFC 8601 §3",
		Remedy: "Nothing must be done where one name leads back. Have the records of the other names taken out, or give those names the address: some filters look at the first name only, and some want all of them to lead back.",
		text: func(a Args) string {
			return fmt.Sprintf("Beside %s, which leads back to %s, there are PTR records that do not: %s.", a.Name, a.Address, list(a.Parts))
		},
	},
	{
		Code: IPv6NoPTR, Title: "The host can send over IPv6, where it has no name", RFC: "RFC 1912 §2.1",
		Remedy: "Have a PTR record set for the IPv6 address, or make the mail server send over IPv4 only: mail servers prefer IPv6 where the receiver has it, and large receivers refuse IPv6 senders without a name.",
		text: func(a Args) string {
			return fmt.Sprintf("%s has IPv4 addresses whose names lead back (%s), and %s, which has no PTR record. Which one a mail leaves from is the mail server's choice.", a.Host, join(a.Others), a.Address)
		},
	},
	{
		Code: DomainAlignment, Title: "The mail servers' names lie outside the mail domain", RFC: "RFC 5321 §2.3.5",
		Remedy: "Nothing must be done: a provider's servers carry the provider's name, and no receiver asks for more. SPF, DKIM and DMARC tie the domain to its servers.",
		text: func(a Args) string {
			return fmt.Sprintf("The mail servers examined for %s are called %s. That is usual with shared hosting, and no fault.", a.Name, join(a.Names))
		},
	},
}
