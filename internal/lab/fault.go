package lab

import (
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/miekg/dns"
)

// fault is what goes wrong with a question; the zero value is no fault.
type fault struct {
	state     evidence.State // how it ends, NotAsked where it ends well
	rcode     int            // on the wire, with state set and an answer at all
	ede       uint16         // extended error code (RFC 8914 §4), with reason set
	reason    string
	truncated bool // TC over UDP
	delay     time.Duration
}

// faults are the words after the exclamation mark.
var faults = map[string]fault{
	"servfail":  {state: evidence.ServFail, rcode: dns.RcodeServerFailure},
	"refused":   {state: evidence.Refused, rcode: dns.RcodeRefused},
	"notimp":    {state: evidence.Failed, rcode: dns.RcodeNotImplemented},
	"timeout":   {state: evidence.Timeout},
	"malformed": {state: evidence.Malformed},
	"truncated": {truncated: true},
	"bogus": {
		state: evidence.Bogus, rcode: dns.RcodeServerFailure,
		ede: dns.ExtendedErrorCodeDNSBogus, reason: "no valid signature",
	},
	"filtered": {
		state: evidence.Filtered, rcode: dns.RcodeNameError,
		ede: dns.ExtendedErrorCodeBlocked, reason: "on a block list of the resolver",
	},
	"delay": {},
}

// ends reports whether the fault takes the place of the answer.
func (f fault) ends() bool { return f.state != evidence.NotAsked }

// and joins two faults of one name, such as a delay and a SERVFAIL.
func (f fault) and(g fault) fault {
	delay, truncated := f.delay+g.delay, f.truncated || g.truncated
	if g.ends() {
		f = g
	}
	f.delay, f.truncated = delay, truncated
	return f
}

func (w *World) faultAt(name dnsname.Name, kind evidence.Type) fault {
	return w.faults[key{name, 0}].and(w.faults[key{name, kind}])
}
