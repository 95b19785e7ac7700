package lab

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/miekg/dns"
)

// dnsPort is where the world's name servers are, by their addresses.
const dnsPort = 53

// NameServers serves the authoritative servers of a World, each on a loopback
// port of its own, over UDP and TCP.
type NameServers struct {
	at      map[netip.AddrPort]netip.AddrPort
	servers []*Server
	closed  []io.Closer
}

// ListenNameServers serves the name servers that the text named with "ns", until
// ctx ends or Close is called. They answer for their own zones, without
// recursion, from the records of the world and their own exceptions; below a zone
// of theirs they refer to the servers of the next NS record set.
func (w *World) ListenNameServers(ctx context.Context) (*NameServers, error) {
	n := &NameServers{at: map[netip.AddrPort]netip.AddrPort{}}
	for addr, s := range w.servers {
		at, err := n.open(ctx, w, s)
		if err != nil {
			n.Close()
			return nil, fmt.Errorf("lab: name server %s: %w", addr, err)
		}
		n.at[netip.AddrPortFrom(addr, dnsPort)] = at
	}
	return n, nil
}

// open starts one server and returns its loopback address.
func (n *NameServers) open(ctx context.Context, w *World, s *nameServer) (netip.AddrPort, error) {
	if s.closed {
		return n.shut(ctx)
	}
	tcp, udp, err := bind(ctx, netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		return netip.AddrPort{}, err
	}
	server := &Server{world: w, addr: udp.LocalAddr().(*net.UDPAddr).AddrPort()}
	server.handle = func(rw dns.ResponseWriter, req *dns.Msg) { server.serveDirect(s, rw, req) }
	if err := server.run(ctx, tcp, udp); err != nil {
		return netip.AddrPort{}, err
	}
	n.servers = append(n.servers, server)
	return server.addr, nil
}

// shut holds a port at which nobody listens: a UDP socket that is connected to
// itself takes no datagram of others, and the system says so to them.
func (n *NameServers) shut(ctx context.Context) (netip.AddrPort, error) {
	for try := 1; ; try++ {
		first, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp", "127.0.0.1:0")
		if err != nil {
			return netip.AddrPort{}, err
		}
		local, _ := first.LocalAddr().(*net.UDPAddr)
		_ = first.Close()
		itself := net.Dialer{LocalAddr: local}
		conn, err := itself.DialContext(ctx, "udp", local.String())
		if err == nil {
			n.closed = append(n.closed, conn)
			return local.AddrPort(), nil
		}
		if try == bindTries { // somebody else takes each port in between
			return netip.AddrPort{}, err
		}
	}
}

// Map returns the loopback address of each name server, by its own address and
// port: what a dialer wants. It is a copy.
func (n *NameServers) Map() map[netip.AddrPort]netip.AddrPort { return maps.Clone(n.at) }

// Close ends all servers and returns when nothing of them runs any more.
func (n *NameServers) Close() {
	for _, s := range n.servers {
		s.Close()
	}
	for _, c := range n.closed {
		_ = c.Close()
	}
}

// serveDirect answers one message as one of the name servers.
func (s *Server) serveDirect(as *nameServer, rw dns.ResponseWriter, req *dns.Msg) {
	m := new(dns.Msg).SetReply(req)
	m.Compress = true
	asked := req.Question[0]
	name, err := nameOf(asked.Name)
	if err != nil || asked.Qclass != dns.ClassINET || meta(asked.Qtype) {
		m.Rcode = dns.RcodeRefused
		_ = rw.WriteMsg(m)
		return
	}
	d := s.world.direct(as, evidence.Question{Name: name, Type: evidence.Type(asked.Qtype)})
	if d.silent {
		return
	}
	m.Rcode, m.Authoritative = d.rcode, d.aa
	m.Answer, m.Ns, m.Extra = copies(d.answer), copies(d.authority), copies(d.glue)
	if req.IsEdns0() != nil {
		m.SetEdns0(dns.DefaultMsgSize, false)
	}
	if _, udp := rw.RemoteAddr().(*net.UDPAddr); udp {
		cut(m, req, false)
	}
	_ = rw.WriteMsg(m)
}
