package authority

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// Response codes, RFC 6895 §2.3.
const (
	rcodeNoError  = 0
	rcodeServFail = 2
	rcodeNXDomain = 3
	rcodeRefused  = 5
)

var rcodeNames = map[int]string{
	1: "FORMERR", rcodeServFail: "SERVFAIL", rcodeNXDomain: "NXDOMAIN", 4: "NOTIMP", rcodeRefused: "REFUSED",
	6: "YXDOMAIN", 9: "NOTAUTH", 16: "BADVERS",
}

func rcodeName(rcode int) string {
	if name, ok := rcodeNames[rcode]; ok {
		return name
	}
	return fmt.Sprintf("RCODE%d", rcode)
}

// judge fills in the row of a server from its replies for the SOA record of the
// apex and for what was to be found out.
func (w *walk) judge(row *evidence.NameServer, soa, data reply) {
	row.Answer = answer(data)
	row.State, row.SOA = w.state(soa)
	why := soa.why
	if row.State != evidence.Authoritative && row.State != evidence.Lame && data.authoritative() {
		// One of two questions was answered well.
		row.State, why = evidence.Authoritative, "SOA: "+why
	}
	if row.State == evidence.Lame {
		why = w.lameness(soa)
	}
	if row.Why.IsZero() && why != "" {
		row.Why = untrusted.New(why)
	} else if why != "" {
		row.Why = untrusted.New(why + "; " + row.Why.Raw())
	}
}

// authoritative reports whether the reply comes with authority (RFC 1035 §4.1.1).
func (r reply) authoritative() bool {
	return r.outcome == answered && r.why == "" && r.response.Authoritative &&
		(r.response.Rcode == rcodeNoError || r.response.Rcode == rcodeNXDomain)
}

// state says how a server stands to the zone by its reply to the SOA question.
func (w *walk) state(soa reply) (evidence.ServerState, *evidence.StartOfAuthority) {
	switch soa.outcome {
	case answered:
		start := soa.response.Start
		if soa.authoritative() && soa.response.Total > 0 && start != nil && start.Zone == w.zone.Apex {
			return evidence.Authoritative, start
		}
		return evidence.Lame, nil
	case garbled:
		return evidence.Garbled, nil
	case silent:
		return evidence.Silent, nil
	case unreachable:
		return evidence.Unreachable, nil
	case barred:
		return evidence.Barred, nil
	}
	return evidence.Unasked, nil
}

// lameness says in what way a server does not answer for the zone.
func (w *walk) lameness(soa reply) string {
	r := soa.response
	switch {
	case soa.why != "":
		return soa.why
	case r.Rcode != rcodeNoError:
		return "it answers " + rcodeName(r.Rcode)
	case !r.Authoritative && r.Total > 0:
		return "it answers without authority (no AA bit)"
	case !soa.cut.Zone.IsZero():
		return "it refers to the servers of " + soa.cut.Zone.String()
	case r.Start != nil:
		return "it answers for " + r.Start.Zone.String() + " only"
	}
	return "it knows nothing of the zone"
}

// answer puts a reply into the words of the evidence. Its TTL is the server's own.
func answer(r reply) evidence.Answer {
	a := evidence.Answer{
		Question: r.Question, Rcode: -1, Server: netip.AddrPortFrom(r.server, port), At: r.at, Took: r.took,
		Reason: untrusted.New(r.why),
	}
	switch r.outcome {
	case answered:
	case garbled:
		a.State = evidence.Malformed
		return a
	case silent:
		a.State = evidence.Timeout
		return a
	case unreachable:
		a.State = evidence.Failed
		return a
	default:
		return a
	}
	m := r.response
	a.Rcode, a.EDE, a.State = m.Rcode, m.EDE, told(r)
	if a.Reason.IsZero() {
		a.Reason = m.Text
	}
	if a.State.Complete() {
		a.Names, a.Addrs, a.Total, a.Aliases = m.Names, m.Addrs, m.Total, m.Aliases
		a.Preferences, a.Texts, a.SOA = m.Preferences, m.Texts, m.Start
		a.TTL = time.Duration(m.TTL) * time.Second
	}
	if a.State.Negative() && m.SOA {
		a.TTL = time.Duration(m.Negative) * time.Second
	}
	return a
}

// told names the state of a message from a server that should have authority.
// A denial without it is none.
func told(r reply) evidence.State {
	m := r.response
	switch m.Rcode {
	case rcodeNoError, rcodeNXDomain:
	case rcodeServFail:
		return evidence.ServFail
	case rcodeRefused:
		return evidence.Refused
	default:
		return evidence.Failed
	}
	switch {
	case r.why != "":
		return evidence.Refused
	case m.Total > 0:
		return evidence.Found
	case !m.Authoritative || m.Referral:
		return evidence.Refused
	case m.Rcode == rcodeNXDomain:
		return evidence.NXDomain
	}
	return evidence.NoData
}
