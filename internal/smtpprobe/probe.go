// Package smtpprobe examines mail servers as RFC 5321 lets any client: it reads
// the greeting and the reply to EHLO, looks at STARTTLS (RFC 3207), asks more of
// the operator's own servers, and leaves with QUIT. It stops at RCPT and never
// sends a message; whatever a server says ends in a typed result in time.
package smtpprobe

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/dialer"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// Config says how to examine. New fills in what is zero, but Dialer and Name.
type Config struct {
	// Dialer opens the connections.
	Dialer *dialer.Dialer
	// Name is our own host name, or an address literal ("[192.0.2.1]"), for EHLO.
	Name string
	// Port is 25.
	Port uint16
	// Step is the time for each step, and for each line of a long reply: 10 s.
	// The greeting alone may take as long as there is time at all, for servers
	// delay it on purpose, by half a minute and more.
	Step time.Duration
	// Total is the time for one server, 45 s, when the context allows so much.
	Total time.Duration
	// Delay is the least time to the greeting that is taken for a delay on
	// purpose, 2 s.
	Delay time.Duration
	// Roots are the authorities of certificates; nil means the system's.
	Roots *x509.CertPool
	// Now dates the examination and judges certificates; time.Now by default.
	Now func() time.Time
}

// Defaults of Config.
const (
	defaultPort  = 25
	defaultStep  = 10 * time.Second
	defaultTotal = 45 * time.Second
	defaultDelay = 2 * time.Second
)

// Prober examines mail servers. It can be used by many at once.
type Prober struct {
	config Config
}

var _ evidence.Prober = (*Prober)(nil)

// New checks the configuration.
func New(c Config) (*Prober, error) {
	if c.Dialer == nil {
		return nil, errors.New("smtpprobe: no dialer")
	}
	if err := checkName(c.Name); err != nil {
		return nil, err
	}
	if c.Port == 0 {
		c.Port = defaultPort
	}
	for limit, value := range map[*time.Duration]time.Duration{
		&c.Step: defaultStep, &c.Total: defaultTotal, &c.Delay: defaultDelay,
	} {
		if *limit <= 0 {
			*limit = value
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Prober{c}, nil
}

// checkName allows what RFC 5321 §4.1.1.1 lets a client say: a host name or an
// address literal.
func checkName(name string) error {
	if literal, ok := strings.CutPrefix(name, "["); ok {
		literal, closed := strings.CutSuffix(literal, "]")
		six, is6 := strings.CutPrefix(literal, "IPv6:")
		addr, err := netip.ParseAddr(six)
		if err != nil || !closed || addr.Is6() != is6 || addr.Zone() != "" {
			return fmt.Errorf("smtpprobe: name %q: want an address literal like [192.0.2.1]", name)
		}
		return nil
	}
	host, err := dnsname.Parse(name)
	if err == nil && host.HostFault() != dnsname.Usable {
		err = fmt.Errorf("fault %q", string(host.HostFault()))
	}
	if err != nil || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
		return fmt.Errorf("smtpprobe: name %q: want a host name (%v)", name, err)
	}
	return nil
}

// Probe examines one server. It returns within ctx and never nil.
func (p *Prober) Probe(ctx context.Context, t evidence.SMTPTarget) *evidence.SMTP {
	out := p.blank(t)
	if ctx.Err() != nil {
		out.Outcome, out.Why = evidence.Unconnected, untrusted.New("no time left")
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, p.config.Total)
	defer cancel()
	p.converse(ctx, out, func(s *session) error { return s.examine(t) })
	out.Delayed = Delayed(out.Steps, p.config.Delay)
	if t.Own && out.Outcome == evidence.Spoke {
		p.askMore(ctx, t, out)
	}
	return out
}

func (p *Prober) blank(t evidence.SMTPTarget) *evidence.SMTP {
	return &evidence.SMTP{
		Host: t.Host, Peer: netip.AddrPortFrom(t.Addr.Unmap(), p.config.Port),
		At: p.config.Now(), Steps: []evidence.SMTPStep{},
	}
}

// converse connects and lets talk speak; out gets all that is learned, and how
// it ended.
func (p *Prober) converse(ctx context.Context, out *evidence.SMTP, talk func(*session) error) {
	s, err := p.connect(ctx, out)
	if err == nil {
		err = talk(s)
		s.close()
	}
	var e *ending
	if errors.As(err, &e) {
		out.Outcome, out.Step, out.Why = e.outcome, e.step, untrusted.New(e.why)
		return
	}
	out.Outcome = evidence.Spoke
}

// Delayed reports whether the greeting came late, by at least the given time,
// while all replies after it came soon. It is then taken for a delay on purpose;
// a server that looks us up first can't be told from that.
func Delayed(steps []evidence.SMTPStep, least time.Duration) bool {
	const apart = 4 // the greeting took so many times as long as any reply
	var greeting, slowest time.Duration
	replies := 0
	for _, s := range steps {
		switch s.Name {
		case stepConnect, stepHandshake:
		case stepGreeting:
			greeting = s.Took
		default:
			slowest = max(slowest, s.Took)
			replies++
		}
	}
	return replies > 0 && greeting >= least && greeting >= apart*slowest
}
