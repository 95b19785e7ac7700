package doctor

import (
	"fmt"
	"slices"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/receivers"
)

// judge makes an examination of what was gathered.
func (w *walk) judge() {
	w.notes()
	nodes := w.findings()
	fold(nodes)
	w.sum(nodes)
	w.problems(nodes)
	w.compare()
	w.x.Verdict = worse(w.x.Verdict, w.floor)
}

// notes says what is missing for want of time, and for our own faults.
func (w *walk) notes() {
	b := w.bench
	late := b.expired()
	b.mu.Lock()
	broken, missed := slices.Clone(b.broken), slices.Clone(b.late)
	b.mu.Unlock()
	for _, text := range broken {
		w.missing(Unknown, "%s", text)
	}
	for _, part := range missed {
		w.missing(Unknown, "%s: not ready in time", part)
	}
	switch {
	case !late:
	case b.cancelled():
		w.x.Partial = true
		w.missing(Unknown, "it was interrupted before all answers were in: this is what was known by then")
	default:
		w.x.Partial = true
		w.missing(Unknown, "the time ran out before all answers were in: this is what was known by then")
	}
	w.barred()
	w.holderless()
	w.familyless()
	w.unasked()
}

// findings collects what everything means; scope 0 is the target itself, scope
// i+1 the i-th address.
func (w *walk) findings() []node {
	interrupted := w.bench.cancelled()
	var nodes []node
	add := func(scope int, smtp bool, found []finding.Finding) {
		for _, f := range found {
			if interrupted && f.Args.State == evidence.Timeout {
				continue // it was we who did not wait
			}
			nodes = append(nodes, node{Finding: f, scope: scope, smtp: smtp})
		}
	}
	add(0, false, w.ofDomain())
	var needed []*evidence.SMTP
	for i, s := range w.subjects {
		add(i+1, false, w.ofAddress(s))
		if s.smtp != nil {
			add(i+1, true, finding.OfServer(finding.Server{SMTP: s.smtp, IPRev: s.iprev(), Names: s.names, Needed: s.role == AsMX}))
			if s.role == AsMX {
				needed = append(needed, s.smtp)
			}
		}
	}
	add(0, false, finding.OfPort25(needed))
	w.families(add)
	if w.x.Domain != nil {
		add(0, false, finding.OfAlignment(w.x.Domain.Name, w.iprevs(func(*subject) bool { return true })))
	}
	return nodes
}

// ofDomain collects what concerns the domain. Of a name that may be a host and no
// domain it matters only whether it could be looked up.
func (w *walk) ofDomain() []finding.Finding {
	switch {
	case w.x.Domain != nil:
		return finding.OfDomain(w.x.Domain)
	case w.domain == nil || w.target.Bounce != nil:
		return nil
	}
	return slices.DeleteFunc(finding.OfDomain(w.domain), func(f finding.Finding) bool { return f.Code != finding.DNSTrouble })
}

// ofAddress collects what concerns one address.
func (w *walk) ofAddress(s *subject) []finding.Finding {
	var found []finding.Finding
	for _, z := range s.zones() {
		if w.unheard[z] {
			continue
		}
		of := append(finding.OfZone(s.addr, z), finding.OfResolver(s.addr, z, s.answer(z.Question))...)
		if !s.mustLead(z.Question) {
			of = slices.DeleteFunc(of, func(f finding.Finding) bool {
				return f.Code == finding.ZoneDisagrees || f.Code == finding.ResolverDiffers
			})
		}
		found = append(found, of...)
	}
	for _, f := range s.judged.Findings {
		// What an MX host says when it sends is not known: its name is a guess.
		if f.Code != finding.HeloNotPTR || !s.assumed || s.role == AsHost {
			found = append(found, f)
		}
	}
	if !s.assumed || s.role == AsHost { // of an MX host's name the domain's findings tell
		found = append(found, finding.OfHelo(s.addr, s.view())...)
	}
	found = append(found, finding.OfChain(s.iprev())...)
	found = append(found, finding.OfStrays(s.iprev())...)
	return append(found, finding.OfLists(s.addr, s.lists)...)
}

// mustLead reports whether a question has the same answer for everybody if all is
// well. The name of an MX host need not: it may stand for many machines, of
// which each name server, and each asker, gets others.
func (s *subject) mustLead(q evidence.Question) bool {
	r := s.iprev()
	return q.Type == evidence.PTR || !s.assumed ||
		slices.ContainsFunc(r.Names, func(n evidence.PTRName) bool { return n.Name == q.Name })
}

// answer returns what our resolver said to the question of a zone, nil where it
// was not asked.
func (s *subject) answer(q evidence.Question) *evidence.Answer {
	v := s.view()
	if v.IPRev.PTR.Question == q {
		return &v.IPRev.PTR
	}
	for i := range v.IPRev.Names {
		for j := range v.IPRev.Names[i].Forward {
			if a := &v.IPRev.Names[i].Forward[j]; a.Question == q {
				return a
			}
		}
	}
	for i := range v.Helo.Answers {
		if a := &v.Helo.Answers[i]; a.Question == q {
			return a
		}
	}
	return nil
}

// families looks for hosts that can send over IPv6 without a name.
func (w *walk) families(add func(int, bool, []finding.Finding)) {
	seen := map[string]bool{}
	for _, s := range w.subjects {
		host := s.host.String()
		if host == "" || seen[host] {
			continue
		}
		seen[host] = true
		all := w.iprevs(func(other *subject) bool { return other.host == s.host })
		for _, f := range finding.OfFamilies(s.host, all) {
			at := slices.IndexFunc(w.subjects, func(other *subject) bool { return other.addr == f.Args.Address })
			add(at+1, false, []finding.Finding{f})
		}
	}
}

func (w *walk) iprevs(of func(*subject) bool) []*evidence.IPRev {
	var out []*evidence.IPRev
	for _, s := range w.subjects {
		if of(s) {
			out = append(out, s.iprev())
		}
	}
	return out
}

// mute are the findings that a list told us nothing. They are shown, but whether
// a third party answers our resolver says nothing of the server: with the usual
// lists and a resolver that many share, no verdict would ever be certain.
var mute = []finding.Code{finding.ListRefused, finding.ListBroken, finding.ListSilent}

// sum makes the verdicts. Each finding counts where it was made, except one that
// rests on an answer which nobody else may get, and the silence of a list.
func (w *walk) sum(nodes []node) {
	verdict := make([]Verdict, len(w.subjects)+1)
	smtp := make([]Verdict, len(w.subjects)+1)
	for i := range verdict {
		verdict[i], smtp[i] = Pass, Pass
	}
	for i := range nodes {
		n := &nodes[i]
		of := verdict
		if n.smtp {
			of = smtp
		}
		if slices.Contains(mute, n.Code) {
			continue
		}
		if at := root(nodes, i); at == i || nodes[at].Code != finding.ResolverDiffers {
			of[n.scope] = worse(of[n.scope], verdicts[n.Severity])
		}
	}
	w.x.Verdict = verdict[0]
	for i, s := range w.subjects {
		v := verdict[i+1]
		if r := s.iprev().Result; r == evidence.Unjudged || r == evidence.TempError || w.halfAsked(s) {
			v = worse(v, Unknown)
		}
		w.x.Addresses = append(w.x.Addresses, Address{
			Address: s.addr, Host: s.host, Role: s.role, Verdict: v, Case: s.judged, Assumed: s.assumed,
			Reverse: s.reverse, Forward: s.forward, Lists: s.lists, Origin: s.origin, Problems: []Problem{},
		})
		w.receivers(&w.x.Addresses[i], s, i+1, nodes)
		if s.foreign && v == Fail {
			v = Warn // others' servers, of which none may ever send for the domain
		}
		w.x.Verdict = worse(w.x.Verdict, v)
		if s.smtp != nil {
			w.x.Servers = append(w.x.Servers, Server{SMTP: s.smtp, Verdict: smtp[i+1], Problems: []Problem{}})
			w.x.Verdict = worse(w.x.Verdict, smtp[i+1])
		}
	}
}

// halfAsked reports whether the servers of the reverse zone were not all heard
// before the time or the budget was used up, for no reason of our own: one of
// them may say something else.
func (w *walk) halfAsked(s *subject) bool {
	return s.reverse != nil && s.reverse.Partial && !w.unheard[s.reverse]
}

// receivers says what receivers do with the address, or why it can't be told.
func (w *walk) receivers(a *Address, s *subject, scope int, nodes []node) {
	if w.Judge == nil || s.iprev().Result == evidence.Unjudged {
		return
	}
	if a.Unforeseen = w.unforeseen(s, scope, nodes); a.Unforeseen != "" {
		return
	}
	defer w.survive("the receivers' verdicts on " + s.addr.String())
	a.Receivers = w.Judge(receivers.Identity{
		View: s.view(), Lists: s.lists,
		Findings: append(slices.Clone(s.judged.Findings), finding.OfLists(s.addr, s.lists)...),
	})
}

// unforeseen says why what we saw of an address may not be what receivers see,
// empty where it is. They ask resolvers of their own: trouble that ours had is
// theirs too only where the servers of the zone are the cause. And where those
// servers disagree, receivers see one answer or the other.
func (w *walk) unforeseen(s *subject, scope int, nodes []node) string {
	troubled := s.iprev().Result == evidence.TempError
	for i := range nodes {
		n := &nodes[i]
		if n.scope != scope {
			continue
		}
		switch n.Code {
		case finding.DNSTrouble:
			if s.isPTRName(n.Args.Name) && s.everybodys(&nodes[root(nodes, i)].Finding) {
				troubled = false
			}
		case finding.ZoneDisagrees:
			return "the name servers disagree, and each receiver sees what the one says that it asks"
		case finding.ResolverDiffers:
			return "our DNS server says something else than the servers of the zone, which receivers ask"
		}
	}
	switch {
	case !troubled && s.iprev().Result != evidence.TempError:
		return ""
	case w.bench.expired():
		return "the answers were not in yet"
	case troubled:
		return "our DNS server gave no answer; theirs may"
	}
	return ""
}

// isPTRName reports whether a look-up of the name is one of iprev's.
func (s *subject) isPTRName(name dnsname.Name) bool {
	r := s.iprev()
	return r.PTR.Name == name || slices.ContainsFunc(r.Names, func(n evidence.PTRName) bool { return n.Name == name })
}

// everybodys reports whether the cause of a failed look-up is one that all meet
// who ask: not as long as one server of the zone answers.
func (s *subject) everybodys(cause *finding.Finding) bool {
	switch cause.Code {
	case finding.ZoneBogus, finding.PTRLongChain:
		return true
	case finding.ZoneSilent, finding.ZoneLame:
		return !slices.ContainsFunc(s.zones(), func(z *evidence.Zone) bool {
			return z.Apex == cause.Args.Zone && states(z)[evidence.Authoritative]
		})
	default:
		return false
	}
}

// survive, deferred, keeps a fault of one part from taking the others along.
func (w *walk) survive(part string) {
	if cause := recover(); cause != nil {
		w.missing(Unknown, "%s", fmt.Sprintf("%s: broken off by a fault of our own (%v)", part, cause))
	}
}
