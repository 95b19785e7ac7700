package authority

import (
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// security says how the zone stands to DNSSEC (RFC 4035 §4.3), from the
// resolver's answers for the DS, DNSKEY and SOA records of the apex. keyed says
// that the zone's own servers answer for the key.
func security(ds, key, soa evidence.Answer, keyed bool) evidence.Security {
	s := evidence.Security{
		State: evidence.Indeterminate, DS: ds.State == evidence.Found, Key: key.State == evidence.Found,
	}
	for _, a := range []evidence.Answer{ds, key, soa} {
		if a.State == evidence.Bogus {
			s.State, s.Why = evidence.BogusZone, a.Reason
			return s
		}
	}
	switch {
	case s.DS && s.Key:
		s.State = evidence.Signed
		if soa.Validated || key.Validated {
			s.State = evidence.Secure
		}
	case s.DS && key.State.Negative():
		s.State, s.Why = evidence.BogusZone, untrusted.New("the zone above has a DS record, the zone no DNSKEY")
	case ds.State.Negative() && s.Key:
		s.State = evidence.Island
	case ds.State.Negative() && key.State.Negative():
		s.State = evidence.Insecure
	case s.DS && key.State == evidence.ServFail && keyed:
		// RFC 4035 §5.5: SERVFAIL is how a validating resolver says bogus, and most
		// say no more of it (RFC 8914). It found the DS record, and the servers do answer
		// for the key: where they fail at this very question, it is their trouble.
		s.State = evidence.BogusZone
		s.Why = untrusted.New("its servers answer for its key, but the resolver says SERVFAIL")
	case ds.State.Trouble():
		s.Why = untrusted.New("DS: " + ds.State.Mnemonic())
	default:
		s.Why = untrusted.New("DNSKEY: " + key.State.Mnemonic())
	}
	return s
}
