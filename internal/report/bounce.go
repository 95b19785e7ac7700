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
	Notes []string
}

func (w words) bounce(x *doctor.Examination) *bounceWords {
	b := x.Bounce
	if b == nil {
		return nil
	}
	out := &bounceWords{Quote: b.Quote.String(), Class: bounce.Explain(b.Class), Notes: b.Notes}
	who := b.Receiver.String()
	if who == "" && b.ReceiverAddress.IsValid() {
		who = b.ReceiverAddress.String()
	}
	if who == "" {
		who = bounce.Operator(b.Rule)
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
