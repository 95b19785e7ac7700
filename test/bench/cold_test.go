package bench_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/reply"
	"github.com/arpagate/arpagate/internal/resolver"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// BenchmarkCold decides about clients never seen before, beside the bare
// resolver, with a memory of its own, that is asked the same questions and
// judges nothing.
func BenchmarkCold(b *testing.B) {
	server := nameserver(b, strangers)
	dns := newResolver(b, server)
	w := open(b, newResolver(b, server))
	var bareNext, gateNext atomic.Int64
	b.ResetTimer()
	beside(b, min(b.N, strangers), "decisions", "resolver",
		func(n int) { inParallel(b, n, &bareNext, func(i int) bool { return bare(dns, i) }) },
		func(n int) { inParallel(b, n, &gateNext, func(i int) bool { return decided(w, i) }) })
}

// inParallel asks about the next n clients, kept at a time.
func inParallel(b *testing.B, n int, next *atomic.Int64, ask func(int) bool) {
	b.Helper()
	until := next.Load() + int64(n)
	var group sync.WaitGroup
	for range kept {
		group.Go(func() {
			for i := next.Add(1) - 1; i < until; i = next.Add(1) - 1 {
				if !ask(int(i)) {
					b.Errorf("client %d (%s) was not confirmed", i, client(int(i)))
					return
				}
			}
		})
	}
	group.Wait()
	next.Store(until)
}

func decided(w *whole, i int) bool {
	r := w.gate.Ask(context.Background(), facts.Conn{
		Door: facts.Policy, Stage: facts.Rcpt, Client: client(i), Helo: untrusted.New(helo(i)), HeloKnown: true,
	})
	return r.Verb == reply.Pass && r.Header != ""
}

// bare asks what a decision needs: the HELO name in both families, the PTR
// record, and the address of its name.
func bare(dns *resolver.Resolver, i int) bool {
	ctx := context.Background()
	addr := client(i)
	name := dnsname.MustParse(helo(i))
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
