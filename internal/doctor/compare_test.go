package doctor_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/bounce"
	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// A bounce is about the DNS: what was late elsewhere leaves the comparison as it
// is, and what was late there leaves it open.
func TestComparisonInTime(t *testing.T) {
	addr := netip.MustParseAddr("203.0.113.9")
	release := make(chan struct{})
	defer close(release)
	for late, tt := range map[string]struct {
		harm func(*doctor.Config)
		want string
	}{
		"port 25": {func(c *doctor.Config) { c.Prober = prober{addr: func(*evidence.SMTP) { <-release }} }, "fine-now"},
		"lists": {func(c *doctor.Config) {
			c.Lists = func(context.Context, netip.Addr) []evidence.ListAnswer { <-release; return nil }
		}, "fine-now"},
		"zone": {func(c *doctor.Config) {
			c.Authority = zoner(func(context.Context) *evidence.Zone { <-release; return nil })
		}, "unknown"},
		"identity": {func(c *doctor.Config) { c.Gate = corridor(func() *decision.Case { <-release; return nil }) }, "unknown"},
	} {
		t.Run(late, func(t *testing.T) {
			c := open(t, "").config()
			tt.harm(&c)
			ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
			defer cancel()
			x := doctor.New(c).Examine(ctx, doctor.Target{Bounce: &bounce.Reading{Class: "missing", Address: addr}})
			if !x.Partial || x.Now == nil || x.Now.State != tt.want {
				t.Errorf("want %s, found:\n%s", tt.want, summary(x))
			}
		})
	}
}

// The HELO name that can't be looked up is not called mended.
func TestComparisonWithoutHelo(t *testing.T) {
	said := bounce.Reading{Class: "helo_unresolvable", Address: netip.MustParseAddr("203.0.113.9"), Helo: untrusted.New("smtp.example.org")}
	for world, want := range map[string]string{
		"!servfail smtp.example.org":       "unknown",
		"smtp.example.org A 203.0.113.9":   "fine-now",
		"smtp.example.org TXT no address":  "still-wrong",
		"- mail.example.org A 203.0.113.9": "still-wrong",
	} {
		x := doctor.New(open(t, world).config()).Examine(t.Context(), doctor.Target{Bounce: &said})
		if x.Now == nil || x.Now.State != want {
			t.Errorf("%s: want %s, found:\n%s", world, want, summary(x))
		}
	}
}
