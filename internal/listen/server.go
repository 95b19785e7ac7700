// Package listen opens the sockets of the listeners (TCP, UNIX, passed by
// systemd), counts and caps their connections, and stops them without cutting
// off an answer. It knows no protocol and no TLS.
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// What a Server does where its fields are zero.
const (
	DefaultMaxConns = 1000
	DefaultGrace    = 10 * time.Second
)

// The pauses after a failed accept: the first, and the longest.
const (
	minBackoff = 5 * time.Millisecond
	maxBackoff = time.Second
)

// Server accepts connections and hands each to Handle, in a goroutine of its
// own. Set the fields before the first call of Serve. One Server may serve
// several listeners at once; they share the limit and the counters.
type Server struct {
	// Name is the listener's name in errors: "policy".
	Name string

	// Handle speaks the protocol on one connection; the Server closes it
	// afterwards. The context ends when draining begins: the handler then
	// finishes the answer it is working on, for which it takes
	// context.WithoutCancel, and returns.
	Handle func(ctx context.Context, c net.Conn)

	// MaxConns caps the connections at any time, DefaultMaxConns where it is 0.
	// One more is closed at once: the MTA then takes its default action, instead
	// of waiting for its time-out.
	MaxConns int

	// Grace is how long draining waits for the handlers before it cuts their
	// connections, DefaultGrace where it is 0.
	Grace time.Duration

	// OnPanic gets the value and the stack of the first panic of a handler; the
	// others are only counted, so that a request that panics each time floods no
	// log. Nil drops it.
	OnPanic func(value any, stack []byte)

	// OnAcceptError gets the first of a row of failed accepts, such as "too many
	// open files". Nil drops it.
	OnAcceptError func(err error)

	accepted, refused, panics, active atomic.Int64

	panicked sync.Once
}

// Stats are the counters of a Server.
type Stats struct {
	Accepted int64 // connections handed to a handler
	Refused  int64 // connections closed at once, over the limit
	Panics   int64 // handlers that panicked
	Active   int64 // handlers at work now
}

// Stats returns the counters, from any goroutine.
func (s *Server) Stats() Stats {
	return Stats{
		Accepted: s.accepted.Load(),
		Refused:  s.refused.Load(),
		Panics:   s.panics.Load(),
		Active:   s.active.Load(),
	}
}

// Serve accepts connections until ctx ends, and then drains: it closes ln,
// tells the handlers through their context, waits Grace for them, and cuts the
// connections of those that are left. It returns nil when all were done in
// time. If ln fails for good, it drains in the same way and returns the error.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()

	conns := &connSet{open: make(map[net.Conn]struct{})}
	err := s.acceptLoop(ctx, ln, conns)
	cancel()
	_ = ln.Close()

	grace := s.Grace
	if grace <= 0 {
		grace = DefaultGrace
	}
	if left := conns.drain(grace); left > 0 {
		err = errors.Join(err, fmt.Errorf("connections cut off after %v: %d", grace, left))
	}
	if err != nil {
		return fmt.Errorf("listen: %s: %w", s.Name, err)
	}
	return nil
}

// acceptLoop returns nil when ctx has ended, and otherwise why ln is of no use
// any more.
func (s *Server) acceptLoop(ctx context.Context, ln net.Listener, conns *connSet) error {
	var backoff time.Duration
	for {
		c, err := ln.Accept()
		if err == nil {
			backoff = 0
			s.admit(ctx, c, conns)
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		// Everything else passes: EMFILE and ENOBUFS when others close their
		// files, ECONNABORTED with the next client. Without a pause the loop
		// would spin, because the connection stays in the queue.
		if backoff == 0 && s.OnAcceptError != nil {
			s.OnAcceptError(fmt.Errorf("listen: %s: %w", s.Name, err))
		}
		backoff = min(max(2*backoff, minBackoff), maxBackoff)
		if !pause(ctx, backoff) {
			return nil
		}
	}
}

// pause waits for d and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// admit starts the handler of c, or closes c if there are too many.
func (s *Server) admit(ctx context.Context, c net.Conn, conns *connSet) {
	limit := s.MaxConns
	if limit <= 0 {
		limit = DefaultMaxConns
	}
	if s.active.Add(1) > int64(limit) {
		s.active.Add(-1)
		s.refused.Add(1)
		_ = c.Close()
		return
	}
	s.accepted.Add(1)
	conns.add(c)
	go s.handle(ctx, c, conns)
}

func (s *Server) handle(ctx context.Context, c net.Conn, conns *connSet) {
	defer func() {
		if v := recover(); v != nil {
			s.caught(v)
		}
		_ = c.Close()
		s.active.Add(-1)
		conns.remove(c)
	}()
	s.Handle(ctx, c)
}

func (s *Server) caught(value any) {
	s.panics.Add(1)
	if s.OnPanic != nil {
		s.panicked.Do(func() { s.OnPanic(value, debug.Stack()) })
	}
}

// connSet holds the connections of one call of Serve.
type connSet struct {
	wg   sync.WaitGroup
	mu   sync.Mutex
	open map[net.Conn]struct{}
}

func (cs *connSet) add(c net.Conn) {
	cs.wg.Add(1)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.open[c] = struct{}{}
}

func (cs *connSet) remove(c net.Conn) {
	cs.mu.Lock()
	delete(cs.open, c)
	cs.mu.Unlock()
	cs.wg.Done()
}

// drain waits for the handlers, closes the connections of those that are not
// done after grace, and returns their number.
func (cs *connSet) drain(grace time.Duration) int {
	done := make(chan struct{})
	go func() {
		cs.wg.Wait()
		close(done)
	}()
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-done:
		return 0
	case <-t.C:
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for c := range cs.open {
		_ = c.Close()
	}
	return len(cs.open)
}
