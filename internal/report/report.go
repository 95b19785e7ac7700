// Package report writes an examination of the doctor for people and for
// programs: as text for a terminal, from the verdict to the cause to the
// remedy; as one HTML file that needs nothing else; and as the JSON document
// of docs/check.md. It judges nothing, and asks nobody.
package report

import (
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/reply"
)

// Options are the reader's wishes.
type Options struct {
	// Width is the number of columns of the terminal; 0 means 80.
	Width int
	// Color paints the text with the escapes of ECMA-48.
	Color bool
	// Verbose adds every question with its answer, and every step.
	Verbose bool
	// Format is the one in which records are shown, a word of remedy.Formats;
	// empty means bind, and "all" every one.
	Format string
	// Ticket shows the message to the party that can help.
	Ticket bool
	// Zone is the time zone of clock times; nil means UTC.
	Zone *time.Location
	// Words are those of this site's replies, and Preset names its rules; empty
	// where they are not known.
	Words  reply.Site
	Preset string
	// Site says that these are the rules of a gate that somebody set up, and not
	// the defaults.
	Site bool
}

// The width that text is broken at where nobody says another one, and the least.
const (
	usualWidth = 80
	leastWidth = 40
)

func (o Options) width() int {
	if o.Width == 0 {
		return usualWidth
	}
	return max(o.Width, leastWidth)
}

func (o Options) zone() *time.Location {
	if o.Zone == nil {
		return time.UTC
	}
	return o.Zone
}

// usualFormat is the format of records where nobody asks for another one.
const usualFormat = "bind"

func (o Options) format() string {
	if o.Format == "" {
		return usualFormat
	}
	return o.Format
}

// Text returns the report for a terminal.
func Text(x *doctor.Examination, o Options) string {
	t := newText(o)
	t.sheet(newSheet(x, o))
	return strings.TrimRight(t.String(), "\n") + "\n"
}

// Line returns the examination in one line, without a line feed: for a list of
// targets.
func Line(x *doctor.Examination, o Options) string {
	t := newText(o)
	s := newSheet(x, o)
	return t.paint.Bold(clean(s.Target)) + "  " + t.paint.Verdict(s.Verdict) + "  " + clean(s.short())
}
