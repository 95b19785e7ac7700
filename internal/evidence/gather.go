package evidence

import (
	"context"
	"math"
	"net/netip"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/generic"
)

// MaxQueries is the number of DNS questions that one connection may cost: one
// PTR, two families for MaxNames names, and what is left for the HELO name.
const MaxQueries = 22

// Rememberer is the store, as far as evidence needs it.
type Rememberer interface {
	// Recall returns at once what is known of an address and of the names that
	// its DNS confirms.
	Recall(addr netip.Addr, confirmed []dnsname.Name, now time.Time) Memory
}

// Gatherer asks the DNS about one client at a time; it is safe for concurrent
// use.
type Gatherer struct {
	DNS DNS
	Now func() time.Time
	// Thorough asks for both families of every PTR name, for a report that
	// shows what else a name leads to. The verdict does not need it.
	Thorough bool
}

// View asks the DNS about the client. It returns when all answers are in or ctx
// ends; what is then missing is recorded as a timeout. A special source and an
// authenticated client cost no question.
func (g *Gatherer) View(ctx context.Context, c facts.Conn) *View {
	v := &View{Source: SourceOf(c.Client), Helo: heloOf(c)}
	v.IPRev.Address, v.IPRev.Names = c.Client, []PTRName{} // an empty list in JSON, not null
	if !v.Source.Special() && !c.Authenticated() {
		g.ask(ctx, c.Client, v)
		v.Until = v.until(g.Now())
		v.thin()
	}
	return v
}

func (g *Gatherer) ask(ctx context.Context, addr netip.Addr, v *View) {
	budget := MaxQueries - 1
	var helo Pending
	if v.Helo.Kind == HeloName {
		budget -= 2
		helo = g.DNS.Ask(ctx, Question{v.Helo.Name, A}, Question{v.Helo.Name, AAAA})
	}
	ptr := g.DNS.Ask(ctx, Question{dnsname.Reverse(addr), PTR}).Wait()[0]
	fwd := g.forward(ctx, addr, ptr, &budget)
	v.IPRev = judge(addr, ptr, fwd)
	v.Generic = genericOf(addr, &v.IPRev)
	if helo != nil {
		v.Helo.Answers = helo.Wait()
	}
	v.IPRev.Queries = MaxQueries - budget
}

// until returns the time at which the first answer is to be believed no more.
// Only a fresh pass is worth it: trouble may be over at any time, and a refusal
// must rest on what the resolver believes now, which forgets a liar's answers.
func (v *View) until(now time.Time) time.Time {
	ttl, complete := v.IPRev.PTR.TTL, v.IPRev.PTR.State.Complete()
	look := func(answers []Answer) {
		for i := range answers {
			ttl = min(ttl, answers[i].TTL)
			complete = complete && answers[i].State.Complete()
		}
	}
	for i := range v.IPRev.Names {
		look(v.IPRev.Names[i].Forward)
	}
	look(v.Helo.Answers)
	if !complete || v.IPRev.Result != Pass || v.IPRev.Stale {
		return time.Time{}
	}
	return now.Add(ttl)
}

// forward asks for the addresses of the usable PTR names: the client's family
// of every name first, then, when thorough, the other family as far as the
// budget goes.
func (g *Gatherer) forward(ctx context.Context, addr netip.Addr, ptr Answer, budget *int) forwards {
	names := ptr.Names
	if ptr.State.Trouble() && ptr.Stale != nil {
		names = ptr.Stale.Names
	}
	if len(names) == 0 {
		return nil
	}
	types := []Type{family(addr)}
	if g.Thorough {
		types = append(types, otherFamily(addr))
	}
	var questions []Question
	var owner []int
	for _, t := range types {
		for i, name := range names {
			if *budget > 0 && name.HostFault() == dnsname.Usable {
				questions, owner = append(questions, Question{name, t}), append(owner, i)
				*budget--
			}
		}
	}
	fwd := make(forwards, len(names))
	if len(questions) == 0 {
		return fwd
	}
	for i, answer := range g.DNS.Ask(ctx, questions...).Wait() {
		fwd[owner[i]] = append(fwd[owner[i]], answer)
	}
	return fwd
}

// genericOf looks at the confirmed name, or else at the first usable one.
func genericOf(addr netip.Addr, r *IPRev) Generic {
	name := r.Confirmed
	for i := 0; name.IsZero() && i < len(r.Names); i++ {
		if r.Names[i].Fault == dnsname.Usable {
			name = r.Names[i].Name
		}
	}
	if name.IsZero() {
		return Generic{}
	}
	if generic.Classify(name, addr).Degree == generic.Own {
		return Generic{}
	}
	v := generic.Explain(name, addr)
	g := Generic{Name: name, Degree: v.Degree, Score: math.Round(1000*v.Score) / 1000}
	for _, p := range v.Parts {
		if p.Weight >= leastPart && len(g.Parts) < maxParts || p.Weight > 0 && len(g.Parts) == 0 {
			g.Parts = append(g.Parts, p.String())
		}
	}
	return g
}

// A report names few of the parts, and those that say something.
const (
	maxParts  = 4
	leastPart = 1
)

// ConfirmedNames returns the PTR names that lead back to the address.
func (r *IPRev) ConfirmedNames() []dnsname.Name {
	var names []dnsname.Name
	for i := range r.Names {
		if r.Names[i].State == Confirmed {
			names = append(names, r.Names[i].Name)
		}
	}
	return names
}
