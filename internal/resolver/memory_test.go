package resolver_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver"
)

// clock is a clock that a test turns.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(1_800_000_000, c.ns.Load()) }

func (c *clock) add(d time.Duration) { c.ns.Add(int64(d)) }

func (c *clock) set(cfg *resolver.Config) { cfg.Now = c.now }

func TestTTL(t *testing.T) {
	const soa = "203.in-addr.arpa. %d IN SOA ns.example.org. host.example.org. 1 2 3 4 %d"
	positive := func(ttl uint32) func(*call) {
		return func(c *call) { c.answer(0, fmt.Sprintf("@ %d IN PTR mail.example.org.", ttl)) }
	}
	tests := []struct {
		name string
		do   func(*call)
		want time.Duration
	}{
		{"D133 TTL 0", positive(0), 5 * time.Second},
		{"D134 TTL 1", positive(1), 5 * time.Second},
		{"D135 TTL 60", positive(60), time.Minute},
		{"D136 TTL 86400", positive(86400), 24 * time.Hour},
		{"D137 TTL 604800", positive(604800), 24 * time.Hour},
		{"D138 TTL 2147483647", positive(1<<31 - 1), 24 * time.Hour},
		{"D139 TTL 2147483648", positive(1 << 31), 5 * time.Second},
		{"D140 TTL 4294967295", positive(1<<32 - 1), 5 * time.Second},
		{"D141 SOA MINIMUM 0", negative(dns.RcodeNameError, fmt.Sprintf(soa, 900, 0)), 5 * time.Second},
		{"D142 SOA MINIMUM 1", negative(dns.RcodeNameError, fmt.Sprintf(soa, 900, 1)), 5 * time.Second},
		{"D143 SOA MINIMUM 86400", negative(dns.RcodeNameError, fmt.Sprintf(soa, 86400, 86400)), time.Hour},
		{"D144 SOA MINIMUM 4294967295", negative(dns.RcodeNameError, fmt.Sprintf(soa, 900, uint32(1<<32-1))), 5 * time.Second},
		{"the SOA record's own TTL", negative(dns.RcodeNameError, fmt.Sprintf(soa, 60, 900)), time.Minute},
		{"an alias that lives shorter", answers("@ 30 IN CNAME b.example.net.", "b.example.net. 300 IN PTR mail.example.org."), 30 * time.Second},
	}
	s := serve(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.set(tt.do)
			var c clock
			r := open(t, c.set, s)
			before := s.calls.Load()
			a := ask(t, r, ptr)
			if a.TTL != tt.want || a.Cached {
				t.Fatalf("TTL %s, cached %t; want %s from the wire", a.TTL, a.Cached, tt.want)
			}
			c.add(tt.want - time.Second)
			b := ask(t, r, ptr)
			if !b.Cached || b.TTL != time.Second || !b.At.Equal(a.At) || b.Server != a.Server || b.Rcode != a.Rcode || b.State != a.State {
				t.Fatalf("from memory: %+v, first %+v", b, a)
			}
			c.add(time.Second)
			if d := ask(t, r, ptr); d.Cached || s.calls.Load() != before+2 {
				t.Fatalf("after its TTL: %+v, %d queries", d, s.calls.Load()-before)
			}
		})
	}
	t.Run("D145 TTL 0 and 86400 by turns", func(t *testing.T) {
		s := serve(t, func(c *call) { positive(uint32(c.n % 2 * 86400))(c) })
		var c clock
		r := open(t, c.set, s)
		c.add(time.Hour)
		for range 50 {
			wantGood(t, ask(t, r, ptr))
		}
		if s.calls.Load() != 1 {
			t.Errorf("%d queries within the floor", s.calls.Load())
		}
	})
}

func TestFailures(t *testing.T) {
	s := serve(t, code(dns.RcodeServerFailure))
	var c clock
	r := open(t, c.set, s)
	want := int64(0)
	for _, ttl := range []time.Duration{5, 10, 20, 40, 80, 160, 300, 300} {
		ttl *= time.Second
		a := ask(t, r, ptr)
		want++
		if wantTrouble(t, a, evidence.ServFail); a.TTL != ttl || s.calls.Load() != want {
			t.Fatalf("remembered for %s, want %s; %d queries, want %d", a.TTL, ttl, s.calls.Load(), want)
		}
		c.add(ttl - time.Second)
		if b := ask(t, r, ptr); !b.Cached || b.State != evidence.ServFail || s.calls.Load() != want {
			t.Fatalf("within %s: %+v, %d queries", ttl, b, s.calls.Load())
		}
		c.add(time.Second)
	}
	s.set((*call).good)
	wantGood(t, ask(t, r, ptr))
	s.set(code(dns.RcodeServerFailure))
	c.add(time.Hour)
	if a := ask(t, r, ptr); a.TTL != 5*time.Second {
		t.Errorf("after a success a failure is remembered for %s", a.TTL)
	}
}

func TestStale(t *testing.T) {
	s := serve(t, (*call).good)
	var c clock
	r := open(t, c.set, s)
	wantGood(t, ask(t, r, ptr))
	s.set(code(dns.RcodeServerFailure))
	if f := r.Fresh(t.Context(), ptr).Wait()[0]; f.State != evidence.ServFail || f.Stale == nil {
		t.Errorf("fresh: %s, stale %v", f.State, f.Stale)
	}
	wantGood(t, ask(t, r, ptr)) // the good answer has not expired
	c.add(24 * time.Hour)
	for _, cached := range []bool{false, true} {
		a := ask(t, r, ptr)
		wantTrouble(t, a, evidence.ServFail)
		if a.Cached != cached || a.Stale == nil || a.Stale.TTL != 0 || !a.Stale.Cached {
			t.Fatalf("cached %t, stale %+v", a.Cached, a.Stale)
		}
		wantGood(t, *a.Stale)
	}
	c.add(time.Minute)
	if a := ask(t, r, ptr); a.Stale != nil {
		t.Errorf("an answer of %s stands in", c.now().Sub(a.Stale.At))
	}
	// A negative answer never stands in.
	s.set(code(dns.RcodeNameError))
	c.add(time.Hour)
	if a := ask(t, r, ptr); a.State != evidence.NXDomain {
		t.Fatalf("got %s", a.State)
	}
	s.set(code(dns.RcodeServerFailure))
	c.add(time.Minute)
	if a := ask(t, r, ptr); a.State != evidence.ServFail || a.Stale != nil {
		t.Errorf("%s, stale %v", a.State, a.Stale)
	}
}

func TestFresh(t *testing.T) {
	s := serve(t, (*call).good)
	r := open(t, nil, s)
	wantGood(t, ask(t, r, ptr))
	s.set(answers("@ 300 IN PTR new.example.org."))
	if a := r.Fresh(t.Context(), ptr).Wait()[0]; a.Cached || a.Names[0].String() != "new.example.org" {
		t.Errorf("fresh: %+v", a)
	}
	if a := ask(t, r, ptr); !a.Cached || a.Names[0].String() != "new.example.org" {
		t.Errorf("memory was not refreshed: %+v", a)
	}
}

func TestExtendedErrors(t *testing.T) {
	ede := func(rcode int, text string, codes ...uint16) func(*call) {
		return func(c *call) {
			m := c.reply(rcode)
			m.SetEdns0(1232, false)
			for _, code := range codes {
				m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_EDE{InfoCode: code, ExtraText: text})
			}
			c.over(m)
		}
	}
	reason := func(code uint16) func(*testing.T, evidence.Answer, *script, resolver.Stats) {
		return func(t *testing.T, a evidence.Answer, _ *script, _ resolver.Stats) {
			if a.EDE != code+1 || a.Reason.String() != "why" {
				t.Errorf("EDE %d, %q", int(a.EDE)-1, a.Reason)
			}
		}
	}
	const failed = dns.RcodeServerFailure
	run(t, []row{
		{"D147 bogus", ede(failed, "why", 6), evidence.Bogus, reason(6)},
		{"D148 DNSKEY missing", ede(failed, "why", 9), evidence.Bogus, reason(9)},
		{"D149 no reachable authority", ede(failed, "why", 22), evidence.ServFail, reason(22)},
		{"D150 blocked", ede(failed, "why", 15), evidence.Filtered, reason(15)},
		{"D151 censored", ede(failed, "why", 16), evidence.Filtered, reason(16)},
		{"D152 filtered", ede(failed, "why", 17), evidence.Filtered, reason(17)},
		{"D153 NXDOMAIN, blocked", ede(dns.RcodeNameError, "why", 15), evidence.Filtered, reason(15)},
		{"a forged answer", ede(dns.RcodeSuccess, "why", 4), evidence.Filtered, reason(4)},
		{"the code that says most", ede(failed, "why", 22, 9, 3), evidence.Bogus, reason(9)},
		{"D154 markup of 60 KiB", func(c *call) {
			if c.tcp == nil {
				truncated(nil)(c)
				return
			}
			ede(failed, strings.Repeat("<img onerror>", 60<<10/13), 22)(c)
		}, evidence.ServFail, func(t *testing.T, a evidence.Answer, _ *script, _ resolver.Stats) {
			if n := len(a.Reason.String()); n == 0 || n > 256 {
				t.Errorf("%d octets of text", n)
			}
		}},
		{"D156 the AD bit", func(c *call) {
			m := c.reply(0, "@ 300 IN PTR mail.example.org.")
			m.AuthenticatedData = true
			c.send(c.pack(m))
		}, evidence.Found, nil}, // there is no field that could show it
		{"D146 100 signatures", func(c *call) {
			m := c.reply(0, "@ 300 IN PTR mail.example.org.")
			for range 100 {
				m.Answer = append(m.Answer, c.record("@ 300 IN RRSIG PTR 8 6 300 20260101000000 20250101000000 1 example.org. AAAA"))
			}
			m.Ns = append(m.Ns, c.record("@ 300 IN NSEC3 1 0 65535 AA 0123456789ABCDEFGHIJKLMNOPQRSTUV PTR"))
			c.over(m)
		}, evidence.Found, nil},
	})
	s := serve(t, ede(dns.RcodeNameError, "why", 17))
	r := open(t, nil, s)
	if ask(t, r, ptr); !r.Health().Rewrites || r.Stats().Rewritten != 1 {
		t.Error("rewritten answers raise no alarm")
	}
}

func TestSingleFlight(t *testing.T) {
	for name, n := range map[string]int{"D179 1000 clients": 1000, "D180 10000 clients": 10_000} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			s := serve(t, func(c *call) { <-release; c.good() })
			r := open(t, func(cfg *resolver.Config) { cfg.Try, cfg.Timeout = time.Minute, time.Minute }, s)
			waiting := make([]evidence.Pending, n)
			for i := range waiting {
				waiting[i] = r.Ask(t.Context(), ptr)
			}
			close(release)
			for _, w := range waiting {
				wantGood(t, w.Wait()[0])
			}
			if s.calls.Load() != 1 {
				t.Errorf("%d queries", s.calls.Load())
			}
		})
	}
	t.Run("D178 a mapped address is the same question", func(t *testing.T) {
		s := serve(t, (*call).good)
		r := open(t, nil, s)
		for _, addr := range []string{"198.51.100.7", "::ffff:198.51.100.7"} {
			wantGood(t, ask(t, r, evidence.Question{Name: dnsname.Reverse(netip.MustParseAddr(addr)), Type: evidence.PTR}))
		}
		if s.calls.Load() != 1 {
			t.Errorf("%d queries", s.calls.Load())
		}
	})
}

func TestBounds(t *testing.T) {
	host := func(i int) evidence.Question { return question(fmt.Sprintf("h%d.example.org", i), evidence.PTR) }
	t.Run("D181 many different names", func(t *testing.T) {
		s := serve(t, (*call).good)
		r := open(t, nil, s)
		size := r.Stats().CacheBytes
		const n = 20_000
		for i := 0; i < n; i += 100 {
			var questions []evidence.Question
			for j := range 100 {
				questions = append(questions, host(i+j))
			}
			for _, a := range r.Ask(t.Context(), questions...).Wait() {
				if a.State != evidence.Found && a.State != evidence.Timeout { // the test's server drops some
					t.Fatalf("%s: %s", a.Name, a.State)
				}
			}
		}
		if got := r.Stats(); got.CacheBytes != size || size > 1<<20 || got.InFlight != 0 {
			t.Errorf("%d octets of memory, before %d; %d in flight", got.CacheBytes, size, got.InFlight)
		}
		if a := ask(t, r, host(n-1)); !a.Cached && a.State == evidence.Found {
			t.Error("the last one is not in memory")
		}
		if a := ask(t, r, host(0)); a.Cached {
			t.Error("the first one of 20,000 is still in memory of 1 MiB")
		}
	})
	t.Run("D181 many at once", func(t *testing.T) {
		s := serve(t, func(*call) {})
		r := open(t, func(cfg *resolver.Config) { cfg.MaxInFlight, cfg.Timeout = 100, time.Second }, s)
		var questions []evidence.Question
		for i := range 300 {
			questions = append(questions, host(i))
		}
		overloaded := 0
		for _, a := range r.Ask(t.Context(), questions...).Wait() {
			if a.State == evidence.Failed && a.Reason.String() == "resolver overloaded" {
				overloaded++
			} else if a.State != evidence.Timeout {
				t.Errorf("%s: %s", a.Name, a.State)
			}
		}
		if overloaded != 200 || r.Stats().Overloaded != 200 {
			t.Errorf("%d overloaded, counted %d, want 200", overloaded, r.Stats().Overloaded)
		}
	})
}
