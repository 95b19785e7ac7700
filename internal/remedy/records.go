package remedy

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// usualTTL is the TTL of a record in a zone that has no record to go by.
const usualTTL = 3600

// forwardZone returns what was found out about the wanted name's address record.
func forwardZone(in Input, name dnsname.Name) *evidence.Zone {
	for _, z := range in.Forward {
		if z != nil && z.Question.Name == name && z.Question.Type == family(in.Address) {
			return z
		}
	}
	return nil
}

// addForward adds the address record of the wanted name, after the addresses
// that the name has already.
func (j *job) addForward() {
	if j.noName || !j.Address.IsValid() {
		return
	}
	name, typ := j.choice.Name, family(j.Address)
	z := forwardZone(j.Input, name)
	zone := forwardApex(j.Input, name)
	owner := name
	if z != nil && len(z.Chain) > 0 {
		owner = z.Name
	}
	ttl := ttlOf(z)
	for _, a := range presentAddrs(z) {
		if a != j.Address {
			j.out.Records = append(j.out.Records, Record{Owner: owner, Type: typ, Data: a.String(), TTL: ttl, Zone: zone, Held: true})
		}
	}
	j.out.Records = append(j.out.Records, Record{
		Owner: owner, Type: typ, Data: j.Address.String(), TTL: ttl, Zone: zone, Held: j.forwardReady().OK,
	})
}

// forwardApex is the zone of the name, as far as any question told it.
func forwardApex(in Input, name dnsname.Name) dnsname.Name {
	for _, z := range in.Forward {
		if z != nil && !z.Apex.IsZero() && z.Question.Name == name {
			return z.Apex
		}
	}
	return dnsname.Name{}
}

// addPTR adds the PTR record, at the end of its aliases.
func (j *job) addPTR() {
	if j.noName || !j.Address.IsValid() {
		return
	}
	owner, zone := dnsname.Reverse(j.Address), dnsname.Name{}
	if z := j.Reverse; z != nil {
		zone = z.Apex
		if !z.Name.IsZero() {
			owner = z.Name
		}
		if !owner.Under(zone) {
			zone = dnsname.Name{}
		}
	}
	j.out.Records = append(j.out.Records, Record{
		Owner: owner, Type: evidence.PTR, Data: j.choice.Name.String() + ".", TTL: ttlOf(j.Reverse), Zone: zone, Held: j.holdsPTR(),
	})
}

// holdsPTR reports whether every server that answers has the wanted name alone.
func (j *job) holdsPTR() bool {
	if j.Reverse == nil {
		return false
	}
	n := 0
	for i := range j.Reverse.Servers {
		a := &j.Reverse.Servers[i].Answer
		if !a.State.Complete() {
			continue
		}
		if len(a.Names) != 1 || a.Names[0] != j.choice.Name {
			return false
		}
		n++
	}
	return n > 0
}

// presentAddrs are the addresses that the zone's servers give, each once.
func presentAddrs(z *evidence.Zone) []netip.Addr {
	var out []netip.Addr
	if z == nil {
		return nil
	}
	for i := range z.Servers {
		for _, a := range z.Servers[i].Answer.Addrs {
			if a = a.Unmap(); !slices.Contains(out, a) && len(out) < 16 {
				out = append(out, a)
			}
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

// presentNames are the PTR names that the zone's servers give, each once.
func presentNames(z *evidence.Zone) []dnsname.Name {
	var out []dnsname.Name
	if z == nil {
		return nil
	}
	for i := range z.Servers {
		for _, n := range z.Servers[i].Answer.Names {
			if !slices.Contains(out, n) && len(out) < 16 {
				out = append(out, n)
			}
		}
	}
	return out
}

// ttlOf is the TTL for a record: that of the present one as the zone's servers
// give it, or the usual one.
func ttlOf(z *evidence.Zone) uint32 {
	if z == nil {
		return usualTTL
	}
	for i := range z.Servers {
		s := &z.Servers[i]
		if s.State == evidence.Authoritative && s.Answer.State == evidence.Found && s.Answer.TTL >= time.Second {
			return uint32(min(s.Answer.TTL/time.Second, 86400))
		}
	}
	return usualTTL
}

func itoa[N ~int | ~uint32](n N) string { return strconv.FormatInt(int64(n), 10) }
