package authority

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// host is a name server with what the resolver, or else the zone above, says of
// its addresses.
type host struct {
	name  dnsname.Name
	addrs []netip.Addr
	why   string
}

// addresses asks the resolver for the addresses of name servers, both families.
func (w *walk) addresses(names []dnsname.Name) []host {
	if len(names) == 0 {
		return nil
	}
	var questions []evidence.Question
	for _, name := range names {
		questions = append(questions,
			evidence.Question{Name: name, Type: evidence.A}, evidence.Question{Name: name, Type: evidence.AAAA})
	}
	answers := w.ask(questions...)
	hosts := make([]host, len(names))
	for i, name := range names {
		hosts[i] = w.host(name, answers[2*i], answers[2*i+1])
	}
	return hosts
}

// host joins the answers for one name server.
func (w *walk) host(name dnsname.Name, a, aaaa evidence.Answer) host {
	h := host{name: name}
	h.addrs = slices.Concat(a.Addrs, aaaa.Addrs)
	switch {
	case len(a.Aliases) > 0:
		// RFC 2181 §10.3: the name of a name server must not be an alias.
		h.why = "its name is an alias (CNAME) of " + a.Aliases[len(a.Aliases)-1].String()
	case len(h.addrs) > 0:
	case len(w.glue[name]) > 0:
		h.addrs, h.why = w.glue[name], "its address is known from the zone above only"
	case a.State.Trouble() || aaaa.State.Trouble():
		h.why = "its address could not be looked up: " + worse(a.State, aaaa.State).Mnemonic()
	default:
		h.why = "its name has no address: " + a.State.Mnemonic()
	}
	return h
}

// worse returns the state that is trouble.
func worse(a, b evidence.State) evidence.State {
	if a.Trouble() {
		return a
	}
	return b
}

// examine asks all servers of the zone, and puts together what they say.
func (w *walk) examine() {
	z := w.zone
	said := w.start(
		evidence.Question{Name: z.Apex, Type: evidence.NS},
		evidence.Question{Name: z.Apex, Type: evidence.DS},
		evidence.Question{Name: z.Apex, Type: evidence.DNSKEY},
		evidence.Question{Name: z.Apex, Type: evidence.SOA},
	)
	w.rows(z.Delegated) // a dead zone keeps the resolver busy
	w.serve()
	answers := said()
	z.Published = answers[0].Names
	w.unnamed = max(w.unnamed, answers[0].Total-len(z.Published))
	if len(z.Published) == 0 {
		w.published()
	}
	w.rows(z.Published)
	w.serve()
	z.More += w.unnamed
	w.chooseSOA()
	key := answers[2]
	z.Security = security(answers[1], key, answers[3], answers[1].State == evidence.Found && key.State == evidence.ServFail && w.keyed())
}

// rows adds the rows of the servers that have none yet: one for each address of
// each name, and one for each name without any.
func (w *walk) rows(named []dnsname.Name) {
	z := w.zone
	var names []dnsname.Name
	for _, name := range named {
		if slices.Contains(w.named, name) {
			continue
		}
		if len(w.named) == evidence.MaxNames {
			z.More++
			continue
		}
		w.named, names = append(w.named, name), append(names, name)
	}
	blank := evidence.Answer{Question: evidence.Question{Name: z.Name, Type: z.Question.Type}, Rcode: -1}
	for _, h := range w.addresses(names) {
		if len(h.addrs) == 0 {
			z.Servers = append(z.Servers, evidence.NameServer{
				Name: h.name, State: evidence.Addressless, Why: untrusted.New(h.why), Answer: blank,
			})
			continue
		}
		slices.SortFunc(h.addrs, netip.Addr.Compare)
		for _, addr := range slices.Compact(h.addrs) {
			if len(z.Servers) >= maxAddresses {
				z.More++
				continue
			}
			row := evidence.NameServer{Name: h.name, Address: addr, Why: untrusted.New(h.why), Answer: blank}
			if w.networks[networkOf(addr)]++; w.networks[networkOf(addr)] > maxNetwork {
				row.State, row.Why = evidence.Unasked, untrusted.New("too many name servers in one network")
			}
			z.Servers = append(z.Servers, row)
		}
	}
}

// networkOf returns the IPv4 /24 or the IPv6 /48 of an address.
func networkOf(addr netip.Addr) netip.Prefix {
	bits := 48
	if addr.Unmap().Is4() {
		bits = 24
	}
	p, _ := addr.Unmap().Prefix(bits)
	return p
}

// serve asks every server that has an address for the SOA record of the apex and
// for what was to be found out, each address once, and fills in the rows.
func (w *walk) serve() {
	z := w.zone
	var questions []question
	at := map[netip.Addr]int{}
	for _, row := range z.Servers {
		if _, twice := at[row.Address]; twice || row.State != "" {
			continue
		}
		at[row.Address] = len(questions)
		questions = append(questions,
			question{row.Address, evidence.Question{Name: z.Apex, Type: evidence.SOA}},
			question{row.Address, evidence.Question{Name: z.Name, Type: z.Question.Type}})
	}
	replies := w.exchange(questions)
	for i := range z.Servers {
		row := &z.Servers[i]
		if row.State == "" {
			first := at[row.Address]
			w.judge(row, replies[first], replies[first+1])
		}
	}
}

// published asks a server of the zone itself for its NS records, where the
// resolver could not say.
func (w *walk) published() {
	z := w.zone
	at := slices.IndexFunc(z.Servers, func(s evidence.NameServer) bool { return s.State == evidence.Authoritative })
	if at < 0 {
		return
	}
	reply := w.exchange([]question{{z.Servers[at].Address, evidence.Question{Name: z.Apex, Type: evidence.NS}}})[0]
	if reply.outcome == answered && reply.response.Authoritative {
		z.Published = reply.response.Names
	}
}

// keyed reports whether a server of the zone answers the question for its key, to
// which the resolver had no answer.
func (w *walk) keyed() bool {
	var questions []question
	for _, s := range w.zone.Servers {
		if s.State == evidence.Authoritative && len(questions) < maxParents {
			questions = append(questions, question{s.Address, evidence.Question{Name: w.zone.Apex, Type: evidence.DNSKEY}})
		}
	}
	return slices.ContainsFunc(w.exchange(questions), func(r reply) bool { return r.authoritative() })
}

// chooseSOA takes the SOA record of the primary, or else of the first server that
// has one; what the resolver said is the last resort.
func (w *walk) chooseSOA() {
	z := w.zone
	best := -1
	for i, s := range z.Servers {
		if s.SOA != nil && (best < 0 || cmp.Compare(primary(s), primary(z.Servers[best])) > 0) {
			best = i
		}
	}
	if best >= 0 {
		z.SOA = z.Servers[best].SOA
	}
}

func primary(s evidence.NameServer) int {
	if s.SOA.MName == s.Name {
		return 1
	}
	return 0
}

// exchange asks all questions at once and returns the replies in their order.
func (w *walk) exchange(questions []question) []reply {
	replies := make([]reply, len(questions))
	var wait sync.WaitGroup
	for i, q := range questions {
		wait.Go(func() { replies[i] = w.query(q) })
	}
	wait.Wait()
	return replies
}
