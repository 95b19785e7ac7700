package resolver

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
	}
	return false, ""
}
