package lab

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
	"github.com/miekg/dns"
)

// Times for which answers may be believed, as the resolver bounds them.
const (
	minTTL      = 5 * time.Second
	maxTTL      = 24 * time.Hour
	maxNegative = time.Hour
	failureTTL  = 5 * time.Second
)

// maxAliases is the longest CNAME chain that a resolver follows.
const maxAliases = 11

// Ask answers at once from memory, as 192.0.2.53:53. A fault that takes time
// takes none here: a timeout is answered at once, and a delay only shows in
// Answer.Took and At, or as a timeout where it goes past the deadline of ctx.
func (w *World) Ask(ctx context.Context, questions ...evidence.Question) evidence.Pending {
	p := make(pending, len(questions))
	for i, q := range questions {
		p[i] = w.answer(ctx, q)
	}
	return p
}

type pending []evidence.Answer

func (p pending) Wait() []evidence.Answer { return p }

var _ evidence.DNS = (*World)(nil)

func (w *World) answer(ctx context.Context, q evidence.Question) evidence.Answer {
	r := w.look(q)
	a := evidence.Answer{
		Question: q,
		Server:   netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 53}), 53),
		Took:     r.fault.delay,
		At:       w.Now().Add(r.fault.delay),
	}
	deadline, limited := ctx.Deadline()
	switch {
	case ctx.Err() != nil, limited && time.Until(deadline) < r.fault.delay:
		fail(&a, fault{state: evidence.Timeout})
	case r.fault.ends():
		fail(&a, r.fault)
	default:
		fill(&a, r)
	}
	return a
}

// fail fills in an answer that is none.
func fail(a *evidence.Answer, f fault) {
	a.State, a.Rcode, a.TTL = f.state, f.rcode, failureTTL
	if f.reason != "" {
		a.EDE, a.Reason = f.ede+1, untrusted.New(f.reason)
	}
	switch f.state {
	case evidence.Timeout:
		a.Rcode, a.Reason = -1, untrusted.New("no answer in time")
	case evidence.Malformed:
		a.Rcode, a.Reason = -1, untrusted.New("answer can't be read")
	}
}

// fill reads the records, as the resolver reads a message.
func fill(a *evidence.Answer, r result) {
	ttl := uint32(maxTTL / time.Second)
	for _, rr := range slices.Concat(r.answer, r.authority) {
		ttl = min(ttl, seconds(rr.Header().Ttl))
	}
	collect(a, r.answer)
	if !a.Type.Plain() {
		a.Validated = r.validated
		a.SOA = startOf(slices.Concat(r.answer, r.authority))
		if a.Total > 0 && a.Type != evidence.SOA {
			a.SOA = nil
		}
	}
	a.Rcode, a.TTL = r.rcode, clamp(ttl, maxTTL)
	switch {
	case r.loop || len(a.Aliases) > maxAliases:
		a.State, a.TTL, a.Aliases = evidence.Malformed, failureTTL, nil
		a.Names, a.Addrs, a.Total = nil, nil, 0
		a.Preferences, a.Texts, a.SOA, a.Validated = nil, nil, nil, false
		a.Reason = untrusted.New("CNAME chain is a loop or too long")
	case a.Total > 0:
		a.State = evidence.Found
	case r.rcode == dns.RcodeNameError:
		a.State, a.TTL = evidence.NXDomain, clamp(ttl, maxNegative)
	default:
		a.State, a.TTL = evidence.NoData, clamp(ttl, maxNegative)
	}
}

// collect sorts the records into Aliases, Names and Addrs, and counts the
// distinct ones of the set asked for.
func collect(a *evidence.Answer, set []dns.RR) {
	if a.Type == evidence.MX {
		byPreference(set)
	}
	seen := map[string]bool{}
	for _, rr := range set {
		name, addr := targetOf(rr), addressOf(rr)
		if evidence.Type(rr.Header().Rrtype) != a.Type {
			a.Aliases = append(a.Aliases, name)
			continue
		}
		if txt, ok := rr.(*dns.TXT); ok {
			a.Total++
			if len(a.Texts) < evidence.MaxTexts {
				a.Texts = append(a.Texts, textOf(txt))
			}
			continue
		}
		data := strings.TrimPrefix(rr.String(), rr.Header().String())
		switch {
		case !name.IsZero():
			data = name.String()
		case addr.IsValid():
			data = addr.String()
		}
		if seen[data] {
			continue
		}
		seen[data] = true
		a.Total++
		if !name.IsZero() {
			a.Names = append(a.Names, name)
		}
		if mx, ok := rr.(*dns.MX); ok {
			a.Preferences = append(a.Preferences, mx.Preference)
		}
		if addr.IsValid() && len(a.Addrs) < evidence.MaxAddrs {
			a.Addrs = append(a.Addrs, addr)
		}
	}
	if len(a.Names) > evidence.MaxNames {
		if a.Type != evidence.MX {
			slices.SortFunc(a.Names, func(m, n dnsname.Name) int { return cmp.Compare(m.String(), n.String()) })
		}
		a.Names = slices.Clip(a.Names[:evidence.MaxNames])
		a.Preferences = slices.Clip(a.Preferences[:min(len(a.Preferences), evidence.MaxNames)])
	}
}
