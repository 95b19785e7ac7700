package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/miekg/dns"
)

// Options change what Listen allows.
type Options struct {
	// AllowAny lets it bind other than loopback addresses, for network
	// namespaces of tests; the lab is no server for others to use.
	AllowAny bool
}

// Server serves a World over UDP and TCP, on one port.
type Server struct {
	world  *World
	addr   netip.AddrPort
	handle dns.HandlerFunc
	done   context.Context
	stop   context.CancelFunc
	wait   sync.WaitGroup
}

// bindTries bounds the search for a port that is free for UDP and TCP alike.
const bindTries = 20

// Listen serves the world at addr ("127.0.0.1:0", "[::1]:5353") until ctx ends
// or Close is called. Port 0 chooses a free one, see Addr.
func Listen(ctx context.Context, w *World, addr string, opts Options) (*Server, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("lab: listen: %w", err)
	}
	if !at.Addr().IsLoopback() && !opts.AllowAny {
		return nil, fmt.Errorf("lab: listen: %s is not a loopback address", at)
	}
	tcp, udp, err := bind(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("lab: listen: %w", err)
	}
	s := &Server{world: w, addr: udp.LocalAddr().(*net.UDPAddr).AddrPort()}
	s.handle = s.serve
	if err := s.run(ctx, tcp, udp); err != nil {
		return nil, fmt.Errorf("lab: listen: %w", err)
	}
	return s, nil
}

// run serves both sockets until ctx ends, or closes them.
func (s *Server) run(ctx context.Context, tcp net.Listener, udp net.PacketConn) error {
	s.done, s.stop = context.WithCancel(ctx)
	for _, srv := range []*dns.Server{{PacketConn: udp}, {Listener: tcp}} {
		if err := s.start(srv); err != nil {
			s.Close()
			_, _ = tcp.Close(), udp.Close()
			return err
		}
	}
	return nil
}

// bind opens both sockets on one port.
func bind(ctx context.Context, at netip.AddrPort) (net.Listener, net.PacketConn, error) {
	var lc net.ListenConfig
	for try := 1; ; try++ {
		tcp, err := lc.Listen(ctx, "tcp", at.String())
		if err != nil {
			return nil, nil, err
		}
		udp, err := lc.ListenPacket(ctx, "udp", tcp.Addr().String())
		if err == nil {
			return tcp, udp, nil
		}
		_ = tcp.Close()
		if at.Port() != 0 || try == bindTries {
			return nil, nil, err
		}
	}
}

// start runs one of the two servers, and returns when it can be stopped, which
// it will be with s.done.
func (s *Server) start(srv *dns.Server) error {
	started, failed := make(chan struct{}), make(chan error, 1)
	srv.NotifyStartedFunc = func() { close(started) }
	srv.Handler = s.handle
	s.wait.Go(func() { failed <- srv.ActivateAndServe() })
	select {
	case err := <-failed:
		return err
	case <-started:
	}
	s.wait.Go(func() {
		<-s.done.Done()
		_ = srv.Shutdown()
	})
	return nil
}

// Addr returns the address with the port in use.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// Close ends the server and returns when nothing of it runs any more.
func (s *Server) Close() {
	s.stop()
	s.wait.Wait()
}

// serve answers one message; the library has seen to it that it is a query with
// one question.
func (s *Server) serve(rw dns.ResponseWriter, req *dns.Msg) {
	m := new(dns.Msg).SetReply(req)
	m.RecursionAvailable = true
	m.Compress = true
	asked := req.Question[0]
	name, err := nameOf(asked.Name)
	if err != nil || asked.Qclass != dns.ClassINET || meta(asked.Qtype) {
		m.Rcode = dns.RcodeRefused
		_ = rw.WriteMsg(m)
		return
	}
	r := s.world.look(evidence.Question{Name: name, Type: evidence.Type(asked.Qtype)})
	if !s.sleep(r.fault.delay) || r.fault.state == evidence.Timeout {
		return
	}
	if r.fault.state == evidence.Malformed {
		_, _ = rw.Write(malformed(m))
		return
	}
	compose(m, req, r)
	if _, udp := rw.RemoteAddr().(*net.UDPAddr); udp {
		cut(m, req, r.fault.truncated)
	}
	_ = rw.WriteMsg(m)
}

// meta reports whether the type asks for more than one record set; RFC 8482 §4
// lets a server refuse ANY.
func meta(t uint16) bool {
	return t == dns.TypeANY || t == dns.TypeAXFR || t == dns.TypeIXFR
}

// sleep reports whether the time went by before the server was closed.
func (s *Server) sleep(d time.Duration) bool {
	if d == 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.done.Done():
		return false
	}
}

// compose fills in the reply.
func compose(m, req *dns.Msg, r result) {
	m.Rcode, m.Answer, m.Ns = r.rcode, copies(r.answer), copies(r.authority)
	// RFC 6840 §5.7: only who asks for it gets the bit.
	m.AuthenticatedData = req.AuthenticatedData && r.validated && !r.fault.ends()
	if r.fault.ends() {
		m.Rcode = r.fault.rcode
	}
	for _, rr := range m.Answer {
		// Real servers point to the question, and so repeat its case.
		if strings.EqualFold(rr.Header().Name, req.Question[0].Name) {
			rr.Header().Name = req.Question[0].Name
		}
	}
	opt := req.IsEdns0()
	if opt == nil {
		return
	}
	m.SetEdns0(dns.DefaultMsgSize, false)
	if r.fault.reason != "" {
		ede := &dns.EDNS0_EDE{InfoCode: r.fault.ede, ExtraText: r.fault.reason}
		m.IsEdns0().Option = append(m.IsEdns0().Option, ede)
	}
}

// copies returns records that may be packed, which writes into them.
func copies(set []dns.RR) []dns.RR {
	out := make([]dns.RR, len(set))
	for i, rr := range set {
		out[i] = dns.Copy(rr)
	}
	return out
}

// cut makes the reply fit into the datagram that the client takes (RFC 6891
// §6.2.3), or leaves only the TC bit where the fault says so.
func cut(m, req *dns.Msg, all bool) {
	if all {
		m.Truncated, m.Answer, m.Ns = true, nil, nil
		return
	}
	size := dns.MinMsgSize
	if opt := req.IsEdns0(); opt != nil {
		size = max(size, int(opt.UDPSize()))
	}
	m.Truncate(size)
}

// malformed returns the reply with one record whose data runs past the end.
func malformed(m *dns.Msg) []byte {
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	binary.BigEndian.PutUint16(b[6:], 1)
	record := []byte{0xc0, 12, 0, 0, 0, 1, 0, 0, 14, 16, 0xff, 0xff}
	binary.BigEndian.PutUint16(record[2:], m.Question[0].Qtype)
	return append(b, record...)
}
