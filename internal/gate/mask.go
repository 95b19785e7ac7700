package gate

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
)

// Mask notices when the source address can't be the client's: a NAT, a proxy or
// a container network that makes all strangers one private address. Then
// nobody's DNS can be judged, and nobody may be refused for it. It is safe for
// concurrent use.
type Mask struct {
	gateway netip.Addr

	mu       sync.Mutex
	since    time.Time
	total    int
	public   int
	suspects map[netip.Addr]int
	masked   bool
	why      string
}

// The detector judges windows of at least maskSample connections and
// maskWindow, and once in between, as soon as there are maskSample: masked is
// what has more than half of them from one address that is no client's, and
// less than a fifth from public ones, for a busy relay of the site's own beside
// strangers is no mask. It keeps count of maskSuspects addresses.
const (
	maskWindow   = time.Minute
	maskSample   = 50
	maskSuspects = 256
)

// NewMask makes a detector. Besides internal addresses it suspects gateway, the
// default router; the zero Addr if unknown.
func NewMask(gateway netip.Addr) *Mask {
	return &Mask{gateway: gateway, suspects: make(map[netip.Addr]int)}
}

// Note counts one connection of a client that has not authenticated and is not
// of the site's own networks.
func (m *Mask) Note(client netip.Addr, source evidence.Source, now time.Time) {
	suspect := client == m.gateway || internal(source)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.since.IsZero() {
		m.since = now
	}
	m.total++
	if !source.Special() && !suspect {
		m.public++
	}
	if suspect && (len(m.suspects) < maskSuspects || m.suspects[client] > 0) {
		m.suspects[client]++
	}
	over := m.total >= maskSample && now.Sub(m.since) >= maskWindow
	if over || m.total == maskSample {
		m.judge()
	}
	if over {
		m.since, m.total, m.public = now, 0, 0
		clear(m.suspects)
	}
}

func (m *Mask) judge() {
	m.masked, m.why = false, ""
	for client, n := range m.suspects {
		if 2*n > m.total && 5*m.public < m.total {
			m.masked = true
			m.why = fmt.Sprintf("%d of %d connections came from %s, which is no stranger's address: hand the real one through (PROXY protocol, XCLIENT, or no NAT before the MTA), or list it in own_networks", n, m.total, client)
		}
	}
}

// State tells whether the source is masked, and why we think so.
func (m *Mask) State() (masked bool, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.masked, m.why
}

// internal reports whether the address belongs to somebody's own network.
// Loopback is left out: the machine's own submissions are no strangers.
func internal(s evidence.Source) bool {
	return s.Kind == "private" || s.Kind == "shared" || s.Kind == "link-local"
}
