// Package gate walks the corridor once for each stranger: facts, evidence,
// findings, decision, reply; and tells the recorders. It is the one function
// behind every listener.
package gate

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/reply"
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
}

// Gate answers listeners. It is safe for concurrent use.
type Gate struct {
	gatherer  evidence.Gatherer
	policy    atomic.Pointer[Policy]
	recorders []decision.Recorder
	now       func() time.Time
	rand      func() uint64
	budget    time.Duration
	hurry     time.Duration
	mask      *Mask
	recent    recent
}

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
	}
	g.policy.Store(&c.Policy)
	g.gatherer = evidence.Gatherer{DNS: c.DNS, Memory: c.Memory, Now: c.Now, Health: func() evidence.Weather {
		return weather(c.DNSHealth, c.Mask)
	}}
	return g
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

func weather(dns func() (bool, string), mask *Mask) evidence.Weather {
	var w evidence.Weather
	if dns != nil {
		w.Degraded, w.Why = dns()
	}
	if mask != nil {
		w.Masked, w.MaskedWhy = mask.State()
	}
	return w
}

// SetPolicy replaces rules and words for the questions to come.
func (g *Gate) SetPolicy(p Policy) { g.policy.Store(&p) }

// Ask answers one question of a listener. It always answers, within the
// budget: what went wrong on the way is a finding, not an error.
func (g *Gate) Ask(ctx context.Context, c facts.Conn) reply.Reply {
	policy := g.policy.Load()
	if old := g.recent.find(c); old != nil {
		return g.again(policy, old, c)
	}
	if g.mask != nil && c.Client.IsValid() && !c.Authenticated() && !policy.Site.Owns(c.Client) {
		g.mask.Note(c.Client, g.now())
	}
	judged := g.examine(ctx, policy, c)
	g.recent.keep(judged)
	g.tell(judged)
	return policy.Words.Of(judged)
}

// Examine walks the corridor as Ask does and returns the case, telling nobody.
func (g *Gate) Examine(ctx context.Context, c facts.Conn) *decision.Case {
	return g.examine(ctx, g.policy.Load(), c)
}

func (g *Gate) examine(ctx context.Context, policy *Policy, c facts.Conn) *decision.Case {
	budget := g.budget
	if c.Stress {
		budget = g.hurry
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	judged := &decision.Case{Ref: ref(g.rand()), At: g.now(), Conn: c}
	judged.Evidence = g.gatherer.Gather(ctx, c)
	judged.Findings = finding.Of(c, &judged.Evidence)
	judged.Decision = policy.Rules.Decide(&policy.Site, c, &judged.Evidence, judged.Findings)
	judged.Took = g.now().Sub(judged.At)
	return judged
}

// again answers for another recipient of a mail transaction that was judged
// already: the same evidence and reference, but the recipient may be exempt.
func (g *Gate) again(policy *Policy, old *decision.Case, c facts.Conn) reply.Reply {
	next := *old
	next.Conn = c
	next.Decision = policy.Rules.Decide(&policy.Site, c, &next.Evidence, next.Findings)
	if next.Decision.Action > old.Decision.Action {
		next.Ref = ref(g.rand())
		g.recent.keep(&next)
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
