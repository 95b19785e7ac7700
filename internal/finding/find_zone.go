package finding

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// OfZone returns what the authoritative servers of a zone show. The zone is the
// one of addr's PTR record, or that of a name which should lead to addr; for the
// latter it matters only whether addr is among the addresses.
//
// Whatever it finds earns a warning at most: a receiver who asks the wrong
// server gets trouble, not an answer.
func OfZone(addr netip.Addr, z *evidence.Zone) []Finding {
	if z == nil {
		return nil
	}
	base := Args{Address: addr, Name: z.Question.Name, Zone: z.Apex}
	var found []Finding
	if z.ChainFault != "" {
		base.Why, base.Count = string(z.ChainFault), len(z.Chain)
		found = append(found, Finding{Code: PTRLongChain, Severity: Warn, Complete: true, Args: base})
		base.Why, base.Count = "", 0
	}
	if !Found(z) {
		base.Zone = dnsname.Name{}
		return append(found, zoneUnfound(base, z)...)
	}
	servers := within(z.Servers)
	found = zoneSecurity(found, base, z.Security)
	found = zoneFaulty(found, base, servers)
	found = zoneVersions(found, base, addr, servers)
	if faults := soaFaults(z.SOA); len(faults) > 0 {
		base.Parts = faults
		found = append(found, Finding{Code: ZoneSOA, Severity: Info, Complete: true, Args: base})
	}
	return found
}

// Found reports whether it is certain which zone holds the name: its parent or
// one of its own servers told.
func Found(z *evidence.Zone) bool {
	if z.Apex.IsZero() || z.Trouble == nil {
		return !z.Apex.IsZero()
	}
	return len(z.Delegated) > 0 || slices.ContainsFunc(z.Servers, func(s evidence.NameServer) bool { return s.State == evidence.Authoritative })
}

func zoneUnfound(base Args, z *evidence.Zone) []Finding {
	if z.Trouble == nil {
		return nil // nobody was asked
	}
	base.State, base.Why, base.Server = z.Trouble.State, z.Trouble.Reason.String(), z.Trouble.Server
	return []Finding{{Code: ZoneUnfound, Severity: Unknown, Args: base}}
}

// within returns the servers that were asked. Those of an address family of
// which none answered are left out while the other family does answer: then it
// is our own network that lacks the family.
func within(servers []evidence.NameServer) []evidence.NameServer {
	answers := map[bool]bool{}
	for i := range servers {
		switch s := &servers[i]; s.State {
		case evidence.Authoritative, evidence.Lame, evidence.Garbled:
			answers[s.Address.Is4()] = true
		}
	}
	var out []evidence.NameServer
	for _, s := range servers {
		switch s.State {
		case evidence.Unasked:
			continue
		case evidence.Barred:
			if !evidence.SourceOf(s.Address).Special() || !answers[true] && !answers[false] {
				continue
			}
		case evidence.Silent, evidence.Unreachable:
			if is4 := s.Address.Is4(); !answers[is4] && answers[!is4] {
				continue
			}
		}
		out = append(out, s)
	}
	return out
}

func zoneSecurity(found []Finding, base Args, s evidence.Security) []Finding {
	base.Why = s.Why.String()
	switch s.State {
	case evidence.BogusZone:
		return append(found, Finding{Code: ZoneBogus, Severity: Warn, Args: base})
	case evidence.Island:
		return append(found, Finding{Code: ZoneIsland, Severity: Info, Complete: true, Args: base})
	default:
		return found
	}
}

// zoneFaulty tells the servers that answer wrongly from those that do not
// answer. Where none at all answers, the way there may be what is broken.
func zoneFaulty(found []Finding, base Args, servers []evidence.NameServer) []Finding {
	lame, silent := base, base
	for i := range servers {
		s := &servers[i]
		switch s.State {
		case evidence.Lame, evidence.Garbled, evidence.Addressless, evidence.Barred:
			lame.fault(s)
		case evidence.Silent, evidence.Unreachable:
			silent.fault(s)
		}
	}
	lame.Of, silent.Of = len(servers), len(servers)
	if lame.Count > 0 {
		found = append(found, Finding{Code: ZoneLame, Severity: Warn, Complete: true, Args: lame})
	}
	switch {
	case silent.Count == 0:
	case silent.Count == silent.Of:
		found = append(found, Finding{Code: ZoneSilent, Severity: Unknown, Args: silent})
	default:
		found = append(found, Finding{Code: ZoneSilent, Severity: Warn, Args: silent})
	}
	return found
}

// fault adds a server to those that Count counts.
func (a *Args) fault(s *evidence.NameServer) {
	a.Count++
	a.Names = appendOnce(a.Names, s.Name)
	if s.Address.IsValid() {
		a.Others = append(a.Others, s.Address)
	}
	why := s.Why.String()
	switch {
	case s.State == evidence.Barred:
		why = "the address is " + evidence.SourceOf(s.Address).Kind
	case why == "":
		why = string(s.State)
	}
	a.Parts = append(a.Parts, serverText(s)+": "+why)
}

func appendOnce(names []dnsname.Name, name dnsname.Name) []dnsname.Name {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

func serverText(s *evidence.NameServer) string {
	if !s.Address.IsValid() {
		return s.Name.String()
	}
	return fmt.Sprintf("%s (%s)", s.Name, s.Address)
}

// zoneVersions compares the serial numbers and the answers of the servers.
func zoneVersions(found []Finding, base Args, addr netip.Addr, servers []evidence.NameServer) []Finding {
	answers, serials := groups{}, groups{}
	var said []string
	for i := range servers {
		s := &servers[i]
		if s.State != evidence.Authoritative {
			continue
		}
		if s.Answer.State.Complete() {
			said = append(said, answers.add(answerText(addr, &s.Answer), s))
		}
		if s.SOA != nil {
			serials.add(fmt.Sprintf("%d", s.SOA.Serial), s)
		}
	}
	differ := len(answers.keys) > 1 && (base.Name.Under(v4Zone) || base.Name.Under(v6Zone) || slices.Contains(said, leadsBack))
	if len(serials.keys) > 1 {
		f := Finding{Code: ZoneLag, Severity: Info, Complete: true, Args: base}
		if f.Args.Parts, f.Args.Count = serials.parts(), len(serials.keys); differ {
			f.Severity = Warn
		}
		found = append(found, f)
	}
	if differ {
		f := Finding{Code: ZoneDisagrees, Severity: Warn, Complete: true, Args: base}
		f.Args.Parts, f.Args.Count = answers.parts(), len(answers.keys)
		found = append(found, f)
	}
	return found
}

// OfResolver says whether the answer that was judged is another one than all
// authoritative servers give, who agree. Then what was judged is old, or
// rewritten on the way, and nobody else may see it.
func OfResolver(addr netip.Addr, z *evidence.Zone, judged *evidence.Answer) []Finding {
	if z == nil || judged == nil || !judged.State.Complete() || judged.Question != z.Question {
		return nil
	}
	said := groups{}
	for _, s := range within(z.Servers) {
		if s.State != evidence.Authoritative || !s.Answer.State.Complete() || s.Answer.State.Negative() && len(s.Answer.Aliases) > 0 {
			return nil
		}
		said.add(plainText(addr, &s.Answer), &s)
	}
	here := plainText(addr, judged)
	if len(said.keys) != 1 || said.keys[0] == here || judged.Type != evidence.PTR && said.keys[0] != leadsBack && here != leadsBack {
		return nil
	}
	return []Finding{{
		Code: ResolverDiffers, Severity: Unknown,
		Args: Args{
			Address: addr, Name: z.Question.Name, Zone: z.Apex, Server: judged.Server,
			Parts: []string{here, said.keys[0]}, Count: int(judged.TTL / time.Second),
		},
	}}
}

// plainText is answerText without the difference between the two ways of saying
// no, which aliases and resolvers blur.
func plainText(addr netip.Addr, a *evidence.Answer) string {
	if a.State.Negative() {
		return "that there is no such record"
	}
	return answerText(addr, a)
}

var (
	v4Zone = dnsname.MustParse("in-addr.arpa")
	v6Zone = dnsname.MustParse("ip6.arpa")
)

// leadsBack stands for every set of addresses that holds the one examined:
// servers may hand out others beside it as they like.
const leadsBack = "the address is there"

// answerText writes an answer so that equal ones are equal; the TTL and the
// order of the records do not count.
func answerText(addr netip.Addr, a *evidence.Answer) string {
	var words []string
	switch {
	case a.State != evidence.Found && len(a.Aliases) > 0:
		return "alias of " + join(a.Aliases)
	case a.State != evidence.Found:
		return a.State.Mnemonic()
	case a.Type == evidence.PTR:
		for _, n := range a.Names {
			words = append(words, n.String())
		}
	case slices.Contains(a.Addrs, addr):
		return leadsBack
	default:
		for _, ip := range few(a.Addrs) {
			words = append(words, ip.String())
		}
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// groups sorts servers by what they say, in the order of their appearance.
type groups struct {
	keys    []string
	servers map[string][]string
}

func (g *groups) add(key string, s *evidence.NameServer) string {
	if g.servers == nil {
		g.servers = map[string][]string{}
	}
	if _, ok := g.servers[key]; !ok {
		g.keys = append(g.keys, key)
	}
	g.servers[key] = append(g.servers[key], serverText(s))
	return key
}

// parts writes each group: "1 at ns1.example.net (192.0.2.1)".
func (g *groups) parts() []string {
	var out []string
	for _, key := range g.keys {
		out = append(out, key+" at "+list(g.servers[key]))
	}
	return out
}

// maxNegative is the longest negative TTL that RFC 2308 §5 thinks sensible.
const maxNegative = 24 * time.Hour

// soaFaults names the times that break something. Narrower ranges are advised
// (RFC 1912 §2.2), but large operators keep others with good reason, so that
// who complains of those complains of half the DNS.
func soaFaults(s *evidence.StartOfAuthority) []string {
	if s == nil {
		return nil
	}
	var faults []string
	if s.Retry > s.Refresh {
		faults = append(faults, fmt.Sprintf("retry (%d s) is longer than refresh (%d s)", s.Retry, s.Refresh))
	}
	if uint64(s.Expire) <= uint64(s.Refresh)+uint64(s.Retry) {
		faults = append(faults, fmt.Sprintf("expire (%d s) comes before the second try of a refresh", s.Expire))
	}
	if s.NegativeTTL() > maxNegative {
		faults = append(faults, fmt.Sprintf("an absence is remembered for %d s, so that a new record is seen late", s.NegativeTTL()/time.Second))
	}
	return faults
}
