// Package dnswire packs DNS questions and reads DNS answers (RFC 1035 §4, RFC
// 6891, RFC 8914). It reads what a stub resolver needs of a message and skips
// the rest: no DNSSEC, no updates, no transfers.
//
// A question is packed by hand, for it is 20 lines; an answer is read by hand
// because the libraries refuse what must be told apart here: a dot inside a
// label makes the whole message unreadable for x/net/dns/dnsmessage, and
// miekg/dns accepts an answer to another question.
package dnswire

import (
	"encoding/binary"

	"github.com/arpagate/arpagate/internal/evidence"
)

const (
	headerLen = 12
	classIN   = 1
	typeOPT   = 41

	// PayloadSize is the UDP size that a query offers; 1232 octets pass every
	// path with the IPv6 minimum MTU in one piece (RFC 6891 §6.2.5).
	PayloadSize = 1232
	// MaxQuery is the length of the longest query: header, name, type and
	// class, OPT record.
	MaxQuery = headerLen + 255 + 4 + 11
)

// Bits of the second pair of octets of the header, RFC 1035 §4.1.1.
const (
	bitQR      = 1 << 15
	maskOpcode = 0xf << 11
	bitAA      = 1 << 10
	bitTC      = 1 << 9
	bitRD      = 1 << 8
	bitRA      = 1 << 7
	bitAD      = 1 << 5 // RFC 4035 §3.2.3
	maskRcode  = 0xf
)

// AppendQuery appends a query with the given id to dst: recursion desired, and
// with edns an OPT record that offers PayloadSize and does not ask for DNSSEC.
// For types that are not Plain it asks whether the answer was validated, which
// the AD bit of a query means (RFC 6840 §5.7).
func AppendQuery(dst []byte, id uint16, q evidence.Question, edns bool) []byte {
	flags := uint16(bitRD)
	if !q.Type.Plain() {
		flags |= bitAD
	}
	return appendQuery(dst, id, flags, q, edns)
}

// AppendDirect appends a query to an authoritative server: like AppendQuery, but
// no recursion is desired (RFC 1035 §4.1.1), nor anybody's word on DNSSEC.
func AppendDirect(dst []byte, id uint16, q evidence.Question, edns bool) []byte {
	return appendQuery(dst, id, 0, q, edns)
}

func appendQuery(dst []byte, id, flags uint16, q evidence.Question, edns bool) []byte {
	extra := byte(0)
	if edns {
		extra = 1
	}
	dst = binary.BigEndian.AppendUint16(dst, id)
	dst = binary.BigEndian.AppendUint16(dst, flags)
	dst = append(dst, 0, 1, 0, 0, 0, 0, 0, extra)
	dst = q.Name.AppendWire(dst)
	dst = binary.BigEndian.AppendUint16(dst, uint16(q.Type))
	dst = append(dst, 0, classIN)
	if edns {
		// RFC 6891 §6.1.2: root, type, payload size, rcode, version, flags.
		dst = append(dst, 0, 0, typeOPT, PayloadSize>>8, PayloadSize&0xff, 0, 0, 0, 0, 0, 0)
	}
	return dst
}

// MixCase changes the case of the letters of the query's name by the bits of
// random, one for each octet of the name, which must be long enough (255 bits
// are): a forger has to guess them too (draft-vixie-dnsext-dns0x20).
func MixCase(query, random []byte) {
	for i := headerLen; i < len(query) && query[i] != 0; {
		n := int(query[i])
		for j := i + 1; j <= i+n; j++ {
			bit := j - headerLen
			if lower(query[j]) >= 'a' && lower(query[j]) <= 'z' && random[bit/8]>>(bit%8)&1 == 1 {
				query[j] ^= 0x20
			}
		}
		i += n + 1
	}
}

// Match says how a datagram relates to the query that has its id.
type Match uint8

// The relations. Only Same is an answer; OtherCase is one to a query whose
// case was not mixed.
const (
	Same          Match = iota
	OtherCase           // the name came back in other case
	TooShort            // no header
	NotResponse         // QR is 0
	WrongOpcode         // not a standard query
	WrongCount          // QDCOUNT is not 1
	WrongClass          // the name and type asked, in another class
	WrongQuestion       // another name or type
)

// Compare examines header and question of msg. The ids are not compared, for
// the caller found query by the id of msg. RFC 5452 §9.1.
func Compare(msg, query []byte) Match {
	if len(msg) < headerLen {
		return TooShort
	}
	flags := binary.BigEndian.Uint16(msg[2:])
	switch {
	case flags&bitQR == 0:
		return NotResponse
	case flags&maskOpcode != 0:
		return WrongOpcode
	case binary.BigEndian.Uint16(msg[4:]) != 1:
		return WrongCount
	}
	end, ok := questionEnd(query)
	if !ok || len(msg) < end {
		return WrongQuestion
	}
	name := end - 4
	if !equalFold(msg[headerLen:name], query[headerLen:name]) || string(msg[name:end-2]) != string(query[name:end-2]) {
		return WrongQuestion
	}
	if string(msg[end-2:end]) != string(query[end-2:end]) {
		return WrongClass
	}
	if string(msg[headerLen:name]) != string(query[headerLen:name]) {
		return OtherCase
	}
	return Same
}

// ID returns the id of a message, and whether it is long enough for a header.
func ID(msg []byte) (uint16, bool) {
	if len(msg) < headerLen {
		return 0, false
	}
	return binary.BigEndian.Uint16(msg), true
}

// Truncated reports whether the TC bit of a message is set, which ID found long
// enough.
func Truncated(msg []byte) bool { return binary.BigEndian.Uint16(msg[2:])&bitTC != 0 }

// Unknowing reports whether a message says that its sender can't read EDNS: RFC
// 6891 §7, and BADVERS, of which the header has the lower bits alone.
func Unknowing(msg []byte) bool {
	rcode := binary.BigEndian.Uint16(msg[2:]) & maskRcode
	return rcode == 1 || rcode == 4
}

// questionEnd returns the offset after the question, whose name is never
// compressed, for there is no name before it.
func questionEnd(msg []byte) (int, bool) {
	i := headerLen
	for i < len(msg) && msg[i] != 0 && msg[i] < 0x40 {
		i += int(msg[i]) + 1
	}
	return i + 5, i+5 <= len(msg) && msg[i] == 0
}

// equalFold compares names on the wire without regard to case, RFC 4343 §3.
// The length octets are below 64 and have no case.
func equalFold(a, b []byte) bool {
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
