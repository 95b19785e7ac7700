package resolver_test

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver"
)

// truncated answers over UDP with TC and half of the truth, and leaves TCP to
// the test.
func truncated(tcp func(*call)) func(*call) {
	return func(c *call) {
		if c.tcp != nil {
			tcp(c)
			return
		}
		m := c.reply(0, "@ 300 IN PTR partial.example.net.")
		m.Truncated = true
		c.send(c.pack(m))
	}
}

func TestTCP(t *testing.T) {
	silent := func(*call) {}
	length := func(n uint16, body ...byte) func(*call) {
		return truncated(func(c *call) { c.raw(append([]byte{byte(n >> 8), byte(n)}, body...)) })
	}
	inTime := func(t *testing.T, a evidence.Answer, _ *script, _ resolver.Stats) {
		if a.Took > 20*time.Second {
			t.Errorf("took %s", a.Took)
		}
	}
	run(t, []row{
		{"D023 TCP answers", truncated((*call).good), evidence.Found, nil},
		{"D025 TCP resets", truncated(func(c *call) {
			if tcp, ok := c.tcp.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			c.tcp.Close()
		}), evidence.Failed, inTime},
		{"D026 TCP stalls", truncated(silent), evidence.Timeout, inTime},
		{"D027 TC over TCP", truncated(func(c *call) {
			m := c.reply(0, "@ 300 IN PTR partial.example.net.")
			m.Truncated = true
			c.send(c.pack(m))
		}), evidence.Malformed, inTime},
		{"D028 length 0", length(0), evidence.Timeout, inTime},
		{"D029 length 1", length(1, 0), evidence.Timeout, inTime},
		{"D030 length 11", length(11, make([]byte, 11)...), evidence.Timeout, inTime},
		{"D031 length 65535, 10 octets", length(65535, make([]byte, 10)...), evidence.Timeout, inTime},
		{"D032 one octet at a time", truncated(func(c *call) {
			b := c.pack(c.reply(0, "@ 300 IN PTR mail.example.org."))
			for _, octet := range append([]byte{0, byte(len(b))}, b...)[:20] {
				c.raw([]byte{octet})
				time.Sleep(200 * time.Millisecond)
			}
		}), evidence.Timeout, inTime},
		{"D033 two messages, ours first", truncated(func(c *call) {
			c.good()
			c.answer(0, "@ 300 IN PTR second.example.net.")
		}), evidence.Found, nil},
		{"D033 two messages, ours second", truncated(func(c *call) {
			b := c.pack(c.reply(0, "@ 300 IN PTR first.example.net."))
			b[0] ^= 0x55
			c.send(b)
			c.good()
		}), evidence.Found, nil},
		{"a datagram longer than we offered", func(c *call) {
			b := c.pack(c.reply(0, "@ 300 IN PTR mail.example.org."))
			if c.tcp == nil {
				b = append(b, make([]byte, 4000)...)
			}
			c.send(b)
		}, evidence.Found, nil},
	})
}

func TestTCPRefused(t *testing.T) {
	t.Run("D024 TCP refused", func(t *testing.T) {
		s := serve(t, truncated(func(*call) {}))
		s.tcp.Close()
		wantTrouble(t, ask(t, open(t, nil, s), ptr), evidence.Failed)
	})
}

func TestUnreachable(t *testing.T) {
	// A port that was free a moment ago: the kernel says that nobody listens.
	closed := serve(t, (*call).good)
	closed.udp.Close()
	good := serve(t, (*call).good)
	t.Run("D015 next server at once", func(t *testing.T) {
		r := open(t, nil, closed, good)
		a := ask(t, r, ptr)
		wantGood(t, a)
		if a.Server != good.addr {
			t.Errorf("answered by %s", a.Server)
		}
		if h := r.Health(); h.Servers[0].Up || h.Servers[0].Why == "" || !h.Servers[1].Up {
			t.Errorf("health %+v", h)
		}
	})
	t.Run("D015 no other server", func(t *testing.T) {
		r := open(t, nil, closed)
		a := ask(t, r, ptr)
		wantTrouble(t, a, evidence.Failed)
		if a.Took > 10*time.Second {
			t.Errorf("took %s to see an error", a.Took)
		}
	})
	for name, errno := range map[string]syscall.Errno{"D016 no route": syscall.ENETUNREACH, "D017 EMFILE": syscall.EMFILE} {
		refuse := func(which ...netip.AddrPort) func(netip.AddrPort) (*net.UDPConn, error) {
			return func(addr netip.AddrPort) (*net.UDPConn, error) {
				for _, w := range which {
					if w == addr {
						return nil, &net.OpError{Op: "dial", Err: errno}
					}
				}
				return net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
			}
		}
		t.Run(name, func(t *testing.T) {
			other := serve(t, (*call).good)
			r := open(t, nil, other, good)
			r.SetDial(refuse(other.addr))
			wantGood(t, ask(t, r, ptr))

			r = open(t, nil, other, good)
			r.SetDial(refuse(other.addr, good.addr))
			a := ask(t, r, ptr)
			wantTrouble(t, a, evidence.Failed)
			if a.Reason.String() != errno.Error() {
				t.Errorf("reason %q", a.Reason)
			}
		})
	}
}

func TestForeignSource(t *testing.T) {
	for name, ip := range map[string]net.IP{
		"D051 right answer from another address": net.IPv4(127, 0, 0, 2),
		"D052 right answer from another port":    net.IPv4(127, 0, 0, 1),
	} {
		t.Run(name, func(t *testing.T) {
			foreign, err := net.ListenUDP("udp4", &net.UDPAddr{IP: ip})
			if err != nil {
				t.Fatal(err)
			}
			defer foreign.Close()
			s := serve(t, func(c *call) {
				_, _ = foreign.WriteToUDP(c.pack(c.reply(0, "@ 300 IN PTR forged.example.net.")), c.from)
				c.good()
			})
			r := open(t, nil, s)
			wantGood(t, ask(t, r, ptr))
			if got := r.Health().Servers[0].Strange; got != 0 {
				t.Errorf("%d datagrams were received that the kernel drops", got)
			}
		})
	}
}

func TestMixedCase(t *testing.T) {
	lower := func(c *call) {
		b := c.pack(c.reply(0, "@ 300 IN PTR mail.example.org."))
		for i := 12; b[i] != 0; i++ {
			if b[i] >= 'A' && b[i] <= 'Z' {
				b[i] += 'a' - 'A'
			}
		}
		c.send(b)
	}
	t.Run("D050 a server with a case of its own", func(t *testing.T) {
		s := serve(t, lower)
		r := open(t, nil, s)
		wantGood(t, ask(t, r, ptr))
		if s.tcps.Load() != 1 || r.Stats().OtherCase != 1 {
			t.Errorf("%d TCP connections, %+v", s.tcps.Load(), r.Stats())
		}
		if r.Health().Servers[0].MixCase {
			t.Error("0x20 is still on after the proof")
		}
		wantGood(t, ask(t, r, question("8.113.0.203.in-addr.arpa", evidence.PTR)))
		if s.tcps.Load() != 1 {
			t.Error("TCP once more after the proof")
		}
	})
	t.Run("D050 a forger who does not know the case", func(t *testing.T) {
		s := serve(t, func(c *call) {
			if c.tcp == nil {
				lower(c)
				return
			}
			c.good()
		})
		r := open(t, nil, s)
		wantGood(t, ask(t, r, ptr))
		if !r.Health().Servers[0].MixCase {
			t.Error("0x20 was turned off by a forger")
		}
	})
}
