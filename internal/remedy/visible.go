package remedy

import (
	"fmt"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
)

// Change is one record set that is going to be changed, and what slows it down.
type Change struct {
	// What names it in the reasons: "PTR record", "A record".
	What string
	// Zone is what the servers say of the record now; nil where nobody asked.
	Zone *evidence.Zone
	// Ours is what our own DNS server answered, which counts where none of the
	// zone's servers did.
	Ours *evidence.Answer
	// Least and Most are the time from the request until the primary server has
	// the new record: the provider's own delay. Assumed says that nobody stated it.
	Least, Most time.Duration
	Assumed     bool
}

// unknownTTL is assumed where the zone's servers could not be asked: the
// longest TTL that is common.
const unknownTTL = 24 * time.Hour

// longestTTL is where caches cut a TTL (RFC 8767 §4 has them cap it at seven days).
const longestTTL = 7 * 24 * time.Hour

// When returns the range of time in which changes that are made at now become
// visible, all of them together. For each change
//
//	first = least
//	last  = most + lag + old
//
// where old is the time for which caches may hold the present answer: the TTL
// of the record as its own servers give it, the greatest among them, or where
// there is none the negative TTL, min(SOA TTL, SOA minimum) (RFC 2308 §5); and
// lag is how long secondary servers may keep the old zone: the SOA's refresh
// plus one retry where their serials differ already, and nothing where they
// are equal, for then NOTIFY (RFC 1996 §3) is taken to work. A resolver that
// has not asked lately sees the change at first, one that asked a moment
// before it at last.
//
// Changes in order wait for each other, as when a provider looks the address
// record up before it takes the PTR record: then the later ones begin when the
// earlier are made at the soonest, and after their last at the latest.
// Otherwise they go on side by side, and the latest counts.
func When(now time.Time, inOrder bool, changes ...Change) *Visible {
	if len(changes) == 0 || now.IsZero() {
		return nil
	}
	now = now.UTC()
	var first, last time.Duration
	v := &Visible{}
	for _, c := range changes {
		old, oldWhy := oldAnswer(c)
		lag, lagWhy := lagOf(c.Zone)
		least, most := c.Least, c.Most+lag+old
		if inOrder {
			first, last = first+least, last+most
		} else {
			first, last = max(first, least), max(last, most)
		}
		v.because(c, oldWhy, lagWhy)
	}
	if inOrder && len(changes) > 1 {
		v.Because = append(v.Because, "one after the other: the provider looks the address record up before it takes the name")
	}
	v.First, v.Last = now.Add(first).Round(time.Second), now.Add(last).Round(time.Second)
	return v
}

func (v *Visible) because(c Change, reasons ...string) {
	switch {
	case c.Most > 0 && c.Assumed:
		v.Because = append(v.Because, fmt.Sprintf("%s: how long the change takes is not known; up to %s is assumed", c.What, span(c.Most)))
	case c.Most > 0 && c.Least == c.Most:
		v.Because = append(v.Because, fmt.Sprintf("%s: the provider takes about %s", c.What, span(c.Most)))
	case c.Most > 0 && c.Least > 0:
		v.Because = append(v.Because, fmt.Sprintf("%s: the provider takes %s to %s", c.What, span(c.Least), span(c.Most)))
	case c.Most > 0:
		v.Because = append(v.Because, fmt.Sprintf("%s: the provider takes up to %s", c.What, span(c.Most)))
	}
	for _, r := range reasons {
		if r != "" {
			v.Because = append(v.Because, c.What+": "+r)
		}
	}
}

// oldAnswer is how long caches may hold the present answer.
func oldAnswer(c Change) (time.Duration, string) {
	var positive, negative time.Duration
	var found, absent bool
	z := c.Zone
	if z != nil {
		for i := range z.Servers {
			s := &z.Servers[i]
			if s.State != evidence.Authoritative {
				continue
			}
			switch {
			case s.Answer.State == evidence.Found:
				found, positive = true, max(positive, s.Answer.TTL)
			case s.Answer.State.Negative():
				absent, negative = true, max(negative, negativeTTL(s, z))
			}
		}
	}
	switch {
	case found && positive >= negative:
		positive = min(positive, longestTTL)
		return positive, fmt.Sprintf("caches may hold the old record for %s (its TTL)", span(positive))
	case absent:
		negative = min(negative, longestTTL)
		return negative, fmt.Sprintf("caches may hold that there is none for %s (the zone's negative TTL)", span(negative))
	case c.Ours != nil && c.Ours.State == evidence.Found:
		left := min(c.Ours.TTL, longestTTL)
		return left, fmt.Sprintf("our DNS server holds the old record for another %s; what other caches hold may be older or younger", span(left))
	case c.Ours != nil && c.Ours.State.Negative():
		left := min(c.Ours.TTL, longestTTL)
		return left, fmt.Sprintf("our DNS server holds that there is none for another %s; what other caches hold may be older or younger", span(left))
	default:
		return unknownTTL, fmt.Sprintf("the present TTL is not known; up to %s is assumed", span(unknownTTL))
	}
}

func negativeTTL(s *evidence.NameServer, z *evidence.Zone) time.Duration {
	switch {
	case s.SOA != nil:
		return s.SOA.NegativeTTL()
	case s.Answer.TTL > 0:
		return s.Answer.TTL
	case z.SOA != nil:
		return z.SOA.NegativeTTL()
	default:
		return unknownTTL
	}
}

// lagOf is how long a secondary may keep the old zone.
func lagOf(z *evidence.Zone) (time.Duration, string) {
	if z == nil || !serialsDiffer(z) {
		return 0, ""
	}
	var lag time.Duration
	for i := range z.Servers {
		if soa := z.Servers[i].SOA; soa != nil {
			lag = max(lag, time.Duration(soa.Refresh)*time.Second+time.Duration(soa.Retry)*time.Second)
		}
	}
	lag = min(lag, longestTTL)
	return lag, fmt.Sprintf("its servers have different serials; the slow ones follow within %s (refresh and retry)", span(lag))
}

func serialsDiffer(z *evidence.Zone) bool {
	var first *evidence.StartOfAuthority
	for i := range z.Servers {
		soa := z.Servers[i].SOA
		if soa == nil || z.Servers[i].State != evidence.Authoritative {
			continue
		}
		if first == nil {
			first = soa
		}
		if soa.Serial != first.Serial {
			return true
		}
	}
	return false
}

// span writes a duration as people say it: "1 h 30 min", "2 d".
func span(d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Second {
		return "0 s"
	}
	var parts []string
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if n := d / u.size; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, u.name))
			d -= n * u.size
		}
	}
	return strings.Join(parts, " ")
}
