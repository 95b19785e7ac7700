package resolver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// maxAliases is the number of aliases followed for one question, over all
// messages; unbound has the same limit (max-query-restarts).
const maxAliases = 11

// task is one question under way: a state machine that is moved by answers,
// errors and the wheel, and costs no goroutine.
type task struct {
	r        *Resolver
	question evidence.Question
	pin      *server // ask only this one: a canary
	probe    bool    // let through by the open breaker: one try, soon over
	start    time.Time
	deadline time.Time
	timer    timer

	waiters []waiter // belongs to the lock of Resolver.flight

	mu      sync.Mutex
	ended   bool
	name    dnsname.Name   // asked now: the question's, or the last alias
	aliases []dnsname.Name // passed on the way
	ttl     uint32         // the least of the aliases' TTLs, valid with aliases
	hop     int
	wake    time.Time // when to move next
	until   time.Time // until when the queries under way are awaited
	open    int       // queries and TCP exchanges of this hop under way
	tries   [MaxServers]attempt
	trouble evidence.Answer // what went wrong so far
}

// attempt is what became of one server within a hop.
type attempt struct {
	tries int
	out   bool // it has answered badly, or is being asked over TCP
	plain bool // it is asked without EDNS
}

// begin sends the first query.
func (t *task) begin(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pin == nil && !t.ended {
		for _, s := range t.r.servers {
			if s.wantsProbe(now) {
				_ = t.send(s, now)
			}
		}
	}
	t.step(now)
}

// ring moves the task on when nothing came in time.
func (t *task) ring(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended && !now.Before(t.wake) {
		t.step(now)
	}
}

// step asks the next server, or waits for those that were asked, or gives up.
// t.mu is held here and in all that follows.
func (t *task) step(now time.Time) {
	for !t.ended {
		s := t.next()
		if s == nil || !now.Before(t.deadline) || t.stopped() {
			if until := t.awaited(); t.open > 0 && now.Before(until) {
				t.sleep(until)
				return
			}
			t.giveUp()
			return
		}
		if err := t.send(s, now); err != nil {
			if t.lost(s, err); t.tries[s.index].out {
				continue
			}
		}
		t.sleep(now.Add(t.patience(s)))
		return
	}
}

// awaited is the time until which the queries under way are awaited once the
// last one has been sent: all that the question has, for an answer is on its
// way perhaps; but not while the breaker is open.
func (t *task) awaited() time.Time {
	if t.probe || t.r.breaker.isOpen() {
		return t.until
	}
	return t.deadline
}

// stopped reports whether the breaker has opened since the task began.
func (t *task) stopped() bool {
	return t.pin == nil && t.open > 0 && t.r.breaker.isOpen()
}

// next returns the server that was asked least, the best one first, or nil
// when all have had their tries. A liar is asked only where nobody else is.
func (t *task) next() *server {
	limit := t.r.cfg.Tries
	if t.probe || t.pin != nil && t.r.breaker.isOpen() {
		limit = 1
	}
	var found *server
	fewest, best := limit, 0
	for _, s := range t.r.servers {
		a := &t.tries[s.index]
		if a.out || a.tries >= limit || t.pin != nil && t.pin != s {
			continue
		}
		rank := s.rank()
		if rank == rankLying && t.pin == nil && t.r.honest() {
			continue
		}
		if found == nil || a.tries < fewest || a.tries == fewest && rank < best {
			found, fewest, best = s, a.tries, rank
		}
	}
	return found
}

// patience is the time to wait for s before the next move: short while there
// is somebody who was asked less often, then long, and longer each time.
func (t *task) patience(s *server) time.Duration {
	if other := t.next(); other != nil && t.tries[other.index].tries < t.tries[s.index].tries {
		return s.patience()
	}
	return t.tryTime(s)
}

// tryTime is the time that this try of a server is given.
func (t *task) tryTime(s *server) time.Duration {
	d := t.r.cfg.Try
	for range t.tries[s.index].tries - 1 {
		d += d / 2
	}
	return d
}

// send asks one server; a query that can't be sent is a try as well.
func (t *task) send(s *server, now time.Time) error {
	a := &t.tries[s.index]
	q := &query{
		task: t, server: s, hop: t.hop, edns: !a.plain, mixed: !s.sameCase.Load(),
		question: evidence.Question{Name: t.name, Type: t.question.Type},
	}
	a.tries++
	if err := s.send(q, now); err != nil {
		return err
	}
	if a.tries > 1 {
		t.r.count.retried.Add(1)
	} else if t.open > 0 {
		t.r.count.hedged.Add(1)
	}
	t.open++
	t.await(now.Add(t.tryTime(s)))
	return nil
}

// await makes the task wait until at for what is under way, at least.
func (t *task) await(at time.Time) {
	if at.After(t.deadline) {
		at = t.deadline
	}
	if at.After(t.until) {
		t.until = at
	}
}

// sleep sets the time of the next move.
func (t *task) sleep(until time.Time) {
	if until.After(t.deadline) {
		until = t.deadline
	}
	t.wake = until
	t.r.wheel.arm(&t.timer, t, until)
}

// failed notes that a query could not be sent, or that its server can't be
// reached.
func (t *task) failed(q *query, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.settled(q) {
		return
	}
	t.open--
	t.lost(q.server, err)
	t.hurry()
}

// lost notes that a server could not be reached. Where nobody else is left, and
// nobody has said anything, it is asked again when the time of its try is over:
// to restart a server takes a moment.
func (t *task) lost(s *server, err error) {
	again := !t.tries[s.index].out && t.lonely(s)
	t.bad(s, unreachable(err))
	t.tries[s.index].out = !again
}

// lonely reports whether s is the last server that may have an answer.
func (t *task) lonely(s *server) bool {
	if t.trouble.State != evidence.NotAsked && t.trouble.Rcode >= 0 {
		return false
	}
	return t.pin != nil || !slices.ContainsFunc(t.r.servers, func(other *server) bool {
		return other != s && !t.tries[other.index].out
	})
}

// unreachable is the outcome of an exchange that ended without an answer.
func unreachable(err error) evidence.Answer {
	a := evidence.Answer{State: evidence.Failed, Rcode: -1, Reason: untrusted.New(cause(err))}
	if errors.Is(err, context.DeadlineExceeded) {
		a.State = evidence.Timeout
	}
	return a
}

// distrust moves a query to TCP, whose answers can't be guessed: somebody has
// sent too many strange datagrams, or one in other case.
func (t *task) distrust(q *query) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.settled(q) {
		return
	}
	t.open--
	t.overTCP(q)
}

// settled reports whether the question that q asks has been settled.
func (t *task) settled(q *query) bool { return t.ended || q.hop != t.hop }

// bad notes that a server is of no use for this question. What a server said
// tells more than that another one could not be reached.
func (t *task) bad(s *server, trouble evidence.Answer) {
	t.tries[s.index].out = true
	if t.trouble.State == evidence.NotAsked || trouble.State != evidence.Failed {
		trouble.Server = s.addr
		if trouble.Stale == nil {
			trouble.Stale = t.trouble.Stale
		}
		t.trouble = trouble
	}
}

// hurry moves on at once after bad news, to a server that was not asked yet,
// or because there is nothing left to wait for. A server that is to be asked
// again has its time.
func (t *task) hurry() {
	if t.ended {
		return
	}
	s := t.next()
	if s == nil && t.open == 0 || s != nil && t.tries[s.index].tries == 0 {
		t.step(time.Now())
	}
}

// giveUp ends the task with what went wrong, which is nothing but silence if
// nobody answered.
func (t *task) giveUp() {
	a := t.trouble
	if a.State == evidence.NotAsked {
		a = evidence.Answer{State: evidence.Timeout, Rcode: -1, Reason: untrusted.New(noAnswer)}
		for _, s := range t.r.servers {
			if t.tries[s.index].tries > 0 {
				a.Server = s.addr
			}
		}
	}
	t.end(a)
}

// end hands out the answer.
func (t *task) end(a evidence.Answer) {
	t.ended = true
	t.r.wheel.stop(&t.timer)
	a.Question = t.question
	a.Aliases = t.aliases
	a.At = t.r.cfg.Now()
	a.Took = time.Since(t.start)
	t.r.finish(t, a)
}

// abort ends the task for a reason of ours.
func (t *task) abort(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.end(evidence.Answer{State: evidence.Failed, Rcode: -1, Reason: untrusted.New(reason)})
	}
}

var _ alarm = (*task)(nil)
