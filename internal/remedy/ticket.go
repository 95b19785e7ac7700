package remedy

import (
	"fmt"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
)

// ticketWidth is the width of a ticket's lines, which fit any form and mail.
const ticketWidth = 72

// ticket writes the message to the holder of the address: what to set where,
// what is in place already, and who the writer is not.
func (j *job) ticket() string {
	if !j.Address.IsValid() {
		return ""
	}
	name := placeName
	if !j.noName {
		name = j.choice.Name.String()
	}
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(wrap(fmt.Sprintf(format, args...), "")) }
	item := func(key, value string) { fmt.Fprintf(&b, "  %-9s %s\n", key+":", value) }

	request := "Please set its PTR record"
	if !j.instead.Target.IsZero() {
		request = "Please delete the CNAME record at its owner name, and set the PTR record there in its place"
	}
	line("Subject: Please set the reverse DNS of %s", j.Address)
	b.WriteByte('\n')
	line("Hello,")
	b.WriteByte('\n')
	line("we use the address below for a mail server. Receivers refuse its mail, because %s. %s:", j.complaint(), request)
	b.WriteByte('\n')
	item("Address", j.Address.String())
	if owner := j.ptrOwner(); len(owner) > 50 {
		fmt.Fprintf(&b, "  Owner:\n%s\n", owner)
	} else {
		item("Owner", owner)
	}
	item("PTR", name+".")
	if !j.instead.Target.IsZero() {
		item("CNAME", j.instead.Target.String()+". (please delete)")
	}
	if old, _ := j.reverse().names(); len(old) > 0 && !(len(old) == 1 && old[0] == j.choice.Name) {
		item("Now", listNames(old)+" (please remove)")
	}
	b.WriteByte('\n')
	switch {
	case j.forwardReady().OK:
		line("The forward record is in place: every name server of the name's zone answers %s with %s.", name, j.Address)
	case j.forward().holds(j.Address):
		line("The forward record (%s %s %s) is in place.", name, family(j.Address), j.Address)
	case !j.noName && len(j.forward().answers()) == 0:
		line("We look after the forward record (%s %s %s) ourselves.", name, family(j.Address), j.Address)
	default:
		line("The forward record (%s %s %s) is not on all name servers yet; we set it ourselves, before this change.", name, family(j.Address), j.Address)
	}
	b.WriteByte('\n')
	line("One PTR record is enough, for all domains that use the server.")
	b.WriteByte('\n')
	line("We are the users of the address, not the operators of its reverse zone, so we can't change the record ourselves. A change in the zone of our own domain would not help.")
	if j.holder.own && j.Reverse != nil && len(serverNames(j.Reverse)) > 0 {
		b.WriteByte('\n')
		line("The reverse zone %s lies on %s.", zoneText(j.Reverse), listNames(serverNames(j.Reverse)))
	}
	return b.String()
}

// complaint says in a clause what is wrong now.
func (j *job) complaint() string {
	switch string(j.Finding.Code) {
	case "ptr-missing", "ipv6-no-ptr":
		return "it has no PTR record"
	case "ptr-generic", "ptr-generic-static":
		return "its PTR name looks like that of a dial-in or unconfigured host"
	case "ptr-several", "ptr-too-many":
		return "it has several PTR records"
	case "ptr-unconfirmed":
		return "its PTR name does not lead back to it"
	case "ptr-unusable":
		return "its PTR record does not hold the name of a host"
	case "ptr-long-chain":
		return "too many aliases lead to its PTR record"
	default:
		return "its reverse DNS is not in order"
	}
}

// ptrOwner is the name at which the PTR record has to stand.
func (j *job) ptrOwner() string {
	if j.Reverse != nil && !j.Reverse.Name.IsZero() {
		return j.Reverse.Name.String()
	}
	return dnsname.Reverse(j.Address).String()
}

// wrap breaks a paragraph into lines; a word longer than a line stays whole.
func wrap(text, indent string) string {
	var b strings.Builder
	width := 0
	for _, word := range strings.Fields(text) {
		switch {
		case width == 0:
			b.WriteString(indent)
			width = len(indent)
		case width+1+len(word) > ticketWidth:
			b.WriteString("\n" + indent)
			width = len(indent)
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	b.WriteByte('\n')
	return b.String()
}
