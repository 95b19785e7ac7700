// Package gate walks the corridor once for each stranger: facts, evidence,
// findings, decision, reply; and tells the recorders. It is the one function
// behind every listener.
package gate

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/reply"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// Policy is what a reload may replace while the gate works.
type Policy struct {
	Rules decision.Rules
	Site  decision.Site
	Words reply.Site
}

// Config is what a Gate is made of.
type Config struct {
	DNS    evidence.DNS
	Memory evidence.Rememberer // nil: nothing is remembered
	// DNSHealth tells whether our own DNS is sick, and why; nil: never.
	DNSHealth func() (sick bool, why string)
	Recorders []decision.Recorder
	Policy    Policy
	Now       func() time.Time
	// Rand returns 64 unguessable bits.
	Rand func() uint64
	// Budget is the time for the evidence about one connection, Hurry that
	// under stress; 0 means 5 s and 2 s.
	Budget, Hurry time.Duration
	// Mask notices a masked source address; nil: not looked for.
	Mask *Mask
	// Thorough asks for more than a verdict needs: see evidence.Gatherer.
	Thorough bool
}

// Gate answers listeners. It is safe for concurrent use.
type Gate struct {
	gatherer  evidence.Gatherer
	memory    evidence.Rememberer
	health    func() (bool, string)
	policy    atomic.Pointer[Policy]
	recorders []decision.Recorder
	now       func() time.Time
	rand      func() uint64
	budget    time.Duration
	hurry     time.Duration
	mask      *Mask
	recent    *ring[transaction, *decision.Case]
	views     *ring[visitor, *sight]
}

// transaction names a mail transaction: an instance is unique to its door only.
type transaction struct {
	door     facts.Door
	instance untrusted.Text
}

// visitor is what a view depends on.
type visitor struct {
	client        netip.Addr
	helo          untrusted.Text
	heloKnown     bool
	authenticated bool
}

// sight is a view with what it means.
type sight struct {
	view      *evidence.View
	confirmed []dnsname.Name
	findings  []finding.Finding
}

// The gate remembers the last transactions, so that all recipients of one
// message get one case, and the last views of confirmed clients, so that one who
// comes again while the answers hold costs no look-up. The resolver's memory
// behind it is many times larger.
const (
	recentCases = 4096
	recentViews = 4096
	recentAge   = 10 * time.Minute
)

// The default budgets: every MTA's own patience is several times longer.
const (
	defaultBudget = 5 * time.Second
	defaultHurry  = 2 * time.Second
)

// New makes a gate.
func New(c Config) *Gate {
	g := &Gate{
		recorders: c.Recorders, now: c.Now, rand: c.Rand, mask: c.Mask,
		budget: orDefault(c.Budget, defaultBudget), hurry: orDefault(c.Hurry, defaultHurry),
		memory: c.Memory, health: c.DNSHealth,
		recent: newRing[transaction, *decision.Case](recentCases), views: newRing[visitor, *sight](recentViews),
	}
	g.policy.Store(&c.Policy)
	g.gatherer = evidence.Gatherer{DNS: c.DNS, Now: c.Now, Thorough: c.Thorough}
	return g
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// SetPolicy replaces rules and words for the questions to come.
func (g *Gate) SetPolicy(p Policy) { g.policy.Store(&p) }

// Ask answers one question of a listener. It always answers, within the
// budget: what went wrong on the way is a finding, not an error.
func (g *Gate) Ask(ctx context.Context, c facts.Conn) reply.Reply {
	c.Client = c.Client.Unmap()
	policy := g.policy.Load()
	if old := g.judged(c); old != nil {
		return g.again(policy, old, c)
	}
	judged := g.examine(ctx, policy, c)
	if g.mask != nil && c.Client.IsValid() && !c.Authenticated() && !policy.Site.Owns(c.Client) {
		g.mask.Note(c.Client, judged.Evidence.Source, judged.At)
	}
	g.remember(judged)
	g.tell(judged)
	return policy.Words.Of(judged)
}

// Examine walks the corridor as Ask does and returns the case, telling nobody:
// for an operator who wants to know.
func (g *Gate) Examine(ctx context.Context, c facts.Conn) *decision.Case {
	return g.examine(ctx, g.policy.Load(), c)
}

func (g *Gate) examine(ctx context.Context, policy *Policy, c facts.Conn) *decision.Case {
	judged := &decision.Case{Ref: ref(g.rand()), At: g.now(), Conn: c}
	seen := g.look(ctx, c, judged.At)
	judged.Evidence = evidence.Evidence{At: judged.At, View: seen.view, Weather: g.weather()}
	if g.memory != nil && c.Client.IsValid() {
		judged.Evidence.Memory = g.memory.Recall(c.Client, seen.confirmed, judged.At)
	}
	judged.Findings = seen.findings
	judged.Decision = policy.Rules.Decide(&policy.Site, c, &judged.Evidence, judged.Findings)
	judged.Took = g.now().Sub(judged.At)
	return judged
}

// look returns the view of a client: a remembered one as long as its answers
// hold, or a new one.
func (g *Gate) look(ctx context.Context, c facts.Conn, now time.Time) *sight {
	who := visitor{client: c.Client, helo: c.Helo, heloKnown: c.HeloKnown, authenticated: c.Authenticated()}
	if old, ok := g.views.get(who); ok && now.Before(old.view.Until) {
		return old
	}
	budget := g.budget
	if c.Stress {
		budget = g.hurry
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	view := g.gatherer.View(ctx, c)
	seen := &sight{view: view, confirmed: view.IPRev.ConfirmedNames(), findings: finding.Of(c, view)}
	if !view.Until.IsZero() {
		g.views.put(who, seen)
	}
	return seen
}

func (g *Gate) weather() evidence.Weather {
	var w evidence.Weather
	if g.health != nil {
		w.Degraded, w.Why = g.health()
	}
	if g.mask != nil {
		w.Masked, w.MaskedWhy = g.mask.State()
	}
	return w
}

// judged returns the case of the same mail transaction, when client, HELO and
// login are the same too, and it is not so old that the DNS may have changed.
func (g *Gate) judged(c facts.Conn) *decision.Case {
	if c.Instance.IsZero() {
		return nil
	}
	old, ok := g.recent.get(transaction{c.Door, c.Instance})
	if !ok || g.now().Sub(old.At) > recentAge || old.Conn.Client != c.Client || old.Conn.Helo != c.Helo || old.Conn.AuthUser != c.AuthUser {
		return nil
	}
	return old
}

func (g *Gate) remember(c *decision.Case) {
	if !c.Conn.Instance.IsZero() {
		g.recent.put(transaction{c.Conn.Door, c.Conn.Instance}, c)
	}
}

// again answers for another recipient of a mail transaction that was judged
// already: the same evidence and reference, but the recipient may be exempt.
func (g *Gate) again(policy *Policy, old *decision.Case, c facts.Conn) reply.Reply {
	next := *old
	next.Conn = c
	next.Evidence.Weather = g.weather()
	next.Decision = policy.Rules.Decide(&policy.Site, c, &next.Evidence, next.Findings)
	if next.Decision.Action > old.Decision.Action {
		next.Ref = ref(g.rand())
		g.remember(&next)
		g.tell(&next)
	}
	return policy.Words.Of(&next)
}

func (g *Gate) tell(c *decision.Case) {
	for _, r := range g.recorders {
		r.Record(c)
	}
}

// crockford is the alphabet of Crockford's base32: no I, L, O, U.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// ref writes 50 of 64 random bits as ten letters.
func ref(bits uint64) string {
	var b [10]byte
	for i := range b {
		b[i] = crockford[bits&31]
		bits >>= 5
	}
	return string(b[:])
}
