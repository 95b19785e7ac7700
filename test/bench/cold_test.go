package bench_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/resolver"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// BenchmarkCold decides about clients never seen before, beside the bare
// resolver that is asked the same questions and judges nothing.
func BenchmarkCold(b *testing.B) {
	server := nameserver(b)
	var speed [2]float64
	for i, kind := range []string{"resolver", "arpagate"} {
		b.Run(kind, func(b *testing.B) {
			if b.N > strangers {
				b.Skipf("there are %d strangers only: run with -benchtime=%dx", strangers, strangers)
			}
			b.ReportAllocs()
			dns := newResolver(b, server)
			ask := func(ctx context.Context, n int) bool { return bare(ctx, dns, n) }
			if kind == "arpagate" {
				w := open(b, dns)
				ask = func(ctx context.Context, n int) bool {
					r := w.gate.Ask(ctx, facts.Conn{
						Door: facts.Policy, Stage: facts.Rcpt, Client: client(n), Helo: untrusted.New(helo(n)), HeloKnown: true,
					})
					return r.Line() == "  " && r.Header != ""
				}
			}
			b.ResetTimer()
			start := time.Now()
			inParallel(b, ask)
			speed[i] = float64(b.N) / time.Since(start).Seconds()
			b.ReportMetric(speed[i], "decisions/s")
			if i == 1 && speed[0] > 0 {
				b.ReportMetric(speed[1]/speed[0], "of-resolver")
			}
		})
	}
}

// inParallel asks about b.N clients, kept at a time.
func inParallel(b *testing.B, ask func(context.Context, int) bool) {
	b.Helper()
	var next atomic.Int64
	var group sync.WaitGroup
	for range kept {
		group.Go(func() {
			for n := next.Add(1) - 1; n < int64(b.N); n = next.Add(1) - 1 {
				if !ask(context.Background(), int(n)) {
					b.Errorf("client %d (%s) was not confirmed", n, client(int(n)))
					return
				}
			}
		})
	}
	group.Wait()
}

// bare asks what a decision needs: the HELO name in both families, the PTR
// record, and the address of its name.
func bare(ctx context.Context, dns *resolver.Resolver, n int) bool {
	addr := client(n)
	name := dnsname.MustParse(helo(n))
	both := dns.Ask(ctx, evidence.Question{Name: name, Type: evidence.A}, evidence.Question{Name: name, Type: evidence.AAAA})
	ptr := dns.Ask(ctx, evidence.Question{Name: dnsname.Reverse(addr), Type: evidence.PTR}).Wait()[0]
	for _, found := range both.Wait() {
		for _, a := range found.Addrs {
			if a == addr && ptr.State == evidence.Found {
				return true
			}
		}
	}
	return false
}
