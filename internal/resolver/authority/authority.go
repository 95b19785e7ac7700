// Package authority asks the authoritative servers of a zone, each by itself and
// without recursion (RFC 1034 §4.3.1), what a recursive resolver would only say
// with one voice. It finds the zone with the resolver's help, and does not
// validate DNSSEC: it repeats what the resolver says of it.
package authority

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// Dial opens a connection to an address over "udp" or "tcp", as that of package
// dialer, which says *dialer.Barred where it must not.
type Dial func(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error)

// Config says how to ask. DNS and Dial must be there; the zero value of another
// field means its default.
type Config struct {
	// DNS is the recursive resolver that finds zones, name servers and addresses.
	DNS evidence.DNS
	// Dial opens every socket to an authoritative server.
	Dial Dial
	// Now gives the times of the answers; time.Now by default.
	Now func() time.Time
	// Rand gives the ids of queries; crypto/rand.Reader by default.
	Rand io.Reader

	// Timeout bounds one call of Zone whose context has no deadline, 18 s by
	// default; one that has is followed. Patience is how long the
	// resolver is awaited each time, 4 s by default, so that a dead zone leaves
	// time to ask its servers; Try is how long a server is awaited before it is
	// asked a second and last time, 1.2 s by default.
	Timeout  time.Duration
	Patience time.Duration
	Try      time.Duration
	// Queries bounds the questions to authoritative servers for one call of Zone,
	// 100 by default; AtOnce those under way for all calls together, 32.
	Queries int
	AtOnce  int
}

// Limits of what one zone may cost.
const (
	maxParents   = 4  // servers of the zone above, asked for the delegation
	maxAddresses = 32 // addresses of name servers
	maxNetwork   = 8  // addresses in one IPv4 /24 or IPv6 /48
	tries        = 2
)

// Authority implements evidence.Authority; it can be used by many at once.
type Authority struct {
	cfg   Config
	slots chan struct{}
	rand  struct {
		sync.Mutex
		io.Reader
	}
}

// New checks the configuration.
func New(cfg Config) (*Authority, error) {
	if cfg.DNS == nil || cfg.Dial == nil {
		return nil, errors.New("authority: wants a resolver and a dialer")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	def(&cfg.Timeout, 18*time.Second)
	def(&cfg.Patience, 4*time.Second)
	def(&cfg.Try, 1200*time.Millisecond)
	def(&cfg.Queries, 100)
	def(&cfg.AtOnce, 32)
	a := &Authority{cfg: cfg, slots: make(chan struct{}, cfg.AtOnce)}
	a.rand.Reader = cfg.Rand
	return a, nil
}

func def[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// id returns a random message id.
func (a *Authority) id() uint16 {
	var b [2]byte
	a.rand.Lock()
	defer a.rand.Unlock()
	if _, err := io.ReadFull(a.rand.Reader, b[:]); err != nil {
		_, _ = rand.Read(b[:])
	}
	return binary.BigEndian.Uint16(b[:])
}

// walk is one call of Zone.
type walk struct {
	*Authority
	ctx  context.Context
	zone *evidence.Zone
	left atomic.Int64 // of the budget of queries
	glue map[dnsname.Name][]netip.Addr

	named []dnsname.Name // name servers that have rows
	// unnamed counts those that a set of NS records was cut by; both sets are cut
	// in the same way, so that the same ones are missing.
	unnamed  int
	networks map[netip.Prefix]int
}

// Zone implements evidence.Authority.
func (a *Authority) Zone(ctx context.Context, q evidence.Question) *evidence.Zone {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.cfg.Timeout)
		defer cancel()
	}
	w := &walk{
		Authority: a, ctx: ctx, glue: map[dnsname.Name][]netip.Addr{}, networks: map[netip.Prefix]int{},
		zone: &evidence.Zone{Question: q, Name: q.Name, Servers: []evidence.NameServer{}},
	}
	w.zone.Security.State = evidence.Indeterminate
	w.left.Store(int64(a.cfg.Queries))
	if q.Name.IsZero() {
		return w.zone
	}
	start := w.chase()
	w.apex(start)
	if !w.zone.Apex.IsZero() {
		w.examine()
	}
	if ctx.Err() != nil || w.left.Load() < 0 {
		w.zone.Partial = true
	}
	return w.zone
}

// ask asks the recursive resolver.
func (w *walk) ask(questions ...evidence.Question) []evidence.Answer {
	return w.start(questions...)()
}

// start asks the recursive resolver, and returns what waits for the answers.
func (w *walk) start(questions ...evidence.Question) func() []evidence.Answer {
	ctx, cancel := context.WithTimeout(w.ctx, w.cfg.Patience)
	pending := w.cfg.DNS.Ask(ctx, questions...)
	return func() []evidence.Answer {
		defer cancel()
		return pending.Wait()
	}
}

var _ evidence.Authority = (*Authority)(nil)
