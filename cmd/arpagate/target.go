package main

import (
	"net/netip"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
)

// target is what check examines: an address or a name, never both.
type target struct {
	Addr    netip.Addr // unmapped, without zone; invalid for a name
	Name    dnsname.Name
	Mailbox bool // the name is the domain of a mail address
}

// String returns the address or the name.
func (t target) String() string {
	if t.Addr.IsValid() {
		return t.Addr.String()
	}
	return t.Name.String()
}

// maxTarget is longer than any name written with escapes; 4 octets for each of
// 255 (RFC 1035 §5.1).
const maxTarget = 1020

// parseTarget reads an address or the name of a host or domain. The error is a
// usage error of one line that says how to write it.
func parseTarget(s string) (target, error) {
	if len(s) > maxTarget {
		return target{}, usagef("target of %d octets: no address or name is as long", len(s))
	}
	t, fault := readTarget(s)
	if fault != "" {
		return target{}, usagef("target %+q: %s", s, fault)
	}
	return t, nil
}

// readTarget returns the target, or what is wrong with it.
func readTarget(s string) (t target, fault string) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addressTarget(addr)
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		return bracketTarget(inner)
	}
	local, domain, mailbox := strings.Cut(s, "@")
	if mailbox = mailbox && local != "" && !strings.Contains(s, ":") && !strings.Contains(domain, "@"); mailbox {
		s = domain
	}
	if fault := notation(s); fault != "" {
		return target{}, fault
	}
	name, err := dnsname.Parse(s)
	if err != nil {
		return target{}, strings.TrimPrefix(err.Error(), "dnsname: ")
	}
	if fault, bad := nameFaults[name.HostFault()]; bad {
		return target{}, fault
	}
	return target{Name: name, Mailbox: mailbox}, ""
}

// bracketTarget reads what follows the "[" of an IPv6 address in brackets.
func bracketTarget(inner string) (target, string) {
	inner, closed := strings.CutSuffix(inner, "]")
	addr, err := netip.ParseAddr(inner)
	if !closed || err != nil || addr.Is4() {
		return target{}, "only an IPv6 address may stand in brackets, as in [2001:db8::1], and nothing behind them"
	}
	return addressTarget(addr)
}

func addressTarget(addr netip.Addr) (target, string) {
	if addr.Zone() != "" {
		return target{}, "an address with a zone means something on this machine only, and has no reverse DNS"
	}
	return target{Addr: addr.Unmap()}, ""
}

// notation knows what people write instead of one address or name.
func notation(s string) string {
	_, prefixErr := netip.ParsePrefix(s)
	from, to, isRange := strings.Cut(s, "-")
	switch {
	case s == "":
		return "it is empty: name an address, a host or a domain"
	case s == "-" || strings.HasPrefix(s, "@"):
		return "neither standard input nor a file is read here: name one address, host or domain, or give --list FILE"
	case strings.HasPrefix(strings.ToLower(s), "ipv6:"):
		return "write the address without IPv6:"
	case prefixErr == nil, isRange && isAddr(from) && isAddr(to):
		return "one address is examined at a time; name one"
	case strings.Contains(s, "://"):
		return "name the host alone, not a URL"
	case strings.Contains(s, "/"):
		return "one address is examined at a time; name one, without a slash"
	case strings.Contains(s, "@"):
		return "it is no mail address such as you@example.org"
	}
	if _, err := netip.ParseAddrPort(s); err == nil {
		return "name the address alone, without a port"
	}
	if strings.Contains(s, ":") {
		return "it is no IPv6 address, and a name has no colon"
	}
	for _, c := range []byte(s) {
		switch {
		case c > 0x7e:
			return "write it in ASCII; an international name begins with xn-- there"
		case c <= ' ':
			return "it holds a blank or a control character"
		}
	}
	return ""
}

func isAddr(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// nameFaults says in words why a name is not examined.
var nameFaults = map[dnsname.HostFault]string{
	dnsname.Root:         "the root is no host",
	dnsname.SingleLabel:  "a name needs two labels at least, as in mail.example.org",
	dnsname.Localhost:    "it names the local host, which the DNS knows nothing about",
	dnsname.Numeric:      "it is no address in full (four numbers of 0 to 255 without leading zeros), and no name ends in a number",
	dnsname.BadCharacter: "a host name holds letters, digits, hyphens and dots only",
	dnsname.BadHyphen:    "no part of a name begins or ends with a hyphen",
	dnsname.ReverseZone:  "it is the name of a PTR record: name the address instead",
}
