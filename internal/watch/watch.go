// Package watch examines hosts on a schedule and tells what has changed: it
// keeps the last state of each, waits for a change to be seen more than once,
// and looks again by itself when a repair should have become visible. Who is
// told, and where the state is kept, is handed in.
package watch

import (
	"cmp"
	"slices"
	"time"

	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/finding"
)

// Problem is what is kept of one cause.
type Problem struct {
	Code     finding.Code     `json:"code"`
	Severity finding.Severity `json:"severity"`
	// Subject is the address, host or domain that has it.
	Subject string `json:"subject"`
	Title   string `json:"title"`
	Text    string `json:"text"`
	// Who can put it right, and what is to be done.
	Who string `json:"who,omitempty"`
	Do  string `json:"do,omitempty"`

	// Part is what it is a problem of; Covers are the addresses of one that
	// several share.
	Part   Part     `json:"part"`
	Covers []string `json:"covers,omitempty"`
}

// Part is a part of an examination.
type Part string

// The parts.
const (
	OfTarget  Part = "target"
	OfAddress Part = "address"
	OfServer  Part = "server"
)

// Unexaminable stands in the place of a finding's code for a target that has
// nothing to examine: its name is gone, or has no address any more.
const Unexaminable finding.Code = "nothing-to-examine"

// key tells problems apart; what else is in them may change from one
// examination to the next.
type key struct {
	code    finding.Code
	subject string
}

func (p Problem) key() key { return key{p.Code, p.Subject} }

// Snapshot is what one examination comes to. Information is left out: nobody
// wants to be woken by it.
type Snapshot struct {
	At       time.Time
	Problems []Problem
	// Partial says that what is missing may only not have been looked at.
	Partial bool
	// Visible are the times at which a repair made now could be seen.
	Visible []time.Time
}

// Of takes the snapshot of an examination.
func Of(e *doctor.Examination) Snapshot {
	s := Snapshot{At: e.At, Partial: e.Partial}
	s.add(OfTarget, e.Target, e.Problems)
	for i := range e.Addresses {
		s.add(OfAddress, e.Addresses[i].Address.String(), e.Addresses[i].Problems)
	}
	for i := range e.Servers {
		s.add(OfServer, subject(&e.Servers[i]), e.Servers[i].Problems)
	}
	if e.Error != "" && len(s.Problems) == 0 && !e.Partial {
		s.Problems = []Problem{{
			Code: Unexaminable, Severity: finding.Unknown, Subject: e.Target, Part: OfTarget,
			Title: "There is nothing to examine", Text: e.Error,
		}}
	}
	slices.SortFunc(s.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Code, b.Code))
	})
	s.Problems = slices.CompactFunc(s.Problems, func(a, b Problem) bool { return a.key() == b.key() })
	return s
}

// subject names a mail server: one host can have several.
func subject(s *doctor.Server) string {
	if s.SMTP.Host.IsZero() {
		return s.SMTP.Peer.Addr().String()
	}
	return s.SMTP.Host.String() + " [" + s.SMTP.Peer.Addr().String() + "]"
}

func (s *Snapshot) add(part Part, subject string, problems []doctor.Problem) {
	for i := range problems {
		cause := problems[i].Cause
		if cause.Severity == finding.Info {
			continue
		}
		p := Problem{Code: cause.Code, Severity: cause.Severity, Subject: subject, Title: cause.Title(), Text: cause.Text(), Part: part}
		for _, addr := range cause.Args.Covers {
			p.Covers = append(p.Covers, addr.String())
		}
		if r := problems[i].Remedy; r != nil {
			p.Who, p.Do = r.Who, r.Do
			if r.Visible != nil {
				s.Visible = append(s.Visible, r.Visible.First, r.Visible.Last)
			}
		}
		s.Problems = append(s.Problems, p)
	}
}

// Change is a difference that has been confirmed.
type Change struct {
	Target string    `json:"target"`
	At     time.Time `json:"at"`
	// First says that nothing was known of the target before.
	First    bool           `json:"first,omitempty"`
	From     doctor.Verdict `json:"from,omitempty"`
	To       doctor.Verdict `json:"to"`
	Appeared []Problem      `json:"appeared,omitempty"`
	Vanished []Problem      `json:"vanished,omitempty"`
	// Left are the problems that are still there.
	Left []Problem `json:"left,omitempty"`
}

// verdictOf sums problems up, as the doctor does.
func verdictOf(problems []Problem) doctor.Verdict {
	verdict := doctor.Pass
	for _, p := range problems {
		switch p.Severity {
		case finding.Failure:
			return doctor.Fail
		case finding.Unknown:
			verdict = doctor.Unknown
		case finding.Warn:
			if verdict == doctor.Pass {
				verdict = doctor.Warn
			}
		}
	}
	return verdict
}
