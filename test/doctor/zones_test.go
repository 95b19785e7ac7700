package doctor_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/test/netlab"
)

// The name servers. Each is the authority that its name says, at an address of
// documentation and at its twin in loopback (see twin).
var (
	rootServer   = netip.MustParseAddr("192.0.2.1")
	fixedServer  = netip.MustParseAddr("192.0.2.51") // NSD, zone files only
	fixedSecond  = netip.MustParseAddr("192.0.2.52") // the same
	primary      = netip.MustParseAddr("192.0.2.53") // Knot, takes updates
	secondary    = netip.MustParseAddr("192.0.2.54") // NSD, follows the primary
	lameServer   = netip.MustParseAddr("192.0.2.55") // NSD, knows nothing
	silentServer = netip.MustParseAddr("192.0.2.56") // packets to it vanish
)

// twin is where loopback has the server of a documentation address: the guarded
// dialer maps the one to the other.
func twin(a netip.Addr) netip.Addr {
	if !a.Is4() {
		// There is only one IPv6 loopback; IPv4 has enough of them.
		b := a.As16()
		return netip.AddrFrom4([4]byte{127, 0, 6, b[15]})
	}
	b := a.As4()
	return netip.AddrFrom4([4]byte{127, 0, b[2], b[3]})
}

// seconds is every TTL, negative TTL and refresh of the world's zones: a repair
// shows within the time of a test.
const seconds = 3

// Zones of the world. The root delegates all of them itself.
const (
	reverse4     = "113.0.203.in-addr.arpa." // most addresses
	reverse6     = "8.b.d.0.1.0.0.2.ip6.arpa."
	reverseFixed = "2.0.192.in-addr.arpa."    // a zone file, no updates
	reverseZones = "100.51.198.in-addr.arpa." // signed; a child zone for each address with a faulty one
)

// zone is one zone with the servers that its parent and itself name.
type zone struct {
	origin  string
	servers []string
	serial  int
	lines   []string
}

func newZone(origin string, servers ...string) *zone {
	return &zone{origin: origin, servers: servers, serial: 1}
}

// add puts a record; the owner and names in data end with a dot.
func (z *zone) add(owner, rtype, data string) {
	z.lines = append(z.lines, fmt.Sprintf("%s %d IN %s %s", owner, seconds, rtype, data))
}

// delegate puts the NS records of a child zone, and its DS records where it
// has any.
func (z *zone) delegate(child *zone, ds ...string) {
	for _, server := range child.servers {
		z.add(child.origin, "NS", server)
	}
	z.lines = append(z.lines, ds...)
}

// text is the master file (RFC 1035 §5).
func (z *zone) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %[2]d IN SOA %[4]s hostmaster.example.org. %[3]d %[2]d %[5]d 1209600 %[2]d\n", z.origin, seconds, z.serial, z.servers[0], seconds-1)
	for _, server := range z.servers {
		fmt.Fprintf(&b, "%s %d IN NS %s\n", z.origin, seconds, server)
	}
	for _, line := range z.lines {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.String()
}

// universe is all zones, by the server that holds the original.
type universe struct {
	// dynamic zones are the primary's, and the secondary follows.
	dynamic []*zone
	// fixed zones are files of servers that take no updates, root is one of
	// another.
	fixed []*zone
	root  *zone
	// stale are copies that the secondary has and does not renew.
	stale []*zone
	// signed are the origins of fixed zones that are signed, expired those whose
	// signatures ran out, islands those of whom the parent says nothing.
	signed, expired, islands []string
}

// healthy are the servers of a zone without fault, fixed those of a zone that
// is a file only.
var (
	healthy = []string{"ns1.example.org.", "ns2.example.org."}
	fixed   = []string{"ns3.example.org.", "ns4.example.org."}
)

func newUniverse() *universe {
	u := &universe{root: newZone(".", "a.root-servers.net.")}
	for _, origin := range []string{reverse4, reverse6, "example.org.", "example.net.", "example.com."} {
		u.dynamic = append(u.dynamic, newZone(origin, healthy...))
	}
	u.fixed = []*zone{newZone(reverseZones, fixed...), newZone(reverseFixed, fixed...)}
	u.signed = []string{".", reverseZones}
	u.address("a.root-servers.net.", rootServer)
	u.ptr(rootServer, "a.root-servers.net.")
	for name, a := range map[string]netip.Addr{
		"ns1": primary, "ns2": secondary, "ns3": fixedServer, "ns4": fixedSecond, "lame": lameServer, "silent": silentServer,
	} {
		u.address(name+".example.org.", a)
		u.root.add(name+".example.org.", "A", a.String()) // glue
		u.ptr(a, name+".example.org.")
	}
	u.add("2.0.0.127.bl.example.org.", "A", "127.0.0.2") // the test point of RFC 5782 §5
	u.add("example.org.", "MX", "10 mail.domain.example.net.")
	return u
}

// all are the zones, children before their parents.
func (u *universe) all() []*zone { return slices.Concat(u.dynamic, u.fixed, []*zone{u.root}) }

// find returns the zone with the longest origin that encloses the name.
func (u *universe) find(name string) *zone {
	var best *zone
	for _, z := range u.all() {
		if inside(name, z.origin) && (best == nil || len(z.origin) > len(best.origin)) {
			best = z
		}
	}
	return best
}

func inside(name, origin string) bool {
	return origin == "." || name == origin || strings.HasSuffix(strings.ToLower(name), "."+origin)
}

// add puts a record into the zone where it belongs.
func (u *universe) add(owner, rtype, data string) { u.find(owner).add(owner, rtype, data) }

func (u *universe) address(name string, addrs ...netip.Addr) {
	for _, a := range addrs {
		rtype := "A"
		if a.Is6() {
			rtype = "AAAA"
		}
		u.add(name, rtype, a.String())
	}
}

func (u *universe) ptr(a netip.Addr, names ...string) {
	for _, name := range names {
		u.add(netlab.Reverse(a), "PTR", name)
	}
}

// child makes a zone below another. The primary has it, and takes updates.
func (u *universe) child(origin string, servers ...string) *zone {
	z := newZone(origin, servers...)
	u.dynamic = append(u.dynamic, z)
	return z
}

// signedChild makes a zone with signatures of its own.
func (u *universe) signedChild(origin string) *zone {
	z := newZone(origin, fixed...)
	u.fixed = append([]*zone{z}, u.fixed...)
	u.signed = append(u.signed, origin)
	return z
}
