package evidence

import "net/netip"

// special is one row of the IANA special-purpose address registries (RFC 6890
// §2.2 as kept up to date), with multicast and the transition mechanisms whose
// addresses hide another one.
type special struct {
	block netip.Prefix
	kind  string
	rfc   string
}

// specials is searched in order; a more specific block stands before the one
// that holds it.
var specials = []special{
	{netip.MustParsePrefix("0.0.0.0/8"), "this-network", "RFC 1122"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private", "RFC 1918"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared", "RFC 6598"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback", "RFC 1122"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local", "RFC 3927"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private", "RFC 1918"},
	{netip.MustParsePrefix("192.0.0.0/24"), "protocol-assignment", "RFC 6890"},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4-relay", "RFC 7526"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private", "RFC 1918"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking", "RFC 2544"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast", "RFC 5771"},
	{netip.MustParsePrefix("255.255.255.255/32"), "broadcast", "RFC 919"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved", "RFC 1112"},

	{netip.MustParsePrefix("::/128"), "unspecified", "RFC 4291"},
	{netip.MustParsePrefix("::1/128"), "loopback", "RFC 4291"},
	{netip.MustParsePrefix("::ffff:0:0/96"), "ipv4-mapped", "RFC 4291"},
	{netip.MustParsePrefix("::/96"), "ipv4-compatible", "RFC 4291"},
	{netip.MustParsePrefix("64:ff9b::/96"), "nat64", "RFC 6052"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "nat64", "RFC 8215"},
	{netip.MustParsePrefix("100::/64"), "discard", "RFC 6666"},
	{netip.MustParsePrefix("2001::/32"), "teredo", "RFC 4380"},
	{netip.MustParsePrefix("2001::/23"), "protocol-assignment", "RFC 2928"},
	{netip.MustParsePrefix("2002::/16"), "6to4", "RFC 3056"},
	{netip.MustParsePrefix("5f00::/16"), "segment-routing", "RFC 9602"},
	{netip.MustParsePrefix("fc00::/7"), "private", "RFC 4193"},
	{netip.MustParsePrefix("fe80::/10"), "link-local", "RFC 4291"},
	{netip.MustParsePrefix("fec0::/10"), "site-local", "RFC 3879"},
	{netip.MustParsePrefix("ff00::/8"), "multicast", "RFC 4291"},
}

// documentation are the blocks of RFC 5737 and RFC 3849 (with RFC 9637). They
// occur in labs and tests only, and are judged like public addresses.
var documentation = []special{
	{netip.MustParsePrefix("192.0.2.0/24"), "public", "RFC 5737"},
	{netip.MustParsePrefix("198.51.100.0/24"), "public", "RFC 5737"},
	{netip.MustParsePrefix("203.0.113.0/24"), "public", "RFC 5737"},
	{netip.MustParsePrefix("2001:db8::/32"), "public", "RFC 3849"},
	{netip.MustParsePrefix("3fff::/20"), "public", "RFC 9637"},
}

// SourceOf classifies an address by the special-purpose registries (RFC 6890
// §2.2). An IPv4-mapped address is unmapped first; an invalid one is of kind
// "none".
func SourceOf(addr netip.Addr) Source {
	if !addr.IsValid() {
		return Source{Kind: "none"}
	}
	addr = addr.Unmap().WithZone("")
	for i := range specials {
		if specials[i].block.Contains(addr) {
			return Source{Kind: specials[i].kind, Block: specials[i].block, RFC: specials[i].rfc}
		}
	}
	for i := range documentation {
		if documentation[i].block.Contains(addr) {
			return Source{Kind: "public", Block: documentation[i].block, RFC: documentation[i].rfc, Documentation: true}
		}
	}
	return Source{Kind: "public"}
}
