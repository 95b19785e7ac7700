package dialer

import (
	"context"
	"net/netip"
)

// Control does what the dialer does with a socket that is about to connect to
// peer for a call of Dial with to, once or with several sockets in turn.
func (d *Dialer) Control(to, peer netip.AddrPort, more ...netip.AddrPort) error {
	service, err := d.service("tcp", to)
	if err != nil {
		return err
	}
	a := attempt{dialer: d, service: service, to: to}
	defer func() { a.end() }()
	for _, p := range append([]netip.AddrPort{peer}, more...) {
		if err := a.control(context.Background(), "tcp4", p.String(), nil); err != nil {
			return err
		}
	}
	return nil
}

// Remembered returns the number of targets with a budget.
func (d *Dialer) Remembered() int {
	d.budgets.mu.Lock()
	defer d.budgets.mu.Unlock()
	return len(d.budgets.began) + len(d.budgets.open)
}

// MaxTargets is the bound of Remembered.
const MaxTargets = maxTargets
