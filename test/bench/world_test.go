// Package bench_test measures the gate as a whole, each figure beside a peer or
// a limit in the same run: compare the ratios, not the speeds.
package bench_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/gate"
	"github.com/arpagate/arpagate/internal/journal"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/listen"
	"github.com/arpagate/arpagate/internal/metrics"
	"github.com/arpagate/arpagate/internal/reply"
	"github.com/arpagate/arpagate/internal/resolver"
	"github.com/arpagate/arpagate/internal/store"
)

// hosts is the number of good clients in the world of the warm benchmarks, half
// of them by IPv6; strangers are there to be asked about once.
const (
	hosts     = 500
	strangers = 20_000
)

func client(i int) netip.Addr {
	if i%2 == 0 && i < hosts {
		return netip.AddrFrom4([4]byte{203, 0, 113, byte(i / 2)})
	}
	a := netip.MustParseAddr("2001:db8::").As16()
	binary.BigEndian.PutUint32(a[12:], uint32(i))
	return netip.AddrFrom16(a)
}

func helo(i int) string { return fmt.Sprintf("mail%d.example.org", i) }

// world has the first n hosts.
func world(tb testing.TB, n int) *lab.World {
	tb.Helper()
	var b strings.Builder
	b.WriteString("$TTL 86400\n. SOA ns.example.net h.example.net 1 1 1 1 3600\n")
	for i := range n {
		kind := "A"
		if client(i).Is6() {
			kind = "AAAA"
		}
		fmt.Fprintf(&b, "ptr %s %s\n%s %s %s\n", client(i), helo(i), helo(i), kind, client(i))
	}
	w, err := lab.Parse(b.String())
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// whole is the gate with everything that serve puts around it.
type whole struct {
	gate  *gate.Gate
	store *store.Store
}

// nameserver serves the world on loopback.
func nameserver(tb testing.TB, n int) netip.AddrPort {
	tb.Helper()
	server, err := lab.Listen(context.Background(), world(tb, n), "127.0.0.1:0", lab.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Close)
	return server.Addr()
}

func newResolver(tb testing.TB, server netip.AddrPort) *resolver.Resolver {
	tb.Helper()
	dns, err := resolver.New(resolver.Config{Servers: []netip.AddrPort{server}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = dns.Close() })
	return dns
}

func open(tb testing.TB, dns *resolver.Resolver) *whole {
	tb.Helper()
	ctx := context.Background()
	db, err := store.Open(ctx, "sqlite:"+filepath.Join(tb.TempDir(), "bench.db"), store.Options{Daemon: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close(ctx) })
	rules, err := decision.Preset("careful")
	if err != nil {
		tb.Fatal(err)
	}
	lines := journal.NewWriter(io.Discard, 1<<20)
	tb.Cleanup(func() { _ = lines.Close(context.Background()) })
	return &whole{
		store: db,
		gate: gate.New(gate.Config{
			DNS: dns, Memory: db, DNSHealth: dns.Sick, Mask: gate.NewMask(netip.Addr{}),
			Recorders: []decision.Recorder{db, metrics.New(), journal.New(lines, false, journal.All)},
			Policy:    gate.Policy{Rules: rules, Words: reply.Site{AuthservID: "mx.example.net", URL: "https://gate.example.net"}},
			Now:       time.Now,
			Rand: func() uint64 {
				var b [8]byte
				_, _ = rand.Read(b[:])
				return binary.NativeEndian.Uint64(b[:])
			},
		}),
	}
}

// serve runs handle behind a socket on loopback and returns its address.
func serve(tb testing.TB, handle func(context.Context, net.Conn)) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := &listen.Server{Name: "bench", Handle: handle}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	return l.Addr().String()
}
