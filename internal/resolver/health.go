package resolver

import (
	"net/netip"
	"time"
)

// Health is how well the resolver's own means are.
type Health struct {
	// Degraded says that the answers, or their absence, tell nothing about
	// the sender; Why tells the operator what is wrong.
	Degraded bool
	Why      string
	// Rewrites says that a server admitted within the last hour to rewriting
	// answers (RFC 8914 §4.16), which is a fault of the configuration.
	Rewrites bool
	Servers  []ServerHealth
}

// ServerHealth is the state of one server.
type ServerHealth struct {
	Addr netip.AddrPort
	Up   bool
	Why  string // why it is down, or what it lies about
	// Lying says that it answers canaries wrongly; it is not asked while
	// another server is left.
	Lying    bool
	Answers  uint64
	Timeouts uint64 // queries that were never answered
	Strange  uint64 // datagrams that answer nothing
	RTT      time.Duration
	MixCase  bool // 0x20 is on
}

// Health returns the state of the resolver and of its servers.
func (r *Resolver) Health() Health {
	var h Health
	h.Degraded, h.Why = r.Sick()
	if at := r.rewrote.Load(); at != 0 {
		h.Rewrites = r.cfg.Now().Sub(time.Unix(0, at)) < time.Hour
	}
	for _, s := range r.servers {
		h.Servers = append(h.Servers, s.health())
	}
	return h
}

// Sick reports whether our own DNS is held to be sick, and why: what Health
// says first, without the rest.
func (r *Resolver) Sick() (bool, string) {
	switch {
	case len(r.servers) == 0:
		return true, "no DNS server is configured"
	case r.breaker.isOpen():
		return true, r.breaker.reason()
	case !r.honest():
		return true, "every DNS server answers wrongly: " + r.servers[0].health().Why
	case r.mute.Load() >= muteRounds:
		// Nothing is held back: a site whose resolver does not know the canaries
		// must still get its answers.
		return true, "no DNS server answers the canaries; if other names resolve, name canaries of your own in [dns]"
	}
	return false, ""
}
