package resolver

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	buckets = 30
	// closeAfter of the last probes are looked at to see whether the servers
	// are well again.
	closeAfter = 10
)

// breaker knows the share of trouble in the recent past, and, while it is
// open, lets only a few questions through. It does not open by itself:
// Resolver.watch does that, once the canaries have had their say.
type breaker struct {
	cfg  Breaker
	open atomic.Bool

	mu     sync.Mutex
	base   time.Time
	since  time.Time // of the last reset; older questions count no more
	why    string
	window [buckets]bucket
	probes []probe // the last ones, by their start
	pause  time.Duration
	next   time.Time // the next probe may start, a pause after the last one
}

// bucket counts the outcomes of one part of the window.
type bucket struct {
	number        int64
	good, trouble int
}

// probe is the outcome of a question that was let through.
type probe struct {
	start time.Time
	good  bool
}

func newBreaker(cfg Breaker, now time.Time) *breaker {
	return &breaker{cfg: cfg, base: now}
}

func (b *breaker) isOpen() bool { return b.open.Load() }

func (b *breaker) reason() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.why
}

// number returns the number of the bucket of a moment.
func (b *breaker) number(now time.Time) int64 {
	return int64(max(now.Sub(b.base), 0) / (b.cfg.Window / buckets))
}

// record notes how a question ended that began at start.
func (b *breaker) record(now, start time.Time, wasProbe, good bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if start.Before(b.since) {
		return
	}
	n := b.number(now)
	w := &b.window[n%buckets]
	if w.number != n {
		*w = bucket{number: n}
	}
	if good {
		w.good++
	} else {
		w.trouble++
	}
	if wasProbe {
		b.recordProbe(probe{start: start, good: good})
	}
}

// recordProbe keeps the probes in the order in which they began: a timeout
// that comes in late says nothing against a success of a younger probe.
func (b *breaker) recordProbe(p probe) {
	i := len(b.probes)
	for i > 0 && p.start.Before(b.probes[i-1].start) {
		i--
	}
	b.probes = append(b.probes, probe{})
	copy(b.probes[i+1:], b.probes[i:])
	b.probes[i] = p
	if len(b.probes) > closeAfter {
		b.probes = b.probes[1:]
	}
}

// troubled reports whether the share of trouble is too high, and what it is.
func (b *breaker) troubled(now time.Time) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.number(now)
	good, trouble := 0, 0
	for _, w := range b.window {
		if n-w.number < buckets {
			good += w.good
			trouble += w.trouble
		}
	}
	all := good + trouble
	if all < b.cfg.Outcomes || float64(trouble) <= b.cfg.Share*float64(all) {
		return "", false
	}
	return fmt.Sprintf("%d of %d questions ended in trouble", trouble, all), true
}

// recovered reports whether the last probes went well: four of five, and at
// least half of those that are looked at.
func (b *breaker) recovered() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	good := 0
	for _, p := range b.probes {
		if p.good {
			good++
		}
	}
	return len(b.probes) >= closeAfter/2 && good*5 >= len(b.probes)*4
}

// trip opens the breaker. A part of the budget is kept for other queries.
func (b *breaker) trip(why string, reserve int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.why, b.probes = why, nil
	b.pause = time.Second / time.Duration(max(b.cfg.Probes-reserve, 1))
	b.open.Store(true)
}

// reset closes the breaker and forgets the past.
func (b *breaker) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.window, b.since = [buckets]bucket{}, time.Now()
	b.open.Store(false)
}

// admit reports whether the breaker is open, and whether one more question may
// go upstream nevertheless.
func (b *breaker) admit(now time.Time) (open, ok bool) {
	if !b.isOpen() {
		return false, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	// One at a time, so that a recovery is not noticed a second late. A clock
	// that was put back does not keep them away.
	if wait := b.next.Sub(now); wait > 0 && wait <= b.pause {
		return true, false
	}
	b.next = now.Add(b.pause)
	return true, true
}
