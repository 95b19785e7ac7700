package dnscache

import (
	"encoding/binary"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// The rest of an entry: a flag octet, the preferences (one for each name), the
// number of texts and each with its length, the SOA record. Only types that the
// gate does not ask for have one.
const (
	restValidated = 1 << iota
	restSOA
	restPreferences
)

// appendRest appends what only answers for types that are not Plain have.
func appendRest(dst []byte, a *evidence.Answer) []byte {
	le := binary.LittleEndian
	var flags byte
	if a.Validated {
		flags |= restValidated
	}
	if a.SOA != nil {
		flags |= restSOA
	}
	preferred := len(a.Preferences) > 0 && len(a.Preferences) == len(a.Names) && len(a.Names) <= evidence.MaxNames
	if preferred {
		flags |= restPreferences
	}
	texts := a.Texts[:min(len(a.Texts), evidence.MaxTexts)]
	dst = append(dst, flags, byte(len(texts)))
	if preferred {
		for _, p := range a.Preferences {
			dst = le.AppendUint16(dst, p)
		}
	}
	for _, t := range texts {
		dst = le.AppendUint16(dst, uint16(len(t.Raw())))
		dst = append(dst, t.Raw()...)
	}
	if s := a.SOA; s != nil {
		for _, name := range []dnsname.Name{s.Zone, s.MName, s.RName} {
			dst = name.AppendWire(dst)
		}
		for _, n := range []uint32{s.Serial, s.Refresh, s.Retry, s.Expire, s.Minimum, s.TTL} {
			dst = le.AppendUint32(dst, n)
		}
	}
	return dst
}

// readRest reads what appendRest wrote.
func readRest(entry []byte, off int, a *evidence.Answer) bool {
	le := binary.LittleEndian
	if off+2 > len(entry) {
		return false
	}
	flags, texts := entry[off], int(entry[off+1])
	off += 2
	a.Validated = flags&restValidated != 0
	if flags&restPreferences != 0 {
		a.Preferences = make([]uint16, len(a.Names))
		for i := range a.Preferences {
			a.Preferences[i] = le.Uint16(entry[off:])
			off += 2
		}
	}
	if texts > 0 {
		a.Texts = make([]untrusted.Text, texts)
		for i := range a.Texts {
			n := int(le.Uint16(entry[off:]))
			a.Texts[i] = untrusted.Long(string(entry[off+2 : off+2+n]))
			off += 2 + n
		}
	}
	if flags&restSOA == 0 {
		return true
	}
	names, off, ok := readNames(entry, off, 3)
	if !ok {
		return false
	}
	number := func(i int) uint32 { return le.Uint32(entry[off+4*i:]) }
	a.SOA = &evidence.StartOfAuthority{
		Zone: names[0], MName: names[1], RName: names[2],
		Serial: number(0), Refresh: number(1), Retry: number(2), Expire: number(3), Minimum: number(4), TTL: number(5),
	}
	return true
}
