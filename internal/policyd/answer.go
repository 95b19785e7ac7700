package policyd

import "github.com/arpagate/arpagate/internal/reply"

// maxAction is the longest action: with "action=" before it and two line ends
// behind it stays under the 512 octets of an SMTP reply line (RFC 5321
// §4.5.3.1.5), which is what Postfix makes of it.
const maxAction = 500

// appendAnswer appends the answer that r, which is checked, asks for: one action
// on one line, and an empty line. prepend allows to add the header. It reports
// whether it added it.
func appendAnswer(dst []byte, r reply.Reply, prepend bool) (out []byte, prepended bool) {
	const (
		warn  = "WARN "
		field = "PREPEND Authentication-Results: "
	)
	out = append(dst, "action="...)
	switch {
	case r.Verb != reply.Pass:
		out = appendAll(out, r.Code, " ", r.Enhanced, " ", r.Text)
	case r.Warning != "":
		// Postfix takes one action. Where there is a warning, the site runs in
		// monitor mode and wants to read in the MTA's log what would have happened.
		out = appendAll(out, warn, r.Warning[:min(len(r.Warning), maxAction-len(warn))])
	case prepend && r.Header != "" && len(field)+len(r.Header) <= maxAction:
		// Longer fields are left out: half of one would be a malformed one.
		out = appendAll(out, field, r.Header)
		prepended = true
	default:
		// OK would let the client past the restrictions behind this one.
		out = append(out, "DUNNO"...)
	}
	return append(out, "\n\n"...), prepended
}

func appendAll(dst []byte, texts ...string) []byte {
	for _, s := range texts {
		dst = append(dst, s...)
	}
	return dst
}
