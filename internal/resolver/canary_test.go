package resolver_test

import (
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver"
)

// A server that has lost its way to the Internet still knows the canaries that
// it was asked before, or that it has built in; a name never asked it can't.
func TestLostUplinkShows(t *testing.T) {
	var mu sync.Mutex
	asked := make(map[string]bool)
	online := true
	s := serve(t, func(c *call) {
		mu.Lock()
		defer mu.Unlock()
		name := strings.ToLower(c.msg.Question[0].Name)
		switch {
		case name == "present.example.org.":
			c.answer(dns.RcodeSuccess, "@ 86400 IN PTR mail.example.org.")
		case !online:
			c.answer(dns.RcodeServerFailure)
		default:
			asked[name] = true
			c.answer(dns.RcodeNameError)
		}
	})
	r := open(t, func(cfg *resolver.Config) {
		cfg.CanaryEvery, cfg.LabelEvery = 50*time.Millisecond, 60*time.Millisecond
		cfg.Canaries = []resolver.Canary{present, {Question: question("*.example.org", evidence.A), Absent: true}}
	}, s)
	sick := func() bool { is, _ := r.Sick(); return is }
	eventually(t, "three random names", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(asked) >= 3
	})
	if sick() {
		t.Error("sick without a reason")
	}
	mu.Lock()
	online = false
	for name := range asked {
		if !regexp.MustCompile(`^[0-9a-v]{16}\.example\.org\.$`).MatchString(name) {
			t.Errorf("asked for %s", name)
		}
	}
	mu.Unlock()
	eventually(t, "sick", sick)
	mu.Lock()
	online = true
	mu.Unlock()
	eventually(t, "well", func() bool { return !sick() })
}

// In quiet times the same random name is asked again, which our server knows:
// nobody else's is bothered every few seconds.
func TestQuietCanariesKeepTheirLabel(t *testing.T) {
	var mu sync.Mutex
	rounds, asked := 0, make(map[string]bool)
	s := serve(t, func(c *call) {
		mu.Lock()
		defer mu.Unlock()
		rounds++
		asked[strings.ToLower(c.msg.Question[0].Name)] = true
		c.answer(dns.RcodeNameError)
	})
	open(t, func(cfg *resolver.Config) {
		cfg.CanaryEvery = 20 * time.Millisecond
		cfg.Canaries = []resolver.Canary{{Question: question("*.example.org", evidence.A), Absent: true}}
	}, s)
	eventually(t, "ten rounds", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return rounds >= 10
	})
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 1 {
		t.Errorf("%d names in %d rounds", len(asked), rounds)
	}
}

// Who invents names is convicted under the name that the operator knows.
func TestInventedName(t *testing.T) {
	s := serve(t, answers("@ 60 IN A 192.0.2.80"))
	r := open(t, func(cfg *resolver.Config) {
		cfg.CanaryEvery = 50 * time.Millisecond
		cfg.Canaries = []resolver.Canary{{Question: question("*.example.org", evidence.A), Absent: true}}
	}, s)
	eventually(t, "convicted", func() bool { return r.Health().Servers[0].Lying })
	if why := r.Health().Servers[0].Why; !strings.Contains(why, "canary *.example.org A is found") {
		t.Errorf("why: %s", why)
	}
}

func TestCanaryTooLong(t *testing.T) {
	long := question("*."+strings.Repeat("a.", 120)+"org", evidence.A)
	if r, err := resolver.New(resolver.Config{Canaries: []resolver.Canary{{Question: long}}}); err == nil {
		_ = r.Close()
		t.Error("no room for a random label, and no error")
	}
}
