package milterd

import (
	"strings"

	"github.com/arpagate/arpagate/internal/reply"
)

// maxReply bounds the reply as the MTA prints it: RFC 5321 §4.5.3.1.5 allows
// 512 octets with the line end.
const maxReply = 500

var (
	// notNow is the answer where there is none in time, or a broken one: trouble
	// in us is temporary (RFC 3463 §3.4).
	notNow = reply.Reply{
		Verb: reply.Defer, Code: "451", Enhanced: "4.3.0", Text: "Temporary failure, please try again later",
	}
	// tooManyForged is the answer to a message with more forged fields than we
	// keep count of.
	tooManyForged = reply.Reply{
		Verb: reply.Defer, Code: "451", Enhanced: "4.7.1", Text: "Too many forged Authentication-Results fields",
	}
)

// smtpReply returns the line for SMFIR_REPLYCODE, without the final NUL. The
// MTA reads it as a format, hence the doubled percent signs; Sendmail replaces
// a reply with a single one by its own 550.
func smtpReply(r reply.Reply) string {
	if !consistent(r) {
		r = notNow
	}
	line := printable(r.Line())
	if len(line) > maxReply {
		line = line[:maxReply]
	}
	return strings.ReplaceAll(line, "%", "%%")
}

// consistent reports whether verb, code and enhanced code are of one class:
// Postfix drops a reply whose codes are not, and a Defer must never reach the
// client as a 5xx.
func consistent(r reply.Reply) bool {
	class := byte('4')
	if r.Verb == reply.Reject {
		class = '5'
	}
	if len(r.Code) != 3 || r.Code[0] != class || !digits(r.Code) {
		return false
	}
	// RFC 3463 §2: class "." subject "." detail, of at most three digits.
	parts := strings.Split(r.Enhanced, ".")
	return len(parts) == 3 && parts[0] == r.Code[:1] && digits(parts[1]) && digits(parts[2])
}

// digits reports whether s is a number of one to three digits.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 3
}

// printable is the last line of defence of a frame and a line: texts come
// printable, and what is not becomes a question mark.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
