package dialer

import (
	"net/netip"
	"sync"
	"time"
)

// maxTargets bounds the memory of the budgets.
const maxTargets = 20_000

// target is what a budget is kept for: an address or a network, and a service.
type target struct {
	network string
	port    uint16
	block   netip.Prefix
}

// budgets count the connections of the last window and those that are open.
type budgets struct {
	now    func() time.Time
	window time.Duration
	atOnce int

	mu    sync.Mutex
	began map[target][]time.Time // oldest first
	open  map[target]int
	total int
}

func newBudgets(c Config) *budgets {
	return &budgets{
		now: c.Now, window: c.Window, atOnce: c.AtOnce,
		began: map[target][]time.Time{}, open: map[target]int{},
	}
}

// targets returns what a connection is charged to: its address, and the network
// of the size that one site has.
func targets(s Service, to netip.AddrPort) (address, network target) {
	bits := 24
	if to.Addr().Is6() {
		bits = 48
	}
	addr := to.Addr().WithZone("")
	block, err := addr.Prefix(bits)
	if err != nil {
		block = netip.PrefixFrom(addr, addr.BitLen())
	}
	return target{s.Network, s.Port, netip.PrefixFrom(addr, addr.BitLen())}, target{s.Network, s.Port, block}
}

// take charges a connection, or says which budget is used up.
func (b *budgets) take(s Service, to netip.AddrPort) error {
	address, network := targets(s, to)
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.total >= b.atOnce {
		return &OverBudget{To: to, Scope: "open", Limit: b.atOnce}
	}
	if b.open[address] >= s.AtOnce {
		return &OverBudget{To: to, Scope: "open", Limit: s.AtOnce}
	}
	if t := b.recent(address, now); len(t) >= s.PerAddress {
		return &OverBudget{To: to, Scope: "address", Limit: s.PerAddress, Until: t[len(t)-s.PerAddress].Add(b.window)}
	}
	if t := b.recent(network, now); len(t) >= s.PerNetwork {
		return &OverBudget{To: to, Scope: "network", Limit: s.PerNetwork, Until: t[len(t)-s.PerNetwork].Add(b.window)}
	}
	if len(b.began)+2 > maxTargets {
		b.forget(now)
	}
	if len(b.began)+2 > maxTargets {
		return &OverBudget{To: to, Scope: "table", Limit: maxTargets}
	}
	b.began[address] = append(b.began[address], now)
	b.began[network] = append(b.began[network], now)
	b.open[address]++
	b.total++
	return nil
}

// release ends a connection; it stays charged for the rest of the window.
func (b *budgets) release(s Service, to netip.AddrPort) {
	address, _ := targets(s, to)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total--
	if b.open[address]--; b.open[address] <= 0 {
		delete(b.open, address)
	}
}

// recent drops the times that left the window, and returns the rest.
func (b *budgets) recent(t target, now time.Time) []time.Time {
	times := b.began[t]
	n := 0
	for n < len(times) && !times[n].Add(b.window).After(now) {
		n++
	}
	if n == len(times) {
		delete(b.began, t)
		return nil
	}
	b.began[t] = times[n:]
	return b.began[t]
}

// forget drops all targets whose window has passed.
func (b *budgets) forget(now time.Time) {
	for t := range b.began {
		b.recent(t, now)
	}
}
