package finding

import "fmt"

// The codes of what a mail domain says about its servers.
const (
	MXMissing     Code = "mx-missing"
	MXNull        Code = "mx-null"
	MXCNAME       Code = "mx-cname"
	MXLiteral     Code = "mx-literal"
	MXUnusable    Code = "mx-unusable"
	MXPrivate     Code = "mx-private"
	MXNoAddress   Code = "mx-no-address"
	SPFUnreadable Code = "spf-unreadable"
)

var domainEntries = []Entry{
	{
		Code: MXNull, Title: "The domain says that it takes no mail", RFC: "RFC 7505 §3",
		Remedy: "Nothing must be done if that is meant; a domain that sends mail should take replies and reports, and needs an MX record for that.",
		text: func(a Args) string {
			return fmt.Sprintf("The one MX record of %s is the root (null MX).", a.Name)
		},
	},
	{
		Code: MXMissing, Title: "The domain has no MX record", RFC: "RFC 5321 §5.1",
		Remedy: "Whoever runs the domain should publish an MX record that names its mail server; without one the domain's own address is tried.",
		text: func(a Args) string {
			switch {
			case len(a.Others) > 0:
				return fmt.Sprintf("%s has no MX record (%s), so that mail for it goes to its own address, %s.", a.Name, a.State.Mnemonic(), join(a.Others))
			case a.Why == "":
				return fmt.Sprintf("%s has no MX record (%s).", a.Name, a.State.Mnemonic())
			default:
				return fmt.Sprintf("%s has no MX record (%s) and no address, so that no mail reaches it, and many receivers refuse mail from it.", a.Name, a.State.Mnemonic())
			}
		},
	},
	{
		Code: MXLiteral, Title: "An MX record holds an address instead of a name", RFC: "RFC 1035 §3.3.9",
		Remedy: "Whoever runs the domain must give the mail server a name with an address record, and name that in the MX record.",
		text: func(a Args) string {
			return fmt.Sprintf("An MX record of %s says %s, which is an address where a name must stand; mail servers look for a host of that name.", a.Name, a.Host)
		},
	},
	{
		Code: MXUnusable, Title: "An MX record does not hold the name of a host", RFC: "RFC 5321 §5.1",
		Remedy: "Whoever runs the domain must name a mail server by its fully qualified name in the MX record.",
		text: func(a Args) string {
			return fmt.Sprintf("An MX record of %s says %s, which can't be a host: %s.", a.Name, a.Host, fault(a.Why))
		},
	},
	{
		Code: MXCNAME, Title: "An MX host is an alias", RFC: "RFC 2181 §10.3",
		Remedy: "Whoever runs the domain should name the host itself in the MX record, or give the name address records of its own; some mail servers do not follow an alias there.",
		text: func(a Args) string {
			return fmt.Sprintf("The MX host %s of %s is an alias of %s.", a.Host, a.Name, join(a.Names))
		},
	},
	{
		Code: MXPrivate, Title: "An MX host has an address that nobody can reach", RFC: "RFC 6890 §2.2",
		Remedy: "Whoever runs the host's zone must publish its public address, or take the host out of the MX records.",
		text: func(a Args) string {
			return fmt.Sprintf("The MX host %s of %s has the address %s, which is %s (%s).", a.Host, a.Name, join(a.Others), a.Why, a.RFC)
		},
	},
	{
		Code: MXNoAddress, Title: "An MX host has no address", RFC: "RFC 5321 §5.1",
		Remedy: "Whoever runs the host's zone must publish an A or AAAA record for it, or the host must be taken out of the MX records.",
		text: func(a Args) string {
			return fmt.Sprintf("The MX host %s of %s has no A and no AAAA record (%s).", a.Host, a.Name, a.State.Mnemonic())
		},
	},
	{
		Code: SPFUnreadable, Title: "The domain's senders can't all be read from its SPF record", RFC: "RFC 7208 §4.6",
		Remedy: "If the record breaks a rule, whoever runs the domain must mend it; a record with macros is fine, but does not tell which addresses send.",
		text: func(a Args) string {
			return fmt.Sprintf("The list of addresses that send for %s is not complete: %s.", a.Name, list(a.Parts))
		},
	},
}

// fault says in words what is wrong with a host name.
func fault(why string) string {
	for f, text := range faultText {
		if string(f) == why {
			return text
		}
	}
	return "it is not usable"
}
