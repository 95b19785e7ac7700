// Package journal writes one structured log line for each case, as logfmt or
// JSON, in the form of log/slog's handlers. Every value from the network is
// printable ASCII before it gets here (packages untrusted and dnsname), sender
// and recipient are left out, and a log that can't be written holds nobody up.
package journal

import (
	"io"
	"sync"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// Which says which cases get a line.
type Which string

// The choices.
const (
	All     Which = "all"
	Refused Which = "refused" // deferred or rejected, or would be
	None    Which = "none"
)

// Journal records cases as log lines.
type Journal struct {
	out   io.Writer
	json  bool
	which Which
	lines sync.Pool // of *line
}

// New makes a journal that writes each line with one Write to out, as JSON or
// as logfmt.
func New(out io.Writer, json bool, which Which) *Journal {
	return &Journal{out: out, json: json, which: which, lines: sync.Pool{New: func() any { return new(line) }}}
}

// Record writes the line of one case: time, level and msg as slog writes them,
// and then the fields of Fields that have a value, in their order.
func (j *Journal) Record(c *decision.Case) {
	if j.which == None || j.which == Refused && c.Decision.Would < decision.Defer {
		return
	}
	l := j.lines.Get().(*line)
	l.json, l.text = j.json, l.text[:0]
	l.begin(c.At)
	l.fields(c)
	l.end()
	// Nothing can be done about a log that fails, least of all log it.
	_, _ = j.out.Write(l.text)
	j.lines.Put(l)
}

func (l *line) fields(c *decision.Case) {
	l.add("ref", c.Ref)
	l.add("door", string(c.Conn.Door))
	l.open("client")
	if c.Conn.Client.IsValid() {
		l.text = c.Conn.Client.AppendTo(l.text)
	} else {
		l.text = append(l.text, "unknown"...)
	}
	l.close()
	l.add("action", c.Decision.Action.String())
	if c.Decision.Would != c.Decision.Action {
		l.add("would", c.Decision.Would.String())
	}
	l.add("exempt", string(c.Decision.Exempt))
	l.listing(&c.Evidence.Memory)
	l.add("iprev", c.Evidence.IPRev.Result.String())
	l.add("ptr", ptr(&c.Evidence.IPRev).String())
	if !c.Conn.Helo.IsZero() {
		l.open("helo")
		l.text = c.Conn.Helo.AppendTo(l.text)
		l.close()
	}
	l.findings(c)
	if c.Decision.Points > 0 {
		l.number("points", int64(c.Decision.Points))
	}
	if len(c.Decision.Notes) > 0 {
		l.open("notes")
		for i, note := range c.Decision.Notes {
			l.join(i, "; ", note)
		}
		l.close()
	}
	l.milliseconds("ms", c.Took)
}

func (l *line) listing(m *evidence.Memory) {
	list, hit := "allow ", m.Allow
	if hit == nil {
		list, hit = "block ", m.Block
	}
	if hit == nil {
		return
	}
	l.open("list")
	l.join(0, "", list)
	l.join(0, "", hit.Entry)
	l.close()
}

func (l *line) findings(c *decision.Case) {
	if len(c.Findings) == 0 {
		return
	}
	l.open("codes")
	for i := range c.Findings {
		l.join(i, ",", string(c.Findings[i].Code))
	}
	l.close()
}

func ptr(r *evidence.IPRev) dnsname.Name {
	if r.Confirmed.IsZero() && len(r.Names) > 0 {
		return r.Names[0].Name
	}
	return r.Confirmed
}

// maxValue bounds each value, so that a line stays one that every collector
// takes. A name of 255 octets, each of them escaped, fits.
const (
	maxValue = 1024
	cutMark  = "..."
)

// line is one log line in the making.
type line struct {
	json  bool
	text  []byte
	value int    // where the value under way begins
	held  []byte // for quote
}

func (l *line) begin(at time.Time) {
	if l.json {
		l.text = append(l.text, `{"time":"`...)
		l.text = at.AppendFormat(l.text, time.RFC3339Nano)
		l.text = append(l.text, `","level":"INFO","msg":"case"`...)
		return
	}
	l.text = append(l.text, "time="...)
	l.text = appendMillis(l.text, at)
	l.text = append(l.text, " level=INFO msg=case"...)
}

func (l *line) end() {
	if l.json {
		l.text = append(l.text, '}')
	}
	l.text = append(l.text, '\n')
}

// open starts a string value; close ends it, and quotes it where it must be.
func (l *line) open(key string) {
	if l.json {
		l.text = append(append(append(l.text, `,"`...), key...), `":"`...)
	} else {
		l.text = append(append(append(l.text, ' '), key...), '=')
	}
	l.value = len(l.text)
}

func (l *line) close() {
	if len(l.text)-l.value > maxValue {
		l.text = append(l.text[:l.value+maxValue-len(cutMark)], cutMark...)
	}
	quote := l.json
	for _, c := range l.text[l.value:] {
		quote = quote || c <= ' ' || c == '"' || c == '=' || c > '~'
	}
	if quote {
		l.quote()
	}
}

// quote escapes the value under way. It is a second net: values come printable.
func (l *line) quote() {
	l.held = append(l.held[:0], l.text[l.value:]...)
	l.text = l.text[:l.value]
	if !l.json {
		l.text = append(l.text, '"')
	}
	for _, c := range l.held {
		switch {
		case c == '"' || c == '\\':
			l.text = append(l.text, '\\', c)
		case c < ' ' || c > '~':
			l.text = append(l.text, '?')
		default:
			l.text = append(l.text, c)
		}
	}
	l.text = append(l.text, '"')
}

func (l *line) add(key, value string) {
	if value == "" {
		return
	}
	l.open(key)
	l.text = append(l.text, value...)
	l.close()
}

func (l *line) join(i int, separator, value string) {
	if i > 0 {
		l.text = append(l.text, separator...)
	}
	l.text = append(l.text, value...)
}

var _ decision.Recorder = (*Journal)(nil)
