// Package policyd speaks the SMTPD access policy delegation protocol of Postfix
// 2.1 to 3.12 (SMTPD_POLICY_README): a request of name=value lines comes in, one
// action goes out. It asks at one stage of the SMTP dialogue and has no opinion
// at the others. The Dovecot and Exim dialects of the protocol are not spoken.
package policyd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/reply"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// What a Handler does where its fields are zero. Postfix closes a connection
// after 300 s without a question or 1000 s in all, and waits 100 s for an answer
// (smtpd_policy_service_max_idle, _max_ttl, _timeout).
const (
	DefaultIdle       = 1000 * time.Second
	DefaultRequest    = 10 * time.Second
	DefaultWrite      = 5 * time.Second
	DefaultAskTimeout = 8 * time.Second
)

const (
	readSize  = 4 << 10 // octets of one read: several requests of Postfix
	flushSize = 4 << 10 // octets of answers that go out without waiting for more
)

// Handler answers the questions of Postfix. Set the fields before the first
// call of Serve.
type Handler struct {
	// Ask judges one SMTP client. Its context doesn't end when draining begins,
	// but after AskTimeout; whoever then has not answered is answered for, with
	// reply.NotNow, and the connection closed. A panic or a reply that is not
	// consistent gets that answer too.
	Ask func(context.Context, facts.Conn) reply.Reply

	// Stage is where Ask is called, facts.Rcpt where it is empty; every other
	// stage is answered with DUNNO. facts.Ehlo stands for HELO too.
	Stage facts.Stage

	// Idle is how long a connection may stay without a question, Request how
	// long a question that has begun may take to arrive, Write how long an answer
	// may take to leave, and AskTimeout how long Ask may take; DefaultIdle and so
	// on where they are 0.
	Idle, Request, Write, AskTimeout time.Duration

	// OnTrouble learns why a connection was closed, of each answer with codes
	// that don't fit, and of the first panic of Ask; network text in the error is
	// escaped. Nil drops it.
	OnTrouble func(peer net.Addr, err error)

	requests, asked, asksFailed, noAddress, trouble atomic.Int64

	panicked sync.Once
}

// Stats are the counters of a Handler.
type Stats struct {
	Requests   int64 // complete requests
	Asked      int64 // requests at the stage where Ask is called
	AsksFailed int64 // of these, that Ask did not answer in time or consistently, or panicked at
	NoAddress  int64 // of these, without a client address that is one
	Trouble    int64 // connections closed for a malformed or slow request, or a late answer
}

// Stats returns the counters, from any goroutine.
func (h *Handler) Stats() Stats {
	return Stats{
		Requests:   h.requests.Load(),
		Asked:      h.asked.Load(),
		AsksFailed: h.asksFailed.Load(),
		NoAddress:  h.noAddress.Load(),
		Trouble:    h.trouble.Load(),
	}
}

// Serve answers the questions on c, in their order, until the other side closes
// it, falls silent or sends what is no request. When ctx ends it finishes the
// answer it is working on. The caller closes c, as listen.Server does; Serve
// itself only does so behind an answer that Ask was too late for.
func (h *Handler) Serve(ctx context.Context, c net.Conn) {
	s := &session{Handler: h, conn: c, guard: newGuard(ctx)}
	defer s.guard.giveUp()
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	err := s.run(ctx)
	if err == nil || errors.Is(err, errHungUp) || ctx.Err() != nil {
		return
	}
	s.closedFor(err)
}

// session is one connection.
type session struct {
	*Handler
	conn  net.Conn
	guard guard

	in        [readSize]byte
	out       []byte // answers that have not been sent
	req       request
	since     time.Time // when the request being read began
	prepended untrusted.Text
}

// closedFor accounts for the end of the connection.
func (s *session) closedFor(err error) {
	s.trouble.Add(1)
	s.report(err)
}

func (s *session) report(err error) {
	if s.OnTrouble != nil {
		s.OnTrouble(s.conn.RemoteAddr(), fmt.Errorf("policyd: %w", err))
	}
}

// run returns nil when the connection ended between two requests.
func (s *session) run(ctx context.Context) error {
	for {
		n, err := s.read(ctx)
		if err != nil || n == 0 {
			return err
		}
		err = s.consume(ctx, s.in[:n])
		if err := errors.Join(err, s.flush()); err != nil {
			return err
		}
	}
}

// read waits for octets; none and no error means that the connection is at its
// end.
func (s *session) read(ctx context.Context) (int, error) {
	deadline := time.Now()
	if s.req.started() {
		deadline = s.since.Add(cmp.Or(s.Request, DefaultRequest))
	} else {
		deadline = deadline.Add(cmp.Or(s.Idle, DefaultIdle))
	}
	_ = s.conn.SetReadDeadline(deadline)
	// This must follow the deadline, which may have replaced the one that the
	// begin of draining has set.
	if ctx.Err() != nil {
		return 0, nil
	}
	n, err := s.conn.Read(s.in[:])
	switch {
	case n > 0:
		return n, nil
	case !s.req.started():
		return 0, nil // closed, idle for long, or reset: nobody waits for an answer
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return 0, fmt.Errorf("request incomplete: %w", err)
}

// consume parses b and appends the answers to out.
func (s *session) consume(ctx context.Context, b []byte) error {
	for len(b) > 0 && ctx.Err() == nil {
		begun := s.req.started()
		n, done, err := s.req.feed(b)
		if err != nil {
			return err
		}
		b = b[n:]
		if !done {
			if !begun {
				s.since = time.Now()
			}
			return nil
		}
		if err := s.answer(); err != nil {
			return err
		}
		s.req.reset()
	}
	return nil
}

// answer appends the answer to the complete request.
func (s *session) answer() error {
	s.requests.Add(1)
	var r reply.Reply
	var instance untrusted.Text
	stage := s.req.stage()
	if stage == cmp.Or(s.Stage, facts.Rcpt) {
		s.asked.Add(1)
		c := s.req.facts()
		if !c.Client.IsValid() {
			s.noAddress.Add(1)
		}
		instance = c.Instance
		var err error
		if r, err = s.ask(c); err != nil {
			return err
		}
	}
	// Postfix asks for each recipient and collects the headers of a mail: one is
	// enough. Questions about one mail come on one connection.
	first := instance.IsZero() || instance != s.prepended
	var prepended bool
	if s.out, prepended = appendAnswer(s.out, r, first && takesHeader(stage)); prepended {
		s.prepended = instance
	}
	if len(s.out) >= flushSize {
		return s.flush()
	}
	return nil
}

// takesHeader reports whether Postfix accepts PREPEND there: access(5) wants a
// mail transaction, and one whose content has not come yet.
func takesHeader(stage facts.Stage) bool {
	return stage == facts.Mail || stage == facts.Rcpt || stage == facts.Data
}

// flush sends the answers with one Write.
func (s *session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(cmp.Or(s.Write, DefaultWrite)))
	_, err := s.conn.Write(s.out)
	s.out = s.out[:0]
	if err != nil {
		return fmt.Errorf("answer not sent: %w", err)
	}
	return nil
}
