package dnsname

import (
	"net/netip"
	"strconv"

	"golang.org/x/net/publicsuffix"
)

const hexDigits = "0123456789abcdef"

// Reverse returns the name of the PTR record of addr: RFC 1035 §3.5 for IPv4,
// RFC 3596 §2.5 for IPv6. An IPv4-mapped address is unmapped first.
func Reverse(addr netip.Addr) Name {
	if !addr.IsValid() {
		return Name{}
	}
	addr = addr.Unmap()
	zone := "ip6.arpa"
	if addr.Is4() {
		zone = "in-addr.arpa"
	}
	return Name{text: string(append(appendReversed(make([]byte, 0, 80), addr), zone...))}
}

// DNSBL returns the name under which a list of the given zone files addr: RFC
// 5782 §2.1 for IPv4, §2.4 for IPv6.
func DNSBL(addr netip.Addr, zone Name) Name {
	if !addr.IsValid() || zone.IsZero() {
		return Name{}
	}
	return Name{text: string(append(appendReversed(make([]byte, 0, 80+len(zone.text)), addr.Unmap()), zone.text...))}
}

func appendReversed(dst []byte, addr netip.Addr) []byte {
	if addr.Is4() {
		b := addr.As4()
		for i := 3; i >= 0; i-- {
			dst = append(strconv.AppendUint(dst, uint64(b[i]), 10), '.')
		}
		return dst
	}
	b := addr.As16()
	for i := 15; i >= 0; i-- {
		dst = append(dst, hexDigits[b[i]&15], '.', hexDigits[b[i]>>4], '.')
	}
	return dst
}

// Org returns the organizational domain: the public suffix and one label more
// (RFC 7489 §3.2). A name that is itself a public suffix, or has one label, is
// returned as it is.
func (n Name) Org() Name {
	org, err := publicsuffix.EffectiveTLDPlusOne(n.text)
	if err != nil {
		return n
	}
	return Name{text: org}
}
