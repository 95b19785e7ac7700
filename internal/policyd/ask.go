package policyd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/reply"
)

var (
	errCodes = errors.New("reply whose codes don't fit its verb")
	// errHungUp ends a session whose connection is closed and accounted for.
	errHungUp = errors.New("hung up")
)

// guard answers in place of an Ask that takes too long. A timer watches it, so
// that an answer in time costs no goroutine.
type guard struct {
	ctx     context.Context
	giveUp  context.CancelFunc
	timer   *time.Timer
	expired chan struct{} // closed when the session has been hung up
}

func newGuard(ctx context.Context) guard {
	g := guard{expired: make(chan struct{})}
	// An answer in progress outlives the begin of draining.
	g.ctx, g.giveUp = context.WithCancel(context.WithoutCancel(ctx))
	return g
}

// ask asks, and returns errHungUp when the answer came too late.
func (s *session) ask(c facts.Conn) (reply.Reply, error) {
	if s.guard.timer == nil {
		s.guard.timer = time.AfterFunc(s.patience(), s.expire)
	} else {
		s.guard.timer.Reset(s.patience())
	}
	r := s.askSafely(c)
	if !s.guard.timer.Stop() {
		<-s.guard.expired
		return reply.Reply{}, errHungUp
	}
	return r, nil
}

func (s *session) patience() time.Duration { return cmp.Or(s.AskTimeout, DefaultAskTimeout) }

// expire sends what is due and a temporary failure, and hangs up, because what
// follows could not be answered: the goroutine of the session is still waiting
// for Ask, and until it comes back the session is ours.
func (s *session) expire() {
	defer close(s.guard.expired)
	s.guard.giveUp()
	s.asksFailed.Add(1)
	s.out, _ = appendAnswer(s.out, reply.NotNow(), false)
	err := s.flush()
	_ = s.conn.Close()
	s.closedFor(errors.Join(fmt.Errorf("no decision within %v", s.patience()), err))
}

// askSafely turns a panic and a broken reply into a temporary failure, as the
// other listeners do.
func (s *session) askSafely(c facts.Conn) (r reply.Reply) {
	defer func() {
		if v := recover(); v != nil {
			s.asksFailed.Add(1)
			s.panicked.Do(func() { s.report(fmt.Errorf("panic at a question: %q\n%s", fmt.Sprint(v), debug.Stack())) })
			r = reply.NotNow()
		}
	}()
	r, ok := s.Ask(s.guard.ctx, c).Checked()
	if !ok {
		s.asksFailed.Add(1)
		s.report(errCodes)
	}
	return r
}
