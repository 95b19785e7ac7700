// Package spf reads the SPF record of a domain (RFC 7208) for the addresses
// that it names as senders, through includes and redirects. It evaluates no
// message: terms that depend on one are named and left out.
package spf

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// The limits of RFC 7208 §4.6.4, and three of ours.
const (
	maxLookups   = 10 // terms that cost a query
	maxVoids     = 2  // queries without an answer
	maxMX        = 10 // names of one mx mechanism
	maxQuestions = 120
	maxSenders   = 1000
	maxFaults    = 40
)

// Senders asks the DNS for the SPF record of the domain and of all that it
// includes, and lists the networks that may send. It returns when all answers
// are in or ctx ends; the faults say what is missing and what a receiver would
// refuse to read. It is never nil.
func Senders(ctx context.Context, dns evidence.DNS, domain dnsname.Name) *evidence.SPF {
	w := &walk{ctx: ctx, dns: dns, out: &evidence.SPF{Domain: domain}}
	w.record(domain, place{own: true}, w.ask(evidence.Question{Name: domain, Type: evidence.TXT}))
	return w.out
}

// Hosts returns the single hosts among the senders, each once, in the order of
// the record: networks of one address, and the addresses behind a and mx
// mechanisms. It returns at most most, and the number of those left out.
func Hosts(s *evidence.SPF, most int) (hosts []netip.Addr, more int) {
	if s == nil {
		return nil, 0
	}
	seen := map[netip.Addr]bool{}
	for _, sender := range s.Senders {
		addr := sender.Network.Addr()
		switch {
		case seen[addr], !sender.Network.IsSingleIP() && sender.Host.IsZero():
		case len(hosts) < most:
			hosts = append(hosts, addr)
		default:
			more++
		}
		seen[addr] = seen[addr] || sender.Network.IsSingleIP() || !sender.Host.IsZero()
	}
	return hosts, more
}

// walk is one reading of a domain's records.
type walk struct {
	ctx       context.Context
	dns       evidence.DNS
	out       *evidence.SPF
	questions int
	voids     int
}

// place is where a record stands: the domains that led there, its own included,
// and whether it speaks for the domain itself (by redirects) or was included.
type place struct {
	via []dnsname.Name
	own bool
}

func (p place) self() dnsname.Name { return p.via[len(p.via)-1] }

// ask sends questions, as far as the budget goes; nil means that it is spent.
func (w *walk) ask(questions ...evidence.Question) evidence.Pending {
	if w.questions += len(questions); w.questions > maxQuestions {
		w.fault("more than %d questions: the rest was not looked up", maxQuestions)
		return nil
	}
	return w.dns.Ask(w.ctx, questions...)
}

func (w *walk) fault(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(w.out.Faults) < maxFaults && !slices.Contains(w.out.Faults, text) {
		w.out.Faults = append(w.out.Faults, text)
	}
}

// permerror notes a fault for which a receiver gives the whole record up.
func (w *walk) permerror(format string, args ...any) {
	w.out.Permerror = true
	w.fault(format+": a receiver answers permerror", args...)
}

// wait collects answers, and counts a term without any as a void lookup.
func (w *walk) wait(p evidence.Pending) []evidence.Answer {
	if p == nil {
		return nil
	}
	first := len(w.out.Answers) == 0 // that for the domain itself, which no term caused
	answers := p.Wait()
	w.out.Answers = append(w.out.Answers, answers...)
	void := true
	for i := range answers {
		void = void && answers[i].State.Negative()
		if a := &answers[i]; a.State.Trouble() {
			w.fault("%s %s: %s; a receiver answers temperror", a.Name, a.Type, a.State.Mnemonic())
		}
	}
	if void && !first {
		// RFC 7208 §4.6.4: more than two lookups without an answer are an error. A
		// receiver asks for its client's family alone; here both must be missing.
		if w.voids++; w.voids > maxVoids {
			w.permerror("more than %d lookups without an answer", maxVoids)
		}
	}
	return answers
}

// record reads the record of domain, whose TXT answer is under way; above is the
// record that led here.
func (w *walk) record(domain dnsname.Name, above place, p evidence.Pending) {
	answers := w.wait(p)
	if len(answers) == 0 || answers[0].State.Trouble() {
		return
	}
	text, ok := w.choose(domain, &answers[0], len(above.via) > 0)
	if !ok {
		return
	}
	if len(above.via) == 0 {
		w.out.Record = text
	}
	if len(text.Raw()) >= untrusted.MaxLong {
		w.fault("%s: the record is longer than %d octets, and cut", domain, untrusted.MaxLong)
	}
	terms := parse(text.Raw(), domain)
	pending := make([]evidence.Pending, len(terms))
	for i := range terms {
		pending[i] = w.begin(&terms[i])
	}
	here := place{via: append(slices.Clip(above.via), domain), own: above.own}
	for i := range terms {
		w.term(&terms[i], here, pending[i])
	}
}

// choose selects the record. RFC 7208 §4.5: there must be exactly one.
func (w *walk) choose(domain dnsname.Name, a *evidence.Answer, led bool) (untrusted.Text, bool) {
	var found []untrusted.Text
	for _, text := range a.Texts {
		if isRecord(text.Raw()) {
			found = append(found, text)
		}
	}
	switch len(found) {
	case 0:
		if !led {
			w.fault("%s has no SPF record", domain)
			break
		}
		// RFC 7208 §5.2, §6.1: where an include or a redirect leads, there must be one.
		w.permerror("%s has no SPF record", domain)
	case 1:
		return found[0], true
	default:
		w.permerror("%s has %d SPF records", domain, len(found))
	}
	return untrusted.Text{}, false
}

// begin charges a term that costs a query (RFC 7208 §4.6.4), and asks what it
// asks, so that all terms of a record are looked up at once.
func (w *walk) begin(t *term) evidence.Pending {
	switch t.name {
	case "include", "a", "mx", "ptr", "exists", "redirect=":
	default:
		return nil
	}
	w.out.Lookups++
	if w.out.Lookups > maxLookups {
		w.permerror("more than %d terms that cost a query", maxLookups)
		return nil
	}
	if t.fault != "" || t.qualifier != '+' {
		return nil
	}
	switch t.name {
	case "a":
		return w.ask(evidence.Question{Name: t.domain, Type: evidence.A}, evidence.Question{Name: t.domain, Type: evidence.AAAA})
	case "mx":
		return w.ask(evidence.Question{Name: t.domain, Type: evidence.MX})
	default:
		return w.ask(evidence.Question{Name: t.domain, Type: evidence.TXT})
	}
}

// term adds what one term of the record stands for.
func (w *walk) term(t *term, here place, p evidence.Pending) {
	said := untrusted.Long(t.text)
	switch {
	case t.bad:
		w.permerror("%s: %s: %s", here.self(), said, t.fault)
	case t.fault != "":
		w.fault("%s: %s: %s", here.self(), said, t.fault)
	case t.name == "all":
		w.all(t, here)
	case t.qualifier != '+':
		w.fault("%s: %s names nobody who may send", here.self(), said)
	case t.name == "ip4", t.name == "ip6":
		w.add(evidence.SPFSender{Network: t.network, Via: here.via[1:], Term: said})
	case p == nil: // an unknown modifier, or past a limit
	case t.name == "a":
		w.host(t, t.domain, here, w.wait(p))
	case t.name == "mx":
		w.mx(t, here, p)
	case slices.Contains(here.via, t.domain):
		w.permerror("%s: %s leads in a circle", here.self(), said)
	case t.name == "include":
		w.record(t.domain, place{via: here.via}, p)
	case t.name == "redirect=":
		w.record(t.domain, here, p)
	}
}

// all notes the end of the record. RFC 7208 §5.2: of an included record only a
// pass counts.
func (w *walk) all(t *term, here place) {
	if t.qualifier == '+' {
		w.fault("%s: %s lets everybody send", here.self(), untrusted.New(t.text))
	}
	if here.own {
		w.out.All = string(t.qualifier)
	}
}

// mx adds the hosts of the MX records; RFC 7208 §4.6.4 allows ten.
func (w *walk) mx(t *term, here place, p evidence.Pending) {
	answers := w.wait(p)
	if len(answers) == 0 {
		return
	}
	if answers[0].Total > maxMX {
		w.permerror("%s has more than %d MX records", t.domain, maxMX)
	}
	names := slices.DeleteFunc(slices.Clone(answers[0].Names), func(n dnsname.Name) bool {
		return n.HostFault() != dnsname.Usable // the null MX, too
	})
	names = names[:min(len(names), maxMX)]
	pending := make([]evidence.Pending, len(names))
	for i, name := range names {
		pending[i] = w.ask(evidence.Question{Name: name, Type: evidence.A}, evidence.Question{Name: name, Type: evidence.AAAA})
	}
	for i, name := range names {
		w.host(t, name, here, w.wait(pending[i]))
	}
}

// host adds the addresses of a name, each with the network around it. The
// network keeps the address: it is that of a host.
func (w *walk) host(t *term, name dnsname.Name, here place, answers []evidence.Answer) {
	for i := range answers {
		for _, addr := range answers[i].Addrs {
			bits := t.bits6
			if addr.Is4() {
				bits = t.bits4
			}
			if addr.Is4In6() {
				continue
			}
			w.add(evidence.SPFSender{
				Network: netip.PrefixFrom(addr, bits), Via: here.via[1:], Term: untrusted.Long(t.text), Host: name,
			})
		}
	}
}

func (w *walk) add(s evidence.SPFSender) {
	switch {
	case s.Network.Bits() == 0:
		w.fault("%s lets everybody send", s.Term)
	case len(w.out.Senders) >= maxSenders:
		w.fault("more than %d networks: the rest is left out", maxSenders)
		return
	}
	w.out.Senders = append(w.out.Senders, s)
}
