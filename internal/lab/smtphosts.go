package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"sync"
)

// smtpPort is where the world's mail servers are, by their addresses.
const smtpPort = 25

// SMTPHosts serves the mail servers of a World, each on a loopback port of its
// own.
type SMTPHosts struct {
	at     map[netip.AddrPort]netip.AddrPort
	roots  *x509.CertPool
	done   context.Context
	stop   context.CancelFunc
	closed []io.Closer
	wait   sync.WaitGroup
}

// ListenSMTP serves the mail servers that the text named with "smtp", until ctx
// ends or Close is called. They speak up to RCPT, and take no message. At all
// other addresses of the world nobody listens.
func (w *World) ListenSMTP(ctx context.Context) (*SMTPHosts, error) {
	authority, err := newAuthority(w.Now())
	if err != nil {
		return nil, err
	}
	s := &SMTPHosts{at: map[netip.AddrPort]netip.AddrPort{}, roots: x509.NewCertPool()}
	s.roots.AddCert(authority.root)
	s.done, s.stop = context.WithCancel(ctx)
	nobody, err := s.shut(ctx)
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("lab: smtp: %w", err)
	}
	for _, addr := range w.mailAddresses() {
		s.at[netip.AddrPortFrom(addr, smtpPort)] = nobody
	}
	for addr, h := range w.mail {
		from := netip.AddrPortFrom(addr, smtpPort)
		if h.is(mailClosed) {
			s.at[from] = nobody
			continue
		}
		if s.at[from], err = s.open(ctx, h, authority); err != nil {
			s.Close()
			return nil, fmt.Errorf("lab: smtp %s: %w", addr, err)
		}
	}
	return s, nil
}

// open starts one server and returns its loopback address.
func (s *SMTPHosts) open(ctx context.Context, h mailHost, a *authority) (netip.AddrPort, error) {
	var secure *tls.Config
	if h.tls != "none" {
		var err error
		if secure, err = a.certificate(h.tls, h.names); err != nil {
			return netip.AddrPort{}, err
		}
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	s.closed = append(s.closed, listener)
	context.AfterFunc(s.done, func() { _ = listener.Close() })
	s.wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.wait.Go(func() {
				unhook := context.AfterFunc(s.done, func() { _ = conn.Close() })
				defer unhook()
				defer conn.Close()
				newMailSession(s.done, h, secure, conn).run()
			})
		}
	})
	at, _ := listener.Addr().(*net.TCPAddr)
	return at.AddrPort(), nil
}

// shut holds a port at which nobody listens: a TCP socket that is connected to
// itself takes nobody else, and the system says so to them.
func (s *SMTPHosts) shut(ctx context.Context) (netip.AddrPort, error) {
	var lc net.ListenConfig
	for try := 1; ; try++ {
		listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return netip.AddrPort{}, err
		}
		local, _ := listener.Addr().(*net.TCPAddr)
		_ = listener.Close()
		itself := net.Dialer{LocalAddr: local}
		conn, err := itself.DialContext(ctx, "tcp", local.String())
		if err == nil {
			s.closed = append(s.closed, conn)
			return local.AddrPort(), nil
		}
		if try == bindTries { // somebody else takes each port in between
			return netip.AddrPort{}, err
		}
	}
}

// Map returns the loopback address of each mail server, by its own address and
// port: what a dialer wants. It is a copy.
func (s *SMTPHosts) Map() map[netip.AddrPort]netip.AddrPort { return maps.Clone(s.at) }

// Roots returns the authority that signed the servers' certificates.
func (s *SMTPHosts) Roots() *x509.CertPool { return s.roots }

// Close ends all servers and returns when nothing of them runs any more.
func (s *SMTPHosts) Close() {
	s.stop()
	for _, c := range s.closed {
		_ = c.Close()
	}
	s.wait.Wait()
}
