package netlab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Zones collects records and sorts them into zones: each goes to the longest
// origin that encloses its owner. It knows nothing of the code under test.
type Zones struct {
	origins []string // with final dot, longest first
	records map[string][]string
}

// Origins of the reverse zones that clients live in, and of the names that
// they have.
var defaultOrigins = []string{
	".",
	"2.0.192.in-addr.arpa.", "113.0.203.in-addr.arpa.", "100.51.198.in-addr.arpa.",
	"8.b.d.0.1.0.0.2.ip6.arpa.",
	"example.org.", "example.net.", "example.com.",
}

// NewZones makes empty zones for the documentation networks and names, below a
// root that knows nothing else, so that any other name is NXDOMAIN.
func NewZones() *Zones {
	z := &Zones{origins: slices.Clone(defaultOrigins), records: map[string][]string{}}
	slices.SortFunc(z.origins, func(a, b string) int { return len(b) - len(a) })
	z.Add("ns.example.org.", "A", Server4.String())
	return z
}

// Add puts one record; the owner and names in data end with a dot.
func (z *Zones) Add(owner, rtype, data string) {
	name := strings.ToLower(owner)
	for _, origin := range z.origins {
		if origin == "." || name == origin || strings.HasSuffix(name, "."+origin) {
			z.records[origin] = append(z.records[origin], fmt.Sprintf("%s 300 IN %s %s", owner, rtype, data))
			return
		}
	}
}

// PTR puts one PTR record for each name.
func (z *Zones) PTR(a netip.Addr, names ...string) {
	for _, name := range names {
		z.Add(Reverse(a), "PTR", name)
	}
}

// Address puts A or AAAA records for a name.
func (z *Zones) Address(name string, addrs ...netip.Addr) {
	for _, a := range addrs {
		rtype := "A"
		if a.Is6() {
			rtype = "AAAA"
		}
		z.Add(name, rtype, a.String())
	}
}

// Host puts a PTR record and the address record that confirms it.
func (z *Zones) Host(a netip.Addr, name string) {
	z.PTR(a, name)
	z.Address(name, a)
}

// text is the master file of one zone (RFC 1035 §5). Negative answers may be
// kept for 60 s (RFC 2308 §5).
func (z *Zones) text(origin string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s 300 IN SOA ns.example.org. hostmaster.example.org. 1 3600 600 86400 60\n", origin)
	fmt.Fprintf(&b, "%s 300 IN NS ns.example.org.\n", origin)
	for _, record := range z.records[origin] {
		b.WriteString(record)
		b.WriteByte('\n')
	}
	return b.String()
}

// Reverse is the name that holds the PTR records of an address (RFC 1035 §3.5,
// RFC 3596 §2.5).
func Reverse(a netip.Addr) string {
	var labels []string
	if a.Is4() {
		for _, octet := range a.As4() {
			labels = append(labels, fmt.Sprint(octet))
		}
		slices.Reverse(labels)
		return strings.Join(labels, ".") + ".in-addr.arpa."
	}
	for _, octet := range a.As16() {
		labels = append(labels, fmt.Sprintf("%x", octet>>4), fmt.Sprintf("%x", octet&15))
	}
	slices.Reverse(labels)
	return strings.Join(labels, ".") + ".ip6.arpa."
}
