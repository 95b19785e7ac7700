package finding

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// Entry is what the catalogue holds of a code.
type Entry struct {
	Code  Code
	Title string
	// Detail is the subject and detail of the enhanced status code (RFC 3463
	// §2), whose class comes from the decision.
	Detail string
	// RFC names the document and section that asks for it.
	RFC string
	// Remedy says in a sentence what to do, and who can.
	Remedy string
	// HeloOnly marks findings about HELO against the address: they may add
	// points, but never refuse alone (RFC 5321 §4.1.4).
	HeloOnly bool
	// Doctor marks findings that rest on more than the gate asks for: no rule
	// can speak of them, and they have no status code.
	Doctor bool

	text func(Args) string
	fact func(Args) string
}

// Catalogue returns the entries that the gate judges by, in the order of the
// report. All has the doctor's too.
func Catalogue() []Entry { return entriesOf(order) }

// All returns the entries of the gate and those that only the doctor finds, in
// the order of the report.
func All() []Entry {
	out := entriesOf(order)
	for _, e := range doctorEntries {
		out = append(out, catalogue[e.Code])
	}
	return out
}

func entriesOf(codes []Code) []Entry {
	out := make([]Entry, len(codes))
	for i, code := range codes {
		out[i] = catalogue[code]
	}
	return out
}

// Known reports whether the gate judges by the code, so that a rule may speak
// of it.
func Known(code Code) bool { return slices.Contains(order, code) }

// catalogue has every entry by its code.
var catalogue = index(gateEntries, doctorEntries)

// order is the order of the report: causes before their effects.
var order = []Code{
	SourceSpecial, DNSTrouble, PTRMissing, PTRUnusable, PTRUnconfirmed, PTRTooMany, PTRSeveral, PTRGeneric, PTRGenericStatic,
	HeloMissing, HeloNotFQDN, HeloBareIP, HeloLiteralMismatch, HeloUnresolvable, HeloNotClient, HeloNotPTR,
}

// gateEntries are the findings of the gate.
var gateEntries = []Entry{
	{
		Code: SourceSpecial, Title: "The address is not one of the public Internet", Detail: "7.1", RFC: "RFC 6890 §2.2",
		Remedy: "If strangers' mail arrives from this address, a proxy, NAT or container hides the client: hand the real address through (PROXY protocol, XCLIENT, host networking).",
		text: func(a Args) string {
			return fmt.Sprintf("%s is a %s address (%s); it has no reverse DNS of its own to judge.", a.Address, a.Why, a.RFC)
		},
		fact: func(a Args) string { return fmt.Sprintf("%s is a %s address", a.Address, a.Why) },
	},
	{
		Code: DNSTrouble, Title: "The DNS gave no complete answer", Detail: "7.25", RFC: "RFC 8601 §2.7.3",
		Remedy: "If other addresses can be looked up, whoever runs the name servers of this zone must make them answer; if none can, the fault lies with the DNS server that was asked. Until then nothing is held against the address, and mail is only asked to come back later.",
		text: func(a Args) string {
			return fmt.Sprintf("The question for %s %s%s%s. A question that was not answered is not an absence: the result is temperror.", a.Name, ending(a.State), asked(a.Server), because(a.Why))
		},
		fact: func(a Args) string { return fmt.Sprintf("reverse DNS of %s could not be checked", a.Address) },
	},
	{
		Code: PTRMissing, Title: "The address has no PTR record", Detail: "7.25", RFC: "RFC 1912 §2.1",
		Remedy: "The holder of the address (your provider, hoster, or whoever runs its reverse zone) must publish a PTR record that names the mail server.",
		text: func(a Args) string {
			return fmt.Sprintf("There is no PTR record at %s (%s), so %s has no name.", a.Name, a.State.Mnemonic(), a.Address)
		},
		fact: func(a Args) string { return fmt.Sprintf("%s has no PTR record", a.Address) },
	},
	{
		Code: PTRUnusable, Title: "The PTR record does not hold the name of a host", Detail: "7.25", RFC: "RFC 1123 §2.1",
		Remedy: "Have the holder of the address set the PTR record to the fully qualified name of the mail server, one that resolves.",
		text: func(a Args) string {
			return fmt.Sprintf(`The PTR record of %s is "%s", which can't be a host: %s.`, a.Address, a.Name, faultText[dnsname.HostFault(a.Why)])
		},
		fact: func(a Args) string { return fmt.Sprintf("PTR record of %s is not a host name (%s)", a.Address, a.Why) },
	},
	{
		Code: PTRUnconfirmed, Title: "The PTR name does not lead back to the address", Detail: "7.25", RFC: "RFC 1912 §2.1",
		Remedy: "Whoever runs the name's zone must add an address record that holds this very address; or the holder of the address must point the PTR record at a name that already has it.",
		text:   unconfirmedText,
		fact: func(a Args) string {
			if a.Count > 1 {
				return fmt.Sprintf("none of the %d PTR records of %s resolves to it", a.Count, a.Address)
			}
			return fmt.Sprintf("PTR record of %s is %s, which does not resolve to it", a.Address, a.Name)
		},
	},
	{
		Code: PTRTooMany, Title: "The address has too many PTR records", Detail: "7.25", RFC: "RFC 8601 §3",
		Remedy: "Have the holder of the address keep one PTR record, the name that the mail server says in EHLO.",
		text: func(a Args) string {
			return fmt.Sprintf("%s has %d PTR records; receivers look at a few of them at most, here at %d.", a.Address, a.Count, evidence.MaxNames)
		},
		fact: func(a Args) string { return fmt.Sprintf("%s has %d PTR records", a.Address, a.Count) },
	},
	{
		Code: PTRSeveral, Title: "The PTR records name several organizations", Detail: "7.25", RFC: "RFC 1912 §2.1",
		Remedy: "Have the holder of the address keep one PTR record: many receivers look at one only, and which one is chance.",
		text: func(a Args) string {
			return fmt.Sprintf("The PTR records of %s lie in %d organizational domains: %s.", a.Address, a.Count, join(a.Names))
		},
		fact: func(a Args) string { return fmt.Sprintf("PTR records of %s name %d organizations", a.Address, a.Count) },
	},
	{
		Code: PTRGeneric, Title: "The PTR name looks assigned from a template", Detail: "7.25", RFC: "RFC 1912 §2.1",
		Remedy: "Have the holder of the address set a PTR record of your own (mail.your-domain); where that is not offered, relay through a smarthost.",
		text: func(a Args) string {
			return fmt.Sprintf("%s looks like a name that a provider gives to its lines (%s), not like that of a mail server.", a.Name, strings.Join(a.Parts, ", "))
		},
		fact: func(a Args) string { return fmt.Sprintf("PTR record of %s is generic: %s", a.Address, a.Name) },
	},
	{
		Code: PTRGenericStatic, Title: "The PTR name is the one that a hoster or a fixed line begins with", Detail: "7.25", RFC: "RFC 1912 §2.1",
		Remedy: "Set a PTR record of your own (mail.your-domain): most hosters, and providers of business lines, offer that in their console or on request.",
		text: func(a Args) string {
			return fmt.Sprintf("%s looks like a name that came with the machine or the fixed line (%s): nobody has named the mail server yet.", a.Name, strings.Join(a.Parts, ", "))
		},
		fact: func(a Args) string { return fmt.Sprintf("PTR record of %s is generic: %s", a.Address, a.Name) },
	},
	{
		Code: HeloMissing, Title: "The client gave no HELO name", Detail: "5.2", RFC: "RFC 5321 §4.1.1.1",
		Remedy: "Configure the mail server to send EHLO with its own fully qualified name.",
		text:   func(Args) string { return "The client said HELO or EHLO without a name, or nothing at all." },
		fact:   func(Args) string { return "HELO name missing" },
	},
	{
		Code: HeloNotFQDN, Title: "The HELO name is not fully qualified", Detail: "5.2", RFC: "RFC 5321 §2.3.5",
		Remedy: "Set the mail server's HELO name (Postfix: smtp_helo_name) to a fully qualified name with an address record.",
		text: func(a Args) string {
			return fmt.Sprintf("The client said %q: %s.", a.Said, faultText[dnsname.HostFault(a.Why)])
		},
		fact: func(a Args) string { return fmt.Sprintf("HELO name is not fully qualified: %s", a.Said) },
	},
	{
		Code: HeloBareIP, Title: "The HELO name is a bare address", Detail: "5.2", RFC: "RFC 5321 §4.1.3",
		Remedy: "Say a fully qualified name, or at least put the address into brackets.",
		text: func(a Args) string {
			return fmt.Sprintf("The client said %q; an address must stand in brackets.", a.Said)
		},
		fact: func(a Args) string { return fmt.Sprintf("HELO is a bare address: %s", a.Said) },
	},
	{
		Code: HeloLiteralMismatch, Title: "The HELO literal is another address", Detail: "7.1", RFC: "RFC 5321 §4.1.4", HeloOnly: true,
		Remedy: "Say a fully qualified name, or the address from which the mail server really sends.",
		text:   func(a Args) string { return fmt.Sprintf("The client at %s said %s.", a.Address, a.Said) },
		fact:   func(a Args) string { return fmt.Sprintf("HELO literal %s is not %s", a.Said, a.Address) },
	},
	{
		Code: HeloUnresolvable, Title: "The HELO name does not resolve", Detail: "7.1", RFC: "RFC 5321 §2.3.5",
		Remedy: "Give the HELO name an address record, or say a name that has one.",
		text: func(a Args) string {
			return fmt.Sprintf("%s has no A and no AAAA record (%s).", a.Name, a.State.Mnemonic())
		},
		fact: func(a Args) string { return fmt.Sprintf("HELO name %s does not resolve", a.Name) },
	},
	{
		Code: HeloNotClient, Title: "The HELO name leads to another address", Detail: "7.1", RFC: "RFC 5321 §4.1.4", HeloOnly: true,
		Remedy: "Let the HELO name resolve to the address that the mail server sends from.",
		text: func(a Args) string {
			return fmt.Sprintf("%s resolves to %s, not to %s.", a.Name, join(a.Others), a.Address)
		},
		fact: func(a Args) string { return fmt.Sprintf("HELO name %s is not %s", a.Name, a.Address) },
	},
	{
		Code: HeloNotPTR, Title: "HELO and PTR name different organizations", Detail: "7.1", RFC: "RFC 5321 §4.1.4", HeloOnly: true,
		Remedy: "Nothing must be done; the same name in HELO and PTR looks tidier to those who compare them.",
		text: func(a Args) string {
			return fmt.Sprintf("The client says %s, its PTR record %s.", a.Name, join(a.Names))
		},
		fact: func(a Args) string { return fmt.Sprintf("HELO name %s is not the PTR name", a.Name) },
	},
}

// faultText says in words what is wrong with a host name.
var faultText = map[dnsname.HostFault]string{
	dnsname.Root:         "it is empty",
	dnsname.SingleLabel:  "it has one label only",
	dnsname.Localhost:    "it names the local host",
	dnsname.Numeric:      "it is an address, or ends in a number",
	dnsname.BadCharacter: "it has characters that host names can't have",
	dnsname.BadHyphen:    "one of its labels begins or ends with a hyphen",
	dnsname.ReverseZone:  "it lies in the reverse zone itself",
}

func unconfirmedText(a Args) string {
	const last = " A name must lead back to the address for the name to be believed."
	switch {
	case a.Count > evidence.MaxNames:
		return fmt.Sprintf("%s has %d PTR names, and none of the %d looked up (%s) resolves to it.", a.Address, a.Count, len(a.Names), join(a.Names)) + last
	case a.Count > 1:
		return fmt.Sprintf("%s has %d PTR names (%s), and none resolves to it.", a.Address, a.Count, join(a.Names)) + last
	case a.State == evidence.NXDomain:
		return fmt.Sprintf("The PTR record of %s is %s, which does not exist.", a.Address, a.Name) + last
	case a.State == evidence.NoData:
		return fmt.Sprintf("The PTR record of %s is %s, which has no %s record.", a.Address, a.Name, familyOf(a)) + last
	default:
		return fmt.Sprintf("The PTR record of %s is %s, which resolves to %s.", a.Address, a.Name, join(a.Others)) + last
	}
}

func familyOf(a Args) evidence.Type {
	if a.Address.Is4() {
		return evidence.A
	}
	return evidence.AAAA
}

// ending says how a question ended that was not answered.
func ending(s evidence.State) string {
	switch s {
	case evidence.Failed:
		return "failed"
	case evidence.Timeout:
		return "ended without an answer"
	case evidence.Bogus:
		return "failed DNSSEC validation"
	case evidence.Malformed:
		return "brought an answer that can't be read"
	case evidence.Filtered:
		return "was filtered"
	default:
		return "ended with " + s.Mnemonic()
	}
}

func asked(server netip.AddrPort) string {
	if !server.IsValid() {
		return ""
	}
	return " at our DNS server " + server.String()
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

func index(gate, doctor []Entry) map[Code]Entry {
	m := make(map[Code]Entry, len(gate)+len(doctor))
	for _, e := range gate {
		m[e.Code] = e
	}
	for _, e := range doctor {
		e.Doctor = true
		m[e.Code] = e
	}
	return m
}

// shown is the number of names or addresses that a text lists.
const shown = 4

func join[T fmt.Stringer](items []T) string {
	var b strings.Builder
	for i, item := range items {
		if i == shown {
			fmt.Fprintf(&b, " and %d more", len(items)-shown)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(item.String())
	}
	return b.String()
}
