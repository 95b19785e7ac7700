package smtpprobe

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/arpagate/arpagate/internal/dialer"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// The names of the steps; those of commands are the commands in lower case.
const (
	stepConnect   = "connect"
	stepGreeting  = "greeting"
	stepEHLO      = "ehlo"
	stepHELO      = "helo"
	stepStartTLS  = "starttls"
	stepHandshake = "handshake"
	stepEHLOTLS   = "ehlo-tls"
	stepQuit      = "quit"
)

// ending is the error of a dialogue that ended before its end.
type ending struct {
	outcome evidence.SMTPOutcome
	step    string
	why     string
}

// Error returns outcome, step and reason.
func (e *ending) Error() string {
	return "smtpprobe: " + string(e.outcome) + " at " + e.step + ": " + e.why
}

// session is one connection. Its deadlines and times are those of the machine's
// clock, as sockets have them.
type session struct {
	prober *Prober
	ctx    context.Context
	out    *evidence.SMTP
	raw    net.Conn
	conn   net.Conn // raw, or the TLS session on it
	in     *reader
	unhook func() bool
}

func (p *Prober) connect(ctx context.Context, out *evidence.SMTP) (*session, error) {
	began := time.Now()
	dialing, cancel := context.WithTimeout(ctx, p.config.Step)
	defer cancel()
	conn, err := p.config.Dialer.Dial(dialing, "tcp", out.Peer)
	out.Steps = append(out.Steps, evidence.SMTPStep{Name: stepConnect, Took: time.Since(began)})
	if err != nil {
		return nil, unconnected(err)
	}
	s := &session{prober: p, ctx: ctx, out: out, raw: conn}
	s.unhook = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	s.over(conn)
	return s, nil
}

// over makes the connection the one that is spoken on; what was read of the one
// before is dropped (RFC 3207 §4.2).
func (s *session) over(conn net.Conn) {
	s.conn = conn
	s.in = &reader{in: conn, renew: s.renew}
}

func (s *session) close() {
	s.unhook()
	_ = s.raw.Close()
}

// renew gives the next line, or command, the time of a step.
func (s *session) renew() { s.limit(s.prober.config.Step) }

// limit sets the deadline. A context that has ended has set its own, which this
// must not undo.
func (s *session) limit(d time.Duration) {
	_ = s.raw.SetDeadline(time.Now().Add(d))
	if s.ctx.Err() != nil {
		_ = s.raw.SetDeadline(time.Unix(1, 0))
	}
}

// unasked ends the dialogue with a server that speaks before it is asked: it is
// out of step, and nothing it says can be ascribed to a command. RFC 5321 §3.8:
// only a 421 may come at any time.
func (s *session) unasked(step string) error {
	if !s.in.pending() {
		return nil
	}
	s.renew()
	if reply, _, err := s.in.reply(); err == nil && reply.Code == 421 {
		return &ending{evidence.Turned, step, said(reply)}
	}
	return &ending{evidence.Babble, step, "speaks without being asked"}
}

// command sends one line and reads the reply. RFC 5321 §3.8: after 421 the server
// closes the connection.
func (s *session) command(step, line string) (*evidence.SMTPReply, error) {
	if err := s.unasked(step); err != nil {
		return nil, err
	}
	s.renew()
	began := time.Now()
	if _, err := io.WriteString(s.conn, line+"\r\n"); err != nil {
		return nil, s.broken(step, err)
	}
	reply, err := s.hear(step, began)
	if err == nil && reply.Code == 421 {
		err = &ending{evidence.Turned, step, said(reply)}
	}
	return reply, err
}

// hear reads one reply and notes the time since began.
func (s *session) hear(step string, began time.Time) (*evidence.SMTPReply, error) {
	reply, long, err := s.in.reply()
	s.out.Steps = append(s.out.Steps, evidence.SMTPStep{Name: step, Took: time.Since(began)})
	if long {
		s.note("long-line")
	}
	if err != nil {
		return reply, s.broken(step, err)
	}
	return reply, nil
}

// note remembers an oddity once.
func (s *session) note(what string) {
	if !slices.Contains(s.out.Notes, what) {
		s.out.Notes = append(s.out.Notes, what)
	}
}

// broken says how an error of the connection ends the dialogue.
func (s *session) broken(step string, err error) *ending {
	var g garble
	var timeout net.Error
	switch {
	case errors.As(err, &g):
		return &ending{evidence.Babble, step, string(g)}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &ending{evidence.Slow, step, "no reply in time"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &ending{evidence.Closed, step, "closed in the middle of a reply"}
	case errors.Is(err, io.EOF):
		return &ending{evidence.Closed, step, "closed by the server"}
	}
	return &ending{evidence.Closed, step, cause(err)}
}

// spent reports whether it was the time for the whole that ran out, and not
// that for a step: the server may be well then.
func (s *session) spent() bool {
	end, ok := s.ctx.Deadline()
	return s.ctx.Err() != nil || ok && !time.Now().Before(end)
}

// unconnected says why there is no connection.
func unconnected(err error) *ending {
	var barred *dialer.Barred
	var over *dialer.OverBudget
	var timeout net.Error
	outcome, why := evidence.NoRoute, cause(err)
	switch {
	case errors.As(err, &barred):
		outcome, why = evidence.NotAllowed, barred.Why
	case errors.As(err, &over):
		outcome, why = evidence.OverBudget, over.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		outcome = evidence.Declined
	case errors.Is(err, syscall.ECONNRESET):
		outcome = evidence.Closed
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.As(err, &timeout) && timeout.Timeout():
		outcome, why = evidence.Slow, "no connection in time"
	}
	return &ending{outcome, stepConnect, why}
}

// cause returns the system's words for an error, without addresses.
func cause(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}

// said returns a reply on one line.
func said(r *evidence.SMTPReply) string {
	var b strings.Builder
	if r.Code != 0 {
		b.WriteString(strconv.Itoa(r.Code))
	}
	for _, l := range r.Lines {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(l.Raw())
	}
	return b.String()
}

// firstWord returns the first word of a line.
func firstWord(line untrusted.Text) untrusted.Text {
	words := strings.FieldsFunc(line.Raw(), func(r rune) bool { return r == ' ' || r == '\t' })
	if len(words) == 0 {
		return untrusted.Text{}
	}
	return untrusted.New(words[0])
}
