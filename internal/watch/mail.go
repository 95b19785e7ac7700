package watch

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/smtp"
	"net/textproto"
	"time"
)

// Mail sends each change as a message through a relay: SMTP with STARTTLS where
// the relay offers it, without login (RFC 5321, RFC 3207).
type Mail struct {
	Relay string // host or address
	Port  uint16
	Route Route
	From  string
	To    []string
	// Helo is our own name.
	Helo string
	// Rand gives the unguessable part of a Message-ID.
	Rand func() uint64
	Now  func() time.Time
	// TLS verifies the relay; nil takes any certificate, as mail servers do.
	TLS *tls.Config
	// Log is told of recipients that are refused while others are not.
	Log *slog.Logger
}

// Name returns "mail".
func (*Mail) Name() string { return "mail" }

// Notify hands the message over to the relay.
func (m *Mail) Notify(ctx context.Context, c Change) error {
	ctx, cancel := context.WithTimeout(ctx, notifyTimeout)
	defer cancel()
	err := m.send(ctx, m.message(c))
	var reply *textproto.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &reply) && reply.Code >= 500: // RFC 5321 §4.2.1
		return &Refused{fmt.Errorf("watch: mail by %s: %w", m.Relay, err)}
	}
	return fmt.Errorf("watch: mail by %s: %w", m.Relay, err)
}

func (m *Mail) send(ctx context.Context, message []byte) error {
	conn, err := m.Route.connect(ctx, m.Relay, m.Port)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	client, err := smtp.NewClient(conn, m.Relay)
	if err != nil {
		return err
	}
	if err := client.Hello(m.Helo); err != nil {
		return err
	}
	if ok, _ := client.Extension("STARTTLS"); ok {
		if err := client.StartTLS(m.config()); err != nil {
			return err
		}
	}
	if err := client.Mail(m.From); err != nil {
		return err
	}
	if err := m.recipients(client); err != nil {
		return err
	}
	data, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := data.Write(message); err != nil {
		return err
	}
	if err := data.Close(); err != nil {
		return err
	}
	// The relay has taken the message over: what QUIT brings changes nothing
	// (RFC 5321 §4.1.1.10).
	_ = client.Quit()
	return nil
}

// recipients names them. One that is refused for good does not keep the others
// from hearing of the change.
func (m *Mail) recipients(client *smtp.Client) error {
	taken, refusals := 0, []error(nil)
	for _, to := range m.To {
		err := client.Rcpt(to)
		var reply *textproto.Error
		switch {
		case err == nil:
			taken++
		case errors.As(err, &reply) && reply.Code >= 500:
			refusals = append(refusals, fmt.Errorf("%s: %w", to, err))
		default:
			return fmt.Errorf("%s: %w", to, err)
		}
	}
	if taken == 0 {
		return errors.Join(refusals...)
	}
	for _, err := range refusals {
		m.Log.Error("the relay refuses a recipient of the watch", "relay", m.Relay, "error", err)
	}
	return nil
}

func (m *Mail) config() *tls.Config {
	if m.TLS != nil {
		return m.TLS
	}
	// RFC 7435: encryption without authentication beats plain text, and no
	// secret is sent.
	return &tls.Config{ServerName: m.Relay, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
}

// message writes the mail (RFC 5322). Its text is printable ASCII, for what
// comes from the network is escaped; base64 keeps the lines short.
func (m *Mail) message(c Change) []byte {
	var b bytes.Buffer
	at := m.Now()
	fmt.Fprintf(&b, "Date: %s\r\n", at.Format(time.RFC1123Z))
	fmt.Fprintf(&b, "From: Arpagate <%s>\r\n", m.From)
	for i, to := range m.To {
		if i == 0 {
			fmt.Fprintf(&b, "To: <%s>", to)
		} else {
			fmt.Fprintf(&b, ",\r\n <%s>", to)
		}
	}
	fmt.Fprintf(&b, "\r\nSubject: %s\r\n", mime.QEncoding.Encode("utf-8", c.Subject()))
	fmt.Fprintf(&b, "Message-ID: <%016x.%x@%s>\r\n", m.Rand(), at.UnixNano(), m.Helo)
	// RFC 3834 §5: no vacation notice may answer it.
	b.WriteString("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n")
	b.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	text := base64.StdEncoding.EncodeToString([]byte(c.Text()))
	for len(text) > 0 {
		n := min(76, len(text)) // RFC 2045 §6.8
		b.WriteString(text[:n] + "\r\n")
		text = text[n:]
	}
	return b.Bytes()
}

var _ Notifier = (*Mail)(nil)
