// Package resolver is a stub resolver (RFC 1034 §5.3.1) that trusts nobody on
// the way: its own exchange loop over few shared sockets, retries, hedging
// between servers, TCP where an answer is truncated or the datagrams are
// suspect, a memory of answers and of failures, and a breaker that tells our
// own servers' sickness from the sender's. It asks recursive servers and does
// not validate DNSSEC itself.
package resolver

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
)

// MaxServers is the number of servers that a Config may have.
const MaxServers = 8

// ErrServers is returned by New for more than MaxServers servers.
var ErrServers = errors.New("resolver: too many servers")

// Config says whom to ask and how patiently. The zero value of a field means
// its default. Without servers every question fails, as evidence.Failed.
type Config struct {
	// Servers are recursive servers in the order of preference.
	Servers []netip.AddrPort

	// Now is the clock of the memory and of the breaker, time.Now by default;
	// the timers of the wire run on the machine's monotonic clock.
	Now func() time.Time
	// Rand gives ids and the case of names; crypto/rand.Reader by default.
	Rand io.Reader

	// CacheBytes bounds the memory of answers; 32 MiB by default.
	CacheBytes int
	// MaxInFlight bounds the questions under way; 10,000 by default. What is
	// asked beyond it fails at once.
	MaxInFlight int
	// MaxTCP bounds the TCP connections at one time; 64 by default.
	MaxTCP int

	// Timeout bounds the time spent on one question, aliases and TCP
	// included; 5 s by default.
	Timeout time.Duration
	// Try is how long a server is awaited before it is asked again, growing
	// by half each time; 800 ms by default.
	Try time.Duration
	// Tries is how often a silent server is asked; 3 by default, and RFC 9520
	// §3.1 allows no more. The last query is awaited until Timeout.
	Tries int

	// Sockets is the number of UDP sockets for each server, 4 by default; each
	// is renewed, and so has a new random port, after SocketQueries questions
	// (4,096 by default, at most 32,768) or SocketAge (10 s).
	Sockets       int
	SocketQueries int
	SocketAge     time.Duration

	// Canaries are questions whose answers are known; see Canary. They are
	// asked every CanaryEvery, 20 s by default. Their random labels are drawn
	// anew every LabelEvery, 5 min by default, and each time when something is
	// wrong: in quiet times our servers answer from memory and trouble nobody.
	Canaries    []Canary
	CanaryEvery time.Duration
	LabelEvery  time.Duration

	Breaker Breaker
}

// Canary is a question with a known answer, asked of every server: one that
// denies a name which exists, or invents one which does not, lies.
type Canary struct {
	// Question is what to ask. Each label "*" of the name stands for a random
	// one, drawn anew as LabelEvery says, to which no server has an answer in its
	// memory: so the loss of the way to the zone's servers shows too.
	Question evidence.Question
	// Absent says that the name does not exist; otherwise it has records.
	Absent bool
}

// Breaker says when our own DNS is held to be sick: when more than Share of
// at least Outcomes questions within Window ended in trouble, or all servers
// are silent for Outcomes queries, and the canaries fail too (if there are
// any). While it is sick only Probes queries a second are sent.
type Breaker struct {
	Window   time.Duration // 30 s by default
	Outcomes int           // 50 by default
	Share    float64       // 0.2 by default
	Probes   int           // 20 by default
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	def(&c.CacheBytes, 32<<20)
	def(&c.MaxInFlight, 10_000)
	def(&c.MaxTCP, 64)
	def(&c.Timeout, 5*time.Second)
	def(&c.Try, 800*time.Millisecond)
	def(&c.Tries, 3)
	def(&c.Sockets, 4)
	def(&c.SocketQueries, 4096)
	def(&c.SocketAge, 10*time.Second)
	def(&c.CanaryEvery, 20*time.Second)
	def(&c.LabelEvery, 5*time.Minute)
	def(&c.Breaker.Window, 30*time.Second)
	def(&c.Breaker.Outcomes, 50)
	def(&c.Breaker.Share, 0.2)
	def(&c.Breaker.Probes, 20)
	c.SocketQueries = min(c.SocketQueries, 1<<15)
	return c
}

// def gives a field its default where it has no sensible value.
func def[T int | float64 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// check refuses servers that can't be asked.
func (c Config) check() error {
	if len(c.Servers) > MaxServers {
		return fmt.Errorf("%w: %d, at most %d", ErrServers, len(c.Servers), MaxServers)
	}
	for _, s := range c.Servers {
		if !s.IsValid() || s.Port() == 0 {
			return fmt.Errorf("resolver: server %q: want address and port", s)
		}
	}
	for _, c := range c.Canaries {
		if _, err := withLabel(c.Question.Name, strings.Repeat("x", randomLen)); err != nil {
			return fmt.Errorf("resolver: canary %q: %w", c.Question.Name, err)
		}
	}
	return nil
}
