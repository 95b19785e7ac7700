package resolver

import (
	"net"
	"net/netip"
)

// SetDial replaces the opening of UDP sockets. It must be called before the
// first question.
func (r *Resolver) SetDial(dial func(netip.AddrPort) (*net.UDPConn, error)) { r.dialUDP = dial }
