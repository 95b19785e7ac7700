package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// bench is where the parts of an examination are worked on, all at once. A part
// may fail, panic or hang: the others don't suffer, and the examination ends in
// time without it.
type bench struct {
	ctx    context.Context // for the parts: ends somewhat before over
	cancel context.CancelFunc
	over   chan struct{} // closed when nobody waits any more

	mu       sync.Mutex
	progress func(Event)
	parts    int
	done     int
	closed   bool
	broken   []string
	late     []string
}

// The parts get all the time but a tenth, at most half a second: what they need
// to hand over what they have.
const (
	graceShare = 10
	maxGrace   = 500 * time.Millisecond
)

func newBench(ctx context.Context, progress func(Event)) *bench {
	b := &bench{over: make(chan struct{}), progress: progress}
	grace := maxGrace
	if deadline, ok := ctx.Deadline(); ok {
		grace = min(grace, max(time.Until(deadline)/graceShare, 0))
		b.ctx, b.cancel = context.WithDeadline(ctx, deadline.Add(-grace))
	} else {
		b.ctx, b.cancel = context.WithCancel(ctx)
	}
	context.AfterFunc(b.ctx, func() { time.AfterFunc(grace, func() { close(b.over) }) })
	return b
}

// close ends what still runs, and silences it.
func (b *bench) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
}

// expired reports whether the time ran out, so that answers may be missing for
// no other reason.
func (b *bench) expired() bool { return b.ctx.Err() != nil }

// cancelled reports whether somebody interrupted the examination.
func (b *bench) cancelled() bool { return errors.Is(b.ctx.Err(), context.Canceled) }

func (b *bench) tell(part string, ended bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ended {
		b.done++
	} else {
		b.parts++
	}
	if b.progress != nil && !b.closed {
		b.progress(Event{Part: part, Ended: ended, Done: b.done, Parts: b.parts})
	}
}

// broke notes a part that panicked.
func (b *bench) broke(part string, cause any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = append(b.broken, fmt.Sprintf("%s: broken off by a fault of our own (%v)", part, cause))
}

// missed notes a part that was not ready in time, once.
func (b *bench) missed(part string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.late, part) {
		b.late = append(b.late, part)
	}
}

// part is a piece of work under way.
type part[T any] struct {
	bench *bench
	what  string
	done  chan struct{}
	value T
	ok    bool
}

// start begins a part; what names it in progress and in what is missing. An
// empty name is that of glue, which is told to nobody.
func start[T any](b *bench, what string, work func(context.Context) T) *part[T] {
	p := &part[T]{bench: b, what: what, done: make(chan struct{})}
	if what != "" {
		b.tell(what, false)
	}
	go func() {
		defer close(p.done)
		defer func() {
			if cause := recover(); cause != nil {
				b.broke(what, cause)
			}
			if what != "" {
				b.tell(what, true)
			}
		}()
		p.value = work(b.ctx)
		p.ok = true
	}()
	return p
}

// wait returns the result, or the zero value where there is none in time.
func (p *part[T]) wait() T {
	var none T
	if p == nil {
		return none
	}
	select {
	case <-p.done:
	case <-p.bench.over:
		select {
		case <-p.done:
		default:
			if p.what != "" {
				p.bench.missed(p.what)
			}
			return none
		}
	}
	if !p.ok {
		return none
	}
	return p.value
}
