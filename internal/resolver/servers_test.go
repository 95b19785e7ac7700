package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver"
	"github.com/arpagate/arpagate/internal/testneed"
)

func host(i int) evidence.Question {
	return question(fmt.Sprintf("h%d.example.org", i), evidence.PTR)
}

// eventually waits until ok, for ten seconds at most.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func TestTwoServers(t *testing.T) {
	good := serve(t, (*call).good)
	tests := []struct {
		name string
		do   func(*call)
		slow bool
	}{
		{"D014 the first is silent", func(*call) {}, true},
		{"D005 the first answers SERVFAIL", code(dns.RcodeServerFailure), false},
		{"D006 the first answers REFUSED", code(dns.RcodeRefused), false},
		{"D053 the first answers nonsense", func(c *call) { c.send(c.craft([3]uint16{9, 0, 0})) }, false},
		{"D026 the first stalls over TCP", truncated(func(*call) {}), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first := serve(t, tt.do)
			r := open(t, func(cfg *resolver.Config) { cfg.Timeout = 20 * time.Second }, first, good)
			a := ask(t, r, ptr)
			wantGood(t, a)
			if a.Server != good.addr || a.Took > 10*time.Second {
				t.Errorf("answered by %s after %s", a.Server, a.Took)
			}
			if hedged := r.Stats().Hedged > 0; hedged != tt.slow && tt.name[:4] != "D026" {
				t.Errorf("hedged: %t", hedged)
			}
		})
	}
	t.Run("a bogus answer is not asked away", func(t *testing.T) {
		bogus := serve(t, func(c *call) {
			m := c.reply(dns.RcodeServerFailure)
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_EDE{InfoCode: 6})
			c.send(c.pack(m))
		})
		wantTrouble(t, ask(t, open(t, nil, bogus, good), ptr), evidence.Bogus)
	})
}

func TestSilentServer(t *testing.T) {
	sick, good := serve(t, func(*call) {}), serve(t, (*call).good)
	r := open(t, func(cfg *resolver.Config) { cfg.Try = 100 * time.Millisecond }, sick, good)
	i := 0
	next := func() { wantGood(t, ask(t, r, host(i))); i++ }
	eventually(t, "the silent server is down", func() bool { next(); return !r.Health().Servers[0].Up })
	if before := sick.calls.Load(); before > 0 {
		for range 50 {
			next()
		}
		if after := sick.calls.Load(); after-before > 25 {
			t.Errorf("a server that is down was asked %d times for 50 questions", after-before)
		}
	}
	sick.set((*call).good)
	eventually(t, "a probe brings the server back", func() bool { next(); return r.Health().Servers[0].Up })
}

func TestTimeouts(t *testing.T) {
	s := serve(t, func(*call) {})
	r := open(t, func(cfg *resolver.Config) {
		cfg.SocketAge, cfg.Try, cfg.Timeout = time.Millisecond, 200*time.Millisecond, 3*time.Second
	}, s)
	a := ask(t, r, ptr)
	wantTrouble(t, a, evidence.Timeout)
	if s.calls.Load() != 3 || r.Stats().Retried != 2 || a.Rcode != -1 {
		t.Errorf("%d tries, %d counted, rcode %d", s.calls.Load(), r.Stats().Retried, a.Rcode)
	}
	eventually(t, "three timeouts are counted", func() bool { return r.Health().Servers[0].Timeouts == 3 })
}

// restart makes the server deaf, so that its host says that nobody listens, and
// returns what makes it listen again.
func (s *script) restart() (back func()) {
	s.udp.Close()
	return func() {
		udp, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(s.addr))
		if err != nil {
			s.t.Errorf("listen again: %v", err)
			return
		}
		s.udp = udp
		s.wg.Go(func() { s.serveUDP(udp) })
	}
}

func TestRestartedServer(t *testing.T) {
	t.Run("the only one", func(t *testing.T) {
		s := serve(t, (*call).good)
		r := open(t, nil, s)
		back := s.restart()
		p := r.Ask(t.Context(), ptr)
		eventually(t, "the server is known to be down", func() bool { return !r.Health().Servers[0].Up })
		back()
		wantGood(t, p.Wait()[0])
		if n := r.Stats().Retried; n == 0 {
			t.Error("answered without being asked again")
		}
	})
	t.Run("that does not come back", func(t *testing.T) {
		s := serve(t, nil)
		r := open(t, func(cfg *resolver.Config) { cfg.Try = 50 * time.Millisecond }, s)
		s.restart()
		a := ask(t, r, ptr)
		if wantTrouble(t, a, evidence.Failed); r.Stats().Queries != 3 {
			t.Errorf("%d queries, want 3 (RFC 9520 §3.1)", r.Stats().Queries)
		}
	})
	t.Run("behind one that has answered", func(t *testing.T) {
		first, second := serve(t, code(dns.RcodeServerFailure)), serve(t, nil)
		r := open(t, func(cfg *resolver.Config) { cfg.Try = time.Minute }, first, second)
		second.restart()
		wantTrouble(t, ask(t, r, ptr), evidence.ServFail)
	})
}

// The answer to any of the queries is awaited as long as the question may take.
func TestPatience(t *testing.T) {
	s := serve(t, func(c *call) {
		if c.n == 1 {
			time.Sleep(time.Second)
			c.good()
		}
	})
	r := open(t, func(cfg *resolver.Config) { cfg.Try = 50 * time.Millisecond }, s)
	wantGood(t, ask(t, r, ptr))
	if n := s.calls.Load(); n != 3 {
		t.Errorf("%d queries, want 3 (RFC 9520 §3.1)", n)
	}
}

func TestPorts(t *testing.T) {
	var mu sync.Mutex
	ports, ids, names := map[int]bool{}, map[uint16]bool{}, map[string]bool{}
	s := serve(t, func(c *call) {
		mu.Lock()
		ports[c.from.Port], ids[c.msg.Id], names[c.msg.Question[0].Name] = true, true, true
		mu.Unlock()
		if c.msg.IsEdns0() == nil || c.msg.IsEdns0().UDPSize() != 1232 || c.msg.IsEdns0().Do() || !c.msg.RecursionDesired {
			t.Errorf("the query is %s", c.msg)
		}
		c.good()
	})
	r := open(t, func(cfg *resolver.Config) { cfg.SocketQueries = 10 }, s)
	const n = 200
	for range n {
		wantGood(t, r.Fresh(t.Context(), ptr).Wait()[0])
	}
	mu.Lock()
	defer mu.Unlock()
	if len(ports) < n/perPort || len(ids) < n*9/10 || len(names) < n/2 {
		t.Errorf("%d ports, %d ids, %d mixtures of case for %d queries", len(ports), len(ids), len(names), n)
	}
}

// perPort is the greatest number of queries that share a port in TestPorts:
// a turn of 32 at most.
const perPort = 32

func TestWaitEndsWithContext(t *testing.T) {
	s := serve(t, func(c *call) {
		if strings.EqualFold(c.msg.Question[0].Name, "h1.example.org.") {
			c.good()
		}
	})
	r := open(t, func(cfg *resolver.Config) { cfg.Timeout, cfg.Try = time.Minute, time.Minute }, s)
	wantGood(t, ask(t, r, host(1)))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	p := r.Ask(ctx, host(1), ptr, host(1))
	for range 2 { // Wait may be called again
		got := p.Wait()
		wantGood(t, got[0])
		wantGood(t, got[2])
		if a := got[1]; a.State != evidence.Timeout || a.Question != ptr || a.At.IsZero() || a.Took <= 0 || a.Rcode != -1 {
			t.Fatalf("missing answer: %+v", a)
		}
	}
	if r.Stats().InFlight != 1 {
		t.Error("the question was given up with the first who waited")
	}
	if got := r.Ask(t.Context()).Wait(); len(got) != 0 {
		t.Errorf("no question, %d answers", len(got))
	}
}

func TestClose(t *testing.T) {
	s := serve(t, truncated(func(*call) {}))
	r := open(t, func(cfg *resolver.Config) {
		cfg.Timeout, cfg.SocketQueries = time.Minute, 1
		cfg.Canaries = []resolver.Canary{{Question: host(0)}}
	}, s)
	var questions []evidence.Question
	for i := range 100 {
		questions = append(questions, host(i))
	}
	p := r.Ask(t.Context(), questions...)
	eventually(t, "TCP is under way", func() bool { return r.Stats().TCP > 10 })
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, a := range append(p.Wait(), ask(t, r, ptr)) {
		if a.State != evidence.Failed || a.Reason.String() != "resolver: closed" {
			t.Fatalf("%s: %s (%s)", a.Name, a.State, a.Reason)
		}
	}
}

func TestNoServers(t *testing.T) {
	r := open(t, nil)
	if a := ask(t, r, ptr); a.State != evidence.Failed || a.Reason.IsZero() {
		t.Errorf("%s (%s)", a.State, a.Reason)
	}
	if h := r.Health(); !h.Degraded || h.Why == "" {
		t.Errorf("health %+v", h)
	}
}

func TestConfig(t *testing.T) {
	ok := netip.MustParseAddrPort("127.0.0.1:53")
	for _, servers := range [][]netip.AddrPort{
		{{}}, {netip.MustParseAddrPort("127.0.0.1:0")}, {ok, ok, ok, ok, ok, ok, ok, ok, ok},
	} {
		if r, err := resolver.New(resolver.Config{Servers: servers}); err == nil {
			_ = r.Close()
			t.Errorf("%v: no error", servers)
		}
	}
	s := serve(t, (*call).good)
	r := open(t, nil, s)
	if a := ask(t, r, evidence.Question{Type: evidence.PTR}); a.State != evidence.Failed {
		t.Errorf("a question without a name: %s", a.State)
	}
}

func TestIPv6(t *testing.T) {
	conn, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		testneed.Missing(t, "an IPv6 loopback address")
	}
	s := &script{t: t, udp: conn, addr: netip.MustParseAddrPort(conn.LocalAddr().String())}
	s.set((*call).good)
	s.wg.Go(func() { s.serveUDP(conn) })
	defer s.wg.Wait()
	defer conn.Close()
	r := open(t, nil, s)
	a := ask(t, r, ptr)
	wantGood(t, a)
	if b := ask(t, r, ptr); b.Server != s.addr {
		t.Errorf("memory has server %s, want %s", b.Server, s.addr)
	}
}

func TestSystemServers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := resolver.SystemServers(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	write("search example.org\nnameserver\nnameserver example.org\n")
	if _, err := resolver.SystemServers(path); !errors.Is(err, resolver.ErrNoServers) {
		t.Errorf("no server: %v", err)
	}
	write("; comment\nnameserver 127.0.0.1\n\tnameserver\t2001:db8::1 # local\nnameserver 127.0.0.1\noptions edns0\n")
	got, err := resolver.SystemServers(path)
	if err != nil || fmt.Sprint(got) != "[127.0.0.1:53 [2001:db8::1]:53]" {
		t.Errorf("got %v, %v", got, err)
	}
}
