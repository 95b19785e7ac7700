// Package egress finds out from which addresses this machine sends: those of
// its interfaces, those that the routing table chooses for the Internet, and
// what a DNS service says that sees us from outside. It sends nothing itself,
// and can't see what a gateway puts in place of a private address.
package egress

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/evidence"
)

// System is this machine, as far as it is asked.
type System interface {
	// Interfaces returns the addresses of all interfaces that are up.
	Interfaces() ([]netip.Addr, error)
	// Source returns the address that the routing table chooses to reach dst.
	Source(dst netip.Addr) (netip.Addr, error)
}

// Most is the number of addresses that Find returns at most.
const Most = 32

// far stands for the Internet, one of each family: addresses that only the
// default route leads to, and that nobody has (RFC 5737, RFC 3849).
var far = [2]netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, 1}), netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 1})}

// Find returns the addresses that this machine may send from: first those that
// the routing table chooses, then seen, what others saw, then those of the
// interfaces. Loopback, link-local and multicast addresses are left out; private
// ones stay, for they tell of a gateway.
func Find(s System, seen []netip.Addr) ([]netip.Addr, error) {
	var all []netip.Addr
	for _, dst := range far {
		// Without a route of that family there is nothing to send from.
		if addr, err := s.Source(dst); err == nil {
			all = append(all, addr)
		}
	}
	all = append(all, seen...)
	own, err := s.Interfaces()
	all = append(all, own...)
	var out []netip.Addr
	for _, addr := range all {
		addr = addr.Unmap().WithZone("")
		if addr.IsGlobalUnicast() && !slices.Contains(out, addr) && len(out) < Most {
			out = append(out, addr)
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, err
}

// Seen reads from an answer the addresses that a service saw us under: those of
// A and AAAA records, or TXT records that hold an address.
func Seen(a *evidence.Answer) []netip.Addr {
	out := slices.Clone(a.Addrs)
	for _, text := range a.Texts {
		if addr, err := netip.ParseAddr(strings.TrimSpace(text.String())); err == nil {
			out = append(out, addr.WithZone("").Unmap())
		}
	}
	return out
}
