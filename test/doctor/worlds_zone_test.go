package doctor_test

import (
	"strings"

	"github.com/arpagate/arpagate/test/netlab"
)

// The reverse zone: each address has a zone of its own, delegated to two name
// servers, of which one has the fault.
//
//	100.51.198.in-addr.arpa, signed ──NS──> ns1, has PTR
//	                                └─NS──> lame, silent, or with an old copy
//	                                └─DS──> signed, expired, nothing
var zoneWorlds = []world{
	{
		name: "lame", fault: "reverse zone: one server is lame", addr: "198.51.100.71", dns: ownZone("ns1.example.org.", "lame.example.org."),
		want: []fault{{"zone-lame", "zone-operator"}},
	},
	{
		name: "silent", fault: "reverse zone: one server is silent", addr: "198.51.100.72", dns: ownZone("ns1.example.org.", "silent.example.org."),
		want: []fault{{"zone-silent", "zone-operator"}},
	},
	{
		name: "lag", fault: "reverse zone: old copy on one server, with another name", addr: "198.51.100.73", dns: stale,
		want: []fault{{"zone-lag", "zone-operator"}},
	},
	{
		name: "bogus", fault: "reverse zone: DNSSEC signatures expired", addr: "198.51.100.74", dns: signedZone(expired),
		want: []fault{{"zone-bogus", "zone-operator"}},
	},
	{
		name: "unexplained", fault: "reverse zone: signatures expired, and the resolver does not say why it fails",
		addr: "198.51.100.77", dns: signedZone(expired), args: []string{"--dns", plainAddr.String() + ":53"},
		want: []fault{{"zone-bogus", "zone-operator"}},
	},
	{
		name: "island", fault: "reverse zone: signed, no DS record (information)", addr: "198.51.100.75", dns: signedZone(island),
		info: []string{"zone-island"},
	},
	{name: "secure", addr: "198.51.100.76", dns: signedZone(nil)},
}

// ownZone gives an address a zone of its own, on the given servers.
func ownZone(servers ...string) func(*universe, host) {
	return func(u *universe, h host) {
		forwardOnly(u, h)
		origin := netlab.Reverse(h.addr)
		u.child(origin, servers...).add(origin, "PTR", h.name)
	}
}

// stale gives the secondary a copy that it never renews, with another name. Both
// names lead back, so that only the zone is at fault, whomever unbound asks.
func stale(u *universe, h host) {
	ownZone(healthy...)(u, h)
	z := u.find(netlab.Reverse(h.addr))
	old := newZone(z.origin, z.servers...)
	old.add(z.origin, "PTR", "old.example.net.")
	u.stale = append(u.stale, old)
	z.serial = 2026112301
	u.address("old.example.net.", h.addr)
}

// signedZone gives an address a signed zone of its own.
func signedZone(damage func(u *universe, origin string)) func(*universe, host) {
	return func(u *universe, h host) {
		forwardOnly(u, h)
		origin := netlab.Reverse(h.addr)
		u.signedChild(origin).add(origin, "PTR", h.name)
		if damage != nil {
			damage(u, origin)
		}
	}
}

func expired(u *universe, origin string) { u.expired = append(u.expired, origin) }

func island(u *universe, origin string) { u.islands = append(u.islands, origin) }

func firstLabel(name string) string {
	label, _, _ := strings.Cut(name, ".")
	return label
}
