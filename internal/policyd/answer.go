package policyd

import (
	"errors"
	"strings"

	"github.com/arpagate/arpagate/internal/reply"
)

// maxAction is the longest action: with "action=" before it and two line ends
// behind it stays under the 512 octets of an SMTP reply line (RFC 5321
// §4.5.3.1.5), which is what Postfix makes of it.
const maxAction = 500

var errCodes = errors.New("reply whose codes don't fit its verb")

// appendAnswer appends the answer that r asks for, whole: one action, on one
// line of printable ASCII, and an empty line. prepend allows to add the header.
// It reports whether it added it. A reply with codes of the wrong class is
// trouble in us: there is no answer to it, and dst is returned as it was.
func appendAnswer(dst []byte, r reply.Reply, prepend bool) (out []byte, prepended bool, err error) {
	const field = "PREPEND Authentication-Results: "
	out = append(dst, "action="...)
	limit := len(out) + maxAction
	switch {
	case r.Verb == reply.Defer || r.Verb == reply.Reject:
		if !codesFit(r) {
			return dst, false, errCodes
		}
		out = appendText(out, limit, r.Code, " ", r.Enhanced, " ", r.Text)
	case r.Warning != "":
		// Postfix takes one action. Where there is a warning, the site runs in
		// monitor mode and wants to read in the MTA's log what would have happened.
		out = appendText(out, limit, "WARN ", r.Warning)
	case prepend && r.Header != "" && len(field)+len(r.Header) <= maxAction:
		// Longer fields are left out: half of one would be a malformed one.
		out = appendText(out, limit, field, r.Header)
		prepended = true
	default:
		// OK would let the client past the restrictions behind this one.
		out = append(out, "DUNNO"...)
	}
	return append(out, "\n\n"...), prepended, nil
}

// codesFit reports whether the codes are of the class that the verb names, so
// that nothing temporary is ever answered with 5xx.
func codesFit(r reply.Reply) bool {
	class := byte('4')
	if r.Verb == reply.Reject {
		class = '5'
	}
	// RFC 5321 §4.2, RFC 3463 §2.
	return len(r.Code) == 3 && r.Code[0] == class && digits(r.Code, "") &&
		len(r.Enhanced) >= 5 && r.Enhanced[0] == class && r.Enhanced[1] == '.' && digits(r.Enhanced, ".")
}

func digits(s, also string) bool {
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && strings.IndexByte(also, s[i]) < 0 {
			return false
		}
	}
	return true
}

// appendText appends the texts until dst has limit octets. A Reply promises
// printable ASCII; this is the last place where a line end could be stopped
// from becoming an action of its own.
func appendText(dst []byte, limit int, texts ...string) []byte {
	for _, s := range texts {
		for i := range len(s) {
			if len(dst) == limit {
				return dst
			}
			c := s[i]
			if c < ' ' || c >= 0x7f {
				c = '?'
			}
			dst = append(dst, c)
		}
	}
	return dst
}
