package bench_test

import (
	"context"
	"testing"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// BenchmarkAsk is a decision without a protocol around it, with a warm cache.
func BenchmarkAsk(b *testing.B) {
	w := open(b, newResolver(b, nameserver(b, hosts)))
	questions := make([]facts.Conn, hosts)
	for i := range questions {
		questions[i] = facts.Conn{
			Door: facts.Policy, Stage: facts.Rcpt, Client: client(i), Helo: untrusted.New(helo(i)), HeloKnown: true,
		}
		w.gate.Ask(context.Background(), questions[i])
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		w.gate.Ask(context.Background(), questions[i%hosts])
	}
}
