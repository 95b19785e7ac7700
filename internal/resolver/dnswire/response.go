package dnswire

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// Errors of Decode, beside those of dnsname.FromWire.
var (
	ErrShort  = errors.New("dnswire: message ends inside a record")
	ErrRData  = errors.New("dnswire: record data of the wrong length")
	ErrDouble = errors.New("dnswire: NXDOMAIN with an answer")
	ErrSOA    = errors.New("dnswire: SOA record of another zone with a negative answer")
)

// MaxHops is the number of aliases after which Decode stops following them
// and leaves the last one in Response.Next; a caller that allows fewer counts
// Response.Aliases.
const MaxHops = 12

// Response is what a message says to one question.
type Response struct {
	Rcode         int  // with the upper bits of the OPT record (RFC 6891 §6.1.3)
	Truncated     bool // TC: nothing else in the message counts
	Recursive     bool // RA
	Authoritative bool // AA
	Validated     bool // AD
	Referral      bool // no answer, and name servers instead of a SOA record

	// Aliases are the targets of the CNAME and DNAME records on the way; Next
	// is the last one when the message has no data for it, and has to be asked.
	Aliases []dnsname.Name
	Next    dnsname.Name

	// Names, Addrs and Total are those of evidence.Answer.
	Names       []dnsname.Name
	Addrs       []netip.Addr
	Total       int
	Preferences []uint16
	Texts       []untrusted.Text

	// TTL is the least of the records used, in seconds; 0 without any.
	TTL uint32
	// Negative is the TTL of a negative answer (RFC 2308 §5), valid with SOA.
	Negative uint32
	SOA      bool
	// Start is the SOA record itself, of the answer or of the negative one, where
	// the decoder reads it.
	Start *evidence.StartOfAuthority

	// EDE is the extended error code plus one, 0 for none (RFC 8914 §2); of
	// several the one that says most.
	EDE  uint16
	Text untrusted.Text
	// Stale says that the server could not get the present answer, and repeats
	// an old one (RFC 8914 §4.4, §4.20).
	Stale bool
}

// record is one resource record of class IN; its data is msg[off:end].
type record struct {
	owner    dnsname.Name
	typ      evidence.Type
	ttl      uint32
	off, end int
}

// Decoder reads messages and keeps its scratch space from one to the next. The
// zero value is ready; it must not be used by two goroutines at once.
type Decoder struct {
	// Whole makes it read the SOA record of negative answers for Plain types too.
	Whole bool

	msg     []byte
	records []record
	ownerAt int // offset of the owner's name of the last record, or its target
	owner   dnsname.Name
}

// Decode reads msg, which Compare found to answer q. The result shares no
// memory with msg. A message that breaks the format in a part that is needed
// is an error.
func (d *Decoder) Decode(msg []byte, q evidence.Question) (Response, error) {
	if len(msg) < headerLen {
		return Response{}, ErrShort
	}
	flags := binary.BigEndian.Uint16(msg[2:])
	r := Response{
		Rcode: int(flags & maskRcode), Truncated: flags&bitTC != 0,
		Recursive: flags&bitRA != 0, Authoritative: flags&bitAA != 0, Validated: flags&bitAD != 0,
	}
	if r.Truncated {
		return r, nil
	}
	d.msg = msg
	off, ok := questionEnd(msg)
	if !ok {
		return r, ErrShort
	}
	off, err := d.answers(off, int(binary.BigEndian.Uint16(msg[6:])), q)
	if err != nil {
		return r, err
	}
	last, err := d.follow(q.Name, q.Type, &r)
	if err != nil {
		return r, err
	}
	foreign := false
	if off, foreign, err = d.authority(off, int(binary.BigEndian.Uint16(msg[8:])), q, last, &r); err != nil {
		return r, err
	}
	if err = d.additional(off, int(binary.BigEndian.Uint16(msg[10:])), q, &r); err != nil {
		return r, err
	}
	if err := d.collect(last, q.Type, &r); err != nil {
		return r, err
	}
	if r.Total > 0 && q.Type != evidence.SOA {
		r.Start = nil
	}
	return r, r.conclude(last, foreign)
}

// conclude says what the absence of data means, once all sections are read.
// last is the end of the aliases; foreign tells of a SOA record beside it.
func (r *Response) conclude(last dnsname.Name, foreign bool) error {
	switch {
	case r.Total > 0:
		r.Referral = false
		if r.Rcode == rcodeNXDomain {
			return ErrDouble
		}
	case r.SOA:
		r.Referral = false
	case r.Rcode == rcodeNoError && len(r.Aliases) > 0:
		r.Next, r.Referral = last, false
	case foreign && (r.Rcode == rcodeNoError || r.Rcode == rcodeNXDomain):
		return ErrSOA
	}
	return nil
}

const (
	rcodeNoError  = 0
	rcodeNXDomain = 3
)

// next reads the record at off. The owner is reused when it is written as a
// pointer to the name that the record before had, or to the question.
func (d *Decoder) next(off int, q evidence.Question) (record, uint16, int, error) {
	if off+1 < len(d.msg) && d.msg[off] >= 0xC0 {
		to := int(d.msg[off]&0x3f)<<8 | int(d.msg[off+1])
		if to == headerLen {
			return d.fields(q.Name, off+2)
		}
		if to == d.ownerAt && d.ownerAt > headerLen && to < off {
			return d.fields(d.owner, off+2)
		}
	}
	owner, end, err := dnsname.FromWire(d.msg, off)
	if err != nil {
		return record{}, 0, 0, err
	}
	d.owner, d.ownerAt = owner, off
	if d.msg[off] >= 0xC0 {
		d.ownerAt = int(d.msg[off]&0x3f)<<8 | int(d.msg[off+1])
	}
	return d.fields(owner, end)
}

// fields reads what follows the owner: type, class, TTL, length (RFC 1035 §4.1.3).
func (d *Decoder) fields(owner dnsname.Name, off int) (record, uint16, int, error) {
	if off+10 > len(d.msg) {
		return record{}, 0, 0, ErrShort
	}
	f := d.msg[off:]
	end := off + 10 + int(binary.BigEndian.Uint16(f[8:]))
	if end > len(d.msg) {
		return record{}, 0, 0, ErrShort
	}
	r := record{
		owner: owner,
		typ:   evidence.Type(binary.BigEndian.Uint16(f)),
		ttl:   binary.BigEndian.Uint32(f[4:]),
		off:   off + 10,
		end:   end,
	}
	// RFC 2181 §8: a TTL with the highest bit set is 0.
	if r.ttl > 1<<31-1 && r.typ != typeOPT {
		r.ttl = 0
	}
	return r, binary.BigEndian.Uint16(f[2:]), end, nil
}

// answers keeps the records of the answer section. Nothing is allocated by
// the count, which is the sender's word: the loop ends with the message.
func (d *Decoder) answers(off, count int, q evidence.Question) (int, error) {
	d.records, d.ownerAt, d.owner = d.records[:0], 0, dnsname.Name{}
	for range count {
		rec, class, end, err := d.next(off, q)
		if err != nil {
			return 0, err
		}
		off = end
		if class == classIN {
			d.records = append(d.records, rec)
		}
	}
	return off, nil
}

// authority looks for the SOA record that makes a negative answer about last
// cacheable, and reports whether there is one that can't be of its zone.
func (d *Decoder) authority(off, count int, q evidence.Question, last dnsname.Name, r *Response) (int, bool, error) {
	foreign := false
	for range count {
		rec, class, end, err := d.next(off, q)
		if err != nil {
			return 0, false, err
		}
		off = end
		if class != classIN {
			continue
		}
		switch rec.typ {
		case evidence.NS:
			r.Referral = true
		case evidence.SOA:
			minimum, err := d.soaMinimum(rec)
			if err != nil {
				return 0, false, err
			}
			// RFC 2308 §2: it is that of the zone which lacks the name.
			if !last.Under(rec.owner) {
				foreign = true
				continue
			}
			r.SOA, r.Negative = true, min(rec.ttl, minimum)
			if d.Whole || !q.Type.Plain() {
				r.Start = d.start(rec, minimum)
			}
		}
	}
	return off, foreign, nil
}

// additional looks for the OPT record.
func (d *Decoder) additional(off, count int, q evidence.Question, r *Response) error {
	for range count {
		rec, _, end, err := d.next(off, q)
		if err != nil {
			return err
		}
		off = end
		if rec.typ != typeOPT {
			continue
		}
		r.Rcode |= int(rec.ttl>>24) << 4
		d.extendedError(rec, r)
	}
	return nil
}

// follow walks the CNAME and DNAME records from name to the owner of the data,
// in whatever order they come. A loop ends it at MaxHops.
func (d *Decoder) follow(name dnsname.Name, typ evidence.Type, r *Response) (dnsname.Name, error) {
	for len(r.Aliases) < MaxHops {
		target, ttl, ok, err := d.alias(name, typ)
		if err != nil || !ok {
			return name, err
		}
		r.least(ttl)
		r.Aliases = append(r.Aliases, target)
		name = target
	}
	return name, nil
}

// least lowers the TTL to that of one more record used.
func (r *Response) least(ttl uint32) {
	if r.TTL > ttl || len(r.Aliases) == 0 && r.Total == 0 {
		r.TTL = ttl
	}
}

// alias returns the target of name, if it has no data of its own.
func (d *Decoder) alias(name dnsname.Name, typ evidence.Type) (dnsname.Name, uint32, bool, error) {
	at := slices.IndexFunc(d.records, func(rec record) bool { return rec.owner == name && rec.typ == typ })
	if at >= 0 {
		return dnsname.Name{}, 0, false, nil
	}
	for _, rec := range d.records {
		if rec.typ == evidence.CNAME && rec.owner == name {
			target, err := d.name(rec.off, rec.end)
			return target, rec.ttl, err == nil, err
		}
	}
	for _, rec := range d.records {
		if rec.typ == typeDNAME && name != rec.owner && name.Under(rec.owner) {
			target, err := d.redirect(name, rec)
			return target, rec.ttl, err == nil, err
		}
	}
	return dnsname.Name{}, 0, false, nil
}

const typeDNAME = 39

// redirect puts the target of a DNAME record in the place of its owner, RFC
// 6672 §2.2. A name that grows past 255 octets is an error there (YXDOMAIN).
func (d *Decoder) redirect(name dnsname.Name, rec record) (dnsname.Name, error) {
	target, err := d.name(rec.off, rec.end)
	if err != nil {
		return dnsname.Name{}, err
	}
	wire := name.AppendWire(make([]byte, 0, 256))
	cut := len(wire) - len(rec.owner.AppendWire(make([]byte, 0, 256)))
	moved, _, err := dnsname.FromWire(target.AppendWire(wire[:cut:cut]), 0)
	return moved, err
}

// name reads the name that fills msg[off:end].
func (d *Decoder) name(off, end int) (dnsname.Name, error) {
	n, after, err := dnsname.FromWire(d.msg[:end], off)
	if err == nil && after != end {
		err = ErrRData
	}
	return n, err
}
