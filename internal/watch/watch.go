// Package watch examines hosts on a schedule and tells what has changed: it
// keeps the last state of each, waits for a change to be seen more than once,
// and looks again by itself when a repair should have become visible. Who is
// told, and where the state is kept, is handed in.
package watch

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/finding"
)

// Problem is what is kept of one cause at one place.
type Problem struct {
	Code     finding.Code     `json:"code"`
	Severity finding.Severity `json:"severity"`
	// Subject is the address, host or domain that has it, Part which of them.
	Subject string `json:"subject"`
	Part    Part   `json:"part"`
	// Address is that of the sender or of the mail server.
	Address netip.Addr `json:"address,omitzero"`
	// Zone is the DNS zone or list that it is about, where there is one.
	Zone  dnsname.Name `json:"zone,omitzero"`
	Title string       `json:"title"`
	Text  string       `json:"text"`
	// Who can put it right, and what is to be done.
	Who string `json:"who,omitempty"`
	Do  string `json:"do,omitempty"`
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
	code finding.Code
	part Part
	addr netip.Addr
	zone dnsname.Name
}

func (p Problem) key() key {
	k := key{p.Code, p.Part, p.Address, dnsname.Name{}}
	if p.Code == finding.Listed || strings.HasPrefix(string(p.Code), "list-") {
		k.zone = p.Zone // an address can stand on many lists
	}
	return k
}

// Snapshot is what one examination comes to. Information is left out: nobody
// wants to be woken by it.
type Snapshot struct {
	At       time.Time
	Problems []Problem
	// Visible are the times at which a repair made now could be seen.
	Visible []time.Time

	x *doctor.Examination
}

// Of takes the snapshot of an examination. A cause that several addresses share,
// and that the report tells once, counts at each of them: it may end at one
// before it ends at the others.
func Of(e *doctor.Examination) Snapshot {
	s := Snapshot{At: e.At, x: e}
	s.add(Problem{Part: OfTarget, Subject: e.Target}, e.Problems)
	for i := range e.Addresses {
		a := &e.Addresses[i]
		s.add(Problem{Part: OfAddress, Subject: a.Address.String(), Address: a.Address}, a.Problems)
	}
	for i := range e.Servers {
		peer := e.Servers[i].SMTP.Peer.Addr()
		s.add(Problem{Part: OfServer, Subject: server(e.Servers[i].SMTP.Host, peer), Address: peer}, e.Servers[i].Problems)
	}
	if e.Error != "" && len(s.Problems) == 0 && !e.Partial {
		s.Problems = []Problem{{
			Code: Unexaminable, Severity: finding.Unknown, Subject: e.Target, Part: OfTarget,
			Title: "There is nothing to examine", Text: e.Error,
			Do: "See whether the name is written right, and whether its domain is still yours; take it out of the watch if it is gone for good.",
		}}
	}
	slices.SortFunc(s.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Zone.String(), b.Zone.String()))
	})
	s.Problems = slices.CompactFunc(s.Problems, func(a, b Problem) bool { return a.key() == b.key() })
	return s
}

// server names a mail server: one host can have several.
func server(host dnsname.Name, peer netip.Addr) string {
	if host.IsZero() {
		return peer.String()
	}
	return host.String() + " [" + peer.String() + "]"
}

// add takes the problems of one place.
func (s *Snapshot) add(place Problem, problems []doctor.Problem) {
	for i := range problems {
		cause := problems[i].Cause
		if cause.Severity == finding.Info {
			continue
		}
		p := place
		p.Code, p.Severity, p.Zone, p.Title, p.Text = cause.Code, cause.Severity, cause.Args.Zone, cause.Title(), cause.Text()
		if r := problems[i].Remedy; r != nil {
			p.Who, p.Do = r.Who, r.Do
			if r.Visible != nil {
				s.Visible = append(s.Visible, r.Visible.First, r.Visible.Last)
			}
		}
		if place.Part != OfTarget || len(cause.Args.Covers) == 0 {
			s.Problems = append(s.Problems, p)
			continue
		}
		for _, addr := range cause.Args.Covers {
			p.Address, p.Part, p.Subject = addr, OfAddress, addr.String()
			if ofServer(cause.Code) {
				p.Part, p.Subject = OfServer, server(cause.Args.Host, addr)
			}
			s.Problems = append(s.Problems, p)
		}
	}
}

// ofServer reports whether a finding is about what a mail server says on port
// 25.
func ofServer(code finding.Code) bool {
	return slices.ContainsFunc([]string{"smtp-", "tls-", "banner-", "ehlo-", "vrfy-", "expn-", "postmaster-", "abuse-", "relay-"},
		func(prefix string) bool { return strings.HasPrefix(string(code), prefix) })
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
