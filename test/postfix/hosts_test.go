package postfix_test

import (
	"fmt"
	"net/netip"

	"github.com/arpagate/arpagate/test/netlab"
)

// The clients that the scenarios name. Every address of the table below is
// also judged by the oracle.
var (
	good       = netip.MustParseAddr("203.0.113.10")
	good6      = netip.MustParseAddr("2001:db8:113::10")
	noPTR      = netip.MustParseAddr("203.0.113.20")
	noPTR6     = netip.MustParseAddr("2001:db8:113::20")
	mismatch   = netip.MustParseAddr("203.0.113.30")
	mismatch6  = netip.MustParseAddr("2001:db8:113::30")
	reverseBad = netip.MustParseAddr("198.51.100.10")
	forwardBad = netip.MustParseAddr("198.51.100.20")
	allowed    = netip.MustParseAddr("198.51.100.130")
)

// Zones that fail: one is delegated to a port that can't be reached, the other
// to one that swallows every packet.
const (
	deadZone   = "dead.example.com."
	silentZone = "silent.example.com."
)

// verdict is what became of a recipient.
type verdict string

const (
	accepted verdict = "accepted" // 2xx
	deferred verdict = "deferred" // 4xx
	refused  verdict = "refused"  // 5xx
)

// host is a client with its DNS and what has to become of it.
type host struct {
	addr    string
	name    string
	records func(z *netlab.Zones, a netip.Addr)
	// gate is our verdict with the strict preset.
	gate verdict
	// deviates says why Postfix's reject_unknown_client_hostname may judge
	// otherwise; empty means that it must not. postfix are its verdicts then:
	// more than one where the order of records, which is chance, decides.
	deviates string
	postfix  []verdict
}

// The documented deviations from Postfix (gate_anchors §0.2, §2.2).
const (
	onePTR  = "Postfix looks at the first PTR name only, and the order of records is chance; RFC 8601 §3 wants all"
	generic = "Postfix does not look at what a confirmed name looks like; the strict preset refuses names made from the address"
)

// named gives a client PTR records without anything behind them.
func named(names ...string) func(*netlab.Zones, netip.Addr) {
	return func(z *netlab.Zones, a netip.Addr) { z.PTR(a, names...) }
}

// confirmed gives a client one name that leads back.
func confirmed(name string) func(*netlab.Zones, netip.Addr) {
	return func(z *netlab.Zones, a netip.Addr) { z.Host(a, name) }
}

// leads gives a client one name that leads to the given addresses.
func leads(name string, to ...string) func(*netlab.Zones, netip.Addr) {
	return func(z *netlab.Zones, a netip.Addr) {
		z.PTR(a, name)
		for _, s := range to {
			z.Address(name, netip.MustParseAddr(s))
		}
	}
}

func nothing(*netlab.Zones, netip.Addr) {}

// hosts is the world that nsd serves.
var hosts = []host{
	{addr: "203.0.113.10", name: "good", records: confirmed("mail.example.net."), gate: accepted},
	{addr: "2001:db8:113::10", name: "good, IPv6", records: confirmed("mail6.example.net."), gate: accepted},
	{addr: "203.0.113.11", name: "name in capitals", records: confirmed("MAIL-11.Example.NET."), gate: accepted},
	{addr: "203.0.113.12", name: "several addresses", records: leads("multi.example.net.", "203.0.113.99", "198.51.100.99", "203.0.113.12", "2001:db8:113::99"), gate: accepted},
	{addr: "203.0.113.13", name: "underscore", records: confirmed("mail_13.example.net."), gate: accepted},
	{addr: "203.0.113.14", name: "name is an alias", records: viaAlias, gate: accepted},
	{addr: "198.51.100.66", name: "RFC 2317 delegation", records: classless, gate: accepted},

	{addr: "203.0.113.20", name: "no PTR", records: nothing, gate: refused},
	{addr: "2001:db8:113::20", name: "no PTR, IPv6", records: nothing, gate: refused},
	{addr: "203.0.113.21", name: "no PTR but TXT", records: textOnly, gate: refused},
	{addr: "203.0.113.22", name: "numeric PTR", records: named("203.0.113.22."), gate: refused},
	{addr: "203.0.113.23", name: "localhost", records: named("localhost."), gate: refused},
	{addr: "203.0.113.24", name: "single label", records: named("mailserver."), gate: refused},
	{addr: "203.0.113.25", name: "root", records: named("."), gate: refused},
	{addr: "203.0.113.26", name: "bad characters", records: confirmed(`a\032b.example.net.`), gate: refused},

	{addr: "203.0.113.30", name: "leads elsewhere", records: leads("other.example.net.", "203.0.113.99"), gate: refused},
	{addr: "2001:db8:113::30", name: "leads elsewhere, IPv6", records: leads("other6.example.net.", "2001:db8:113::99"), gate: refused},
	{addr: "203.0.113.31", name: "name does not exist", records: named("gone.example.net."), gate: refused},
	{addr: "203.0.113.32", name: "name without address", records: nameWithoutAddress, gate: refused},
	{addr: "203.0.113.33", name: "name with IPv6 only", records: leads("six.example.net.", "2001:db8:113::33"), gate: refused},
	{addr: "2001:db8:113::31", name: "name with IPv4 only", records: leads("four.example.net.", "203.0.113.99"), gate: refused},
	{addr: "203.0.113.34", name: "neighbour", records: leads("near.example.net.", "203.0.113.35"), gate: refused},
	{addr: "203.0.113.36", name: "15 names, none leads back", records: manyNames("none", "203.0.113.99"), gate: refused},

	{addr: "198.51.100.10", name: "reverse zone dead", records: nothing, gate: deferred},
	{addr: "198.51.100.11", name: "reverse zone silent", records: nothing, gate: deferred},
	{addr: "2001:db8:113::40", name: "reverse zone dead, IPv6", records: nothing, gate: deferred},
	{addr: "198.51.100.20", name: "forward zone dead", records: named("mail." + deadZone), gate: deferred},
	{addr: "198.51.100.21", name: "forward zone silent", records: named("mail." + silentZone), gate: deferred},

	{addr: "203.0.113.40", name: "15 names, all lead back", records: manyNames("all", "203.0.113.40"), gate: accepted},
	{
		addr: "203.0.113.41", name: "two names, one leads back", records: secondMatches, gate: accepted,
		deviates: onePTR, postfix: []verdict{accepted, refused},
	},
	{
		addr: "203.0.113.42", name: "two names, one in a dead zone", records: firstDead, gate: accepted,
		deviates: onePTR, postfix: []verdict{accepted, deferred},
	},
	{
		addr: "203.0.113.43", name: "two names, one elsewhere, one dead", records: elsewhereAndDead, gate: deferred,
		deviates: onePTR, postfix: []verdict{refused, deferred},
	},
	{
		addr: "203.0.113.50", name: "generic", records: confirmed("203-0-113-50.dyn.example.net."), gate: refused,
		deviates: generic, postfix: []verdict{accepted},
	},
	{addr: "198.51.100.130", name: "no PTR, later allowed", records: nothing, gate: refused},
}

// deadNames and silentNames are the delegations to nowhere.
var (
	deadNames = []string{
		deadZone,
		netlab.Reverse(netip.MustParseAddr("198.51.100.10")),
		netlab.Reverse(netip.MustParseAddr("2001:db8:113::40")),
	}
	silentNames = []string{silentZone, netlab.Reverse(netip.MustParseAddr("198.51.100.11"))}
)

func viaAlias(z *netlab.Zones, a netip.Addr) {
	z.PTR(a, "alias.example.net.")
	z.Add("alias.example.net.", "CNAME", "real.example.net.")
	z.Address("real.example.net.", a)
}

// classless is a delegation of less than an octet (RFC 2317 §4).
func classless(z *netlab.Zones, a netip.Addr) {
	z.Add(netlab.Reverse(a), "CNAME", "66.64-26.100.51.198.in-addr.arpa.")
	z.Add("66.64-26.100.51.198.in-addr.arpa.", "PTR", "mail.example.com.")
	z.Address("mail.example.com.", a)
}

func textOnly(z *netlab.Zones, a netip.Addr) {
	z.Add(netlab.Reverse(a), "TXT", `"no name here"`)
}

func nameWithoutAddress(z *netlab.Zones, a netip.Addr) {
	z.PTR(a, "text.example.net.")
	z.Add("text.example.net.", "TXT", `"no address here"`)
}

// manyNames gives a client 15 names, all with the same address.
func manyNames(prefix, leadsTo string) func(*netlab.Zones, netip.Addr) {
	return func(z *netlab.Zones, a netip.Addr) {
		for i := range 15 {
			leads(fmt.Sprintf("%s%d.example.net.", prefix, i), leadsTo)(z, a)
		}
	}
}

func secondMatches(z *netlab.Zones, a netip.Addr) {
	leads("first.example.net.", "203.0.113.99")(z, a)
	z.Host(a, "second.example.net.")
}

func firstDead(z *netlab.Zones, a netip.Addr) {
	z.PTR(a, "first."+deadZone)
	z.Host(a, "alive.example.net.")
}

func elsewhereAndDead(z *netlab.Zones, a netip.Addr) {
	z.PTR(a, "second."+deadZone)
	leads("elsewhere.example.net.", "203.0.113.99")(z, a)
}

// zones are the records of all hosts.
func zones() *netlab.Zones {
	z := netlab.NewZones()
	z.Add(netlab.Domain+".", "MX", "10 "+netlab.Hostname+".")
	z.Address(netlab.Hostname+".", netlab.Server4, netlab.Server6)
	// The gate's canary: without it our own DNS counts as sick.
	z.Address("a.root-servers.net.", netlab.Server4)
	for _, h := range hosts {
		h.records(z, netip.MustParseAddr(h.addr))
	}
	return z
}
