package gate_test

import (
	"context"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
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
		DNS: stuck{}, Now: time.Now, Rand: func() uint64 { return 1 }, Budget: time.Hour, Hurry: 20 * time.Millisecond,
		Policy: gate.Policy{Rules: strict},
	})
	c := rcpt("203.0.113.1", "alice@example.net", "")
	c.Stress = true
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if r := g.Ask(ctx, c); r.Verb != reply.Defer || r.Code != "451" {
		t.Errorf("P086: %+v", r)
	}
	if ctx.Err() != nil {
		t.Error("P086: the hurry was not kept")
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
		{"nine of ten from the router", append(slices.Repeat([]netip.Addr{gateway}, 9), stranger), true},
		{"a busy relay beside strangers", []netip.Addr{private, private, stranger}, false},
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

// clocked makes a strict gate over the lab world with a clock of the test's.
func clocked(t *testing.T, world *lab.World, now *time.Time, change func(*gate.Config)) *gate.Gate {
	t.Helper()
	strict, err := decision.Preset("strict")
	if err != nil {
		t.Fatal(err)
	}
	c := gate.Config{
		DNS: world, Now: func() time.Time { return *now }, Rand: func() uint64 { return 1 },
		Policy: gate.Policy{Rules: strict, Words: reply.Site{AuthservID: "mx.example.net"}},
	}
	if change != nil {
		change(&c)
	}
	return gate.New(c)
}

// A confirmed client who comes again costs no look-up, until the first of the
// answers runs out; another HELO of the same client is another view, and a
// negative view is never kept.
func TestViewsAreSharedWhileTheyHold(t *testing.T) {
	world, now := lab.Default(), time.Now()
	g := clocked(t, world, &now, nil)
	asked := func(c facts.Conn) int {
		before := len(world.Log())
		g.Ask(context.Background(), c)
		return len(world.Log()) - before
	}
	good := rcpt("203.0.113.1", "alice@example.net", "")
	if n := asked(good); n == 0 {
		t.Fatal("the first time nothing was asked")
	}
	if n := asked(good); n != 0 {
		t.Errorf("the second time cost %d questions", n)
	}
	other := good
	other.Helo = untrusted.New("www.example.com")
	if n := asked(other); n == 0 {
		t.Error("another HELO was not looked up")
	}
	now = now.Add(2 * time.Hour)
	if n := asked(good); n == 0 {
		t.Error("the view outlived its answers")
	}
	bad := rcpt("203.0.113.9", "alice@example.net", "")
	asked(bad)
	if n := asked(bad); n == 0 {
		t.Error("a negative view was kept: a liar's answer would outlive the liar")
	}
}

// A transaction is one client's, by one login, through one door, and not for
// ever.
func TestWhatMakesATransaction(t *testing.T) {
	world, now := lab.Default(), time.Now()
	g := clocked(t, world, &now, nil)
	first := rcpt("203.0.113.9", "alice@example.net", "a.1")
	if r := g.Ask(context.Background(), first); r.Verb != reply.Reject {
		t.Fatalf("%+v", r)
	}
	login := first
	login.AuthUser = untrusted.New("alice")
	if r := g.Ask(context.Background(), login); r.Verb != reply.Pass {
		t.Errorf("with a login: %+v", r)
	}
	// The other way round it would let a stranger in: what was never looked up for
	// the login has no finding.
	login.Instance, first.Instance = untrusted.New("a.2"), untrusted.New("a.2")
	g.Ask(context.Background(), login)
	if r := g.Ask(context.Background(), first); r.Verb != reply.Reject {
		t.Errorf("without the login that came before: %+v", r)
	}
	for name, change := range map[string]func(*facts.Conn){
		"HELO": func(c *facts.Conn) { c.Helo = untrusted.New("other.example.org") },
		"door": func(c *facts.Conn) { c.Door = facts.Milter },
		"age":  func(*facts.Conn) { now = now.Add(11 * time.Minute) },
	} {
		g.Ask(context.Background(), first)
		before := len(world.Log())
		c := first
		change(&c)
		if g.Ask(context.Background(), c); len(world.Log()) == before {
			t.Errorf("another %s got the case of the first", name)
		}
	}
}

func TestRoleMailboxes(t *testing.T) {
	now := time.Now()
	g := clocked(t, lab.Default(), &now, nil)
	for recipient, want := range map[string]reply.Verb{
		"postmaster": reply.Pass, "POSTMASTER@example.net": reply.Pass, "abuse@example.net": reply.Pass,
		`"postmaster"@example.net`: reply.Pass,
		"postmaster+x@example.net": reply.Reject, "postmasters@example.net": reply.Reject, "x.postmaster@example.net": reply.Reject,
		"postmaster%example.org@example.net": reply.Reject, "postmaster@evil@example.net": reply.Reject, `"postmaster@evil"@example.net`: reply.Reject,
		"": reply.Reject, "@": reply.Reject, `""@example.net`: reply.Reject,
	} {
		if r := g.Ask(context.Background(), rcpt("203.0.113.9", recipient, "")); r.Verb != want {
			t.Errorf("%q: %+v", recipient, r)
		}
	}
}

// RFC 5321 §4.1.4: HELO against the address refuses nothing, not even where the
// site's rules say so, alone or with points.
func TestHeloAgainstTheAddressNeverRefuses(t *testing.T) {
	now := time.Now()
	g := clocked(t, lab.Default(), &now, func(c *gate.Config) {
		for _, code := range []finding.Code{finding.HeloLiteralMismatch, finding.HeloNotClient, finding.HeloNotPTR} {
			if err := c.Policy.Rules.Override(decision.Rule{Code: code, Action: decision.Reject, Points: 50}); err != nil {
				t.Fatal(err)
			}
		}
		c.Policy.Rules.DeferAt, c.Policy.Rules.RejectAt = 1, 1
	})
	for _, helo := range []string{"[198.51.100.7]", "www.example.com", "mail.example.com"} {
		c := rcpt("203.0.113.1", "alice@example.net", "")
		c.Helo = untrusted.New(helo)
		judged := g.Examine(context.Background(), c)
		if len(judged.Findings) == 0 && helo[0] == '[' {
			t.Errorf("HELO %s: no finding", helo)
		}
		for _, f := range judged.Findings {
			if f.Entry().HeloOnly && judged.Decision.Action > decision.Tag && len(judged.Findings) == 1 {
				t.Errorf("HELO %s: %+v", helo, judged.Decision)
			}
		}
	}
}

// Strangers only count for the mask: a site's own relay and its users do not.
func TestOwnClientsAreNoMask(t *testing.T) {
	now := time.Now()
	mask := gate.NewMask(netip.Addr{})
	g := clocked(t, lab.Default(), &now, func(c *gate.Config) {
		c.Mask = mask
		c.Policy.Site.OwnNetworks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
	})
	for i := range 200 {
		c := rcpt("10.0.0.5", "alice@example.net", "")
		if i%2 == 0 {
			c = rcpt("10.9.9.9", "alice@example.net", "")
			c.AuthUser = untrusted.New("alice")
		}
		now = now.Add(time.Second)
		g.Ask(context.Background(), c)
	}
	if masked, why := mask.State(); masked {
		t.Errorf("masked: %s", why)
	}
}
