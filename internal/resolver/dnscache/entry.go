package dnscache

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// An entry is a head of fixed length, then the name of the question as text,
// the server, the names and the aliases as on the wire, the addresses, the
// reason; and for types that are not Plain, the rest (see rest.go).
const (
	atLen     = 0  // uint16: octets of the entry
	atKeyLen  = 2  // uint16: octets of the question's name
	atType    = 4  // uint16
	atKind    = 6  // uint8
	atState   = 7  // uint8
	atTime    = 8  // int64: nanoseconds since base
	atTTL     = 16 // uint32: seconds
	atTook    = 20 // uint32: microseconds
	atRcode   = 24 // int16
	atEDE     = 26 // uint16
	atMark    = 28 // uint16
	atTotal   = 30 // uint16
	atAddrs   = 32 // uint16
	atNames   = 34 // uint8
	atAliases = 35 // uint8
	atReason  = 36 // uint8
	atServer  = 37 // uint8: octets of the server's address and port
	headLen   = 38
	maxLen    = 1<<16 - 1
)

func entryLen(entry []byte) int { return int(binary.LittleEndian.Uint16(entry[atLen:])) }

func sameKey(entry []byte, kind Kind, q evidence.Question) bool {
	n := int(binary.LittleEndian.Uint16(entry[atKeyLen:]))
	return entry[atKind] == byte(kind) &&
		binary.LittleEndian.Uint16(entry[atType:]) == uint16(q.Type) &&
		string(entry[headLen:headLen+n]) == q.Name.String()
}

// encode appends the entry of an answer to dst, which must be empty. What is
// longer than maxLen, which no DNS message leads to, is not an entry.
func (c *Cache) encode(dst []byte, kind Kind, a *evidence.Answer, mark uint16) []byte {
	le := binary.LittleEndian
	dst = dst[:headLen]
	key, reason := a.Name.String(), a.Reason.Raw()
	reason = reason[:min(len(reason), untrusted.MaxLen)]
	names := a.Names[:min(len(a.Names), evidence.MaxNames)]
	aliases := a.Aliases[:min(len(a.Aliases), 255)]
	addrs := a.Addrs[:min(len(a.Addrs), evidence.MaxAddrs)]
	le.PutUint16(dst[atKeyLen:], uint16(len(key)))
	le.PutUint16(dst[atType:], uint16(a.Type))
	dst[atKind], dst[atState] = byte(kind), byte(a.State)
	le.PutUint64(dst[atTime:], uint64(a.At.Sub(c.base)))
	le.PutUint32(dst[atTTL:], uint32(a.TTL/time.Second))
	le.PutUint32(dst[atTook:], uint32(min(a.Took/time.Microsecond, 1<<32-1)))
	le.PutUint16(dst[atRcode:], uint16(int16(a.Rcode)))
	le.PutUint16(dst[atEDE:], a.EDE)
	le.PutUint16(dst[atMark:], mark)
	le.PutUint16(dst[atTotal:], uint16(min(a.Total, 1<<16-1)))
	le.PutUint16(dst[atAddrs:], uint16(len(addrs)))
	dst[atNames], dst[atAliases] = byte(len(names)), byte(len(aliases))
	dst[atReason] = byte(len(reason))
	dst = append(dst, key...)
	dst = appendServer(dst, a.Server)
	for _, n := range names {
		dst = n.AppendWire(dst)
	}
	for _, n := range aliases {
		dst = n.AppendWire(dst)
	}
	for _, addr := range addrs {
		dst = append(dst, addr.AsSlice()...)
	}
	dst = append(dst, reason...)
	if !a.Type.Plain() {
		dst = appendRest(dst, a)
	}
	le.PutUint16(dst[atLen:], uint16(min(len(dst), maxLen)))
	return dst
}

// appendServer appends the address of a server, without its zone, and notes
// its length.
func appendServer(dst []byte, server netip.AddrPort) []byte {
	if !server.IsValid() {
		dst[atServer] = 0
		return dst
	}
	addr := server.Addr().AsSlice()
	dst[atServer] = byte(len(addr) + 2)
	dst = append(dst, addr...)
	return binary.LittleEndian.AppendUint16(dst, server.Port())
}

// decode reads the answer of an entry.
func (c *Cache) decode(entry []byte, q evidence.Question, a *evidence.Answer) (mark uint16, ok bool) {
	le := binary.LittleEndian
	*a = evidence.Answer{
		Question: q,
		State:    evidence.State(entry[atState]),
		At:       c.base.Add(time.Duration(le.Uint64(entry[atTime:]))),
		TTL:      time.Duration(le.Uint32(entry[atTTL:])) * time.Second,
		Took:     time.Duration(le.Uint32(entry[atTook:])) * time.Microsecond,
		Rcode:    int(int16(le.Uint16(entry[atRcode:]))),
		EDE:      le.Uint16(entry[atEDE:]),
		Total:    int(le.Uint16(entry[atTotal:])),
	}
	off := headLen + int(le.Uint16(entry[atKeyLen:]))
	if n := int(entry[atServer]); n > 0 {
		addr, _ := netip.AddrFromSlice(entry[off : off+n-2])
		a.Server = netip.AddrPortFrom(addr, le.Uint16(entry[off+n-2:]))
		off += n
	}
	if a.Names, off, ok = readNames(entry, off, int(entry[atNames])); !ok {
		return 0, false
	}
	if a.Aliases, off, ok = readNames(entry, off, int(entry[atAliases])); !ok {
		return 0, false
	}
	a.Addrs, off = readAddrs(entry, off, int(le.Uint16(entry[atAddrs:])), q.Type)
	if n := int(entry[atReason]); n > 0 {
		a.Reason = untrusted.New(string(entry[off : off+n]))
		off += n
	}
	if !q.Type.Plain() && !readRest(entry, off, a) {
		return 0, false
	}
	return le.Uint16(entry[atMark:]), true
}

func readNames(entry []byte, off, count int) ([]dnsname.Name, int, bool) {
	if count == 0 {
		return nil, off, true
	}
	names := make([]dnsname.Name, count)
	for i := range names {
		n, end, err := dnsname.FromWire(entry, off)
		if err != nil {
			return nil, 0, false
		}
		names[i], off = n, end
	}
	return names, off, true
}

func readAddrs(entry []byte, off, count int, typ evidence.Type) ([]netip.Addr, int) {
	if count == 0 {
		return nil, off
	}
	size := 16
	if typ == evidence.A {
		size = 4
	}
	addrs := make([]netip.Addr, count)
	for i := range addrs {
		addrs[i], _ = netip.AddrFromSlice(entry[off : off+size])
		off += size
	}
	return addrs, off
}
