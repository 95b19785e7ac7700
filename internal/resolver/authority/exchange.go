package authority

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/arpagate/arpagate/internal/dialer"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver/dnswire"
)

// question is what is asked of one server.
type question struct {
	server netip.Addr
	evidence.Question
}

// outcome is how an exchange ended.
type outcome uint8

const (
	notAsked outcome = iota
	answered         // with a message that can be read
	garbled
	silent
	unreachable
	barred
)

// reply is what came of one question. Its why tells of every outcome but
// answered.
type reply struct {
	question
	outcome  outcome
	why      string
	response dnswire.Response
	cut      dnswire.Delegation
	at       time.Time
	took     time.Duration
}

const (
	// payload is more than a query offers to take.
	payload = 4096
	// strange is the number of datagrams or messages that may not be the answer
	// before the way is given up (RFC 5452 §9.3): somebody guesses, or babbles.
	strange = 64
	port    = 53
)

var errStrange = errors.New("too many messages that are not the answer")

// query asks one server one question, over UDP and, where that does not do, TCP.
func (w *walk) query(q question) reply {
	select {
	case w.slots <- struct{}{}:
	case <-w.ctx.Done():
		return reply{question: q, why: "no time left"}
	}
	defer func() { <-w.slots }()
	if w.left.Add(-1) < 0 {
		return reply{question: q, why: "no questions left"}
	}
	began := time.Now()
	msg, err := w.overUDP(q)
	if errors.Is(err, errTruncated) || errors.Is(err, errStrange) {
		if msg, err = w.overTCP(q); err != nil {
			err = &tcpError{err}
		}
	}
	r := w.read(q, msg, err)
	r.at, r.took = w.cfg.Now(), time.Since(began)
	return r
}

// tcpError says that the exchange had gone over to TCP.
type tcpError struct{ error }

// Error says so.
func (e *tcpError) Error() string { return "over TCP: " + e.error.Error() }

// Unwrap returns the error itself.
func (e *tcpError) Unwrap() error { return e.error }

var errTruncated = errors.New("truncated")

// overUDP sends the query, and once more when nothing comes. The second one has no
// EDNS: there are servers that drop what they don't know (RFC 6891 §6.2.5).
func (w *walk) overUDP(q question) ([]byte, error) {
	conn, err := w.dial(w.ctx, "udp", q.server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(w.ctx, func() { conn.Close() })()
	x := datagrams{conn: conn, buf: make([]byte, payload)}
	wait := w.cfg.Try
	for try := range tries {
		query := dnswire.AppendDirect(nil, w.id(), q.Question, try+1 < tries)
		x.queries = append(x.queries, query)
		if _, err = conn.Write(query); err != nil {
			continue
		}
		var msg []byte
		if msg, err = x.receive(time.Now().Add(wait)); err == nil {
			if try+1 < tries && dnswire.Unknowing(msg) {
				continue // RFC 6891 §7: the server does not know EDNS
			}
			return msg, nil
		}
		if errors.Is(err, errTruncated) || errors.Is(err, errStrange) || w.ctx.Err() != nil {
			break
		}
		wait += wait / 2
	}
	if w.ctx.Err() != nil {
		return nil, w.ctx.Err()
	}
	return nil, err
}

// dial opens a connection. Where too many are open at this time, it waits for one
// to close, for as long as a server may take.
func (w *walk) dial(ctx context.Context, network string, server netip.Addr) (net.Conn, error) {
	const turns = 10
	for turn := 1; ; turn++ {
		conn, err := w.cfg.Dial(ctx, network, netip.AddrPortFrom(server, port))
		var spent *dialer.OverBudget
		if !errors.As(err, &spent) || spent.Scope != "open" || turn == turns {
			return conn, err
		}
		wait := time.NewTimer(w.cfg.Try / turns)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return nil, err
		}
	}
}

// datagrams is the reading side of one socket.
type datagrams struct {
	conn    net.Conn
	buf     []byte
	queries [][]byte
	strange int
}

// receive returns the first datagram that answers one of the queries.
func (x *datagrams) receive(until time.Time) ([]byte, error) {
	if err := x.conn.SetReadDeadline(until); err != nil {
		return nil, err
	}
	for x.strange < strange {
		n, err := x.conn.Read(x.buf)
		if err != nil {
			return nil, err
		}
		msg := x.buf[:n]
		switch {
		case !ours(msg, x.queries):
			x.strange++
		case n == len(x.buf) || dnswire.Truncated(msg):
			return nil, errTruncated
		default:
			return msg, nil
		}
	}
	return nil, errStrange
}

// ours reports whether a message answers one of the queries (RFC 5452 §9.1).
func ours(msg []byte, queries [][]byte) bool {
	id, ok := dnswire.ID(msg)
	for _, query := range queries {
		if own, _ := dnswire.ID(query); ok && own == id {
			match := dnswire.Compare(msg, query)
			return match == dnswire.Same || match == dnswire.OtherCase
		}
	}
	return false
}

// overTCP asks over a connection of its own. It has as long as UDP had, in all
// and not for each read.
func (w *walk) overTCP(q question) ([]byte, error) {
	ctx, cancel := context.WithTimeout(w.ctx, 2*w.cfg.Try)
	defer cancel()
	conn, err := w.dial(ctx, "tcp", q.server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	query := dnswire.AppendDirect(nil, w.id(), q.Question, true)
	out := append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)
	if _, err := conn.Write(out); err != nil {
		return nil, err
	}
	for range strange {
		msg, err := dnswire.ReadMessage(conn)
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return nil, err
		}
		if ours(msg, [][]byte{query}) {
			return msg, nil
		}
	}
	return nil, errStrange
}

// read makes the reply of a message, or of the error that came in its place.
func (w *walk) read(q question, msg []byte, err error) reply {
	r := reply{question: q}
	if err != nil {
		r.outcome, r.why = classify(err), cause(err)
		return r
	}
	d := dnswire.Decoder{Whole: true}
	r.outcome = answered
	r.response, err = d.Decode(msg, q.Question)
	if err == nil && r.response.Truncated {
		err = errTruncated
	}
	if err == nil && r.response.Referral {
		r.cut, err = d.Delegation(msg, q.Question)
	}
	switch {
	case errors.Is(err, dnswire.ErrSOA):
		r.why = err.Error() // an answer that can be read, of a server that is lame
	case err != nil:
		r.outcome, r.why = garbled, err.Error()
	}
	return r
}

// classify tells what the server did from what we could not do.
func classify(err error) outcome {
	var no *dialer.Barred
	var spent *dialer.OverBudget
	var op *net.OpError
	switch {
	case errors.As(err, &no):
		return barred
	case errors.As(err, &spent):
		return notAsked
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return silent
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ECONNRESET):
		return unreachable
	case errors.As(err, &op) && op.Op == "read" && errors.Is(err, syscall.ENETUNREACH):
		return unreachable // a router said so; before anything was sent it is our own lack
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return silent
	case errors.Is(err, errTruncated), errors.Is(err, errStrange):
		return garbled
	}
	return notAsked // no socket, no route, no permission
}

// cause words an error without addresses and file names.
func cause(err error) string {
	var errno syscall.Errno
	var no *dialer.Barred
	var spent *dialer.OverBudget
	var tcp *tcpError
	prefix := ""
	if errors.As(err, &tcp) {
		prefix = "over TCP: "
	}
	switch {
	case errors.As(err, &no):
		return prefix + no.Why + ": " + no.Detail
	case errors.As(err, &spent):
		return prefix + "it was asked too often of late"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return prefix + "closed without an answer"
	case classify(err) == silent:
		return prefix + "no answer in time"
	case errors.As(err, &errno):
		return prefix + errno.Error()
	}
	return err.Error()
}
