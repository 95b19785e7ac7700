package store

import (
	"maps"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gaissmai/bart"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// fromFuture is how far the creation of a block entry may lie ahead of the
// clock before the entry is held to be written under a wrong clock.
const fromFuture = 24 * time.Hour

// rule is a list entry in memory. All but the counters is immutable. It is kept
// small, with few pointers, for there may be many.
type rule struct {
	allow   bool   // else it blocks
	text    string // as in the database
	words   string // as in a record
	created int64  // microseconds, as expiry; 0 for none
	expiry  int64
	hits    atomic.Int64 // not yet stored
	lastUse atomic.Int64 // microseconds
}

// set makes r the rule of a record, and returns it.
func (r *rule) set(rec record) *rule {
	r.allow, r.text, r.words = rec.list == Allow, rec.text, rec.words
	r.created, r.expiry = rec.created, rec.expiry
	return r
}

// same reports whether the rule is that of the record.
func (r *rule) same(rec record) bool {
	return r != nil && r.text == rec.text && r.words == rec.words && r.created == rec.created && r.expiry == rec.expiry
}

func (r *rule) list() List {
	if r.allow {
		return Allow
	}
	return Block
}

func (r *rule) listing() *evidence.Listing {
	owner, reason, _ := strings.Cut(r.words, wordsEnd)
	return &evidence.Listing{Entry: r.text, Reason: reason, Owner: owner, Expiry: fromMicros(r.expiry)}
}

// live reports whether the rule is in force at now (microseconds). A block
// entry from the future was written under a wrong clock, and could not expire
// for as long as that clock was ahead: it is void.
func (r *rule) live(now int64) bool {
	if r == nil || (r.expiry != 0 && r.expiry <= now) {
		return false
	}
	return r.allow || r.created <= now+fromFuture.Microseconds()
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

func (t *table) empty() bool { return t.networks.Size() == 0 && len(t.domains) == 0 }

// insert adds a rule to a table that is not yet published.
func (t *table) insert(at target, r *rule) {
	if at.network.IsValid() {
		t.networks.Modify(at.network, func(p spot, _ bool) (spot, bool) { return p.with(r.list(), r), false })
		return
	}
	t.domains[at.domain] = t.domains[at.domain].with(r.list(), r)
}

// get returns the rule of exactly this target in a list, nil for none.
func (t *table) get(at target, list List) *rule {
	if at.network.IsValid() {
		p, _ := t.networks.Get(at.network)
		return p.of(list)
	}
	return t.domains[at.domain].of(list)
}

// with returns a copy of the table in which r (nil for none) is the rule of the
// target in a list.
func (t *table) with(at target, list List, r *rule) *table {
	if at.network.IsValid() {
		networks := t.networks.ModifyPersist(at.network, func(p spot, _ bool) (spot, bool) {
			p = p.with(list, r)
			return p, p == spot{}
		})
		return &table{networks: networks, domains: t.domains}
	}
	domains := maps.Clone(t.domains)
	if p := domains[at.domain].with(list, r); p != (spot{}) {
		domains[at.domain] = p
	} else {
		delete(domains, at.domain)
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
		if r != nil && r.allow {
			break
		}
		if d := t.domain(name.String(), now); d != nil && (r == nil || d.allow) {
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
