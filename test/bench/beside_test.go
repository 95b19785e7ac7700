package bench_test

import (
	"slices"
	"testing"
	"time"
)

// rounds is the number of turns that peer and gate take. They alternate, so
// that a neighbour's load falls on both, and the median of the ratios counts.
const rounds = 9

// beside runs n units of work through a peer and through the gate, in turns,
// and reports the gate's speed, the peer's, and the median ratio.
func beside(b *testing.B, n int, unit, peer string, theirs, ours func(n int)) {
	b.Helper()
	share := max(1, n/rounds)
	var ratios []float64
	var took [2]time.Duration
	for range rounds {
		start := time.Now()
		theirs(share)
		middle := time.Now()
		ours(share)
		t, o := middle.Sub(start), time.Since(middle)
		took[0], took[1] = took[0]+t, took[1]+o
		ratios = append(ratios, t.Seconds()/o.Seconds())
	}
	slices.Sort(ratios)
	done := float64(share * rounds)
	b.ReportMetric(done/took[1].Seconds(), unit+"/s")
	b.ReportMetric(done/took[0].Seconds(), peer+"-"+unit+"/s")
	b.ReportMetric(ratios[len(ratios)/2], "of-"+peer)
	b.ReportMetric(0, "ns/op")
}
