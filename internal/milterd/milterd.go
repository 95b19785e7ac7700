// Package milterd is a filter that MTAs ask over the milter protocol, versions
// 2 to 6, which no RFC describes: it follows the headers of Sendmail's
// libmilter and the behaviour of Postfix. The verdict is given at RCPT, where
// authentication and recipient are known and the words reach the sender; at
// the end of the message forged Authentication-Results fields are removed and
// ours is added (RFC 8601 §5). Bodies are never asked for.
package milterd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/reply"
)

// What a Handler does where its fields are zero. AskTimeout lies below the 10 s
// that Sendmail waits for an answer, and IdleTimeout is that of libmilter: an
// MTA is silent for as long as a client takes to send its message.
const (
	DefaultIdleTimeout  = 7210 * time.Second
	DefaultFrameTimeout = 30 * time.Second
	DefaultWriteTimeout = 10 * time.Second
	DefaultAskTimeout   = 8 * time.Second
)

var errCodes = errors.New("milterd: reply whose codes don't fit its verb")

// Handler speaks the protocol with MTAs. Set the fields before the first call
// of Serve. One Handler may serve any number of connections at once.
type Handler struct {
	// Ask answers one question, at stage facts.Rcpt. Its context ends after
	// AskTimeout; whoever then has not answered is answered for, with
	// reply.NotNow, and so is a panic or a reply that is not consistent.
	Ask func(context.Context, facts.Conn) reply.Reply

	// AuthservID is the identifier whose forged Authentication-Results fields
	// are removed, unless a reply to a question about the message names another.
	// Without either no field is removed.
	AuthservID string

	// Log gets an error of a connection: one for each that was closed for what
	// it sent or did not send, one for each question that was not answered in
	// time or with codes that don't fit, one for the first panic of Ask. Nil
	// drops it.
	Log func(error)

	// IdleTimeout bounds the silence between two frames, FrameTimeout the
	// arrival of one, WriteTimeout the sending of an answer, AskTimeout the wait
	// for Ask. Zero means the default.
	IdleTimeout, FrameTimeout, WriteTimeout, AskTimeout time.Duration

	count    counters
	panicked sync.Once
}

// counters are the atomic form of Stats.
type counters struct {
	connections, framesRefused, headers, forgedRemoved, addressMismatches, asksFailed, warnings atomic.Int64
}

// Stats are the counters of a Handler.
type Stats struct {
	Connections       int64 // connections served
	FramesRefused     int64 // connections closed for a bad frame
	Headers           int64 // header fields seen
	ForgedRemoved     int64 // Authentication-Results fields removed
	AddressMismatches int64 // {client_addr} that differs from the connect command
	AsksFailed        int64 // questions that Ask did not answer in time or consistently, or panicked at
	Warnings          int64 // replies with a warning, which milter can't carry to the MTA's log
}

// Stats returns the counters, from any goroutine.
func (h *Handler) Stats() Stats {
	return Stats{
		Connections:       h.count.connections.Load(),
		FramesRefused:     h.count.framesRefused.Load(),
		Headers:           h.count.headers.Load(),
		ForgedRemoved:     h.count.forgedRemoved.Load(),
		AddressMismatches: h.count.addressMismatches.Load(),
		AsksFailed:        h.count.asksFailed.Load(),
		Warnings:          h.count.warnings.Load(),
	}
}

// Serve speaks with the MTA at the other end of c until it quits or breaks the
// protocol, and closes c. When ctx ends, the answer under way is finished and
// the connection closed: what the MTA then does is its own default action.
func (h *Handler) Serve(ctx context.Context, c net.Conn) {
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	s := &session{
		h:    h,
		conn: c,
		id:   h.count.connections.Add(1),
		in: reader{
			conn:  c,
			idle:  cmp.Or(h.IdleTimeout, DefaultIdleTimeout),
			frame: cmp.Or(h.FrameTimeout, DefaultFrameTimeout),
			buf:   make([]byte, firstBuffer),
		},
		out:    make([]byte, 0, 256),
		client: facts.Conn{Door: facts.Milter},
	}
	switch err := s.run(ctx); {
	case errors.Is(err, io.EOF) || ctx.Err() != nil:
	case errors.Is(err, errFrame):
		h.count.framesRefused.Add(1)
		h.log(err)
	default:
		h.log(err)
	}
}

func (h *Handler) log(err error) {
	if h.Log != nil {
		h.Log(err)
	}
}

// ask asks, and answers itself when there is no answer in time. The question
// outlives ctx, since a drain finishes the answer under way.
func (h *Handler) ask(ctx context.Context, q facts.Conn) reply.Reply {
	patience := cmp.Or(h.AskTimeout, DefaultAskTimeout)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	answer := make(chan reply.Reply, 1)
	go func() { answer <- h.askSafely(ctx, q) }()
	select {
	case r := <-answer:
		return r
	case <-ctx.Done():
		h.count.asksFailed.Add(1)
		h.log(fmt.Errorf("milterd: no decision within %v", patience))
		return reply.NotNow()
	}
}

// askSafely turns a panic and a broken reply into a temporary failure. A panic
// would end the process, because it is not in the goroutine that the listener
// guards.
func (h *Handler) askSafely(ctx context.Context, q facts.Conn) (r reply.Reply) {
	defer func() {
		if v := recover(); v != nil {
			h.count.asksFailed.Add(1)
			h.panicked.Do(func() { h.log(fmt.Errorf("milterd: panic at a question: %q\n%s", fmt.Sprint(v), debug.Stack())) })
			r = reply.NotNow()
		}
	}()
	r, ok := h.Ask(ctx, q).Checked()
	if !ok {
		h.count.asksFailed.Add(1)
		h.log(errCodes)
	}
	return r
}
