package resolver

import (
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver/dnscache"
)

const (
	// RFC 9520 §3.2: a failure is remembered, the longer the more often it is
	// repeated, and for 5 minutes at most.
	minFailure = 5 * time.Second
	maxFailure = 300 * time.Second
	// maxStale is the greatest age of an answer that stands in for one that
	// can't be had, RFC 8767 §5.
	maxStale = 24 * time.Hour
)

// recall returns what memory knows: a good answer, or that the question
// failed just now.
func (r *Resolver) recall(q evidence.Question, now time.Time) (evidence.Answer, bool) {
	good, known := r.good(q)
	if known && fresh(&good, now) {
		r.count.hits.Add(1)
		return good, true
	}
	bad, mark, ok := r.cache.Get(dnscache.Failure, q)
	if !ok || byte(mark>>8) != byte(r.epoch.Load()) || !fresh(&bad, now) {
		return evidence.Answer{}, false
	}
	r.count.failures.Add(1)
	r.attach(&bad, now)
	return bad, true
}

// good returns the last complete answer, however old. What a server said
// before it was caught lying is forgotten.
func (r *Resolver) good(q evidence.Question) (evidence.Answer, bool) {
	a, mark, ok := r.cache.Get(dnscache.Good, q)
	if !ok || int(mark>>8) >= len(r.servers) {
		return a, false
	}
	return a, byte(r.servers[mark>>8].generation.Load()) == byte(mark)
}

// fresh reports whether an answer from memory has not expired, and marks it
// as such, with the rest of its TTL.
func fresh(a *evidence.Answer, now time.Time) bool {
	left := a.TTL - max(now.Sub(a.At), 0)
	if left <= 0 {
		return false
	}
	a.TTL, a.Cached = wholeSeconds(left), true
	return true
}

// remember keeps the answer to a question that was asked upstream. A failure
// gets the time for which it is remembered as its TTL.
func (r *Resolver) remember(a *evidence.Answer) {
	if a.State.Complete() {
		r.keep(a)
		r.cache.Delete(dnscache.Failure, a.Question)
		return
	}
	if a.Stale != nil {
		if known, ok := r.good(a.Question); !ok || !fresh(&known, a.At) {
			// It has no TTL, so that it will only stand in for a better one.
			r.keep(a.Stale)
		}
	}
	epoch := byte(r.epoch.Load())
	repeated := 0
	old, mark, ok := r.cache.Get(dnscache.Failure, a.Question)
	// A failure that nobody asked about for as long as it was remembered, and
	// again, is no longer the same one.
	if ok && byte(mark>>8) == epoch && a.At.Sub(old.At) < 2*max(old.TTL, minFailure)+r.cfg.Timeout {
		repeated = min(int(byte(mark))+1, 6)
	}
	a.TTL = min(minFailure<<repeated, maxFailure)
	r.cache.Put(dnscache.Failure, a, uint16(epoch)<<8|uint16(repeated))
}

// keep remembers a complete answer and which server it is from.
func (r *Resolver) keep(a *evidence.Answer) {
	for _, s := range r.servers {
		if s.addr == a.Server {
			r.cache.Put(dnscache.Good, a, uint16(s.index)<<8|uint16(byte(s.generation.Load())))
		}
	}
}

// forgetFailures makes memory forget all failures, once a server has come
// back: they may have been its own.
func (r *Resolver) forgetFailures() { r.epoch.Add(1) }

// attach adds the last good answer to one that ended in trouble, unless a
// server has sent one with it.
func (r *Resolver) attach(a *evidence.Answer, now time.Time) {
	if a.Stale == nil {
		a.Stale = r.stale(a.Question, now)
	}
	if a.Stale != nil {
		r.count.stale.Add(1)
	}
}

// stale returns the last answer with records, if it is not older than a day.
func (r *Resolver) stale(q evidence.Question, now time.Time) *evidence.Answer {
	a, ok := r.good(q)
	if !ok || a.State != evidence.Found || now.Sub(a.At) > maxStale {
		return nil
	}
	a.TTL, a.Cached = max(wholeSeconds(a.TTL-max(now.Sub(a.At), 0)), 0), true
	return &a
}

// wholeSeconds rounds up, for a TTL of 0 would say that the answer is over.
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}
