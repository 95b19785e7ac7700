// Package lab is a small world in documentation addresses (RFC 5737, RFC 3849)
// and example names (RFC 2606): hosts good and bad, and the DNS that tells
// about them, faults included. It answers as a recursive resolver does, in
// memory or from a loopback socket, for trying things out, docs and tests; its
// name servers answer one by one, and can be wrong one by one. It knows no
// signatures, DNAME or wildcards.
package lab

import (
	_ "embed"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/miekg/dns"
)

//go:embed world.zone
var worldZone string

// maxLog is the number of questions that a World remembers.
const maxLog = 100_000

// World is a set of DNS records with faults, as Parse reads it. It can be asked
// by many at once.
type World struct {
	// Now gives Answer.At and is time.Now at first; it may be replaced before
	// the first question.
	Now func() time.Time

	sets   map[key][]dns.RR
	names  map[dnsname.Name]bool // all that exist; true for owners of records
	faults map[key]fault
	hosts  []Host
	// secure are the zones whose answers the resolver vouches for.
	secure  []dnsname.Name
	servers map[netip.Addr]*nameServer
	mail    map[netip.Addr]mailHost

	mu  sync.Mutex
	log []evidence.Question
}

// key is a record set, or with type 0 all of a name.
type key struct {
	name dnsname.Name
	kind evidence.Type
}

// Default returns the world that comes with arpagate, world.zone.
func Default() *World {
	w, err := Parse(worldZone)
	if err != nil {
		panic(err) // a fault in our own file, which the tests find first
	}
	return w
}

// Log returns the questions asked so far, in their order, whether in memory or
// over a Server; of a very long history only the latest.
func (w *World) Log() []evidence.Question {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.log)
}

func (w *World) remember(q evidence.Question) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.log) >= maxLog {
		w.log = slices.Clone(w.log[maxLog/2:])
	}
	w.log = append(w.log, q)
}

// result is what the world knows about one question.
type result struct {
	fault     fault
	rcode     int
	loop      bool     // the CNAME chain bites its tail
	answer    []dns.RR // the CNAME chain, then the set asked for
	authority []dns.RR
	validated bool // the AD bit
}

// look follows CNAMEs as a resolver does (RFC 1034 §5.2.2) until it finds the
// set, nothing, or a fault.
func (w *World) look(q evidence.Question) result {
	w.remember(q)
	r := result{validated: w.vouched(q.Name)}
	seen := map[dnsname.Name]bool{}
	for name := q.Name; ; {
		if r.fault = r.fault.and(w.faultAt(name, q.Type)); r.fault.ends() {
			r.answer = nil
			return r
		}
		seen[name] = true
		if set := w.sets[key{name, q.Type}]; len(set) > 0 {
			r.answer = append(r.answer, set...)
			return r
		}
		alias := w.sets[key{name, evidence.CNAME}]
		if len(alias) == 0 {
			w.negative(&r, name, q.Type)
			return r
		}
		r.answer = append(r.answer, alias[0])
		name = targetOf(alias[0])
		if seen[name] {
			r.loop = true
			return r
		}
	}
}

// negative fills in the answer that there is no such record.
func (w *World) negative(r *result, name dnsname.Name, kind evidence.Type) {
	// RFC 8020 §2: a name above an existing one exists, so that the answer is
	// NODATA and not NXDOMAIN.
	if _, exists := w.names[name]; !exists {
		r.rcode = dns.RcodeNameError
	}
	for i, zone := range ancestors(name) {
		set := w.sets[key{zone, evidence.SOA}]
		// RFC 4035 §3.1.4.1: the DS records of a zone belong to the one above.
		if len(set) == 0 || i == 0 && kind == evidence.DS && zone.String() != "." {
			continue
		}
		soa := dns.Copy(set[0]).(*dns.SOA)
		// RFC 2308 §3: the TTL is the lesser of the record's and MINIMUM.
		soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
		r.authority = []dns.RR{soa}
		return
	}
}

// vouched reports whether the resolver says that it has validated what is known of
// a name.
func (w *World) vouched(name dnsname.Name) bool {
	return slices.ContainsFunc(w.secure, name.Under)
}

// ancestors returns the name and all names above it, the root last.
func ancestors(name dnsname.Name) []dnsname.Name {
	var out []dnsname.Name
	wire := name.AppendWire(nil)
	for off := 0; ; off += 1 + int(wire[off]) {
		above, _, err := dnsname.FromWire(wire, off)
		if err != nil {
			return out
		}
		out = append(out, above)
		if wire[off] == 0 {
			return out
		}
	}
}
