package authority_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// call is one query that reached a scripted server.
type call struct {
	t     *testing.T
	query []byte
	msg   *dns.Msg
	tcp   net.Conn // nil over UDP
	raw   func([]byte)
}

// send sends one message, over TCP with its length.
func (c *call) send(b []byte) {
	if c.tcp != nil {
		b = append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
	}
	c.raw(b)
}

// reply returns a good answer: the SOA record of the apex, or the PTR record.
func (c *call) reply() *dns.Msg {
	m := new(dns.Msg).SetReply(c.msg)
	m.Authoritative = true
	name, records := c.msg.Question[0].Name, map[uint16]string{
		dns.TypeSOA: " 300 IN SOA ns1.example.net. hostmaster.example.net. 3 3600 900 604800 300",
		dns.TypePTR: " 300 IN PTR mail.example.org.",
		dns.TypeNS:  " 300 IN NS other.example.net.",
	}
	rr, err := dns.NewRR(name + records[c.msg.Question[0].Qtype])
	if err != nil {
		c.t.Errorf("record: %v", err)
	}
	m.Answer = []dns.RR{rr}
	return m
}

func (c *call) pack(m *dns.Msg) []byte {
	b, err := m.Pack()
	if err != nil {
		c.t.Errorf("pack: %v", err)
	}
	return b
}

// good sends the good answer; bad sends it with a change.
func (c *call) good()                   { c.send(c.pack(c.reply())) }
func (c *call) bad(change func([]byte)) { b := c.pack(c.reply()); change(b); c.send(b) }

// but sends the good answer with a change of the message.
func (c *call) but(change func(*dns.Msg)) { m := c.reply(); change(m); c.send(c.pack(m)) }

// script serves what do says on loopback until the test ends, over UDP, and over
// TCP unless only is "udp". It returns the port.
func script(t *testing.T, only string, do func(*call)) netip.AddrPort {
	t.Helper()
	var tcp net.Listener
	var udp *net.UDPConn
	for udp == nil {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr, _ := l.Addr().(*net.TCPAddr)
		udp, err = net.ListenUDP("udp4", &net.UDPAddr{IP: addr.IP, Port: addr.Port})
		if tcp = l; err != nil || only == "udp" {
			l.Close()
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	t.Cleanup(func() {
		udp.Close()
		tcp.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	dispatch := func(c *call) {
		c.t, c.msg = t, new(dns.Msg)
		if err := c.msg.Unpack(c.query); err != nil {
			t.Errorf("a query can't be read: %v", err)
			return
		}
		if c.msg.RecursionDesired {
			t.Errorf("a query wants recursion: %s", c.msg)
		}
		wg.Go(func() { do(c) })
	}
	wg.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := udp.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			dispatch(&call{query: append([]byte(nil), buf[:n]...), raw: func(b []byte) { _, _ = udp.WriteToUDPAddrPort(b, from) }})
		}
	})
	wg.Go(func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			wg.Go(func() {
				_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
				var length [2]byte
				if _, err := io.ReadFull(conn, length[:]); err != nil {
					return
				}
				query := make([]byte, binary.BigEndian.Uint16(length[:]))
				if _, err := io.ReadFull(conn, query); err != nil {
					return
				}
				dispatch(&call{query: query, tcp: conn, raw: func(b []byte) { _, _ = conn.Write(b) }})
			})
		}
	})
	return netip.MustParseAddrPort(udp.LocalAddr().String())
}
