package resolver_test

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver"
)

var (
	present = resolver.Canary{Question: question("present.example.org", evidence.PTR)}
	absent  = resolver.Canary{Question: question("absent.example.org", evidence.A), Absent: true}
)

// canary answers the canaries well and leaves the rest to do.
func canary(do func(*call)) func(*call) {
	return func(c *call) {
		switch dns.CanonicalName(c.msg.Question[0].Name) {
		case "present.example.org.":
			c.good()
		case "absent.example.org.":
			c.answer(dns.RcodeNameError)
		default:
			do(c)
		}
	}
}

// sensitive makes a breaker that a test can work in seconds.
func sensitive(canaries ...resolver.Canary) func(*resolver.Config) {
	return func(cfg *resolver.Config) {
		cfg.Breaker = resolver.Breaker{Window: 3 * time.Second, Outcomes: 10, Probes: 5}
		cfg.Canaries, cfg.CanaryEvery = canaries, 200*time.Millisecond
		cfg.Try, cfg.Tries, cfg.Timeout = 300*time.Millisecond, 1, time.Second
	}
}

func TestBreaker(t *testing.T) {
	for _, tt := range []struct {
		name     string
		sick     func(*call)
		canaries []resolver.Canary
	}{
		{"silence, no canaries", func(*call) {}, nil},
		{"SERVFAIL, no canaries", code(dns.RcodeServerFailure), nil},
		{"silence, canaries", func(*call) {}, []resolver.Canary{present, absent}},
		{"SERVFAIL, canaries", code(dns.RcodeServerFailure), []resolver.Canary{present, absent}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, canary((*call).good))
			r := open(t, sensitive(tt.canaries...), s)
			i := 0
			many := func(n int) (last evidence.Answer) {
				var questions []evidence.Question
				for range n {
					questions = append(questions, host(i))
					i++
				}
				for _, last = range r.Ask(t.Context(), questions...).Wait() {
				}
				return last
			}
			many(20)
			kept := host(0)
			if r.Health().Degraded {
				t.Fatalf("degraded: %+v", r.Health())
			}
			s.set(tt.sick)
			eventually(t, "the breaker opens", func() bool { many(20); return r.Health().Degraded })
			if r.Health().Why == "" {
				t.Error("no reason is given")
			}
			wantGood(t, ask(t, r, kept))
			before, began := r.Stats().Queries, time.Now()
			many(200)
			spent := int(time.Since(began)/time.Second) + 2
			if sent := r.Stats().Queries - before; sent > uint64(spent*(5+2*len(tt.canaries))) {
				t.Errorf("%d queries in %d seconds while open", sent, spent)
			}
			if a := many(100); a.State != evidence.Timeout || a.Reason.String() != "dns degraded" {
				t.Errorf("%s (%s) while open", a.State, a.Reason)
			}
			s.set(canary((*call).good))
			began = time.Now()
			eventually(t, "the breaker closes", func() bool { many(1); return !r.Health().Degraded })
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("closed after %s", took)
			}
			if a := many(1); a.State != evidence.Found {
				t.Errorf("%s (%s) after it closed", a.State, a.Reason)
			}
			wantGood(t, ask(t, r, host(20))) // the first one that failed: that is forgotten
		})
	}
}

// What may be asked of sick servers is spread over the second.
func TestProbesAreSpread(t *testing.T) {
	s := serve(t, func(*call) {})
	var c clock
	r := open(t, func(cfg *resolver.Config) { sensitive()(cfg); c.set(cfg) }, s)
	i := 0
	many := func() uint64 {
		before := r.Stats().Queries
		var questions []evidence.Question
		for range 20 {
			questions = append(questions, host(i))
			i++
		}
		r.Ask(t.Context(), questions...).Wait()
		return r.Stats().Queries - before
	}
	many()
	eventually(t, "the breaker opens", func() bool { return r.Health().Degraded })
	for _, tt := range []struct {
		after time.Duration
		want  uint64
	}{{0, 1}, {0, 0}, {150 * time.Millisecond, 0}, {50 * time.Millisecond, 1}, {time.Hour, 1}, {-30 * time.Minute, 1}} {
		c.add(tt.after)
		if n := many(); n != tt.want {
			t.Errorf("%s later: %d queries, want %d", tt.after, n, tt.want)
		}
	}
}

func TestTroubleOfOthers(t *testing.T) {
	s := serve(t, canary(code(dns.RcodeServerFailure)))
	r := open(t, sensitive(present, absent), s)
	var questions []evidence.Question
	for i := range 200 {
		questions = append(questions, host(i))
	}
	r.Ask(t.Context(), questions...).Wait()
	for range 20 {
		if h := r.Health(); h.Degraded {
			t.Fatalf("degraded by the trouble of others: %s", h.Why)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestLyingServer(t *testing.T) {
	rewriting := func(c *call) { c.answer(0, "@ 300 IN A 192.0.2.80", "@ 300 IN PTR ad.example.net.") }
	denying := func(c *call) { c.answer(dns.RcodeNameError) }
	for name, lie := range map[string]func(*call){
		"D155 NXDOMAIN is rewritten": rewriting,
		"NXDOMAIN to everything":     denying,
	} {
		t.Run(name, func(t *testing.T) {
			liar, good := serve(t, lie), serve(t, canary((*call).good))
			r := open(t, sensitive(present, absent), liar, good)
			eventually(t, "the liar is found out", func() bool { return r.Health().Servers[0].Lying })
			for i := range 20 {
				wantGood(t, ask(t, r, host(i)))
			}
			if h := r.Health(); h.Degraded || h.Servers[0].Why == "" {
				t.Errorf("health %+v", h)
			}
			liar.set(canary((*call).good))
			eventually(t, "the liar is forgiven", func() bool { return !r.Health().Servers[0].Lying })
		})
	}
	t.Run("D155 no other server is left", func(t *testing.T) {
		liar := serve(t, rewriting)
		r := open(t, sensitive(present, absent), liar)
		eventually(t, "degraded", func() bool { return r.Health().Degraded })
	})
	t.Run("what a liar said before is forgotten", func(t *testing.T) {
		s := serve(t, canary(denying))
		r := open(t, sensitive(present, absent), s)
		if a := ask(t, r, ptr); a.State != evidence.NXDomain {
			t.Fatalf("got %s", a.State)
		}
		s.set(denying)
		eventually(t, "the liar is found out", func() bool { return r.Health().Servers[0].Lying })
		s.set(canary((*call).good))
		wantGood(t, ask(t, r, ptr))
	})
}

// A gate that nobody asks must not call itself well while its DNS is gone; nor
// may a site whose server does not know the canaries lose its answers.
func TestSilentCanariesShowWithoutTraffic(t *testing.T) {
	mute := func(c *call) {
		if c.msg.Question[0].Qtype == dns.TypeTXT {
			c.good()
			return
		}
		c.answer(dns.RcodeServerFailure)
	}
	s := serve(t, mute)
	r := open(t, sensitive(present, absent), s)
	eventually(t, "sick without a question", func() bool { sick, _ := r.Sick(); return sick })
	if a := ask(t, r, question("other.example.org", evidence.TXT)); a.State.Trouble() {
		t.Errorf("a question that the server answers ended with %s", a.State)
	}
	s.set(canary((*call).good))
	eventually(t, "well again", func() bool { sick, _ := r.Sick(); return !sick })
}
