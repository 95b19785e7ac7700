package dnsname

import (
	"net/netip"
	"slices"
	"strings"
)

// HostFault says why a name can't be the name of a mail server.
type HostFault string

// The faults; the empty one means that the name is usable.
const (
	Usable       HostFault = ""
	Root         HostFault = "root"          // "."
	SingleLabel  HostFault = "single-label"  // "mail"
	Localhost    HostFault = "localhost"     // RFC 6761 §6.3
	Numeric      HostFault = "numeric"       // "192.0.2.1", or a numeric top-level label
	BadCharacter HostFault = "bad-character" // not letter, digit, hyphen or underscore
	BadHyphen    HostFault = "bad-hyphen"    // a label that starts or ends with a hyphen
	ReverseZone  HostFault = "reverse-zone"  // lies in in-addr.arpa or ip6.arpa
)

// HostFault examines the name by RFC 952 and RFC 1123 §2.1. The underscore is
// let through: it is wrong in a host name, but resolves, and refusing it has
// cost more mail than it ever saved.
func (n Name) HostFault() HostFault {
	switch n.text {
	case "", ".":
		return Root
	}
	if fault := characters(n.text); fault != Usable {
		return fault
	}
	if n.text == "localhost" || strings.HasSuffix(n.text, ".localhost") ||
		n.text == "localhost.localdomain" || n.text == "localdomain" {
		return Localhost
	}
	if numeric(n.text) {
		return Numeric
	}
	dot := strings.LastIndexByte(n.text, '.')
	if dot < 0 {
		return SingleLabel
	}
	if strings.HasSuffix(n.text, ".in-addr.arpa") || strings.HasSuffix(n.text, ".ip6.arpa") {
		return ReverseZone
	}
	return Usable
}

// localDomains are top-level domains that local networks use: mDNS (RFC 6762
// §3, with its appendix G), and internal.
var localDomains = []string{"local", "lan", "internal", "intranet", "home", "corp", "private", "localdomain", "invalid"}

// Local reports whether the name is of a domain that local networks use, and
// that nobody outside can look up.
func (n Name) Local() bool {
	return slices.Contains(localDomains, n.text[strings.LastIndexByte(n.text, '.')+1:])
}

func characters(s string) HostFault {
	fault := Usable
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '.':
		case c == '-':
			if i == 0 || s[i-1] == '.' || i+1 == len(s) || s[i+1] == '.' {
				fault = BadHyphen
			}
		default:
			return BadCharacter
		}
	}
	return fault
}

// numeric reports whether the name is an address, or ends in a label of digits,
// which no top-level domain is (RFC 3696 §2).
func numeric(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	tld := s[strings.LastIndexByte(s, '.')+1:]
	for i := range len(tld) {
		if tld[i] < '0' || tld[i] > '9' {
			return false
		}
	}
	return true
}
