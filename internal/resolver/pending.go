package resolver

import (
	"context"
	"sync"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// pending are the questions of one Ask.
type pending struct {
	r         *Resolver
	ctx       context.Context
	questions []evidence.Question
	began     time.Time
	done      chan struct{} // nil when everything came from memory

	mu      sync.Mutex
	left    int // answers to come, and one while Ask is at work
	closed  bool
	answers []evidence.Answer
}

// waiter is a place in a pending.
type waiter struct {
	p  *pending
	at int
}

// expect notes that one more answer will be delivered.
func (p *pending) expect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done == nil {
		p.done = make(chan struct{})
		p.left = 1
	}
	p.left++
}

// deliver puts an answer into its place, unless Wait has gone without it.
func (w waiter) deliver(a *evidence.Answer) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	if w.p.closed {
		return
	}
	w.p.answers[w.at] = *a
	w.p.release()
}

// asked ends the work of Ask.
func (p *pending) asked() {
	if p.done == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release()
}

func (p *pending) release() {
	if p.left--; p.left == 0 {
		close(p.done)
	}
}

// Wait implements evidence.Pending. It may be called again.
func (p *pending) Wait() []evidence.Answer {
	if p.done == nil {
		return p.answers
	}
	select {
	case <-p.done:
		return p.answers
	case <-p.ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 || p.closed {
		return p.answers
	}
	p.closed = true
	now := p.r.cfg.Now()
	for i := range p.answers {
		if p.answers[i].State == evidence.NotAsked {
			p.answers[i] = evidence.Answer{
				Question: p.questions[i], State: evidence.Timeout, Rcode: -1,
				Reason: untrusted.New(p.ctx.Err().Error()),
				At:     now, Took: time.Since(p.began),
				Stale: p.r.stale(p.questions[i], now),
			}
		}
	}
	return p.answers
}

var _ evidence.Pending = (*pending)(nil)
