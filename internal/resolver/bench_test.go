package resolver_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver"
	"github.com/arpagate/arpagate/internal/resolver/dnscache"
)

// responder answers every query on loopback with one PTR record, by copying
// octets, so that the client is what is measured.
func responder(b *testing.B) netip.AddrPort {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	_ = conn.SetReadBuffer(4 << 20)
	batch := ipv4.NewPacketConn(conn)
	var wg sync.WaitGroup
	b.Cleanup(func() { conn.Close(); wg.Wait() })
	wg.Go(func() {
		in := make([]ipv4.Message, 64)
		for i := range in {
			in[i].Buffers = [][]byte{make([]byte, 1024)}
		}
		data := append(label("mail"), append(label("example"), append(label("org"), 0)...)...)
		record := rr(typePTR, data...)
		for {
			n, err := batch.ReadBatch(in, 0)
			if err != nil {
				return
			}
			out := make([]ipv4.Message, n)
			for i, m := range in[:n] {
				q := m.Buffers[0][:m.N]
				end := 12
				for q[end] != 0 {
					end += int(q[end]) + 1
				}
				answer := append([]byte(nil), q[:end+5]...)
				answer[2], answer[3] = 0x81, 0x80
				answer[7], answer[11] = 1, 0
				out[i] = ipv4.Message{Buffers: [][]byte{append(answer, record...)}, Addr: m.Addr}
			}
			for len(out) > 0 {
				sent, err := batch.WriteBatch(out, 0)
				if err != nil {
					return
				}
				out = out[sent:]
			}
		}
	})
	return netip.MustParseAddrPort(conn.LocalAddr().String())
}

func reverse(i int) evidence.Question {
	addr := netip.AddrFrom4([4]byte{198, 51, 100, 0})
	b := addr.As4()
	b[1], b[2], b[3] = byte(i>>16), byte(i>>8), byte(i)
	return evidence.Question{Name: dnsname.Reverse(netip.AddrFrom4(b)), Type: evidence.PTR}
}

// BenchmarkExchange asks different questions upstream, 512 at a time in each
// of two goroutines.
func BenchmarkExchange(b *testing.B) {
	r, err := resolver.New(resolver.Config{Servers: []netip.AddrPort{responder(b)}})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	questions := make([]evidence.Question, b.N)
	for i := range questions {
		questions[i] = reverse(i)
	}
	const window = 256
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for half := range 2 {
		wg.Go(func() {
			mine := questions[half*b.N/2 : (half+1)*b.N/2]
			var before evidence.Pending
			for len(mine) > 0 {
				n := min(len(mine), window)
				p := r.Fresh(context.Background(), mine[:n]...)
				if before != nil {
					before.Wait()
				}
				before, mine = p, mine[n:]
			}
			if before != nil {
				before.Wait()
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	s := r.Stats()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "q/s")
	b.ReportMetric(float64(s.Retried)/float64(b.N), "retries/q")
	if s.Troubled > 0 {
		b.Logf("%d of %d in trouble", s.Troubled, b.N)
	}
}

// BenchmarkPeer asks the same server through net.Resolver, with 512 goroutines.
func BenchmarkPeer(b *testing.B) {
	addr := responder(b)
	peer := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addr.String())
	}}
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for worker := range 512 {
		wg.Go(func() {
			for i := worker; i < b.N; i += 512 {
				_, _ = peer.LookupAddr(context.Background(), fmt.Sprintf("198.%d.%d.%d", byte(i>>16), byte(i>>8), byte(i)))
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "q/s")
}

// BenchmarkOne asks one question upstream at a time: the latency.
func BenchmarkOne(b *testing.B) {
	r, err := resolver.New(resolver.Config{Servers: []netip.AddrPort{responder(b)}})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	b.ReportAllocs()
	for b.Loop() {
		r.Fresh(context.Background(), ptr).Wait()
	}
}

// BenchmarkHit asks a question that memory knows.
func BenchmarkHit(b *testing.B) {
	r, err := resolver.New(resolver.Config{Servers: []netip.AddrPort{responder(b)}})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	r.Ask(context.Background(), ptr).Wait()
	b.ReportAllocs()
	for b.Loop() {
		r.Ask(context.Background(), ptr).Wait()
	}
}

// BenchmarkVerdictMemory fills a cache with the PTR and A answers of verdicts
// and reports the octets that each verdict takes of the whole, table included.
func BenchmarkVerdictMemory(b *testing.B) {
	const size = 8 << 20
	server := netip.MustParseAddrPort("127.0.0.1:53")
	var left int
	for b.Loop() {
		now := time.Now()
		c := dnscache.New(size, now)
		const n = 60_000
		name := func(i int) dnsname.Name { return dnsname.MustParse(fmt.Sprintf("mail%d.example.org", i)) }
		for i := range n {
			p := evidence.Answer{
				Question: reverse(i), State: evidence.Found, Names: []dnsname.Name{name(i)}, Total: 1,
				TTL: time.Hour, Server: server, At: now,
			}
			a := evidence.Answer{
				Question: evidence.Question{Name: name(i), Type: evidence.A}, State: evidence.Found,
				Addrs: []netip.Addr{server.Addr()}, Total: 1, TTL: time.Hour, Server: server, At: now,
			}
			c.Put(dnscache.Good, &p, 0)
			c.Put(dnscache.Good, &a, 0)
		}
		left = 0
		for i := range n {
			_, _, ptrOK := c.Get(dnscache.Good, reverse(i))
			_, _, aOK := c.Get(dnscache.Good, evidence.Question{Name: name(i), Type: evidence.A})
			if ptrOK && aOK {
				left++
			}
		}
	}
	b.ReportMetric(float64(size)/float64(left), "bytes/verdict")
}
