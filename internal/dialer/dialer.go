// Package dialer opens the connections that look at other people's hosts. It
// checks the real address of the peer against the special-purpose registries
// (RFC 6890 §2.2) when the socket is about to connect, allows a few ports only,
// and keeps budgets for each address and network. It takes addresses alone and
// resolves no names, so there is nothing to rebind.
package dialer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
)

// Config says what may be dialled. New fills in what is zero.
type Config struct {
	// Services are the kinds of connection that may be made; none means SMTP
	// and DNS.
	Services []Service
	// Window is the time for which a connection counts against the budgets of
	// its service, ten minutes by default.
	Window time.Duration
	// AtOnce is how many connections may be open at one time, 64 by default.
	AtOnce int

	// Own are the addresses on which we listen, or which serve us: a stranger's
	// question must not lead to them. Port 0 stands for all ports.
	Own []netip.AddrPort
	// Sources are addresses of this machine to dial from, at most one for each
	// family; without one of the peer's family the system chooses.
	Sources []netip.Addr

	// Named are endpoints that the operator named by their addresses, a relay in
	// his own network or on this machine: they may be special. With a Map, only
	// those on loopback are dialled.
	Named []netip.AddrPort

	// Map, for labs and tests, leads addresses to loopback ports. With a map
	// that is not nil nothing else is dialled, so that no packet leaves a lab.
	Map map[netip.AddrPort]netip.AddrPort

	// Now is time.Now by default.
	Now func() time.Time
}

// Service is one kind of connection, with its budgets.
type Service struct {
	Network string // "tcp" or "udp"
	Port    uint16
	// PerAddress and PerNetwork (an IPv4 /24, an IPv6 /48) are how many
	// connections may begin within Config.Window; AtOnce is how many may be
	// open to one address at one time.
	PerAddress, PerNetwork, AtOnce int
}

// SMTP returns the service of mail servers, TCP port 25: enough for a person who
// mends his server and looks again.
func SMTP() Service {
	return Service{Network: "tcp", Port: 25, PerAddress: 20, PerNetwork: 100, AtOnce: 4}
}

// DNS returns the services of name servers, port 53 of UDP and TCP.
func DNS() []Service {
	return []Service{
		{Network: "udp", Port: 53, PerAddress: 600, PerNetwork: 1200, AtOnce: 32},
		{Network: "tcp", Port: 53, PerAddress: 200, PerNetwork: 400, AtOnce: 8},
	}
}

// HTTPS returns the service of RDAP servers and webhooks, TCP port 443.
func HTTPS() Service {
	return Service{Network: "tcp", Port: 443, PerAddress: 60, PerNetwork: 120, AtOnce: 4}
}

// Defaults of Config.
const (
	defaultWindow = 10 * time.Minute
	defaultAtOnce = 64
)

// Dialer opens connections. It can be used by many at once.
type Dialer struct {
	config  Config
	budgets *budgets
}

// New checks the configuration.
func New(c Config) (*Dialer, error) {
	if len(c.Services) == 0 {
		c.Services = append(DNS(), SMTP())
	}
	if c.Window <= 0 {
		c.Window = defaultWindow
	}
	if c.AtOnce <= 0 {
		c.AtOnce = defaultAtOnce
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	for _, s := range c.Services {
		if s.Network != "tcp" && s.Network != "udp" || s.Port == 0 {
			return nil, fmt.Errorf("dialer: service %s/%d: want tcp or udp, and a port", s.Network, s.Port)
		}
		if s.PerAddress <= 0 || s.PerNetwork <= 0 || s.AtOnce <= 0 {
			return nil, fmt.Errorf("dialer: service %s/%d: a budget is not positive", s.Network, s.Port)
		}
	}
	if err := c.addresses(); err != nil {
		return nil, err
	}
	return &Dialer{config: c, budgets: newBudgets(c)}, nil
}

// addresses copies and checks Own, Sources and Map.
func (c *Config) addresses() error {
	c.Services, c.Own, c.Sources = slices.Clone(c.Services), slices.Clone(c.Own), slices.Clone(c.Sources)
	c.Named = slices.Clone(c.Named)
	for i, own := range c.Own {
		c.Own[i] = plain(own)
		if !own.IsValid() || own.Addr().IsUnspecified() {
			return fmt.Errorf("dialer: own address %q: give the addresses of the interfaces", own)
		}
	}
	for i, source := range c.Sources {
		c.Sources[i] = source.Unmap()
		same := func(other netip.Addr) bool { return other.Is4() == c.Sources[i].Is4() }
		if !source.IsValid() || slices.ContainsFunc(c.Sources[:i], same) {
			return fmt.Errorf("dialer: source address %q: want one for each family at most", source)
		}
	}
	if c.Map == nil {
		return nil
	}
	mapped := make(map[netip.AddrPort]netip.AddrPort, len(c.Map))
	for from, to := range c.Map {
		if !from.IsValid() || !to.Addr().IsLoopback() || to.Port() == 0 {
			return fmt.Errorf("dialer: map of %q to %q: want a port of a loopback address", from, to)
		}
		mapped[plain(from)] = plain(to)
	}
	c.Map = mapped
	return nil
}

// Dial connects to an address over "tcp" or "udp". What is not allowed gives a
// *Barred or an *OverBudget, before a packet is sent; the errors of the network
// are those of package net.
func (d *Dialer) Dial(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	to = plain(to)
	if !to.Addr().IsValid() {
		return nil, &Barred{To: to, Why: "none", Detail: "no address"}
	}
	service, err := d.service(network, to)
	if err != nil {
		return nil, err
	}
	peer := to
	if lab, ok := d.config.Map[to]; ok {
		peer = lab
	}
	a := attempt{dialer: d, service: service, to: to}
	nd := net.Dialer{ControlContext: a.control, LocalAddr: d.source(network, peer.Addr())}
	c, err := nd.DialContext(ctx, network, peer.String())
	if err != nil {
		a.end()
		return nil, ours(err)
	}
	return &conn{Conn: c, end: a.end}, nil
}

// service finds the kind of connection.
func (d *Dialer) service(network string, to netip.AddrPort) (Service, error) {
	for _, s := range d.config.Services {
		if s.Network == network && s.Port == to.Port() {
			return s, nil
		}
	}
	return Service{}, &Barred{To: to, Why: "port", Detail: network + " port is not one that we dial"}
}

// source returns the local address for a peer, nil to let the system choose.
func (d *Dialer) source(network string, peer netip.Addr) net.Addr {
	if peer.IsLoopback() {
		return nil
	}
	for _, s := range d.config.Sources {
		if s.Is4() != peer.Is4() {
			continue
		}
		if strings.HasPrefix(network, "udp") {
			return net.UDPAddrFromAddrPort(netip.AddrPortFrom(s, 0))
		}
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(s, 0))
	}
	return nil
}

// attempt is one call of Dial.
type attempt struct {
	dialer  *Dialer
	service Service
	to      netip.AddrPort
	taken   bool // the budgets were charged, and the slots are held
}

// control is called with the socket and the real peer, before connect(2). It may
// be called again for the same attempt, which costs no second time.
func (a *attempt) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	peer, err := netip.ParseAddrPort(address)
	if err != nil {
		return &Barred{To: a.to, Why: "address", Detail: "peer can't be read"}
	}
	if err := a.dialer.allowed(a.to, plain(peer)); err != nil {
		return err
	}
	if a.taken {
		return nil
	}
	if err := a.dialer.budgets.take(a.service, a.to); err != nil {
		return err
	}
	a.taken = true
	return nil
}

// end gives the slots back.
func (a *attempt) end() {
	if a.taken {
		a.dialer.budgets.release(a.service, a.to)
	}
}

// allowed judges the peer of a connection that was asked for as to.
func (d *Dialer) allowed(to, peer netip.AddrPort) error {
	lab, mapped := d.config.Map[to]
	if mapped {
		if peer != lab {
			return &Barred{To: to, Why: "map", Detail: "peer is not the one of the map"}
		}
		return nil
	}
	if d.named(peer) && (d.config.Map == nil || peer.Addr().IsLoopback()) {
		return nil
	}
	if peer.Addr().Zone() != "" {
		return &Barred{To: to, Why: "zone", Detail: "an address with a zone is no public one"}
	}
	source := evidence.SourceOf(peer.Addr())
	switch {
	case source.Special():
		return &Barred{To: to, Why: source.Kind, Detail: "special-purpose address, " + source.RFC}
	case source.Documentation:
		return &Barred{To: to, Why: "documentation", Detail: "address for documents, " + source.RFC}
	case d.own(peer):
		return &Barred{To: to, Why: "own", Detail: "one of our own addresses"}
	case d.config.Map != nil:
		return &Barred{To: to, Why: "map", Detail: "not in the lab"}
	}
	return nil
}

func (d *Dialer) named(peer netip.AddrPort) bool {
	return slices.ContainsFunc(d.config.Named, func(named netip.AddrPort) bool { return plain(named) == peer })
}

func (d *Dialer) own(peer netip.AddrPort) bool {
	return slices.ContainsFunc(d.config.Own, func(own netip.AddrPort) bool {
		return own.Addr() == peer.Addr() && (own.Port() == 0 || own.Port() == peer.Port())
	})
}

// plain unmaps an IPv4-mapped address (RFC 4291 §2.5.5.2): the socket of either
// leads to the same host.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// ours takes our own errors out of those of package net.
func ours(err error) error {
	var barred *Barred
	var over *OverBudget
	switch {
	case errors.As(err, &barred):
		return barred
	case errors.As(err, &over):
		return over
	}
	return err
}
