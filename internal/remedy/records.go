package remedy

import (
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
	typ, k, at := family(j.Address), j.forward(), j.seat()
	r := Record{Owner: at.owner, Type: typ, TTL: k.ttl(), Zone: at.zone, Instead: at.instead}
	if !at.owner.Under(at.zone) {
		r.Zone = dnsname.Name{}
	}
	if !at.instead.IsZero() {
		r.Data = j.Address.String()
		j.out.Records = append(j.out.Records, r)
		return
	}
	for _, a := range k.addrs() {
		if a != j.Address {
			there := r
			there.Data, there.Held = a.String(), true
			j.out.Records = append(j.out.Records, there)
		}
	}
	r.Data, r.Held, r.open = j.Address.String(), k.holds(j.Address), !k.whole() || j.Shared
	j.out.Records = append(j.out.Records, r)
}

// forwardApex is the zone of the name, as far as any question told it.
func forwardApex(in Input, name dnsname.Name) dnsname.Name {
	for _, z := range in.Forward {
		if z != nil && !z.Apex.IsZero() && z.Apex != root && z.Question.Name == name {
			return z.Apex
		}
	}
	return dnsname.Name{}
}

// addPTR adds the PTR record, at the end of its aliases.
func (j *job) addPTR() {
	if !j.Address.IsValid() {
		return
	}
	data := placeName + "."
	if !j.noName {
		data = j.choice.Name.String() + "."
	}
	owner, zone := dnsname.Reverse(j.Address), dnsname.Name{}
	if z := j.Reverse; z != nil {
		zone = z.Apex
		if !z.Name.IsZero() {
			owner = z.Name
		}
		if zone == root || !owner.Under(zone) {
			zone = dnsname.Name{}
		}
	}
	j.out.Records = append(j.out.Records, Record{
		Owner: owner, Type: evidence.PTR, Data: data, TTL: j.reverse().ttl(), Zone: zone, Held: j.holdsPTR(),
		Instead: j.instead.Target, foreign: !j.holder.sure,
	})
}

// holdsPTR reports whether every answer has the wanted name alone.
func (j *job) holdsPTR() bool {
	all := j.reverse().answers()
	for _, a := range all {
		if len(a.Names) != 1 || a.Names[0] != j.choice.Name {
			return false
		}
	}
	return len(all) > 0
}

// ttl is the TTL for a record: that of the present one as the zone's servers
// give it, or else our own, or the usual one.
func (k known) ttl() uint32 {
	for _, a := range k.answers() {
		if a.State == evidence.Found && a.TTL >= time.Second {
			return uint32(min(a.TTL/time.Second, 86400))
		}
	}
	return usualTTL
}

func itoa[N ~int | ~uint32](n N) string { return strconv.FormatInt(int64(n), 10) }
