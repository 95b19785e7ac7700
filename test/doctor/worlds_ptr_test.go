package doctor_test

import (
	"net/netip"

	"github.com/arpagate/arpagate/test/netlab"
)

// The address's name, and the way back. Planted on the arrows:
//
//	203.0.113.x ──PTR──> mail.WORLD.example.net ──A──> 203.0.113.x
//	              │                               │
//	              missing, several,               missing, another address
//	              behind aliases, generic
var ptrWorlds = []world{
	{name: "good", addr: "203.0.113.10"},
	{
		name: "nxdomain", fault: "no PTR record (NXDOMAIN)", addr: "203.0.113.11", dns: forwardOnly,
		want: []fault{{"ptr-missing", "address-holder"}},
		mend: (*mender).nsupdate,
	},
	{
		// No record at all: the address record comes first, then the PTR record.
		name: "nothing", fault: "no PTR record, and the server's name has no address", addr: "203.0.113.21",
		dns:  func(*universe, host) {},
		want: []fault{{"ptr-missing", "address-holder"}}, info: []string{"ehlo-not-address"},
		mend: (*mender).nsupdate,
	},
	{
		name: "nodata", fault: "no PTR record (NODATA)", addr: "203.0.113.12",
		dns: func(u *universe, h host) {
			forwardOnly(u, h)
			u.add(netlab.Reverse(h.addr), "TXT", `"no name here"`)
		},
		want: []fault{{"ptr-missing", "address-holder"}},
		mend: (*mender).nsupdate,
	},
	{
		name: "mismatch", fault: "PTR name leads to another address", addr: "203.0.113.13",
		dns: func(u *universe, h host) {
			u.ptr(h.addr, h.name)
			u.address(h.name, netip.MustParseAddr("203.0.113.99"))
		},
		want: []fault{{"ptr-unconfirmed", "zone-operator"}}, info: []string{"ehlo-not-address"},
		mend: (*mender).nsupdate,
	},
	{
		name: "no-address", fault: "PTR name without address", addr: "203.0.113.14",
		dns: func(u *universe, h host) {
			u.ptr(h.addr, h.name)
			u.add(h.name, "TXT", `"no address here"`)
		},
		want: []fault{{"ptr-unconfirmed", "zone-operator"}}, info: []string{"ehlo-not-address"},
		mend: (*mender).nsupdate,
	},
	{
		name: "generic", fault: "PTR name from a template", addr: "203.0.113.15",
		dns: func(u *universe, h host) {
			forwardOnly(u, h)
			const generic = "203-0-113-15.dyn.example.net."
			u.ptr(h.addr, generic)
			u.address(generic, h.addr)
		},
		want: []fault{{"ptr-generic", "address-holder"}},
		mend: (*mender).nsupdate,
	},
	{
		name: "several", fault: "PTR names of two organizations", addr: "203.0.113.16",
		dns: func(u *universe, h host) {
			forwardAndReverse(u, h)
			u.ptr(h.addr, "www.example.com.")
			u.address("www.example.com.", h.addr)
		},
		want: []fault{{"ptr-several", "address-holder"}},
		mend: (*mender).nsupdate,
	},
	{
		name: "unusable", fault: "PTR name is localhost", addr: "203.0.113.18", dns: ptrTo("localhost."),
		want: []fault{{"ptr-unusable", "address-holder"}},
		mend: (*mender).nsupdate,
	},
	{
		// What came back says the same as the DNS, until it is mended.
		name: "bounced", addr: "203.0.113.22", dns: forwardOnly,
		want: []fault{{"ptr-missing", "address-holder"}},
		mend: (*mender).bounce,
	},
	{
		// The name servers bear the host's domain, so no provider is waited for.
		name: "own-zone", fault: "no PTR record, the reverse zone is one's own", addr: "203.0.113.19", host: host{name: "mail.own-zone.example.org."}, dns: forwardOnly,
		want: []fault{{"ptr-missing", "address-holder"}},
		mend: (*mender).nsupdate,
	},
	{
		name: "zone-file", fault: "no PTR record, the zone is a file", addr: "192.0.2.70", dns: forwardOnly,
		want: []fault{{"ptr-missing", "address-holder"}},
		mend: (*mender).zoneFile,
	},
	{
		name: "six", fault: "IPv6 address without PTR record beside a good IPv4", addr: "2001:db8:113::17", target: "HOST",
		host: host{second: netip.MustParseAddr("203.0.113.17")},
		dns: func(u *universe, h host) {
			forwardOnly(u, h)
			u.address(h.name, h.second)
			u.ptr(h.second, h.name)
		},
		want: []fault{{"ptr-missing", "address-holder"}},
		mend: (*mender).nsupdate,
	},
	{name: "classless", addr: "203.0.113.66", dns: classless("66.64/26.113.0.203.in-addr.arpa.", "64/26.113.0.203.in-addr.arpa.")},
	{
		// The parent's alias is spelled with a hyphen, the zone with a slash.
		name: "misspelt", fault: "RFC 2317 alias and zone spelled differently", addr: "203.0.113.130", dns: classless("130.128-26.113.0.203.in-addr.arpa.", "128/26.113.0.203.in-addr.arpa."),
		want: []fault{{"ptr-missing", "address-holder"}},
		mend: (*mender).nsupdate,
	},
	{
		name: "chain", fault: "PTR record behind seven aliases", addr: "203.0.113.20", dns: chain,
		want: []fault{{"ptr-long-chain", "address-holder"}},
	},
}

// classless is a delegation of less than an octet (RFC 2317 §4): the parent has
// an alias for the address, and the zone of the customer has the PTR record,
// under the name that follows from its own spelling.
func classless(alias, zone string) func(*universe, host) {
	return func(u *universe, h host) {
		forwardOnly(u, h)
		u.add(netlab.Reverse(h.addr), "CNAME", alias)
		u.child(zone, healthy...).add(firstLabel(netlab.Reverse(h.addr))+"."+zone, "PTR", h.name)
	}
}

// chain puts the PTR record behind seven aliases.
func chain(u *universe, h host) {
	forwardOnly(u, h)
	owner := netlab.Reverse(h.addr)
	for _, next := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		u.add(owner, "CNAME", next+".chain."+reverse4)
		owner = next + ".chain." + reverse4
	}
	u.add(owner, "PTR", h.name)
}
