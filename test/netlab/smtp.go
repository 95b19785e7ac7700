package netlab

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Mail is one mail transaction of a client (RFC 5321 §3.3).
type Mail struct {
	// From is the client's address in the client namespace, and Port the
	// service of Postfix that it dials.
	From netip.Addr
	Port uint16
	// Helo is the EHLO argument; empty means the address literal of From, which
	// is correct whatever the DNS says.
	Helo string
	// To are the recipients; none means user@example.org.
	To []string
	// Login says that the client authenticates first.
	Login bool
	// Header are further header lines, on top of the message's own.
	Header []string
}

// Step is one command with its reply; the greeting has an empty command.
type Step struct {
	Said string
	Code int
	Text string // lines joined by "\n", without code
}

// Dialogue is everything that was said in one session.
type Dialogue struct {
	// ID is the Message-ID of the message, unique in the test.
	ID    string
	Steps []Step
}

// messages numbers the messages of the process.
var messages atomic.Int64

// Send plays the client's side: EHLO, AUTH, MAIL, RCPT for each recipient,
// and, if one was accepted, DATA. Replies of whatever code are results; only a
// connection that can't be made or breaks fails the test.
func (w *World) Send(t testing.TB, m Mail) Dialogue {
	t.Helper()
	w.AddClient(t, m.From)
	d := Dialogue{ID: fmt.Sprintf("<%d.netlab@example.net>", messages.Add(1))}
	if err := w.session(t.Context(), m, &d); err != nil {
		t.Fatalf("smtp from %s to port %d: %v\n%s", m.From, m.Port, err, d)
	}
	return d
}

func (w *World) session(ctx context.Context, m Mail, d *Dialogue) error {
	server := Server4
	if m.From.Is6() {
		server = Server6
	}
	conn, err := w.Client.Dial(ctx, m.From, "tcp", netip.AddrPortFrom(server, m.Port).String())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		return err
	}
	c := client{text: textproto.NewConn(conn), dialogue: d}
	if err := c.hear(""); err != nil {
		return err
	}
	if err := c.transaction(m); err != nil {
		return err
	}
	return c.say("QUIT")
}

// client is an SMTP client that writes everything down.
type client struct {
	text     *textproto.Conn
	dialogue *Dialogue
}

func (c client) say(command string) error {
	if err := c.text.PrintfLine("%s", command); err != nil {
		return err
	}
	return c.hear(command)
}

// hear reads one reply; an unwelcome code is no error.
func (c client) hear(said string) error {
	code, text, err := c.text.ReadResponse(0)
	if err != nil {
		return err
	}
	c.dialogue.Steps = append(c.dialogue.Steps, Step{Said: said, Code: code, Text: text})
	return nil
}

func (c client) transaction(m Mail) error {
	if m.Helo == "" {
		m.Helo = literal(m.From)
	}
	if len(m.To) == 0 {
		m.To = []string{"user@" + Domain}
	}
	commands := []string{"EHLO " + m.Helo}
	if m.Login {
		plain := base64.StdEncoding.EncodeToString([]byte("\x00" + Login + "\x00" + Password))
		commands = append(commands, "AUTH PLAIN "+plain)
	}
	commands = append(commands, "MAIL FROM:<sender@example.net>")
	for _, to := range m.To {
		commands = append(commands, "RCPT TO:<"+to+">")
	}
	for _, command := range commands {
		if err := c.say(command); err != nil {
			return err
		}
	}
	if !c.dialogue.anyRecipient() {
		return nil
	}
	return c.data(m)
}

// data sends the message; nothing in it begins with a dot.
func (c client) data(m Mail) error {
	if err := c.say("DATA"); err != nil || c.dialogue.last().Code != 354 {
		return err
	}
	lines := append([]string{}, m.Header...)
	lines = append(
		lines,
		"Message-ID: "+c.dialogue.ID,
		"From: <sender@example.net>",
		"Subject: netlab",
		"",
		"Hello.",
		".",
	)
	return c.say(strings.Join(lines, "\r\n"))
}

// literal is the address literal of RFC 5321 §4.1.3.
func literal(a netip.Addr) string {
	if a.Is6() {
		return "[IPv6:" + a.String() + "]"
	}
	return "[" + a.String() + "]"
}

func (d *Dialogue) last() Step { return d.Steps[len(d.Steps)-1] }

func (d *Dialogue) anyRecipient() bool {
	for _, s := range d.Steps {
		if strings.HasPrefix(s.Said, "RCPT") && s.Code/100 == 2 {
			return true
		}
	}
	return false
}

// Reply is the reply to the last command that begins with the given words; the
// zero Step when there was none.
func (d Dialogue) Reply(command string) Step {
	for i := len(d.Steps) - 1; i >= 0; i-- {
		if strings.HasPrefix(d.Steps[i].Said, command) {
			return d.Steps[i]
		}
	}
	return Step{}
}

// Rcpt is the reply to RCPT, "550 5.7.25 …".
func (d Dialogue) Rcpt() string {
	s := d.Reply("RCPT")
	return fmt.Sprintf("%d %s", s.Code, s.Text)
}

// Accepted reports whether Postfix took responsibility for the message.
func (d Dialogue) Accepted() bool {
	s := d.last()
	if s.Said == "QUIT" && len(d.Steps) > 1 {
		s = d.Steps[len(d.Steps)-2]
	}
	return strings.HasSuffix(s.Said, "\r\n.") && s.Code == 250
}

// String is the dialogue as a transcript.
func (d Dialogue) String() string {
	var b strings.Builder
	for _, s := range d.Steps {
		for line := range strings.Lines(s.Said) {
			fmt.Fprintf(&b, "C: %s\n", strings.TrimRight(line, "\r\n"))
		}
		fmt.Fprintf(&b, "S: %d %s\n", s.Code, s.Text)
	}
	return b.String()
}
