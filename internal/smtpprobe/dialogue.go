package smtpprobe

import (
	"slices"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// examine speaks with a server as any client may: greeting, EHLO, STARTTLS,
// QUIT.
func (s *session) examine(t evidence.SMTPTarget) error {
	if err := s.greet(); err != nil {
		return err
	}
	if err := s.hello(); err != nil {
		return err
	}
	if err := s.secure(t.Host); err != nil {
		return err
	}
	if err := s.unasked(stepQuit); err != nil {
		return err
	}
	s.quit()
	return nil
}

// greet waits for the greeting, for as long as there is time at all: many
// servers let strangers wait before they greet.
func (s *session) greet() error {
	s.limit(s.prober.config.Total)
	reply, err := s.hear(stepGreeting, time.Now())
	s.out.Greeting = reply
	if err != nil {
		return err
	}
	// RFC 5321 §4.2: the name of the server comes first.
	s.out.BannerName = firstWord(reply.Lines[0])
	switch {
	case reply.Code == 220:
		return nil
	case reply.Code >= 400:
		// RFC 5321 §3.1: a client that is turned away leaves with QUIT.
		s.quit()
		s.out.BannerName = untrusted.Text{}
		return &ending{evidence.Turned, stepGreeting, said(reply)}
	}
	s.out.BannerName = untrusted.Text{}
	return &ending{evidence.Babble, stepGreeting, "greets with another code than 220"}
}

// hello says EHLO, and HELO to a server that knows no EHLO (RFC 5321 §3.2).
func (s *session) hello() error {
	reply, err := s.command(stepEHLO, "EHLO "+s.prober.config.Name)
	s.out.EHLO = reply
	if err != nil {
		return err
	}
	step := stepEHLO
	if reply.Code >= 500 {
		step = stepHELO
		if reply, err = s.command(step, "HELO "+s.prober.config.Name); reply != nil && reply.Positive() {
			s.note("no-ehlo")
			s.out.EHLO = reply
		}
		if err != nil {
			return err
		}
	}
	switch {
	case reply.Code == 250:
	case reply.Code >= 400:
		s.quit()
		return &ending{evidence.Turned, step, said(reply)}
	default:
		return &ending{evidence.Babble, step, "answers with another code than 250"}
	}
	s.out.EHLOName = firstWord(reply.Lines[0])
	if step == stepEHLO {
		s.out.Extensions = slices.DeleteFunc(slices.Clone(reply.Lines[1:]), untrusted.Text.IsZero)
	}
	return nil
}

// offers reports whether a reply to EHLO names the extension.
func offers(extensions []untrusted.Text, name string) bool {
	for _, e := range extensions {
		if strings.EqualFold(firstWord(e).Raw(), name) {
			return true
		}
	}
	return false
}

// quit leaves politely (RFC 5321 §4.1.1.10), and reports whether the server was
// in step to the last: the reply to QUIT is 221 and the end.
func (s *session) quit() bool {
	reply, err := s.command(stepQuit, "QUIT")
	return err == nil && reply.Code == 221 && !s.in.pending()
}
