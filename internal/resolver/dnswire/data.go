package dnswire

import (
	"encoding/binary"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// numbers returns the offset of the five numbers of a SOA record, RFC 1035
// §3.3.13.
func (d *Decoder) numbers(rec record) (int, error) {
	off := rec.off
	for range 2 {
		_, end, err := dnsname.FromWire(d.msg[:rec.end], off)
		if err != nil {
			return 0, err
		}
		off = end
	}
	if off+20 != rec.end {
		return 0, ErrRData
	}
	return off, nil
}

// soaMinimum returns the last field of a SOA record. Like a TTL it counts as 0
// with the highest bit set.
func (d *Decoder) soaMinimum(rec record) (uint32, error) {
	off, err := d.numbers(rec)
	if err != nil {
		return 0, err
	}
	minimum := binary.BigEndian.Uint32(d.msg[off+16:])
	if minimum > 1<<31-1 {
		return 0, nil
	}
	return minimum, nil
}

// start reads a SOA record whose minimum was read before.
func (d *Decoder) start(rec record, minimum uint32) *evidence.StartOfAuthority {
	// The errors are those that soaMinimum would have found.
	mname, off, _ := dnsname.FromWire(d.msg[:rec.end], rec.off)
	rname, off, _ := dnsname.FromWire(d.msg[:rec.end], off)
	number := func(i int) uint32 { return binary.BigEndian.Uint32(d.msg[off+4*i:]) }
	return &evidence.StartOfAuthority{
		Zone: rec.owner, MName: mname, RName: rname,
		Serial: number(0), Refresh: number(1), Retry: number(2), Expire: number(3),
		Minimum: minimum, TTL: rec.ttl,
	}
}

// text returns the character-strings of a TXT record (RFC 1035 §3.3.14), joined
// without anything between them (RFC 7208 §3.3).
func (d *Decoder) text(rec record) (untrusted.Text, error) {
	var joined []byte
	data := d.msg[rec.off:rec.end]
	if len(data) == 0 {
		return untrusted.Text{}, ErrRData
	}
	for len(data) > 0 {
		n := int(data[0])
		if 1+n > len(data) {
			return untrusted.Text{}, ErrRData
		}
		if len(joined) < untrusted.MaxLong {
			joined = append(joined, data[1:1+n]...)
		}
		data = data[1+n:]
	}
	return untrusted.Long(string(joined)), nil
}
