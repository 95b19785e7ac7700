package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
)

// sheet is a report in words: what the forms for people have in common.
type sheet struct {
	Target  string
	Verdict doctor.Verdict
	Says    string // the verdict in a sentence
	At      string
	Took    string
	Partial bool
	Missing []string
	Error   string
	Bounce  *bounceWords
	// Rows are the addresses and servers behind a name, with their verdicts;
	// empty where the target is all there is.
	Rows     []row
	Subjects []subject
	// Details of the way from the name to the addresses.
	Details []detail
	Hints   []string
}

// row is one line of the table of a name's addresses and servers.
type row struct {
	What    string
	Verdict doctor.Verdict
	Note    string
}

// subject is what one part of the report is about: the domain, an address, or
// a mail server.
type subject struct {
	Title     string // empty where it would repeat that of the sheet
	Verdict   doctor.Verdict
	Remark    string
	Problems  []problem // what is to be put right, the worst first
	Notices   []problem // what is worth knowing
	Receivers []group
	// Unforeseen says why it can't be told what receivers do.
	Unforeseen string
	Fine       []string
	Gate       *gateWords
	Details    []detail
}

// newSheet puts an examination into words.
func newSheet(x *doctor.Examination, o Options) *sheet {
	w := words{options: o, at: x.At}
	s := &sheet{
		Target: x.Target, Verdict: x.Verdict, At: w.date(x.At), Took: seconds(x.Took),
		Partial: x.Partial, Missing: x.Missing, Error: x.Error, Bounce: w.bounce(x),
		Details: w.lookupDetails(x),
	}
	if len(x.Problems) > 0 || x.Domain != nil {
		s.Subjects = append(s.Subjects, w.domain(x))
	}
	for i := range x.Addresses {
		s.Subjects = append(s.Subjects, w.address(&x.Addresses[i], x.Problems))
	}
	for i := range x.Servers {
		server := w.server(&x.Servers[i], x.Problems)
		if alone(x) && len(server.Problems) == 0 {
			s.Subjects[0].take(&server)
			continue
		}
		s.Subjects = append(s.Subjects, server)
	}
	s.Rows = w.rows(x)
	if len(s.Rows) == 0 && len(s.Subjects) > 0 {
		s.Subjects[0].Title = ""
	}
	s.Says = s.says(x)
	s.Hints = w.hints(s)
	return s
}

// words makes words with the reader's wishes in mind.
type words struct {
	options Options
	at      time.Time // of the examination
}

// alone reports whether an address was named and is all there is, but for a mail
// server on it.
func alone(x *doctor.Examination) bool {
	if len(x.Addresses) != 1 || len(x.Problems) > 0 || x.Domain != nil || x.Addresses[0].Address.String() != x.Target {
		return false
	}
	return len(x.Servers) == 0 || len(x.Servers) == 1 && x.Servers[0].SMTP.Peer.Addr() == x.Addresses[0].Address
}

// take adds what is known of the mail server on the same address.
func (s *subject) take(server *subject) {
	s.Notices = append(s.Notices, server.Notices...)
	s.Fine = append(s.Fine, server.Fine...)
	s.Details = append(s.Details, server.Details...)
}

// rows lists what a name led to. A lone address needs no table.
func (w words) rows(x *doctor.Examination) []row {
	if alone(x) {
		return nil
	}
	var rows []row
	for i := range x.Addresses {
		a := &x.Addresses[i]
		rows = append(rows, row{What: a.Address.String(), Verdict: a.Verdict, Note: joinNonEmpty(" ", a.Host.String(), roleNote[a.Role])})
	}
	for i := range x.Servers {
		s := &x.Servers[i]
		verdict := s.Verdict
		if verdict == doctor.Pass && s.SMTP.Outcome != evidence.Spoke {
			verdict = unjudged
		}
		rows = append(rows, row{What: s.SMTP.Peer.Addr().String(), Verdict: verdict, Note: joinNonEmpty(" ", s.SMTP.Host.String(), portNote(s.SMTP))})
	}
	return rows
}

// unjudged stands for the verdict on a server that could not be looked at, and
// did not have to be.
const unjudged doctor.Verdict = "-"

// portNote says how far one came with a mail server.
func portNote(m *evidence.SMTP) string {
	if m.Outcome == evidence.Spoke {
		return fmt.Sprintf("(mail server, port %d)", m.Peer.Port())
	}
	return fmt.Sprintf("(mail server, port %d: %s)", m.Peer.Port(), m.Outcome)
}

// roleNote says why an address was examined.
var roleNote = map[doctor.Role]string{
	doctor.AsTarget: "(sender)",
	doctor.AsHost:   "(sender)",
	doctor.AsMX:     "(MX host)",
	doctor.AsSender: "(sender by SPF)",
	doctor.AsEgress: "(this machine sends from it)",
	doctor.AsBounce: "(the receiver saw it)",
}

// says sums the verdict up.
func (s *sheet) says(x *doctor.Examination) string {
	if s.Error != "" {
		return ""
	}
	serious, mild, unknown := 0, 0, 0
	for i := range s.Subjects {
		for _, p := range s.Subjects[i].Problems {
			switch p.Severity {
			case finding.Failure:
				serious++
			case finding.Unknown:
				unknown++
			default:
				mild++
			}
		}
	}
	var parts []string
	switch {
	case serious+mild == 1:
		parts = append(parts, "1 thing to put right")
	case serious+mild > 1:
		parts = append(parts, fmt.Sprintf("%d things to put right", serious+mild))
	}
	if unknown > 0 {
		parts = append(parts, plural(unknown, "question")+" without an answer")
	}
	if len(parts) == 0 {
		switch s.Verdict {
		case doctor.Pass:
			parts = append(parts, "nothing to put right")
		case doctor.Unknown:
			parts = append(parts, "not everything could be examined")
		}
	}
	if refuse, of := refusing(x); refuse > 0 {
		verbs := "refuse its mail or put it off"
		if refuse == 1 {
			verbs = "refuses its mail or puts it off"
		}
		parts = append(parts, fmt.Sprintf("%d of %d known receivers and filters %s", refuse, of, verbs))
	}
	return strings.Join(parts, "; ")
}

// short is what stands behind the verdict in a list of targets.
func (s *sheet) short() string {
	if s.Error != "" {
		return s.Error
	}
	var worst *problem
	more := -1
	for i := range s.Subjects {
		for j := range s.Subjects[i].Problems {
			p := &s.Subjects[i].Problems[j]
			if more++; worst == nil || p.rank() < worst.rank() {
				worst = p
			}
		}
	}
	switch {
	case worst == nil:
		return s.Says
	case more == 0:
		return worst.Title
	default:
		return fmt.Sprintf("%s, and %d more", worst.Title, more)
	}
}

// hints say how to get at what is not shown.
func (w words) hints(s *sheet) []string {
	records := false
	for i := range s.Subjects {
		for _, p := range s.Subjects[i].Problems {
			records = records || p.Remedy != nil && len(p.Remedy.Texts) > 0
		}
	}
	var hints []string
	if w.nameless(s) {
		hints = append(hints, "--name NAME writes the steps with the name that the server should have")
	}
	if records && w.options.Format == "" {
		hints = append(hints, "--format all writes the records for other tools")
	}
	if !w.options.Verbose {
		hints = append(hints, "--verbose shows every question and answer")
	}
	return hints
}

// nameless reports whether a remedy lacks a name to set.
func (w words) nameless(s *sheet) bool {
	for i := range s.Subjects {
		for _, p := range s.Subjects[i].Problems {
			if p.Remedy != nil && p.Remedy.Nameless {
				return true
			}
		}
	}
	return false
}

// plural returns "1 thing", "2 things".
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func joinNonEmpty(between string, parts ...string) string {
	var out []string
	for _, part := range parts {
		if part != "" {
			out = append(out, part)
		}
	}
	return strings.Join(out, between)
}
