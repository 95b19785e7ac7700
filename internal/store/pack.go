package store

import (
	"encoding/binary"
	"hash/crc32"
	"iter"
	"net/netip"
	"strings"
)

// record is what a pack holds of an entry: all but hits and last use.
type record struct {
	list            List
	at              target
	text            string // as in the database
	created, expiry int64
	words           string // owner, wordsEnd, reason
}

// wordsEnd stands between owner and reason, which have nothing in them that is
// not printable.
const wordsEnd = "\x1f"

// The first octet of a record.
const (
	packAllow = 1 << iota // the entry is of the allow list, else of the block list
	packWords             // the words follow, else they are those of the record before
	packIPv4              // the entry is an IPv4 network
	packIPv6              // the entry is an IPv6 network; neither: it is a domain
)

// packer appends records to a pack:
//
//	flags, text, [address, prefix length], created, expiry, [words]
//
// Neighbours often came at one time and for one reason, so times are
// differences, and the same words are written once.
type packer struct {
	pack []byte
	last record
}

func (p *packer) add(r record) {
	addr := r.at.network.Addr()
	p.pack = append(p.pack, flagIf(r.list == Allow, packAllow)|flagIf(r.words != p.last.words, packWords)|
		flagIf(addr.Is4(), packIPv4)|flagIf(addr.Is6(), packIPv6))
	p.pack = appendText(p.pack, r.text)
	if addr.IsValid() {
		p.pack = append(append(p.pack, addr.AsSlice()...), byte(r.at.network.Bits()))
	}
	p.pack = binary.AppendVarint(p.pack, r.created-p.last.created)
	p.pack = binary.AppendVarint(p.pack, r.expiry-p.last.expiry)
	if r.words != p.last.words {
		p.pack = appendText(p.pack, r.words)
	}
	p.last = r
}

func flagIf(cond bool, flag byte) byte {
	if cond {
		return flag
	}
	return 0
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// unpack yields the records of a pack. Their texts share its memory. A pack that
// breaks off ends with the last whole record.
func unpack(pack string) iter.Seq[record] {
	return func(yield func(record) bool) {
		var r record
		u := unpacker{rest: pack}
		for u.rest != "" {
			flags := u.take(1)
			if u.short {
				return
			}
			r.list, r.text = Block, u.text()
			if flags[0]&packAllow != 0 {
				r.list = Allow
			}
			r.at = u.target(flags[0], r.text)
			r.created += u.varint()
			r.expiry += u.varint()
			if flags[0]&packWords != 0 {
				r.words = u.text()
			}
			if u.short || !yield(r) {
				return
			}
		}
	}
}

// unpacker takes fields from the front of a pack.
type unpacker struct {
	rest  string
	short bool // the pack has ended within a field
}

func (u *unpacker) take(n uint64) string {
	if n > uint64(len(u.rest)) {
		u.short, u.rest = true, ""
		return ""
	}
	s := u.rest[:n]
	u.rest = u.rest[n:]
	return s
}

func (u *unpacker) text() string { return u.take(u.uvarint()) }

// uvarint undoes binary.AppendUvarint, which is there for octets only.
func (u *unpacker) uvarint() uint64 {
	var v uint64
	for i := range min(len(u.rest), binary.MaxVarintLen64) {
		v |= uint64(u.rest[i]&0x7f) << (7 * i)
		if u.rest[i] < 0x80 {
			u.rest = u.rest[i+1:]
			return v
		}
	}
	u.short, u.rest = true, ""
	return 0
}

// varint undoes binary.AppendVarint.
func (u *unpacker) varint() int64 {
	v := u.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (u *unpacker) target(flags byte, text string) target {
	var addr netip.Addr
	switch {
	case flags&packIPv4 != 0:
		if b := u.take(4); len(b) == 4 {
			addr = netip.AddrFrom4([4]byte([]byte(b)))
		}
	case flags&packIPv6 != 0:
		if b := u.take(16); len(b) == 16 {
			addr = netip.AddrFrom16([16]byte([]byte(b)))
		}
	default:
		return target{domain: text}
	}
	bits := u.take(1)
	if u.short {
		return target{}
	}
	return target{network: netip.PrefixFrom(addr, int(bits[0]))}
}

// checksum is that of a pack in its page.
func checksum(page int64, pack []byte) int64 {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Checksum(binary.BigEndian.AppendUint64(nil, uint64(page)), table)
	return int64(crc32.Update(sum, table, pack))
}

// clone returns the record with memory of its own.
func (r record) clone() record {
	r.text, r.words = strings.Clone(r.text), strings.Clone(r.words)
	if r.at.domain != "" {
		r.at.domain = r.text
	}
	return r
}
