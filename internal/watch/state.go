package watch

import (
	"slices"
	"time"

	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/finding"
)

// State is what is known of one target.
type State struct {
	Target string `json:"target"`
	// Known says that it was examined before; Problems are those confirmed.
	Known    bool           `json:"known"`
	Verdict  doctor.Verdict `json:"verdict"`
	Problems []Problem      `json:"problems,omitempty"`
	// Since is when the verdict became what it is, Changed when a change was
	// last confirmed, Last when the target was last examined, and Next when it
	// will be.
	Since   time.Time `json:"since"`
	Changed time.Time `json:"changed"`
	Last    time.Time `json:"last"`
	Next    time.Time `json:"next"`
	// Waiting are the differences that were not seen often enough yet.
	Waiting []Waiting `json:"waiting,omitempty"`
	// Owed are the changes that a notifier could not be told yet, by its name.
	Owed map[string][]Change `json:"owed,omitempty"`
}

// Waiting is a difference on the way to be confirmed.
type Waiting struct {
	Problem Problem `json:"problem"`
	// Gone says that the problem was not found any more; else it is new.
	Gone bool `json:"gone,omitempty"`
	Seen int  `json:"seen"` // how often in a row
}

// Patience says how often in a row a difference must be seen before it counts.
type Patience struct {
	// Times holds for what the DNS or a server said, Unknown for what could not
	// be found out, which is mostly over before anybody has read the message.
	Times, Unknown int
}

// needs returns how often a difference has to be seen.
func (p Patience) needs(w *Waiting) int {
	if w.Problem.Severity == finding.Unknown && w.Problem.Code != Unexaminable {
		return max(1, p.Unknown)
	}
	return max(1, p.Times)
}

// step takes one examination in and returns the change that it confirms, nil
// for none. The first one is taken as it is.
func (s *State) step(now Snapshot, patience Patience) *Change {
	s.Last = now.At
	if !s.Known {
		if now.x.Partial && len(now.Problems) == 0 {
			return nil // nothing was learned
		}
		s.Known, s.Problems, s.Since, s.Changed = true, now.Problems, now.At, now.At
		s.Verdict = verdictOf(s.Problems)
		return &Change{Target: s.Target, At: now.At, First: true, To: s.Verdict, Appeared: slices.Clone(s.Problems)}
	}
	change := &Change{Target: s.Target, At: now.At, From: s.Verdict}
	var waiting []Waiting
	for _, w := range s.differences(now) {
		switch {
		case w.Seen < patience.needs(&w):
			waiting = append(waiting, w)
		case w.Gone:
			change.Vanished = append(change.Vanished, w.Problem)
		default:
			change.Appeared = append(change.Appeared, w.Problem)
		}
	}
	s.Waiting = waiting
	s.renew(now)
	if len(change.Appeared)+len(change.Vanished) == 0 {
		return nil
	}
	s.apply(change)
	return change
}

// differences lists how the examination differs from what is confirmed, each
// with the number of times that it was seen in a row.
func (s *State) differences(now Snapshot) []Waiting {
	var out []Waiting
	for _, p := range now.Problems {
		if !has(s.Problems, p.key()) {
			out = append(out, Waiting{Problem: p, Seen: s.seen(p.key(), false) + 1})
		}
	}
	for _, p := range s.Problems {
		if has(now.Problems, p.key()) {
			continue
		}
		// A problem that could not be looked for is not gone: its count stands
		// still.
		seen := s.seen(p.key(), true)
		if now.absent(p) {
			seen++
		}
		if seen > 0 {
			out = append(out, Waiting{Problem: p, Gone: true, Seen: seen})
		}
	}
	return out
}

func has(problems []Problem, k key) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.key() == k })
}

// seen returns how often in a row a difference has been seen before.
func (s *State) seen(k key, gone bool) int {
	for i := range s.Waiting {
		if w := &s.Waiting[i]; w.Gone == gone && w.Problem.key() == k {
			return w.Seen
		}
	}
	return 0
}

// renew takes the present words of the problems that go on.
func (s *State) renew(now Snapshot) {
	for i, old := range s.Problems {
		for _, p := range now.Problems {
			if p.key() == old.key() {
				s.Problems[i] = p
			}
		}
	}
	s.Verdict = verdictOf(s.Problems)
}

// apply makes the change the confirmed state.
func (s *State) apply(c *Change) {
	left := slices.DeleteFunc(slices.Clone(s.Problems), func(p Problem) bool { return has(c.Vanished, p.key()) })
	c.Left = slices.Clone(left)
	s.Problems = append(left, c.Appeared...)
	s.Verdict, s.Changed = verdictOf(s.Problems), c.At
	c.To = s.Verdict
	if c.To != c.From {
		s.Since = c.At
	}
}

// Times between examinations, beside the schedule.
const (
	// confirmAfter is how soon a difference is looked at again.
	confirmAfter = 5 * time.Minute
	// quickFor is how long after a change the target is examined at the times at
	// which a repair could be seen; after that the schedule alone counts, for
	// nobody seems to be repairing.
	quickFor = 24 * time.Hour
)

// schedule sets the time of the next examination: the regular one, or sooner
// when a difference waits to be confirmed or a repair could be seen.
func (s *State) schedule(now Snapshot, at time.Time, every time.Duration) {
	s.Next = at.Add(every)
	sooner := func(t time.Time) {
		if soonest := at.Add(min(confirmAfter, every)); t.Before(soonest) {
			t = soonest
		}
		if t.Before(s.Next) {
			s.Next = t
		}
	}
	if len(s.Waiting) > 0 {
		sooner(at)
	}
	if at.Sub(s.Changed) < quickFor {
		for _, t := range now.Visible {
			if t.After(at) {
				sooner(t)
			}
		}
	}
}
