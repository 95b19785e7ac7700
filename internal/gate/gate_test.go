package gate_test

import (
	"context"
	"net/netip"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/gate"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/reply"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// open makes a strict gate over the lab world that counts the cases told.
func open(t *testing.T, dns evidence.DNS) (*gate.Gate, *counting) {
	t.Helper()
	strict, err := decision.Preset("strict")
	if err != nil {
		t.Fatal(err)
	}
	told := &counting{}
	var bits atomic.Uint64
	return gate.New(gate.Config{
		DNS: dns, Now: time.Now, Rand: func() uint64 { return bits.Add(0x9e3779b97f4a7c15) },
		Recorders: []decision.Recorder{told},
		Policy:    gate.Policy{Rules: strict, Words: reply.Site{AuthservID: "mx.example.net", URL: "https://gate.example.net"}},
	}), told
}

type counting struct {
	mu    sync.Mutex
	cases []*decision.Case
}

func (c *counting) Record(k *decision.Case) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cases = append(c.cases, k)
}

func rcpt(client, recipient, instance string) facts.Conn {
	return facts.Conn{
		Door: facts.Policy, Stage: facts.Rcpt, Client: netip.MustParseAddr(client), HeloKnown: true,
		Helo: untrusted.New("mail.example.org"), Recipient: untrusted.New(recipient), Instance: untrusted.New(instance),
	}
}

func TestOneTransactionIsOneCase(t *testing.T) {
	world := lab.Default()
	g, told := open(t, world)
	first := g.Ask(context.Background(), rcpt("203.0.113.9", "alice@example.net", "a.1"))
	asked := len(world.Log())
	second := g.Ask(context.Background(), rcpt("203.0.113.9", "bob@example.net", "a.1"))
	if first != second || len(told.cases) != 1 || len(world.Log()) != asked {
		t.Errorf("P056: second recipient got %+v after %+v, %d cases, %d more questions", second, first, len(told.cases), len(world.Log())-asked)
	}
	if r := g.Ask(context.Background(), rcpt("203.0.113.9", "postmaster@example.net", "a.1")); r.Verb != reply.Pass {
		t.Errorf("postmaster in the same transaction: %+v", r)
	}
	other := g.Ask(context.Background(), rcpt("203.0.113.9", "alice@example.net", "a.2"))
	if other.Ref == first.Ref || len(told.cases) != 2 {
		t.Errorf("another transaction has reference %s, %d cases", other.Ref, len(told.cases))
	}
	if r := g.Ask(context.Background(), rcpt("203.0.113.1", "alice@example.net", "a.2")); r.Verb != reply.Pass {
		t.Errorf("another client under the same instance: %+v", r)
	}
}

// A message to postmaster first and to alice second must be told as refused.
func TestAStricterSecondAnswerIsTold(t *testing.T) {
	g, told := open(t, lab.Default())
	g.Ask(context.Background(), rcpt("203.0.113.9", "postmaster@example.net", "a.1"))
	r := g.Ask(context.Background(), rcpt("203.0.113.9", "alice@example.net", "a.1"))
	if r.Verb != reply.Reject || len(told.cases) != 2 || told.cases[1].Ref != r.Ref {
		t.Errorf("%+v, %d cases", r, len(told.cases))
	}
}

func TestReferencesAreUnguessableLetters(t *testing.T) {
	g, _ := open(t, lab.Default())
	form := regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{10}$`)
	seen := make(map[string]bool)
	for range 200 {
		ref := g.Examine(context.Background(), rcpt("203.0.113.1", "", "")).Ref
		if !form.MatchString(ref) || seen[ref] {
			t.Fatalf("reference %q, seen before: %v", ref, seen[ref])
		}
		seen[ref] = true
	}
}

// stuck never answers before the deadline.
type stuck struct{}

func (stuck) Ask(ctx context.Context, questions ...evidence.Question) evidence.Pending {
	return stuckPending{ctx, questions}
}

type stuckPending struct {
	ctx       context.Context
	questions []evidence.Question
}

func (p stuckPending) Wait() []evidence.Answer {
	<-p.ctx.Done()
	answers := make([]evidence.Answer, len(p.questions))
	for i, q := range p.questions {
		answers[i] = evidence.Answer{Question: q, State: evidence.Timeout}
	}
	return answers
}

// sick answers nothing, and says so for a long time, until it is well.
type sick struct {
	evidence.DNS
	well bool
}

func (s *sick) Ask(ctx context.Context, questions ...evidence.Question) evidence.Pending {
	if s.well {
		return s.DNS.Ask(ctx, questions...)
	}
	answers := make(ready, len(questions))
	for i, q := range questions {
		answers[i] = evidence.Answer{Question: q, State: evidence.ServFail, TTL: time.Hour}
	}
	return answers
}

type ready []evidence.Answer

func (r ready) Wait() []evidence.Answer { return r }

func TestTroubleIsNotRemembered(t *testing.T) {
	dns := &sick{DNS: lab.Default()}
	g, _ := open(t, dns)
	if r := g.Ask(context.Background(), rcpt("203.0.113.1", "alice@example.net", "a.1")); r.Verb != reply.Defer {
		t.Fatalf("without DNS: %+v", r)
	}
	dns.well = true
	if r := g.Ask(context.Background(), rcpt("203.0.113.1", "alice@example.net", "a.2")); r.Verb != reply.Pass {
		t.Errorf("with DNS again: %+v", r)
	}
}

func TestStressHasLessPatience(t *testing.T) {
	strict, err := decision.Preset("strict")
	if err != nil {
		t.Fatal(err)
	}
	g := gate.New(gate.Config{
		DNS: stuck{}, Now: time.Now, Rand: func() uint64 { return 1 }, Budget: time.Minute, Hurry: 20 * time.Millisecond,
		Policy: gate.Policy{Rules: strict},
	})
	c := rcpt("203.0.113.1", "alice@example.net", "")
	c.Stress = true
	if r := g.Ask(context.Background(), c); r.Verb != reply.Defer || r.Code != "451" {
		t.Errorf("P086: %+v", r)
	}
}

func TestMask(t *testing.T) {
	private, gateway := netip.MustParseAddr("172.17.0.1"), netip.MustParseAddr("198.51.100.254")
	stranger := netip.MustParseAddr("203.0.113.1")
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name    string
		clients []netip.Addr // in turns
		want    bool
	}{
		{"all from a container gateway", []netip.Addr{private}, true},
		{"two of three from the router", []netip.Addr{gateway, gateway, stranger}, true},
		{"half", []netip.Addr{private, stranger}, false},
		{"strangers", []netip.Addr{stranger}, false},
		{"a network of private clients", []netip.Addr{private, netip.MustParseAddr("172.17.0.2"), netip.MustParseAddr("172.17.0.3")}, false},
		{"the machine itself", []netip.Addr{netip.MustParseAddr("127.0.0.1")}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := gate.NewMask(gateway)
			for i := range 120 {
				m.Note(tt.clients[i%len(tt.clients)], evidence.SourceOf(tt.clients[i%len(tt.clients)]), start.Add(time.Duration(i)*time.Second))
			}
			if got, why := m.State(); got != tt.want || got != (why != "") {
				t.Errorf("masked %v: %q", got, why)
			}
			for i := range 200 {
				m.Note(stranger, evidence.SourceOf(stranger), start.Add(time.Hour+time.Duration(i)*time.Second))
			}
			if got, _ := m.State(); got {
				t.Error("masked for ever")
			}
		})
	}
}

// Listeners ask at once while a reload replaces the policy: under -race this
// shows what is not guarded.
func TestManyAskWhileThePolicyChanges(t *testing.T) {
	g, told := open(t, lab.Default())
	careful, err := decision.Preset("careful")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 100 {
				c := rcpt("203.0.113.9", "alice@example.net", strconv.Itoa(n%20))
				if r := g.Ask(context.Background(), c); r.Verb == reply.Pass {
					t.Errorf("asker %d, question %d: passed", i, n)
				}
				if n%10 == 0 {
					g.SetPolicy(gate.Policy{Rules: careful, Words: reply.Site{AuthservID: "mx.example.net"}})
				}
			}
		})
	}
	group.Wait()
	if len(told.cases) < 20 {
		t.Errorf("%d cases for 20 transactions", len(told.cases))
	}
}
