package dnswire

import (
	"encoding/binary"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// extendedError reads the EDE options, RFC 8914 §2, and keeps the one that
// says most: that the answer was rewritten, then that DNSSEC failed, then that
// the answer could not be had, then any. Options that run past their record
// end the search, for EDE is a comment.
func (d *Decoder) extendedError(rec record, r *Response) {
	const optionEDE = 15
	for off := rec.off; off+4 <= rec.end; {
		code := binary.BigEndian.Uint16(d.msg[off:])
		n := int(binary.BigEndian.Uint16(d.msg[off+2:]))
		off += 4
		if off+n > rec.end {
			return
		}
		if code == optionEDE && n >= 2 {
			info := binary.BigEndian.Uint16(d.msg[off:])
			r.Stale = r.Stale || info == staleAnswer || info == staleNXDomain
			if r.EDE == 0 || weight(info) > weight(r.EDE-1) {
				text := d.msg[off+2 : off+n]
				r.EDE = info + 1
				r.Text = untrusted.New(string(text[:min(len(text), untrusted.MaxLen)]))
			}
		}
		off += n
	}
}

// RFC 8914 §4.4, §4.20.
const (
	staleAnswer   = 3
	staleNXDomain = 19
)

func weight(info uint16) int {
	switch {
	case Rewritten(info):
		return 3
	case ValidationFailed(info):
		return 2
	case Denial(info) != evidence.NotAsked:
		return 1
	}
	return 0
}

// Rewritten reports whether an extended error code says that the resolver put
// its own answer in the place of the true one: forged (RFC 8914 §4.5),
// blocked, censored, filtered (RFC 8914 §4.16).
func Rewritten(info uint16) bool { return info == 4 || info >= 15 && info <= 17 }

// ValidationFailed reports whether an extended error code says that DNSSEC
// validation failed: RFC 8914 §4.7 to §4.13.
func ValidationFailed(info uint16) bool { return info >= 6 && info <= 12 }

// Denial returns the trouble that a negative answer with an extended error
// code stands for, for a server that could not ask knows of no absence; or
// evidence.NotAsked where the code leaves the answer what it is.
func Denial(info uint16) evidence.State {
	if ValidationFailed(info) {
		return evidence.Bogus
	}
	switch info {
	// RFC 8914 §4.4, §4.20: stale; §4.14: a cached error; §4.15: not ready;
	// §4.23: no reachable authority; §4.24: network error; §4.25: invalid data.
	case staleAnswer, staleNXDomain, 13, 14, 22, 23, 24:
		return evidence.ServFail
	// RFC 8914 §4.19: prohibited; §4.21: not authoritative.
	case 18, 20:
		return evidence.Refused
	// RFC 8914 §4.22: not supported.
	case 21:
		return evidence.Failed
	}
	return evidence.NotAsked
}
