package gate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/gate"
	"github.com/arpagate/arpagate/internal/reply"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// TestFirstLaw draws 100,000 worlds in which every DNS answer may fail in every
// way, and every memory and weather may hold, and asks the strictest gate: no
// permanent reply without a complete negative answer.
func TestFirstLaw(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	strict, err := decision.Preset("strict")
	if err != nil {
		t.Fatal(err)
	}
	careful, err := decision.Preset("careful")
	if err != nil {
		t.Fatal(err)
	}
	harsh := strict
	harsh.Rules = append([]decision.Rule(nil), strict.Rules...)
	harsh.TagAt, harsh.DeferAt, harsh.RejectAt = 1, 1, 1
	rules := []decision.Rules{strict, careful, harsh}
	rejects, passes, confirmations := 0, 0, 0
	for range 100_000 {
		w := newChaos(rng)
		g := gate.New(gate.Config{
			DNS: w, Memory: w, DNSHealth: w.health,
			Policy: gate.Policy{Rules: rules[rng.IntN(len(rules))], Words: reply.Site{AuthservID: "mx.example.net"}},
			Now:    func() time.Time { return noon }, Rand: rng.Uint64,
		})
		c := w.conn()
		judged := g.Examine(context.Background(), c)
		if judged.Evidence.IPRev.Result == evidence.Pass {
			confirmations++
			if !w.confirms() {
				t.Fatalf("pass without a confirming answer: %+v", w)
			}
		}
		switch r := g.Ask(context.Background(), c); r.Verb {
		case reply.Reject:
			rejects++
			if r.Code[0] != '5' || r.Enhanced[0] != '5' {
				t.Fatalf("codes %s %s of a reject", r.Code, r.Enhanced)
			}
			w.mustBeComplete(t, judged)
		case reply.Defer:
			if r.Code[0] != '4' || r.Enhanced[0] != '4' {
				t.Fatalf("codes %s %s of a deferral", r.Code, r.Enhanced)
			}
		case reply.Pass:
			passes++
		}
	}
	// The test would prove nothing if the worlds were all of one kind.
	if rejects < 5_000 || passes < 5_000 || confirmations < 2_000 {
		t.Errorf("%d rejects, %d passes, %d confirmations: the worlds are too much alike", rejects, passes, confirmations)
	}
}

// chaos answers every question at random, consistently within one world.
type chaos struct {
	client  netip.Addr
	ptr     evidence.Answer
	forward map[dnsname.Name]evidence.Answer
	sick    bool
	memory  evidence.Memory
	rng     *rand.Rand
}

var chaosClients = []string{"203.0.113.9", "2001:db8::9"}

func newChaos(rng *rand.Rand) *chaos {
	w := &chaos{rng: rng, forward: make(map[dnsname.Name]evidence.Answer), sick: rng.IntN(10) == 0}
	w.client = netip.MustParseAddr(chaosClients[rng.IntN(len(chaosClients))])
	w.ptr = w.answer()
	if w.ptr.State == evidence.Found || rng.IntN(8) == 0 {
		for i := range rng.IntN(12) {
			w.ptr.Names = append(w.ptr.Names, chaosName(rng, i))
		}
		w.ptr.Total = len(w.ptr.Names)
		w.ptr.Names = w.ptr.Names[:min(evidence.MaxNames, len(w.ptr.Names))]
	}
	if w.ptr.State.Trouble() {
		w.ptr.Names = nil
	}
	if w.ptr.State.Trouble() && rng.IntN(2) == 0 {
		w.ptr.Stale = &evidence.Answer{State: evidence.Found, Names: []dnsname.Name{chaosName(rng, 0)}, Total: 1}
	}
	if rng.IntN(2) == 0 {
		w.memory = evidence.Memory{Negatives: rng.IntN(5), NegativeSince: noon.Add(-time.Duration(rng.IntN(180)) * time.Minute)}
		w.memory.NegativeKind = []evidence.Result{evidence.Fail, evidence.PermError}[rng.IntN(2)]
	}
	return w
}

func chaosName(rng *rand.Rand, i int) dnsname.Name {
	if rng.IntN(10) == 0 {
		return dnsname.MustParse([]string{"localhost", "mail", "192.0.2.1", `a\010b.example.org`}[rng.IntN(4)])
	}
	return dnsname.MustParse(fmt.Sprintf("h%d-203-0-113-9.example.%s", i, []string{"org", "com"}[rng.IntN(2)]))
}

// answer draws one of all states; each kind of trouble is as likely as an
// answer.
func (w *chaos) answer() evidence.Answer {
	a := evidence.Answer{State: evidence.Found + evidence.State(w.rng.IntN(int(evidence.Failed)))}
	if w.rng.IntN(2) == 0 {
		a.State = []evidence.State{evidence.Found, evidence.NXDomain, evidence.NoData}[w.rng.IntN(3)]
	}
	return a
}

func (w *chaos) address() evidence.Answer {
	a := w.answer()
	if a.State == evidence.Found {
		a.Addrs = []netip.Addr{netip.MustParseAddr("198.51.100.1"), w.client}[w.rng.IntN(2):]
	}
	if a.State.Trouble() && w.rng.IntN(4) == 0 {
		a.Stale = &evidence.Answer{State: evidence.Found, Addrs: []netip.Addr{w.client}}
	}
	return a
}

// Ask implements evidence.DNS.
func (w *chaos) Ask(_ context.Context, questions ...evidence.Question) evidence.Pending {
	answers := make(chaosPending, len(questions))
	for i, q := range questions {
		if q.Type == evidence.PTR {
			answers[i] = w.ptr
			continue
		}
		if _, known := w.forward[q.Name]; !known {
			w.forward[q.Name] = w.address()
		}
		answers[i] = w.forward[q.Name]
	}
	return answers
}

type chaosPending []evidence.Answer

func (p chaosPending) Wait() []evidence.Answer { return p }

// Recall implements evidence.Rememberer.
func (w *chaos) Recall(netip.Addr, []dnsname.Name, time.Time) evidence.Memory { return w.memory }

func (w *chaos) health() (bool, string) { return w.sick, "drawn" }

func (w *chaos) conn() facts.Conn {
	helos := []string{"", "mail", "h0-203-0-113-9.example.org", "[203.0.113.9]", "[198.51.100.1]", "203.0.113.9", "mail.example.org"}
	return facts.Conn{
		Door: facts.Policy, Stage: facts.Rcpt, Client: w.client,
		Helo: untrusted.New(helos[w.rng.IntN(len(helos))]), HeloKnown: true,
	}
}

// confirms reports whether any answer, fresh or stale, holds the client.
func (w *chaos) confirms() bool {
	for _, a := range w.forward {
		if holds(a, w.client) || a.Stale != nil && holds(*a.Stale, w.client) {
			return true
		}
	}
	return false
}

func holds(a evidence.Answer, client netip.Addr) bool {
	for _, addr := range a.Addrs {
		if addr == client {
			return true
		}
	}
	return false
}

// mustBeComplete fails unless the reject rests on complete answers: no PTR
// record or no usable name in it, every forward lookup of a usable name
// complete, or a complete positive answer that is generic.
func (w *chaos) mustBeComplete(t *testing.T, c *decision.Case) {
	t.Helper()
	if w.sick {
		t.Fatalf("rejected while our DNS is sick: %+v", c.Decision)
	}
	if !w.ptr.State.Complete() {
		t.Fatalf("rejected though the PTR answer was %s: %+v", w.ptr.State, c.Decision)
	}
	if w.ptr.State == evidence.Found && c.Evidence.IPRev.Result != evidence.Pass {
		for _, name := range w.ptr.Names {
			if a, asked := w.forward[name]; name.HostFault() == dnsname.Usable && (!asked || !a.State.Complete()) {
				t.Fatalf("rejected though the answer for %s was %s: %+v", name, a.State, c.Decision)
			}
		}
	}
	if code := c.Decision.Because[0].Code; c.Evidence.IPRev.Result == evidence.Pass && code == finding.DNSTrouble {
		t.Fatalf("rejected for trouble: %+v", c.Decision)
	}
}
