package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/bounce"
	"github.com/arpagate/arpagate/internal/doctor"
)

// bounceWords are what a pasted refusal said, and whether it still holds.
type bounceWords struct {
	Said  string
	Quote string
	Class string
	State string // "still wrong", "fine now" or "unknown"
	Now   string
}

// classWords say what a receiver meant.
var classWords = map[bounce.Class]string{
	"missing":              "the address has no PTR record",
	"fcrdns":               "the PTR name does not lead back to the address",
	"missing_or_fcrdns":    "the PTR record is missing, or does not lead back to the address",
	"generic":              "the PTR name looks like that of a dial-in line",
	"missing_or_generic":   "the PTR record is missing or generic",
	"rdns_tempfail":        "the receiver could not look the PTR record up",
	"v6_missing":           "the IPv6 address has no PTR record",
	"v6_missing_or_fcrdns": "the PTR record of the IPv6 address is missing, or does not lead back to it",
	"helo_bad":             "the HELO name is wrong",
	"helo_ne_ptr":          "the HELO name is not the PTR name",
	"helo_not_fqdn":        "the HELO name is not fully qualified",
	"helo_policy":          "the receiver's rules refuse the HELO name",
	"helo_syntax":          "the HELO name is no host name",
	"helo_unresolvable":    "the HELO name does not resolve",
	bounce.Other:           "another reason than reverse DNS or HELO",
}

func (w words) bounce(x *doctor.Examination) *bounceWords {
	b := x.Bounce
	if b == nil {
		return nil
	}
	out := &bounceWords{Quote: b.Quote.String(), Class: classWords[b.Class]}
	if out.Class == "" {
		out.Class = strings.ReplaceAll(string(b.Class), "_", " ")
	}
	who := b.Receiver.String()
	if who == "" && b.ReceiverAddress.IsValid() {
		who = b.ReceiverAddress.String()
	}
	if who == "" {
		who = "The receiver"
	}
	verb := "refused"
	if b.Temporary {
		verb = "put off"
	}
	out.Said = fmt.Sprintf("%s %s mail", who, verb)
	if b.Address.IsValid() {
		out.Said += " from " + b.Address.String()
	}
	if !b.Recipient.IsZero() {
		out.Said += " for " + b.Recipient.String()
	}
	if x.Now != nil {
		out.State, out.Now = strings.ReplaceAll(x.Now.State, "-", " "), x.Now.Say
	}
	return out
}

// day writes a date without its time.
func day(t time.Time) string {
	if t.IsZero() {
		return "?"
	}
	return t.UTC().Format("2006-01-02")
}
