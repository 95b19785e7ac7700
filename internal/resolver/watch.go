package resolver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// canaryTime bounds the time for which a canary is awaited. After muteRounds
// rounds in a row without a server that answers all of them the resolver is
// held to be sick, whether anybody else asks or not.
const (
	canaryTime = 2 * time.Second
	muteRounds = 3
)

// watch asks the canaries and works the breaker, until Close.
func (r *Resolver) watch() {
	ticker := time.NewTicker(min(r.cfg.Breaker.Window/buckets, r.cfg.CanaryEvery, time.Second))
	defer ticker.Stop()
	var asked, drawn time.Time
	var label string
	for {
		mute := r.mute.Load()
		due := time.Since(asked) >= r.cfg.CanaryEvery || mute > 0 && mute < muteRounds || asked.IsZero()
		why, suspicious := r.suspicious()
		if open := r.breaker.isOpen(); len(r.cfg.Canaries) > 0 && (due || suspicious || open) {
			asked = time.Now()
			if suspicious || open || mute > 0 || asked.Sub(drawn) >= r.cfg.LabelEvery {
				label, drawn = r.rand.label(), asked
			}
			well := r.askCanaries(label)
			r.listen(well)
			r.work(well, suspicious, why)
		} else {
			r.work(open && r.breaker.recovered(), suspicious, why)
		}
		select {
		case <-r.ctx.Done():
			return
		case <-ticker.C:
		case <-r.returned:
		}
	}
}

// cameBack notes that a server which was down has answered: failures may have
// been its own, and there is no reason to wait for the next round of canaries.
func (r *Resolver) cameBack() {
	r.forgetFailures()
	select {
	case r.returned <- struct{}{}:
	default:
	}
}

// listen counts the rounds in which no server was well.
func (r *Resolver) listen(well bool) {
	switch {
	case well:
		r.mute.Store(0)
	case r.ctx.Err() == nil && r.mute.Load() < muteRounds:
		r.mute.Add(1)
	}
}

// work opens the breaker if our own DNS is sick, and closes it when it is
// well.
func (r *Resolver) work(well, suspicious bool, why string) {
	switch open := r.breaker.isOpen(); {
	case open && well:
		r.breaker.reset()
		r.forgetFailures()
	case !open && suspicious && !well && r.ctx.Err() == nil:
		// Canaries and the probes of servers that are down are queries too.
		r.breaker.trip(why, (len(r.cfg.Canaries)+1)*len(r.servers)-1)
	}
}

// suspicious reports whether there is so much trouble that it may be ours.
func (r *Resolver) suspicious() (string, bool) {
	silent := 0
	for _, s := range r.servers {
		down, n := s.quiet()
		if !down {
			silent = 0
			break
		}
		silent += n
	}
	if silent >= r.cfg.Breaker.Outcomes {
		return fmt.Sprintf("no DNS server answers, %d queries in a row", silent), true
	}
	return r.breaker.troubled(r.cfg.Now())
}

// askCanaries asks every server for every canary, judges the servers by the
// answers, and reports whether one of them is well.
func (r *Resolver) askCanaries(label string) bool {
	ctx, cancel := context.WithTimeout(r.ctx, canaryTime)
	defer cancel()
	rounds := make([]*pending, len(r.servers))
	for i, s := range r.servers {
		rounds[i] = r.askPinned(ctx, s, label)
	}
	for _, p := range rounds {
		select {
		case <-p.done:
		case <-ctx.Done():
		case <-r.returned:
			// What was asked before is lost; watch asks again, and at once.
			r.cameBack()
			cancel()
		}
	}
	well := false
	for i, s := range r.servers {
		lie, sound := "", true
		for j, a := range rounds[i].Wait() {
			if !a.State.Complete() {
				sound = false
			} else if (a.State == evidence.Found) == r.cfg.Canaries[j].Absent {
				lie = fmt.Sprintf("canary %s %s is %s", r.cfg.Canaries[j].Question.Name, a.Type, a.State)
			}
		}
		// Silence neither convicts nor acquits.
		if lie != "" || sound {
			s.judge(lie)
		}
		well = well || sound && lie == ""
	}
	return well
}

// askPinned asks one server for all canaries, past memory and breaker.
func (r *Resolver) askPinned(ctx context.Context, s *server, label string) *pending {
	p := &pending{r: r, ctx: ctx, began: time.Now(), answers: make([]evidence.Answer, len(r.cfg.Canaries))}
	start := time.Now()
	for i, c := range r.cfg.Canaries {
		q := c.Question
		// New has seen to it that the name has room for the label.
		q.Name, _ = withLabel(q.Name, label)
		p.questions = append(p.questions, q)
		p.expect()
		t := &task{
			r: r, question: q, name: q.Name, pin: s,
			start: start, deadline: start.Add(canaryTime), waiters: []waiter{{p, i}},
		}
		t.begin(start)
	}
	p.asked()
	return p
}

// withLabel puts label in the place of each label "*". A name that grows past
// 255 octets is an error (RFC 1035 §2.3.4).
func withLabel(name dnsname.Name, label string) (dnsname.Name, error) {
	labels := name.Labels()
	if !slices.Contains(labels, "*") {
		return name, nil
	}
	for i := range labels {
		if labels[i] == "*" {
			labels[i] = label
		}
	}
	return dnsname.Parse(strings.Join(labels, "."))
}
