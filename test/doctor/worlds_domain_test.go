package doctor_test

import (
	"net/netip"
	"strings"
)

// The way of a domain's mail to its servers:
//
//	WORLD.example.net ──MX──> mail.WORLD.example.net ──A──> 203.0.113.x
//	                   │                              │
//	                   null, an alias                 missing, private
var domainWorlds = []world{
	{name: "domain", addr: "203.0.113.40", target: "domain.example.net", dns: mx("HOST")},
	{
		name: "alias", fault: "MX host is an alias", addr: "203.0.113.41", target: "alias.example.net",
		host: host{also: "mx.alias.example.net"},
		dns: func(u *universe, h host) {
			mx("mx.alias.example.net.")(u, h)
			u.add("mx.alias.example.net.", "CNAME", h.name)
		},
		want: []fault{{"mx-cname", "zone-operator"}},
	},
	{
		name: "private", fault: "MX host with a private address", addr: "203.0.113.42", target: "private.example.net",
		dns: func(u *universe, h host) {
			mx("HOST", "inside.private.example.net.")(u, h)
			u.address("inside.private.example.net.", netip.MustParseAddr("10.0.0.25"))
		},
		want: []fault{{"mx-private", "zone-operator"}},
	},
	{
		name: "null", fault: "null MX (information)", target: "null.example.net",
		dns: func(u *universe, _ host) {
			z := u.child("null.example.net.", healthy...)
			z.add(z.origin, "MX", "0 .")
			z.add(z.origin, "TXT", `"v=spf1 -all"`)
		},
		info: []string{"mx-null"},
	},
	{
		name: "addressless", fault: "MX host without address", addr: "203.0.113.43", target: "addressless.example.net",
		dns: func(u *universe, h host) {
			mx("HOST", "gone.addressless.example.net.")(u, h)
		},
		want: []fault{{"mx-no-address", "zone-operator"}},
	},
}

// mx gives the host's domain a zone with MX records; HOST is the host itself, which has all
// that it needs, and the others come before it.
func mx(names ...string) func(*universe, host) {
	return func(u *universe, h host) {
		domain := strings.TrimPrefix(h.name, "mail.")
		u.child(domain, healthy...).add(domain, "TXT", `"v=spf1 mx -all"`)
		forwardAndReverse(u, h)
		for _, name := range names {
			if name == "HOST" {
				u.add(domain, "MX", "10 "+h.name)
			} else {
				u.add(domain, "MX", "5 "+name)
			}
		}
	}
}
