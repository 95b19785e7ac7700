package dnswire

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// target is one name of a record set; the preference is that of an MX record.
type target struct {
	preference uint16
	name       dnsname.Name
}

// collect takes the record set of owner and typ into the response. Of types
// whose data evidence.Answer has no place for, the records are counted.
func (d *Decoder) collect(owner dnsname.Name, typ evidence.Type, r *Response) error {
	var addrs set[netip.Addr]
	var names set[target]
	for _, rec := range d.records {
		if rec.owner != owner || rec.typ != typ {
			continue
		}
		if err := d.add(rec, &addrs, &names); err != nil {
			return err
		}
		if err := d.addOther(rec, r); err != nil {
			return err
		}
		r.least(rec.ttl)
		r.Total++
	}
	switch typ {
	case evidence.A, evidence.AAAA:
		r.Total = len(addrs.list)
		r.Addrs = slices.Clip(addrs.list[:min(len(addrs.list), evidence.MaxAddrs)])
	case evidence.PTR, evidence.NS, evidence.CNAME, evidence.MX:
		r.Total = len(names.list)
		r.Names, r.Preferences = best(names.list, typ == evidence.MX)
	}
	return nil
}

// addOther reads the data of types that the gate never asks for. Of TXT records
// duplicates stay, for their number means something (RFC 7208 §4.5).
func (d *Decoder) addOther(rec record, r *Response) error {
	switch rec.typ {
	case evidence.TXT:
		text, err := d.text(rec)
		if err != nil {
			return err
		}
		if len(r.Texts) < evidence.MaxTexts {
			r.Texts = append(r.Texts, text)
		}
	case evidence.SOA:
		minimum, err := d.soaMinimum(rec)
		if err != nil {
			return err
		}
		r.Start = d.start(rec, minimum)
	}
	return nil
}

// add reads the data of one record into the set of its kind.
func (d *Decoder) add(rec record, addrs *set[netip.Addr], names *set[target]) error {
	data := d.msg[rec.off:rec.end]
	switch rec.typ {
	case evidence.A, evidence.AAAA:
		// RFC 1035 §3.4.1, RFC 3596 §2.2.
		addr, ok := netip.AddrFromSlice(data)
		if !ok || addr.Is4() != (rec.typ == evidence.A) {
			return ErrRData
		}
		addrs.add(addr)
	case evidence.PTR, evidence.NS, evidence.CNAME:
		name, err := d.name(rec.off, rec.end)
		if err != nil {
			return err
		}
		names.add(target{name: name})
	case evidence.MX:
		// RFC 1035 §3.3.9.
		if len(data) < 2 {
			return ErrRData
		}
		name, err := d.name(rec.off+2, rec.end)
		if err != nil {
			return err
		}
		names.add(target{preference: binary.BigEndian.Uint16(data), name: name})
	}
	return nil
}

// best returns the names by preference, and within it in their order. Of too
// many it keeps those that sort first, for the order of a set means nothing:
// servers rotate it. With preferences it returns those too.
func best(list []target, preferences bool) ([]dnsname.Name, []uint16) {
	if len(list) > evidence.MaxNames {
		last := slices.SortedFunc(slices.Values(list), target.compare)[evidence.MaxNames-1]
		list = slices.DeleteFunc(list, func(t target) bool { return t.compare(last) > 0 })
	}
	slices.SortStableFunc(list, func(a, b target) int { return cmp.Compare(a.preference, b.preference) })
	out := make([]dnsname.Name, len(list))
	for i, t := range list {
		out[i] = t.name
	}
	if !preferences {
		return out, nil
	}
	numbers := make([]uint16, len(list))
	for i, t := range list {
		numbers[i] = t.preference
	}
	return out, numbers
}

// compare sorts by preference, then by name.
func (t target) compare(u target) int {
	return cmp.Or(cmp.Compare(t.preference, u.preference), cmp.Compare(t.name.String(), u.name.String()))
}

// set keeps distinct values in their order. Small ones are searched, and a
// map is made only when a message has many: 64 KiB hold 4,000 addresses.
type set[T comparable] struct {
	list []T
	seen map[T]struct{}
}

func (s *set[T]) add(v T) {
	const small = 16
	if len(s.list) < small {
		if !slices.Contains(s.list, v) {
			s.list = append(s.list, v)
		}
		return
	}
	if s.seen == nil {
		s.seen = make(map[T]struct{}, 4*small)
		for _, old := range s.list {
			s.seen[old] = struct{}{}
		}
	}
	if _, ok := s.seen[v]; !ok {
		s.seen[v] = struct{}{}
		s.list = append(s.list, v)
	}
}
