package milterd

import (
	"strings"

	"github.com/arpagate/arpagate/internal/reply"
)

// tooManyForged is the answer to a message with more forged fields than we keep
// count of.
var tooManyForged = reply.Reply{
	Verb: reply.Defer, Code: "451", Enhanced: "4.7.1", Text: "Too many forged Authentication-Results fields",
}

// smtpReply returns the line for SMFIR_REPLYCODE, without the final NUL. The
// MTA reads it as a format, hence the doubled percent signs; Sendmail replaces
// a reply with a single one by its own 550.
func smtpReply(r reply.Reply) string { return strings.ReplaceAll(r.Line(), "%", "%%") }
