package finding

import "fmt"

// The codes of what DNS lists say.
const (
	Listed        Code = "listed"
	AllowListed   Code = "allow-listed"
	ListRefused   Code = "list-refused"
	ListBroken    Code = "list-broken"
	ListRewritten Code = "list-rewritten"
	ListSilent    Code = "list-silent"
)

var listEntries = []Entry{
	{
		Code: Listed, Title: "The address stands on a block list", RFC: "RFC 5782 §2.1",
		Remedy: "First end what led to the listing; then ask the list's operator to take the address off, where it does not expire by itself.",
		text: func(a Args) string {
			return fmt.Sprintf("%s stands on %s (%s)%s.", a.Address, a.Zone, join(a.Others), because(a.Said.String()))
		},
	},
	{
		Code: AllowListed, Title: "The address stands on an allow list", RFC: "RFC 5782 §2.1",
		Remedy: "Nothing must be done: the list speaks for the address.",
		text: func(a Args) string {
			return fmt.Sprintf("%s stands on the allow list %s (%s)%s.", a.Address, a.Zone, join(a.Others), because(a.Said.String()))
		},
	},
	{
		Code: ListRefused, Title: "A DNS list refuses to answer our resolver", RFC: "RFC 5782 §2.1",
		Remedy: "Ask the list through a resolver of your own, not a public one, or register with its operator. The answer is no listing.",
		text: func(a Args) string {
			return fmt.Sprintf("%s answered %s, which means that it does not serve the DNS server that asked; whether %s is listed is not known.", a.Zone, join(a.Others), a.Address)
		},
	},
	{
		Code: ListBroken, Title: "A DNS list fails its own test", RFC: "RFC 5782 §5",
		Remedy: "Take the list out of the configuration, here and in your mail server: lists that have ended list everybody, or nobody.",
		text: func(a Args) string {
			return fmt.Sprintf("The test addresses of %s are not answered as they must be%s; whether %s is listed is not known.", a.Zone, because(a.Why), a.Address)
		},
	},
	{
		Code: ListRewritten, Title: "Somebody rewrites the answers of a DNS list", RFC: "RFC 5782 §2.1",
		Remedy: "Ask through a DNS server that does not rewrite answers: what a list says lies in 127.0.0.0/8.",
		text: func(a Args) string {
			return fmt.Sprintf("%s answered %s, which no list says; whether %s is listed is not known.", a.Zone, join(a.Others), a.Address)
		},
	},
	{
		Code: ListSilent, Title: "A DNS list gave no complete answer", RFC: "RFC 5782 §2.1",
		Remedy: "Try again later; if it lasts, take the list out of the configuration.",
		text: func(a Args) string {
			return fmt.Sprintf("%s did not answer (%s); whether %s is listed is not known.", a.Zone, a.State.Mnemonic(), a.Address)
		},
	},
}
