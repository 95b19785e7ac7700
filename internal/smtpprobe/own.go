package smtpprobe

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
)

// askMore puts the questions that only the operator of a server may ask: each
// group over a connection of its own, so that no answer depends on another, and
// all at once, since each may be let wait for its greeting.
func (p *Prober) askMore(ctx context.Context, t evidence.SMTPTarget, out *evidence.SMTP) {
	var wait sync.WaitGroup
	defer wait.Wait()
	if out.TLS != nil && out.TLS.Version != "" {
		wait.Go(func() {
			p.apart(ctx, t, func(s *session) error {
				took, err := s.inject()
				out.TLS.Injected = took
				return err
			})
		})
	}
	wait.Go(func() {
		p.apart(ctx, t, func(s *session) error {
			err := s.mailboxes(t)
			if err == nil && s.quit() {
				out.VRFY, out.EXPN = s.out.VRFY, s.out.EXPN
				out.Postmaster, out.Abuse = s.out.Postmaster, s.out.Abuse
			}
			return err
		})
	})
	if !t.Relay {
		return
	}
	wait.Go(func() {
		p.apart(ctx, t, func(s *session) error {
			reply, err := s.relay(t)
			// A server that is out of step must not be called an open relay for it.
			if err == nil && s.quit() {
				out.Relay = reply
			}
			return err
		})
	})
}

// apart speaks over a new connection, with a record of its own.
func (p *Prober) apart(ctx context.Context, t evidence.SMTPTarget, talk func(*session) error) {
	p.converse(ctx, p.blank(t), func(s *session) error {
		if err := s.greet(); err != nil {
			return err
		}
		if err := s.hello(); err != nil {
			return err
		}
		return talk(s)
	})
}

// mailboxes asks for the names of mailboxes, and whether the role mailboxes take
// mail from the null sender, as reports come (RFC 5321 §4.5.1, RFC 2142 §4). A
// sender that is refused is the answer for both.
func (s *session) mailboxes(t evidence.SMTPTarget) (err error) {
	out := s.out
	if out.VRFY, err = s.command("vrfy", "VRFY postmaster"); err != nil {
		return err
	}
	if out.EXPN, err = s.command("expn", "EXPN postmaster"); err != nil {
		return err
	}
	reply, err := s.command("mail", "MAIL FROM:<>")
	if err != nil {
		return err
	}
	if !reply.Positive() {
		out.Postmaster, out.Abuse = reply, reply
		return nil
	}
	at := ""
	if !t.Domain.IsZero() {
		at = "@" + strings.TrimSuffix(t.Domain.String(), ".")
	}
	if out.Postmaster, err = s.command("rcpt", "RCPT TO:<postmaster"+at+">"); err != nil {
		return err
	}
	if at != "" {
		if out.Abuse, err = s.command("rcpt", "RCPT TO:<abuse"+at+">"); err != nil {
			return err
		}
	}
	_, err = s.command("rset", "RSET")
	return err
}

// relay asks whether the server takes mail from strangers for strangers. It
// returns the first reply that takes the recipient, or else the one to the
// plainest form. Forms like user%example.org@own are left out: to take them is
// no sign of relaying, for they may be local names.
func (s *session) relay(t evidence.SMTPTarget) (*evidence.SMTPReply, error) {
	from, to, ok := s.strangers(t)
	if !ok {
		return nil, nil
	}
	host := strings.TrimSuffix(t.Host.String(), ".")
	forms := []struct{ from, to string }{
		{"", "relay-test@" + to},
		{"relay-test@" + from, "relay-test@" + to},
	}
	if !t.Domain.IsZero() {
		forms = append(forms, struct{ from, to string }{"postmaster@" + strings.TrimSuffix(t.Domain.String(), "."), "relay-test@" + to})
	}
	if host != "" && host != "." {
		forms = append(forms, struct{ from, to string }{"", "@" + host + ":relay-test@" + to})
	}
	var plainest *evidence.SMTPReply
	for _, f := range forms {
		reply, err := s.envelope(f.from, f.to)
		if err != nil {
			return nil, err
		}
		if plainest == nil || reply.Positive() {
			plainest = reply
		}
		if _, err := s.command("rset", "RSET"); err != nil {
			return nil, err
		}
		if reply.Positive() {
			break
		}
	}
	return plainest, nil
}

// envelope returns the reply to RCPT, or the one to MAIL that refuses already.
func (s *session) envelope(from, to string) (*evidence.SMTPReply, error) {
	reply, err := s.command("mail", "MAIL FROM:<"+from+">")
	if err != nil || !reply.Positive() {
		return reply, err
	}
	return s.command("rcpt", "RCPT TO:<"+to+">")
}

// strangers returns two domains, perhaps the same, that are not the server's own
// by any name that we know of it; ok is false where there is none.
func (s *session) strangers(t evidence.SMTPTarget) (from, to string, ok bool) {
	known := []string{t.Host.String(), t.Domain.String(), s.out.BannerName.Raw(), s.out.EHLOName.Raw()}
	free := slices.DeleteFunc([]string{"example.org", "example.net", "example.com"}, func(domain string) bool {
		return slices.ContainsFunc(known, func(name string) bool {
			name = strings.ToLower(strings.TrimSuffix(name, "."))
			return name == domain || strings.HasSuffix(name, "."+domain)
		})
	})
	if len(free) == 0 {
		return "", "", false
	}
	return free[len(free)-1], free[0], true
}

// inject sends a command in the clear behind STARTTLS, and reports whether the
// server took it over. RFC 3207 §4.2: it must forget it. One that keeps it answers
// it inside the session, and so gives each later command the reply to the one
// before: QUIT gets that of EHLO.
func (s *session) inject() (took bool, err error) {
	if !offers(s.out.Extensions, "STARTTLS") {
		return false, nil
	}
	reply, err := s.command(stepStartTLS, "STARTTLS\r\nNOOP")
	if err != nil || reply.Code != 220 || s.in.pending() {
		return false, err
	}
	if err := s.handshake(s.out.Host, new(evidence.TLS)); err != nil {
		return false, err
	}
	// The replies are read without looking whether there are more: that is what
	// this is about.
	var codes []int
	for _, line := range []string{"EHLO " + s.prober.config.Name, "QUIT", ""} {
		s.renew()
		if line != "" {
			if _, err := io.WriteString(s.conn, line+"\r\n"); err != nil {
				return false, s.broken(stepEHLOTLS, err)
			}
		}
		reply, err := s.hear(stepEHLOTLS, time.Now())
		if err != nil {
			return false, err
		}
		if codes = append(codes, reply.Code); reply.Code == 221 {
			break
		}
	}
	return slices.Equal(codes, []int{250, 250, 221}), nil
}
