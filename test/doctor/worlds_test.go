package doctor_test

import (
	"flag"
	"os"
	"os/signal"
	"slices"
	"testing"
	"time"
)

// worlds are all targets.
func worlds() []world {
	return slices.Concat(ptrWorlds, zoneWorlds, domainWorlds, mtaWorlds, dnsWorlds)
}

// kind is what a fault is a fault of.
type kind string

const (
	ofPTR    kind = "ptr"
	ofZone   kind = "zone"
	ofDomain kind = "domain"
	ofServer kind = "server"
	ofOther  kind = "other"
)

func (w *world) kind() kind {
	for k, list := range map[kind][]world{ofPTR: ptrWorlds, ofZone: zoneWorlds, ofDomain: domainWorlds, ofServer: mtaWorlds} {
		if slices.ContainsFunc(list, func(o world) bool { return o.name == w.name }) {
			return k
		}
	}
	return ofOther
}

// hold leaves the world standing for a while, to look around in it with
// ip netns exec.
var hold = flag.Duration("hold", 0, "keep the worlds for this time instead of examining them")

// TestWorlds examines every target, applies the remedies, and examines again.
func TestWorlds(t *testing.T) {
	all := worlds()
	s := newSite(t, all)
	if *hold > 0 {
		t.Logf("the world is the namespace %s, its files are in %s", s.Server.Name, s.Dir)
		ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
		defer stop()
		select {
		case <-ctx.Done():
		case <-time.After(*hold):
		}
		return
	}
	t.Run("examined", func(t *testing.T) {
		for i := range all {
			t.Run(all[i].name, func(t *testing.T) {
				t.Parallel()
				s.examine(t, &all[i])
			})
		}
	})
	// Not at the same time: a repair changes zones that others look at.
	t.Run("mended", func(t *testing.T) {
		for i := range all {
			if w := &all[i]; w.mend != nil {
				t.Run(w.name, func(t *testing.T) {
					t.Parallel()
					w.mend(&mender{s: s, t: t, world: w, report: s.check(t, w)})
				})
			}
		}
	})
}

// examine compares the report with what was planted.
func (s *site) examine(t *testing.T, w *world) {
	t.Helper()
	if r := s.check(t, w); !w.holds(r) {
		faults, info := r.faults()
		t.Errorf("faults %v, want %v; information %v, want %v\n%s", faults, w.want, info, w.info, r.describe())
	}
}
