package resolver_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver"
)

// call is one query that reached a scripted server. It has no error results:
// a test sees what arrives.
type call struct {
	t     testing.TB
	query []byte
	msg   *dns.Msg // the query, read
	n     int64    // 1 for the first query of this server
	tcp   net.Conn // nil over UDP
	udp   *net.UDPConn
	from  *net.UDPAddr
}

// raw sends octets as they are; over TCP without a length.
func (c *call) raw(b []byte) {
	if c.tcp != nil {
		_, _ = c.tcp.Write(b)
		return
	}
	_, _ = c.udp.WriteToUDP(b, c.from)
}

// send sends one message, over TCP with its length.
func (c *call) send(b []byte) {
	if c.tcp != nil {
		b = append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
	}
	c.raw(b)
}

// pack packs a message as the library does it.
func (c *call) pack(m *dns.Msg) []byte {
	m.Compress = true
	b, err := m.Pack()
	if err != nil {
		c.t.Errorf("pack: %v", err)
	}
	return b
}

// reply returns an answer with the records given as text; a name "@" is that
// of the question.
func (c *call) reply(rcode int, records ...string) *dns.Msg {
	m := new(dns.Msg).SetReply(c.msg)
	m.RecursionAvailable = true
	m.Rcode = rcode
	for _, text := range records {
		m.Answer = append(m.Answer, c.record(text))
	}
	return m
}

func (c *call) record(text string) dns.RR {
	text = strings.ReplaceAll(text, "@", c.msg.Question[0].Name)
	rr, err := dns.NewRR(text)
	if err != nil {
		c.t.Errorf("record %q: %v", text, err)
	}
	return rr
}

// answer sends what reply returns.
func (c *call) answer(rcode int, records ...string) { c.send(c.pack(c.reply(rcode, records...))) }

// good sends the answer that every test waits for.
func (c *call) good() { c.answer(dns.RcodeSuccess, "@ 300 IN PTR mail.example.org.") }

// script is a DNS server on loopback that does what a test says.
type script struct {
	t     testing.TB
	addr  netip.AddrPort
	udp   *net.UDPConn
	tcp   net.Listener
	do    atomic.Pointer[func(*call)]
	calls atomic.Int64
	tcps  atomic.Int64
	wg    sync.WaitGroup
	mu    sync.Mutex
	conns []net.Conn
}

// serve starts a scripted server that ends with the test. do is called in a
// goroutine for each query.
func serve(t testing.TB, do func(*call)) *script {
	t.Helper()
	for range 20 {
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		_ = udp.SetReadBuffer(1 << 20)
		addr := netip.MustParseAddrPort(udp.LocalAddr().String())
		tcp, err := net.Listen("tcp4", addr.String())
		if err != nil {
			udp.Close() // somebody else has the port for TCP
			continue
		}
		s := &script{t: t, addr: addr, udp: udp, tcp: tcp}
		if do != nil {
			s.set(do)
		}
		s.wg.Go(func() { s.serveUDP(udp) })
		s.wg.Go(s.serveTCP)
		t.Cleanup(s.close)
		return s
	}
	t.Fatal("no port that is free for UDP and TCP")
	return nil
}

func (s *script) set(do func(*call)) { s.do.Store(&do) }

func (s *script) close() {
	s.udp.Close()
	s.tcp.Close()
	s.mu.Lock()
	for _, c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *script) serveUDP(udp *net.UDPConn) {
	buf := make([]byte, 65535)
	for {
		n, from, err := udp.ReadFromUDP(buf)
		if err != nil {
			return
		}
		s.dispatch(&call{t: s.t, query: append([]byte(nil), buf[:n]...), udp: udp, from: from})
	}
}

func (s *script) serveTCP() {
	for {
		conn, err := s.tcp.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		s.tcps.Add(1)
		s.wg.Go(func() {
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			var length [2]byte
			if _, err := io.ReadFull(conn, length[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(conn, query); err != nil {
				return
			}
			s.dispatch(&call{t: s.t, query: query, tcp: conn})
		})
	}
}

func (s *script) dispatch(c *call) {
	c.n = s.calls.Add(1)
	c.msg = new(dns.Msg)
	if err := c.msg.Unpack(c.query); err != nil {
		s.t.Errorf("a query can't be read: %v", err)
		return
	}
	s.wg.Go(func() { (*s.do.Load())(c) })
}

// open starts a resolver that asks the servers and ends with the test.
func open(t testing.TB, change func(*resolver.Config), servers ...*script) *resolver.Resolver {
	t.Helper()
	cfg := resolver.Config{Timeout: 30 * time.Second, Try: time.Second, CacheBytes: 1 << 20}
	for _, s := range servers {
		cfg.Servers = append(cfg.Servers, s.addr)
	}
	if change != nil {
		change(&cfg)
	}
	r, err := resolver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// ptr is the question of most tests.
var ptr = evidence.Question{Name: dnsname.MustParse("9.113.0.203.in-addr.arpa"), Type: evidence.PTR}

func question(name string, typ evidence.Type) evidence.Question {
	return evidence.Question{Name: dnsname.MustParse(name), Type: typ}
}

// ask asks one question and waits.
func ask(t testing.TB, dns evidence.DNS, q evidence.Question) evidence.Answer {
	t.Helper()
	return dns.Ask(t.Context(), q).Wait()[0]
}

// wantGood checks for the answer of call.good.
func wantGood(t testing.TB, a evidence.Answer) {
	t.Helper()
	if a.State != evidence.Found || len(a.Names) != 1 || a.Names[0].String() != "mail.example.org" {
		t.Fatalf("got %s %v (%s), want mail.example.org", a.State, a.Names, a.Reason)
	}
}

// wantTrouble checks for an answer that says nothing about the name.
func wantTrouble(t testing.TB, a evidence.Answer, state evidence.State) {
	t.Helper()
	if a.State != state || !a.State.Trouble() || len(a.Names)+len(a.Addrs)+a.Total > 0 {
		t.Fatalf("got %s %v %v (%s), want %s without data", a.State, a.Names, a.Addrs, a.Reason, state)
	}
	if a.TTL < time.Second || a.TTL > 300*time.Second {
		t.Fatalf("remembered for %s, want 1 s to 300 s (RFC 9520 §3.2)", a.TTL)
	}
}

// craft makes an answer by hand: the question as it came, the counts of the
// three other sections, and their octets.
func (c *call) craft(counts [3]uint16, body ...byte) []byte {
	end := 12
	for c.query[end] != 0 {
		end += int(c.query[end]) + 1
	}
	b := append([]byte(nil), c.query[:end+5]...)
	b[2], b[3] = 0x81, 0x80
	for i, n := range counts {
		binary.BigEndian.PutUint16(b[6+2*i:], n)
	}
	return append(b, body...)
}
