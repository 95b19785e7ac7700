// Package journal writes one structured log line for each case, through
// log/slog. Every value from the network is escaped before it gets there
// (packages untrusted and dnsname), sender and recipient are left out, and a
// log that can't be written holds nobody up.
package journal

import (
	"context"
	"log/slog"
	"strconv"
	"strings"

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
	handler slog.Handler
	which   Which
}

// New makes a journal that writes to handler.
func New(handler slog.Handler, which Which) *Journal {
	return &Journal{handler: handler, which: which}
}

// Record writes the line of one case, see Attrs.
func (j *Journal) Record(c *decision.Case) {
	if j.which == None || j.which == Refused && c.Decision.Would < decision.Defer {
		return
	}
	record := slog.NewRecord(c.At, slog.LevelInfo, "case", 0)
	record.AddAttrs(Attrs(c)...)
	// Nothing can be done about a log that fails, least of all log it.
	_ = j.handler.Handle(context.Background(), record)
}

// Attrs returns the fields of a case's line, in order:
//
//	ref      reference of the case, as printed in the reply
//	door     protocol of the listener: policy, milter, check
//	client   address of the SMTP client
//	action   accept, tag, defer or reject
//	would    the action without monitor mode and exemption, where it differs
//	exempt   why the client was let through, where it was
//	iprev    pass, fail, temperror, permerror or unjudged (RFC 8601 §2.7.3)
//	ptr      the confirmed PTR name, else the first one
//	helo     the HELO argument
//	codes    the codes of the findings, joined by commas
//	points   sum of the points, where there are any
//	notes    what softened the action, joined by semicolons
//	ms       duration in milliseconds
func Attrs(c *decision.Case) []slog.Attr {
	attrs := make([]slog.Attr, 0, 13)
	attrs = append(attrs,
		slog.String("ref", c.Ref),
		slog.String("door", string(c.Conn.Door)),
		slog.String("client", client(c)),
		slog.String("action", c.Decision.Action.String()),
	)
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	if c.Decision.Would != c.Decision.Action {
		add("would", c.Decision.Would.String())
	}
	add("exempt", string(c.Decision.Exempt))
	add("iprev", c.Evidence.IPRev.Result.String())
	add("ptr", ptr(&c.Evidence.IPRev).String())
	add("helo", c.Conn.Helo.String())
	add("codes", codes(c))
	if c.Decision.Points > 0 {
		attrs = append(attrs, slog.Int("points", c.Decision.Points))
	}
	add("notes", strings.Join(c.Decision.Notes, "; "))
	return append(attrs, slog.String("ms", strconv.FormatFloat(float64(c.Took.Microseconds())/1000, 'f', 3, 64)))
}

func client(c *decision.Case) string {
	if !c.Conn.Client.IsValid() {
		return "unknown"
	}
	return c.Conn.Client.String()
}

func ptr(r *evidence.IPRev) dnsname.Name {
	if r.Confirmed.IsZero() && len(r.Names) > 0 {
		return r.Names[0].Name
	}
	return r.Confirmed
}

func codes(c *decision.Case) string {
	if len(c.Findings) == 0 {
		return ""
	}
	list := make([]string, len(c.Findings))
	for i := range c.Findings {
		list[i] = string(c.Findings[i].Code)
	}
	return strings.Join(list, ",")
}

var _ decision.Recorder = (*Journal)(nil)
