package lab

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const (
	// mailIdle is how long a server waits for a command (RFC 5321 §4.5.3.2.7).
	mailIdle = 5 * time.Minute
	// mailLine is the longest command that it reads (RFC 5321 §4.5.3.1.4).
	mailLine = 512
)

// mailSession is one connection to a mail server of the lab.
type mailSession struct {
	host   mailHost
	done   context.Context
	secure *tls.Config // nil where STARTTLS is not offered
	conn   net.Conn
	in     *bufio.Reader
	inside bool // TLS
	sender bool // MAIL was accepted
}

func newMailSession(done context.Context, h mailHost, secure *tls.Config, conn net.Conn) *mailSession {
	return &mailSession{host: h, done: done, secure: secure, conn: conn, in: bufio.NewReaderSize(conn, mailLine)}
}

// run speaks until either side leaves.
func (s *mailSession) run() {
	h := &s.host
	switch {
	case h.is(mailHangup):
		return
	case h.is(mailSilent):
		_, _ = io.Copy(io.Discard, s.conn)
		return
	case h.is(mailGarbled):
		_ = s.say("HTTP/1.1 400 Bad Request")
		return
	}
	if !s.pause(h.delay) || !s.greet() {
		return
	}
	for {
		line, err := s.hear()
		if err != nil || !s.pause(h.slow) {
			return
		}
		verb, argument, _ := strings.Cut(line, " ")
		if !s.answer(strings.ToUpper(verb), argument) {
			return
		}
	}
}

// greet reports whether the client was told anything.
func (s *mailSession) greet() bool {
	if s.host.reject != 0 {
		return s.say(fmt.Sprintf("%d %s No SMTP service for you", s.host.reject, s.host.banner)) == nil
	}
	return s.say("220 "+s.host.banner+" ESMTP of the lab") == nil
}

func (s *mailSession) say(lines ...string) error {
	_ = s.conn.SetDeadline(time.Now().Add(mailIdle))
	_, err := io.WriteString(s.conn, strings.Join(lines, "\r\n")+"\r\n")
	return err
}

// hear reads one command; a longer one ends the session.
func (s *mailSession) hear() (string, error) {
	line, err := s.in.ReadSlice('\n')
	return string(bytes.TrimRight(line, "\r\n")), err
}

// pause reports whether the time went by before the server was closed.
func (s *mailSession) pause(d time.Duration) bool {
	if d == 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.done.Done():
		return false
	}
}

// answer reports whether the session goes on.
func (s *mailSession) answer(verb, argument string) bool {
	h := &s.host
	var err error
	switch {
	case verb == "QUIT":
		_ = s.say("221 2.0.0 Bye")
		return false
	case h.reject != 0: // RFC 5321 §3.1: QUIT is all that is left
		err = s.say("503 5.5.1 Bad sequence of commands")
	case verb == "EHLO" && !h.is(mailHELO):
		err = s.say(s.extensions()...)
	case verb == "HELO":
		err = s.say("250 " + h.ehlo)
	case verb == "STARTTLS" && s.secure != nil && !s.inside:
		return s.startTLS()
	case verb == "MAIL":
		s.sender = true
		err = s.say("250 2.1.0 Ok")
	case verb == "RCPT":
		err = s.say(s.recipient(argument))
	case verb == "RSET":
		s.sender = false
		err = s.say("250 2.0.0 Ok")
	case verb == "NOOP":
		err = s.say("250 2.0.0 Ok")
	case verb == "VRFY":
		err = s.say(choose(h.vrfy, "250 2.1.5 Post Master <postmaster@"+h.domains[0]+">", "252 2.0.0 Try RCPT"))
	case verb == "EXPN":
		err = s.say(choose(h.expn, "250 2.1.5 <postmaster@"+h.domains[0]+">", "502 5.5.1 Not implemented"))
	case verb == "DATA":
		err = s.say("554 5.5.1 The lab takes no messages")
	default:
		err = s.say("502 5.5.2 Command not recognized")
	}
	return err == nil
}

func choose(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

func (s *mailSession) extensions() []string {
	s.sender = false
	lines := []string{"250-" + s.host.ehlo, "250-PIPELINING", "250-SIZE 10240000"}
	if s.secure != nil && !s.inside {
		lines = append(lines, "250-STARTTLS")
	}
	return append(lines, "250 8BITMIME")
}

// recipient returns the reply to RCPT TO:<path>, whose domain follows the last @
// (RFC 5321 §4.1.2).
func (s *mailSession) recipient(argument string) string {
	h := &s.host
	if !s.sender {
		return "503 5.5.1 MAIL first"
	}
	_, path, _ := strings.Cut(argument, "<")
	path, _, ok := strings.Cut(path, ">")
	if !ok {
		return "501 5.1.3 Bad recipient address syntax"
	}
	at := strings.LastIndexByte(path, '@')
	local, domain := path, ""
	if at >= 0 {
		local, domain = path[:at], path[at+1:]
	}
	local = strings.ToLower(local[strings.LastIndexByte(local, ':')+1:])
	switch {
	case at >= 0 && !h.local(domain) && !h.relay:
		return "554 5.7.1 Relay access denied"
	case local == "postmaster" && h.postmaster != 0:
		return fmt.Sprintf("%d 5.1.1 No such user", h.postmaster)
	case local == "abuse" && h.abuse != 0:
		return fmt.Sprintf("%d 5.1.1 No such user", h.abuse)
	}
	return "250 2.1.5 Ok"
}

// startTLS drops what was read in the clear (RFC 3207 §4.2), unless the world says
// that this server doesn't.
func (s *mailSession) startTLS() bool {
	var rest []byte
	if s.host.is(mailInject) {
		rest, _ = s.in.Peek(s.in.Buffered())
		rest = bytes.Clone(rest)
	}
	if s.say("220 2.0.0 Ready to start TLS") != nil {
		return false
	}
	server := tls.Server(s.conn, s.secure)
	if server.HandshakeContext(s.done) != nil {
		return false
	}
	s.conn, s.inside, s.sender = server, true, false
	s.in = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(rest), server), mailLine)
	return true
}
