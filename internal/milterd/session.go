package milterd

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/reply"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// session is the dialogue on one socket: one SMTP connection with Postfix,
// possibly several, one after the other, with Sendmail.
type session struct {
	h    *Handler
	conn net.Conn
	in   reader
	out  []byte // answers not yet sent
	id   int64  // of the socket

	negotiated bool
	actions    uint32
	protocol   uint32

	// announced are the macros sent ahead of the connect command.
	announced macros
	// client is what is known of the SMTP connection.
	client facts.Conn

	// auth is the login sent ahead of the MAIL command.
	auth     untrusted.Text
	messages int64
	message  message
}

// message is what is known of one mail transaction. The zero value is "none".
type message struct {
	instance untrusted.Text
	sender   untrusted.Text
	auth     untrusted.Text

	header     string // of our Authentication-Results field
	authservID string // as a reply named it
	results    resultFields
}

// run reads and answers until the end. It returns io.EOF for an orderly one.
func (s *session) run(ctx context.Context) error {
	for {
		f, err := s.in.next(ctx)
		if err != nil {
			return err
		}
		if err := s.handle(ctx, f); err != nil {
			return err
		}
		if err := s.flush(); err != nil {
			return err
		}
		// A drain ends here, after the answer.
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// handle does what one command asks. A command out of turn is no reason to
// leave: MTAs differ, and our state tells a message from none.
func (s *session) handle(ctx context.Context, f frame) error {
	if !s.negotiated && f.command != cmdOptions {
		return fmt.Errorf("%w: command %q before the negotiation", errFrame, rune(f.command))
	}
	switch f.command {
	case cmdOptions:
		return s.negotiate(f.body)
	case cmdMacros:
		s.macros(f.body)
	case cmdConnect:
		if err := s.connect(f.body); err != nil {
			return err
		}
		s.goOn(mutedConnect)
	case cmdHelo:
		// After STARTTLS the client greets again (RFC 3207 §4.2).
		helo, _ := cstring(f.body)
		s.client.Helo, s.client.HeloKnown = text(helo), true
		s.goOn(mutedHelo)
	case cmdMail:
		s.begin(mailbox(f.body))
		s.goOn(mutedMail)
	case cmdRcpt:
		s.recipient(ctx, mailbox(f.body))
	case cmdHeader:
		s.header(f)
		s.goOn(mutedHeader)
	case cmdEndOfBody:
		s.endOfMessage()
	case cmdAbort:
		s.forgetMessage()
	case cmdQuitNew:
		s.forgetClient()
	case cmdQuit:
		return io.EOF
	case cmdData:
		s.goOn(mutedData)
	case cmdEndOfHead:
		s.goOn(mutedEndOfHead)
	case cmdBody:
		s.goOn(mutedBody)
	case cmdUnknown:
		s.goOn(mutedUnknown)
	}
	return nil
}

// goOn answers "continue", unless it was agreed that this command gets none.
func (s *session) goOn(muted uint32) {
	if s.protocol&muted == 0 {
		s.out = appendFrame(s.out, actContinue)
	}
}

// negotiate agrees on what both sides can. MTAs refuse a filter that wants
// more than was offered, so both masks are cut to the offer.
func (s *session) negotiate(body []byte) error {
	if len(body) < 12 {
		return fmt.Errorf("%w: negotiation of %d octets", errFrame, len(body))
	}
	version := binary.BigEndian.Uint32(body)
	if version < minVersion {
		return fmt.Errorf("%w: protocol version %d", errFrame, version)
	}
	version = min(version, maxVersion)
	s.forgetClient()
	s.negotiated = true
	s.actions = binary.BigEndian.Uint32(body[4:]) & (mayAddHeaders | mayChangeHeaders | mayNameMacros)
	s.protocol = binary.BigEndian.Uint32(body[8:]) & wanted(s.actions)

	var options [12]byte
	binary.BigEndian.PutUint32(options[0:], version)
	binary.BigEndian.PutUint32(options[4:], s.actions)
	binary.BigEndian.PutUint32(options[8:], s.protocol)
	if s.actions&mayNameMacros == 0 {
		s.out = appendFrame(s.out, cmdOptions, string(options[:]))
		return nil
	}
	s.out = appendFrame(s.out, cmdOptions, string(options[:]),
		number(macrosAtConnect), connectMacros, "\x00", number(macrosAtMail), mailMacros, "\x00")
	return nil
}

// wanted is what the MTA may leave out where it lets us do the given actions:
// all but connect, HELO, MAIL, RCPT, the header where we may change it, and the
// end of the message. Of these only RCPT and the end need our answer, so that a
// message costs two round trips. The header is asked for even while there is no
// authserv-id: the site may get one while the connection lasts.
// SMFIP_HDR_LEADSPC is not wanted: without it the MTA itself puts the blank
// behind the colon of the field that we add.
func wanted(actions uint32) uint32 {
	w := uint32(skipBody | skipEndOfHead | skipUnknown | skipData |
		mutedConnect | mutedHelo | mutedMail | mutedHeader |
		mutedData | mutedUnknown | mutedEndOfHead | mutedBody)
	if actions&mayChangeHeaders == 0 {
		w |= skipHeaders
	}
	return w
}

// forgeable returns the identifier whose fields are removed from the present
// message; empty for none. The replies at RCPT, which name it, come before the
// header.
func (s *session) forgeable() string {
	if s.actions&mayChangeHeaders == 0 {
		return ""
	}
	return cmp.Or(s.message.authservID, s.h.AuthservID)
}

// begin starts a mail transaction, whatever came before: an MTA that was told
// not to wait for our answer to MAIL may not tell that it gave one up.
func (s *session) begin(sender untrusted.Text) {
	s.messages++
	id := make([]byte, 0, 32)
	id = strconv.AppendInt(append(id, "milter."...), s.id, 10)
	id = strconv.AppendInt(append(id, '.'), s.messages, 10)
	s.message = message{instance: text(id), sender: sender, auth: s.auth}
	s.auth = untrusted.Text{}
}

// recipient asks for the verdict about one recipient, and answers it.
func (s *session) recipient(ctx context.Context, to untrusted.Text) {
	if s.message.instance.IsZero() {
		s.begin(untrusted.Text{})
	}
	q := s.client
	q.Stage = facts.Rcpt
	q.Sender, q.Recipient = s.message.sender, to
	q.AuthUser = s.message.auth
	q.Instance = s.message.instance
	r := s.h.ask(ctx, q)
	if r.Warning != "" {
		s.h.count.warnings.Add(1)
	}
	s.message.authservID = cmp.Or(r.AuthservID, s.message.authservID)
	if r.Verb != reply.Pass {
		s.out = appendFrame(s.out, actReplyCode, smtpReply(r), "\x00")
		return
	}
	s.message.header = cmp.Or(r.Header, s.message.header)
	s.out = appendFrame(s.out, actContinue)
}

// endOfMessage orders the changes to the header. They are part of the answer,
// which ends with "continue".
func (s *session) endOfMessage() {
	m := &s.message
	if m.results.tooMany {
		s.out = appendFrame(s.out, actReplyCode, smtpReply(tooManyForged), "\x00")
		s.forgetMessage()
		return
	}
	s.out = m.results.appendRemovals(s.out)
	s.h.count.forgedRemoved.Add(int64(len(m.results.forged)))
	if m.header != "" && s.actions&mayAddHeaders != 0 {
		// RFC 8601 §4: above the trace fields of this host. Position 0 is
		// above our MTA's own Received field, in Postfix and in Sendmail.
		s.out = appendFrame(s.out, actInsertHeader, number(0), resultsName, "\x00", m.header, "\x00")
	}
	s.out = appendFrame(s.out, actContinue)
	s.forgetMessage()
}

// forgetMessage returns to the state before MAIL.
func (s *session) forgetMessage() { s.auth, s.message = untrusted.Text{}, message{} }

// forgetClient returns to the state before the connect command.
func (s *session) forgetClient() {
	s.announced, s.client = macros{}, facts.Conn{Door: facts.Milter}
	s.forgetMessage()
}

// flush sends the answers.
func (s *session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(cmp.Or(s.h.WriteTimeout, DefaultWriteTimeout))); err != nil {
		return fmt.Errorf("milterd: write: %w", err)
	}
	if _, err := s.conn.Write(s.out); err != nil {
		return fmt.Errorf("milterd: write: %w", err)
	}
	if cap(s.out) > firstBuffer {
		s.out = nil
	}
	s.out = s.out[:0]
	return nil
}
