package resolver

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver/dnscache"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// Resolver answers questions. It is safe for use by many goroutines.
type Resolver struct {
	cfg      Config
	servers  []*server
	cache    *dnscache.Cache
	rand     *entropy
	wheel    *wheel
	breaker  *breaker
	tcpSlots chan struct{}
	dialUDP  func(netip.AddrPort) (*net.UDPConn, error)
	count    counters
	epoch    atomic.Uint32 // counts the recoveries; see forgetFailures
	mute     atomic.Int32  // rounds of canaries in a row that nobody answered well
	rewrote  atomic.Int64  // when a server last said so, in ns since the epoch
	returned chan struct{} // tells watch that a server has come back

	flight struct {
		mu    sync.Mutex
		tasks map[evidence.Question]*task
	}

	ctx    context.Context
	cancel context.CancelFunc
	life   struct {
		sync.Mutex
		closed  bool
		sockets map[*socket]struct{}
		wg      sync.WaitGroup
	}
}

// New starts a resolver; Close ends it. No packet is sent before the first
// question, unless there are canaries.
func New(cfg Config) (*Resolver, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	r := &Resolver{
		cfg:      cfg,
		cache:    dnscache.New(cfg.CacheBytes, cfg.Now()),
		rand:     &entropy{source: cfg.Rand},
		wheel:    newWheel(time.Now()),
		breaker:  newBreaker(cfg.Breaker, cfg.Now()),
		tcpSlots: make(chan struct{}, cfg.MaxTCP),
		dialUDP:  dialUDP,
		returned: make(chan struct{}, 1),
	}
	r.life.sockets = make(map[*socket]struct{})
	r.flight.tasks = make(map[evidence.Question]*task)
	r.ctx, r.cancel = context.WithCancel(context.Background())
	for i, addr := range cfg.Servers {
		r.servers = append(r.servers, &server{r: r, addr: addr, index: i, sockets: make([]*socket, cfg.Sockets)})
	}
	r.spawn(func() { r.wheel.run(r.ctx.Done()) })
	if len(r.servers) > 0 {
		r.spawn(r.watch)
	}
	return r, nil
}

// spawn runs f in a goroutine that Close waits for, unless it has begun to.
func (r *Resolver) spawn(f func()) bool {
	r.life.Lock()
	defer r.life.Unlock()
	if r.life.closed {
		return false
	}
	r.life.wg.Go(f)
	return true
}

// Close ends all questions under way, as evidence.Failed, and returns when
// every goroutine has ended. A second call does nothing.
func (r *Resolver) Close() error {
	r.life.Lock()
	closed := r.life.closed
	r.life.closed = true
	sockets := slices.Collect(maps.Keys(r.life.sockets))
	r.life.Unlock()
	if closed {
		return nil
	}
	r.cancel()
	r.flight.mu.Lock()
	tasks := slices.Collect(maps.Values(r.flight.tasks))
	r.flight.mu.Unlock()
	for _, t := range tasks {
		t.abort(errClosed.Error())
	}
	for _, k := range sockets {
		k.close()
	}
	r.life.wg.Wait()
	return nil
}

// Ask implements evidence.DNS. The answers are shared with others who ask the
// same: their slices must not be written to.
func (r *Resolver) Ask(ctx context.Context, questions ...evidence.Question) evidence.Pending {
	return r.ask(ctx, false, questions)
}

// Fresh is Ask without the memory: every question is asked upstream, or joins
// one that is under way. The answers are remembered.
func (r *Resolver) Fresh(ctx context.Context, questions ...evidence.Question) evidence.Pending {
	return r.ask(ctx, true, questions)
}

func (r *Resolver) ask(ctx context.Context, fresh bool, questions []evidence.Question) *pending {
	r.count.questions.Add(uint64(len(questions)))
	p := &pending{r: r, ctx: ctx, questions: questions, answers: make([]evidence.Answer, len(questions))}
	now := r.cfg.Now()
	var started []*task
	for i, q := range questions {
		if !fresh {
			if a, ok := r.recall(q, now); ok {
				p.answers[i] = a
				continue
			}
		}
		if p.done == nil {
			p.questions, p.began = slices.Clone(questions), time.Now()
		}
		p.expect()
		if t := r.join(waiter{p, i}, q, fresh, now); t != nil {
			started = append(started, t)
		}
	}
	for _, t := range started {
		t.begin(t.start)
	}
	p.asked()
	return p
}

// join makes w wait for the question: with those who already do, or for a new
// task, which is returned to be begun. What can't be asked fails at once.
func (r *Resolver) join(w waiter, q evidence.Question, fresh bool, now time.Time) *task {
	r.flight.mu.Lock()
	defer r.flight.mu.Unlock()
	if t := r.flight.tasks[q]; t != nil {
		t.waiters = append(t.waiters, w)
		r.count.joined.Add(1)
		return nil
	}
	if !fresh {
		// The answer may have come between the first look and the lock.
		if a, ok := r.recall(q, now); ok {
			w.deliver(&a)
			return nil
		}
	}
	probe, refusal := r.admit(q, now)
	if refusal != nil {
		r.attach(refusal, now)
		w.deliver(refusal)
		return nil
	}
	start := time.Now()
	t := &task{
		r: r, question: q, name: q.Name, probe: probe,
		start: start, deadline: start.Add(r.cfg.Timeout), waiters: []waiter{w},
	}
	r.flight.tasks[q] = t
	return t
}

// admit says whether the question may go upstream, and whether it is one of
// the few that probe while the breaker is open; or gives the answer that
// refuses it.
func (r *Resolver) admit(q evidence.Question, now time.Time) (probe bool, refusal *evidence.Answer) {
	refuse := func(s evidence.State, reason string) *evidence.Answer {
		return &evidence.Answer{Question: q, State: s, Rcode: -1, Reason: untrusted.New(reason), At: now}
	}
	switch {
	case r.ctx.Err() != nil:
		return false, refuse(evidence.Failed, errClosed.Error())
	case q.Name.IsZero():
		return false, refuse(evidence.Failed, "no name to ask for")
	case len(r.servers) == 0:
		return false, refuse(evidence.Failed, "no DNS server is configured")
	case len(r.flight.tasks) >= r.cfg.MaxInFlight:
		r.count.overloaded.Add(1)
		return false, refuse(evidence.Failed, "resolver overloaded")
	}
	open, ok := r.breaker.admit(now)
	if !ok {
		r.count.failedFast.Add(1)
		return false, refuse(evidence.Timeout, "dns degraded")
	}
	return open, nil
}

// finish remembers the answer of a task and hands it to all who wait.
func (r *Resolver) finish(t *task, a evidence.Answer) {
	if t.pin == nil && r.ctx.Err() == nil {
		r.breaker.record(a.At, t.start, t.probe, a.State.Complete())
		r.remember(&a)
		if a.State.Trouble() {
			r.count.troubled.Add(1)
			r.attach(&a, a.At)
		}
	}
	r.flight.mu.Lock()
	if t.pin == nil {
		delete(r.flight.tasks, t.question)
	}
	waiters := t.waiters
	t.waiters = nil
	r.flight.mu.Unlock()
	for _, w := range waiters {
		w.deliver(&a)
	}
}

// honest reports whether a server is left that is not known to lie.
func (r *Resolver) honest() bool {
	return slices.ContainsFunc(r.servers, func(s *server) bool { return s.rank() != rankLying })
}

// rewritten notes that a server said that it rewrote an answer.
func (r *Resolver) rewritten() {
	r.count.rewritten.Add(1)
	r.rewrote.Store(r.cfg.Now().UnixNano())
}

const noAnswer = "no answer in time"

// cause words an error of the network without addresses and file names.
func cause(err error) string {
	var errno syscall.Errno
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return noAnswer
	case errors.Is(err, context.Canceled):
		return errClosed.Error()
	case errors.As(err, &errno):
		return errno.Error()
	}
	return err.Error()
}

var _ evidence.DNS = (*Resolver)(nil)
