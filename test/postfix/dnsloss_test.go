package postfix_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/testneed"
	"github.com/arpagate/arpagate/test/netlab"
)

// What has to hold while the DNS is gone and when it is back.
const (
	lossWorkers   = 64
	lossBudget    = 5 * time.Second         // of the gate for one decision
	lossP99       = 5500 * time.Millisecond // budget and some air
	lossRecovery  = 5 * time.Second
	lossMemory    = 256 << 20 // of the gate, resident: the plateau is at 160 MiB
	lossRefusals  = 30 * time.Second
	lossGoodShare = 0.99 // of good clients accepted after recovery
)

// TestDNSLoss takes all DNS from a gate that works as fast as it can, and gives
// it back:
//
//	64 kept connections ── policy ── gate (strict) ──╳── unbound ── nsd
//	(ever new addresses)                         nft drop :53
//
// While it is gone nobody is refused for good, decisions keep to their budget
// and memory is bounded; when it is back good clients pass within 5 s. The loss
// lasts 60 s, or 12 s on machines that need not prove everything.
func TestDNSLoss(t *testing.T) {
	need(t)
	w := netlab.New(t)
	w.BuildGate(t)
	z := zones()
	for i := range uint64(goodSize) {
		z.Host(poolAddr(goodPool, i), fmt.Sprintf("mail%d.example.net.", i))
	}
	w.StartDNS(t, netlab.DNS{Zones: z})
	gate := w.StartGate(t, tcpGate("strict", 10000))
	l := &load{world: w, target: "127.0.0.1:10000"}
	ctx, stop := context.WithCancel(t.Context())
	wait := l.start(ctx, lossWorkers)
	peak := watchMemory(ctx, gate)

	time.Sleep(3 * time.Second)
	lose(t, w, gate, l)
	recoverWithin(t, gate, l)
	stop()
	wait()
	report(t, l, <-peak)
}

// loss is how long the DNS is gone.
func loss() time.Duration {
	if os.Getenv(testneed.Variable) == "1" {
		return time.Minute
	}
	return 12 * time.Second
}

// lose takes the DNS away and gives it back. Questions count as asked without
// DNS only when the rule was in force before, and until it is taken away.
func lose(t *testing.T, w *netlab.World, gate *netlab.Gate, l *load) {
	t.Helper()
	l.set(cutting)
	w.CutDNS(t)
	l.set(cut)
	time.Sleep(lossBudget)
	l.set(dark)
	time.Sleep(loss() - lossBudget)
	if !degraded(t, gate) {
		t.Errorf("the gate does not show that its DNS is gone after %v", loss())
	}
	l.set(mending)
	w.MendDNS(t)
}

// recoverWithin waits for the first good client that passes and the first bad
// one that is refused, since the state "degraded" must end too, and then counts
// the questions that are asked when the time to recover is over.
func recoverWithin(t *testing.T, gate *netlab.Gate, l *load) {
	t.Helper()
	begun := time.Now()
	netlab.Eventually(t, lossRecovery, "a good client accepted after the loss", func() bool {
		return l.seen(mending).good[accepted] > 0
	})
	t.Logf("good clients accepted %v after the loss", time.Since(begun).Round(10*time.Millisecond))
	netlab.Eventually(t, lossRefusals, "a bad client refused after the loss", func() bool {
		return l.seen(mending).bad[refused] > 0
	})
	t.Logf("bad clients refused %v after the loss", time.Since(begun).Round(10*time.Millisecond))
	time.Sleep(time.Until(begun.Add(lossRecovery)))
	l.set(mended)
	time.Sleep(2 * time.Second)
	netlab.Eventually(t, lossRefusals, "the gate shows that its DNS is back", func() bool { return !degraded(t, gate) })
}

// degraded reports whether the gate shows, in its counters and in its health,
// that its DNS is sick.
func degraded(t *testing.T, gate *netlab.Gate) bool {
	t.Helper()
	_, metrics := gate.Get(t, "/metrics")
	_, health := gate.Get(t, "/healthz")
	return strings.Contains(metrics, "arpagate_dns_degraded 1\n") && strings.HasPrefix(health, "degraded")
}

// watchMemory samples the gate's memory until ctx ends, and returns the peak;
// -1 when it could not be read.
func watchMemory(ctx context.Context, gate *netlab.Gate) <-chan int64 {
	peak := make(chan int64, 1)
	go func() {
		var most int64
		for ctx.Err() == nil {
			rss, err := gate.RSS()
			if err != nil {
				peak <- -1
				return
			}
			most = max(most, rss)
			time.Sleep(100 * time.Millisecond)
		}
		peak <- most
	}()
	return peak
}

func report(t *testing.T, l *load, peak int64) {
	for _, err := range l.errs {
		t.Error(err)
	}
	for p, name := range phaseNames {
		c := l.seen(phase(p))
		t.Logf("%-8s %7d decisions, p99 %5v, good %v, bad %v", name, c.total(), c.p99(), c.good, c.bad)
	}
	t.Logf("memory peak %d MiB", peak>>20)
	if peak <= 0 || peak > lossMemory {
		t.Errorf("memory peak %d, want at most %d", peak, lossMemory)
	}
	before, after := l.seen(healthy), l.seen(mended)
	if before.good[accepted] == 0 || before.bad[refused] == 0 {
		t.Errorf("before the loss good %v, bad %v: the load proves nothing", before.good, before.bad)
	}
	if n := before.good[deferred] + before.bad[deferred]; n > 0 {
		t.Errorf("%d decisions deferred while nothing was wrong", n)
	}
	for _, p := range []phase{cut, dark} {
		if n := l.seen(p).bad[refused]; n > 0 {
			t.Errorf("%d permanent replies while the DNS was gone (%s)", n, phaseNames[p])
		}
	}
	if p99 := l.seen(cut).p99(); p99 > lossP99 {
		t.Errorf("p99 of a decision %v, want at most %v", p99, lossP99)
	}
	share := float64(after.good[accepted]) / float64(max(1, after.good[accepted]+after.good[deferred]+after.good[refused]))
	if share < lossGoodShare {
		t.Errorf("%.3f of good clients accepted %v after the loss, want %.2f", share, lossRecovery, lossGoodShare)
	}
}
