package resolver

import (
	"fmt"
	"slices"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver/dnswire"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// Response codes, RFC 6895 §2.3.
const (
	rcodeNoError  = 0
	rcodeFormErr  = 1
	rcodeServFail = 2
	rcodeNXDomain = 3
	rcodeRefused  = 5
	rcodeBadVers  = 16
)

// answered takes the response to a query that went over UDP.
func (t *task) answered(q *query, r dnswire.Response, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.settled(q) {
		t.r.count.late.Add(1)
		return
	}
	t.open--
	if err == nil && r.Truncated {
		t.r.count.truncated.Add(1)
		t.overTCP(q)
		return
	}
	t.judge(q, r, err)
}

// judge decides what to do with a response: ask again, follow, or end.
func (t *task) judge(q *query, r dnswire.Response, err error) {
	if err == nil && q.edns && (r.Rcode == rcodeFormErr || r.Rcode == rcodeBadVers) {
		// RFC 6891 §7: the server does not know EDNS; once more without it.
		t.tries[q.server.index].plain = true
		if t.send(q.server, time.Now()) == nil {
			return
		}
	}
	a := evidence.Answer{Server: q.server.addr, Rcode: r.Rcode, EDE: r.EDE, Reason: r.Text}
	a.State, err = state(r, err)
	if r.EDE > 0 && dnswire.Rewritten(r.EDE-1) {
		t.r.rewritten()
	}
	if err != nil {
		t.r.count.malformed.Add(1)
		a.Reason = untrusted.New(err.Error())
	}
	if a.State.Complete() {
		if err := t.follow(r); err != nil {
			a.State, a.Reason = evidence.Malformed, untrusted.New(err.Error())
			t.end(a)
			return
		}
		if !r.Next.IsZero() {
			t.again(r.Next)
			return
		}
	}
	switch {
	case a.State.Complete():
		take(&a, r)
		// RFC 4035 §4.9.3: the bit is worth as much as the way to who sent it.
		a.Validated = r.Validated && !t.question.Type.Plain() && q.server.addr.Addr().IsLoopback()
		a.TTL = t.believe(r, a.State)
		t.end(a)
	case a.State == evidence.Bogus || a.State == evidence.Filtered:
		// Another server might just be less careful, or less honest about it.
		t.end(a)
	default:
		if a.State == evidence.ServFail {
			a.Stale = t.old(r, a)
		}
		t.bad(q.server, a)
		t.hurry()
	}
}

// state names the outcome of a response. The error is that of reading it.
func state(r dnswire.Response, err error) (evidence.State, error) {
	switch {
	case r.EDE > 0 && dnswire.Rewritten(r.EDE-1):
		// RFC 8914 §4.16: whatever the rcode, it is not what the zone says.
		return evidence.Filtered, nil
	case err != nil:
		return evidence.Malformed, err
	case r.Truncated:
		return evidence.Malformed, fmt.Errorf("resolver: truncated over TCP")
	}
	switch r.Rcode {
	case rcodeNoError, rcodeNXDomain:
		return told(r), nil
	case rcodeServFail:
		if r.EDE > 0 && dnswire.ValidationFailed(r.EDE-1) {
			return evidence.Bogus, nil
		}
		return evidence.ServFail, nil
	case rcodeRefused:
		return evidence.Refused, nil
	}
	return evidence.Failed, nil
}

// told tells records from their absence, and both from trouble that looks like
// an answer: a server that could not ask, or does not recurse for us, has said
// nothing.
func told(r dnswire.Response) evidence.State {
	switch {
	case r.Stale:
		// RFC 8914 §4.4, §4.20: the answer of today could not be had.
		return evidence.ServFail
	case r.Total > 0 || !r.Next.IsZero():
		return evidence.Found
	case r.EDE > 0 && dnswire.Denial(r.EDE-1) != evidence.NotAsked:
		return dnswire.Denial(r.EDE - 1)
	case !r.Recursive && !r.Authoritative:
		// RFC 1034 §4.3.1: neither recursion nor authority, so the server is
		// lame for the name, whatever it denies.
		return evidence.Refused
	case r.Rcode == rcodeNXDomain:
		return evidence.NXDomain
	case r.Referral:
		// RFC 2308 §2.2: name servers without a SOA record are no NODATA.
		return evidence.Refused
	}
	return evidence.NoData
}

// old returns the records of a stale response as the answer that may stand in
// for the one of today, nil without any.
func (t *task) old(r dnswire.Response, a evidence.Answer) *evidence.Answer {
	if !r.Stale || r.Total == 0 || r.Rcode != rcodeNoError {
		return nil
	}
	a.Question, a.State, a.At = t.question, evidence.Found, t.r.cfg.Now()
	take(&a, r)
	a.Aliases = slices.Concat(t.aliases, r.Aliases)
	return &a
}

// take copies the data of a response.
func take(a *evidence.Answer, r dnswire.Response) {
	a.Names, a.Addrs, a.Total = r.Names, r.Addrs, r.Total
	a.Preferences, a.Texts, a.SOA = r.Preferences, r.Texts, r.Start
}

// follow notes the aliases of a response. A loop, or too long a chain, is an
// error, and the zone's: no other server would say otherwise.
func (t *task) follow(r dnswire.Response) error {
	for _, target := range r.Aliases {
		if target == t.question.Name || slices.Contains(t.aliases, target) {
			return fmt.Errorf("resolver: alias loop at %q", target)
		}
		if len(t.aliases) == maxAliases {
			return fmt.Errorf("resolver: more than %d aliases", maxAliases)
		}
		if len(t.aliases) == 0 {
			t.ttl = r.TTL
		}
		t.aliases = append(t.aliases, target)
	}
	if len(r.Aliases) > 0 {
		t.ttl = min(t.ttl, r.TTL)
	}
	return nil
}

// again asks for the last alias, of which the response said nothing.
func (t *task) again(name dnsname.Name) {
	t.name = name
	t.hop++
	t.open, t.until = 0, time.Time{}
	t.tries, t.trouble = [MaxServers]attempt{}, evidence.Answer{}
	t.step(time.Now())
}

// Limits of the time for which an answer is believed. RFC 8767 §4 and RFC
// 2308 §5 leave them to the resolver.
const (
	minTTL      = 5 * time.Second
	maxTTL      = 24 * time.Hour
	maxNegative = time.Hour
)

// believe returns the time for which a complete answer may be believed.
func (t *task) believe(r dnswire.Response, s evidence.State) time.Duration {
	seconds, limit := r.TTL, maxTTL
	if s.Negative() {
		// RFC 2308 §5: without a SOA record a negative answer is not cached;
		// the floor only keeps the same question from being asked at once.
		seconds, limit = 0, maxNegative
		if r.SOA {
			seconds = r.Negative
		}
	}
	if len(t.aliases) > 0 {
		seconds = min(seconds, t.ttl)
	}
	return min(max(time.Duration(seconds)*time.Second, minTTL), limit)
}
