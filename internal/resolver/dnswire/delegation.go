package dnswire

import (
	"encoding/binary"
	"net/netip"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// maxGlue bounds the addresses that Delegation keeps.
const maxGlue = 64

// Delegation is what a server says about a zone below its own (RFC 1034
// §4.2.2): the name servers in the authority section, and the addresses that
// came with them.
type Delegation struct {
	Zone  dnsname.Name // zero where the message delegates nothing
	Names []dnsname.Name
	Total int
	Glue  []Glue
}

// Glue is an address record of a name server, in the additional section.
type Glue struct {
	Name dnsname.Name
	Addr netip.Addr
}

// Delegation reads the referral in a message that Decode has read: the record
// set of the first NS record whose zone holds the name that was asked for.
func (d *Decoder) Delegation(msg []byte, q evidence.Question) (Delegation, error) {
	var out Delegation
	var names set[target]
	d.msg = msg
	off, err := d.section(q, 0, func(record) error { return nil })
	if err != nil {
		return out, err
	}
	off, err = d.sectionAt(off, q, 1, func(rec record) error {
		if rec.typ != evidence.NS || !q.Name.Under(rec.owner) || !out.Zone.IsZero() && out.Zone != rec.owner {
			return nil
		}
		out.Zone = rec.owner
		name, err := d.name(rec.off, rec.end)
		if err == nil {
			names.add(target{name: name})
		}
		return err
	})
	if err != nil {
		return out, err
	}
	out.Total = len(names.list)
	out.Names, _ = best(names.list, false)
	_, err = d.sectionAt(off, q, 2, func(rec record) error {
		if rec.typ != evidence.A && rec.typ != evidence.AAAA || len(out.Glue) == maxGlue {
			return nil
		}
		addr, ok := netip.AddrFromSlice(msg[rec.off:rec.end])
		if !ok || addr.Is4() != (rec.typ == evidence.A) {
			return ErrRData
		}
		out.Glue = append(out.Glue, Glue{rec.owner, addr})
		return nil
	})
	return out, err
}

// section walks the answer section.
func (d *Decoder) section(q evidence.Question, n int, each func(record) error) (int, error) {
	off, ok := questionEnd(d.msg)
	if !ok {
		return 0, ErrShort
	}
	d.ownerAt, d.owner = 0, dnsname.Name{}
	return d.sectionAt(off, q, n, each)
}

// sectionAt walks the n-th section behind the question (0 answer, 1 authority,
// 2 additional), which begins at off, and returns where it ends.
func (d *Decoder) sectionAt(off int, q evidence.Question, n int, each func(record) error) (int, error) {
	for range binary.BigEndian.Uint16(d.msg[6+2*n:]) {
		rec, class, end, err := d.next(off, q)
		if err != nil {
			return 0, err
		}
		off = end
		if class != classIN {
			continue
		}
		if err := each(rec); err != nil {
			return 0, err
		}
	}
	return off, nil
}
