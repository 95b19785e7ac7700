package store

import (
	"maps"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/gaissmai/bart"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// fromFuture is how far the creation of a block entry may lie ahead of the
// clock before the entry is held to be written under a wrong clock.
const fromFuture = 24 * time.Hour

// rule is a list entry in memory. All but the counters is immutable.
type rule struct {
	list    List
	created int64 // microseconds, as expiry; 0 for none
	expiry  int64
	listing evidence.Listing
	hits    atomic.Int64 // not yet stored
	lastUse atomic.Int64 // microseconds
}

// newRule makes the rule of e, whose text is given, for to write it costs time.
func newRule(e Entry, text string) *rule {
	return &rule{
		list:    e.List,
		created: micros(e.Created),
		expiry:  micros(e.Expiry),
		listing: evidence.Listing{Entry: text, Reason: e.Reason, Owner: e.Owner, Expiry: e.Expiry},
	}
}

// same reports whether both rules say the same of one entry.
func (r *rule) same(o *rule) bool {
	return o != nil && o.created == r.created && o.listing == r.listing
}

// live reports whether the rule is in force at now (microseconds). A block
// entry from the future was written under a wrong clock, and could not expire
// for as long as that clock was ahead: it is void.
func (r *rule) live(now int64) bool {
	if r == nil || (r.expiry != 0 && r.expiry <= now) {
		return false
	}
	return r.list == Allow || r.created <= now+fromFuture.Microseconds()
}

// spot is what the lists say about one network or domain.
type spot struct{ allow, block *rule }

// effective returns the rule of the spot that is in force, allow before block.
func (p spot) effective(now int64) *rule {
	if p.allow.live(now) {
		return p.allow
	}
	if p.block.live(now) {
		return p.block
	}
	return nil
}

func (p spot) with(list List, r *rule) spot {
	if list == Allow {
		p.allow = r
	} else {
		p.block = r
	}
	return p
}

func (p spot) of(list List) *rule {
	if list == Allow {
		return p.allow
	}
	return p.block
}

// table is both lists as they are matched. It is never changed once published.
type table struct {
	networks *bart.Table[spot]
	domains  map[string]spot
}

func newTable() *table {
	return &table{networks: new(bart.Table[spot]), domains: make(map[string]spot)}
}

// insert adds a rule to a table that is not yet published.
func (t *table) insert(e Entry, r *rule) {
	if e.Network.IsValid() {
		t.networks.Modify(e.Network, func(p spot, _ bool) (spot, bool) { return p.with(e.List, r), false })
		return
	}
	t.domains[e.Text()] = t.domains[e.Text()].with(e.List, r)
}

// get returns the rule of exactly this entry, nil for none.
func (t *table) get(e Entry) *rule {
	if e.Network.IsValid() {
		p, _ := t.networks.Get(e.Network)
		return p.of(e.List)
	}
	return t.domains[e.Text()].of(e.List)
}

// with returns a copy of the table in which r (nil for none) is the rule of e.
func (t *table) with(e Entry, r *rule) *table {
	if e.Network.IsValid() {
		networks := t.networks.ModifyPersist(e.Network, func(p spot, _ bool) (spot, bool) {
			p = p.with(e.List, r)
			return p, p == spot{}
		})
		return &table{networks: networks, domains: t.domains}
	}
	domains := maps.Clone(t.domains)
	if p := domains[e.Text()].with(e.List, r); p != (spot{}) {
		domains[e.Text()] = p
	} else {
		delete(domains, e.Text())
	}
	return &table{networks: t.networks, domains: domains}
}

// match returns the rule that counts for a client: of the networks the longest
// in force, of the domains that with the most labels, allow before block at
// equal length, and an allowing domain before a blocking network or the other
// way round.
func (t *table) match(addr netip.Addr, confirmed []dnsname.Name, now int64) *rule {
	r := t.network(addr, now)
	for _, name := range confirmed {
		if r != nil && r.list == Allow {
			break
		}
		if d := t.domain(name.String(), now); d != nil && (r == nil || d.list == Allow) {
			r = d
		}
	}
	return r
}

func (t *table) network(addr netip.Addr, now int64) *rule {
	p, ok := t.networks.Lookup(addr)
	if !ok {
		return nil
	}
	if r := p.effective(now); r != nil {
		return r
	}
	// The longest network is void: the next shorter one counts.
	for _, p := range t.networks.Supernets(netip.PrefixFrom(addr, addr.BitLen())) {
		if r := p.effective(now); r != nil {
			return r
		}
	}
	return nil
}

func (t *table) domain(name string, now int64) *rule {
	for len(t.domains) > 0 && name != "" {
		if p, ok := t.domains[name]; ok {
			if r := p.effective(now); r != nil {
				return r
			}
		}
		name = parent(name)
	}
	return nil
}

// parent returns name (in the format of dnsname.Name) without its first label.
func parent(name string) string {
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '\\': // a dot behind it is part of the label
			i++
		case '.':
			return name[i+1:]
		}
	}
	return ""
}
