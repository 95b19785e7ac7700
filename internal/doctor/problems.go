package doctor

import (
	"fmt"
	"slices"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/remedy"
)

// group is one problem before it has its place.
type group struct {
	Problem
	scope int
	smtp  bool
	// places are the scopes in which the same cause was found.
	places []int
}

// problems puts the effects under their causes, tells what several addresses
// have in common once, and adds the remedies.
func (w *walk) problems(nodes []node) {
	groups := grouped(nodes)
	groups = merge(groups)
	for i := range groups {
		g := &groups[i]
		g.Remedy = w.remedy(g)
		w.place(g)
	}
}

func grouped(nodes []node) []group {
	var groups []group
	at := map[int]int{}
	for i := range nodes {
		if nodes[i].cause < 0 {
			at[i] = len(groups)
			groups = append(groups, group{Problem: Problem{Cause: nodes[i].Finding}, scope: nodes[i].scope, smtp: nodes[i].smtp, places: []int{nodes[i].scope}})
		}
	}
	for i := range nodes {
		if nodes[i].cause >= 0 {
			g := &groups[at[root(nodes, i)]]
			g.Effects = append(g.Effects, nodes[i].Finding)
		}
	}
	return groups
}

// merge tells a cause once that several addresses share.
func merge(groups []group) []group {
	var out []group
	at := map[string]int{}
	for _, g := range groups {
		key := shared(&g)
		old, again := at[key]
		if key == "" || !again {
			if key != "" {
				at[key] = len(out)
			}
			out = append(out, g)
			continue
		}
		out[old].take(&g)
	}
	for i := range out {
		if len(out[i].places) > 1 {
			out[i].scope = 0
		} else {
			out[i].Cause.Args.Covers = nil
		}
	}
	return out
}

// shared names what a cause has in common with others of its kind, empty where
// each stands for itself: the zone, the list, the question's fate, what the
// server says in HELO, or the one host that has several addresses.
func shared(g *group) string {
	f := &g.Cause
	switch f.Code {
	case finding.ZoneLame, finding.ZoneSilent, finding.ZoneBogus, finding.ZoneIsland, finding.ZoneSOA, finding.ZoneLag, finding.ZoneDisagrees,
		finding.ListBroken, finding.ListRefused, finding.ListRewritten, finding.ListSilent:
		return fmt.Sprintf("%s %s", f.Code, f.Args.Zone)
	case finding.PTRLongChain: // which our resolver and the zone's servers count apart
		return fmt.Sprintf("%s %s", f.Code, f.Args.Name)
	case finding.DNSTrouble:
		return fmt.Sprintf("%s %s %s", f.Code, f.Args.State, f.Args.Server)
	case finding.HeloMissing, finding.HeloNotFQDN, finding.HeloBareIP, finding.HeloUnresolvable:
		return fmt.Sprintf("%s %s", f.Code, f.Args.Said)
	}
	if g.smtp && !f.Args.Host.IsZero() {
		return fmt.Sprintf("%s %s", f.Code, f.Args.Host)
	}
	return ""
}

// take adds another group with the same cause.
func (g *group) take(other *group) {
	if verdicts[other.Cause.Severity] == Warn && g.Cause.Severity == finding.Info {
		covers := g.Cause.Args.Covers
		g.Cause = other.Cause
		g.Cause.Args.Covers = covers
	}
	for _, f := range []*finding.Finding{&g.Cause, &other.Cause} {
		if addr := f.Args.Address; addr.IsValid() && !slices.Contains(g.Cause.Args.Covers, addr) {
			g.Cause.Args.Covers = append(slices.Clone(g.Cause.Args.Covers), addr)
		}
	}
	for _, e := range other.Effects {
		if !slices.ContainsFunc(g.Effects, func(f finding.Finding) bool {
			return f.Code == e.Code && f.Args.Address == e.Args.Address && f.Args.Name == e.Args.Name
		}) {
			g.Effects = append(g.Effects, e)
		}
	}
	for _, p := range other.places {
		if !slices.Contains(g.places, p) {
			g.places = append(g.places, p)
		}
	}
}

// place hands a problem to the address, the server or the target that it is of.
func (w *walk) place(g *group) {
	switch {
	case g.scope == 0:
		w.x.Problems = append(w.x.Problems, g.Problem)
	case g.smtp:
		s := w.subjects[g.scope-1]
		for i := range w.x.Servers {
			if w.x.Servers[i].SMTP == s.smtp {
				w.x.Servers[i].Problems = append(w.x.Servers[i].Problems, g.Problem)
			}
		}
	default:
		a := &w.x.Addresses[g.scope-1]
		a.Problems = append(a.Problems, g.Problem)
	}
}

// remedy asks for the remedy of a cause, with all that is known of the first
// place where it was found.
func (w *walk) remedy(g *group) *remedy.Remedy {
	if w.Remedy == nil || g.Cause.Severity == finding.Info {
		return nil
	}
	defer w.survive("the remedy for " + string(g.Cause.Code))
	in := remedy.Input{Finding: g.Cause, MTA: w.MTA, Provider: w.Provider, Now: w.x.At, Wanted: w.target.Wanted, Domain: w.domain}
	// The remedy for the host's IPv6 address is that for the record, and another
	// way out.
	if at := slices.IndexFunc(g.Effects, func(f finding.Finding) bool { return f.Code == finding.IPv6NoPTR }); at >= 0 {
		in.Finding = g.Effects[at]
	}
	if at := slices.IndexFunc(g.places, func(p int) bool { return p > 0 }); at >= 0 {
		s := w.subjects[g.places[at]-1]
		in.Address, in.View, in.Reverse, in.Forward, in.Origin, in.SMTP = s.addr, s.view(), s.reverse, s.forward, s.origin, s.smtp
		in.Shared = !w.target.Wanted.IsZero() && slices.ContainsFunc(w.subjects, func(o *subject) bool {
			return o.addr != s.addr && o.addr.Is4() == s.addr.Is4()
		})
		in.Names, in.Assumed = namesInUse(s), s.assumed
		in.Page = pageOf(s.lists, g.Cause.Args.Zone)
	}
	return w.Remedy(in)
}

// pageOf returns the page of the list of a zone.
func pageOf(lists []evidence.ListAnswer, zone dnsname.Name) string {
	for i := range lists {
		if lists[i].Zone == zone {
			return lists[i].Page
		}
	}
	return ""
}

// namesInUse are the names that would do for an address: the host that led to
// it, what its server calls itself, and the names it has.
func namesInUse(s *subject) []dnsname.Name {
	var names []dnsname.Name
	add := func(n dnsname.Name) {
		if n.HostFault() == dnsname.Usable && !n.Local() && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	add(s.host)
	for _, n := range serverNames(s.smtp) {
		add(n)
	}
	if r := s.iprev(); r != nil {
		for i := range r.Names {
			add(r.Names[i].Name)
		}
	}
	return names
}
