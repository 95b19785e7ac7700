package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/listen"
)

// maxURL bounds the base of the links, so that one fits into a reply line of
// 512 octets (RFC 5321 §4.5.3.1.5) behind a sentence that says something.
const maxURL = 200

// fqdn checks a fully qualified host name and returns it in lower case without
// the final dot.
func fqdn(s string) (string, error) {
	name, err := dnsname.Parse(s)
	if s == "" || err != nil {
		return "", fmt.Errorf("%s is not a host name", quote(s))
	}
	fault := name.HostFault()
	if fault == dnsname.Usable && strings.Contains(name.String(), "_") {
		// RFC 952 and RFC 1123 §2.1: the name of a host has no underscore.
		fault = dnsname.BadCharacter
	}
	if fault != dnsname.Usable {
		return "", fmt.Errorf("%s is not a fully qualified host name (%s)", quote(s), fault)
	}
	return name.String(), nil
}

func parseFQDN(s string) (string, error) {
	name, err := fqdn(s)
	if err != nil {
		return "", fmt.Errorf(`%w: write one such as "mx.example.org"`, err)
	}
	return name, nil
}

// parseAuthservID reads a token: RFC 8601 §2.2 allows a quoted string too,
// which no site needs and few readers understand.
func parseAuthservID(s string) (string, error) {
	const specials = `()<>@,;:\"/[]?=` // RFC 2045 §5.1
	bad := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(specials, r) }
	if s == "" || len(s) > 255 || strings.ContainsFunc(s, bad) {
		return "", fmt.Errorf(`%s is not an authserv-id (RFC 8601 §2.5): write a domain name such as "example.org"`, quote(s))
	}
	return s, nil
}

// parseURL reads the base of the links and takes final slashes off.
func parseURL(s string) (string, error) {
	if len(s) > maxURL {
		return "", fmt.Errorf("has %d octets; it stands in SMTP replies and may have %d", len(s), maxURL)
	}
	u, err := url.Parse(s)
	badOctet := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}%", r) }
	switch {
	case err != nil || strings.ContainsFunc(s, badOctet):
		return "", fmt.Errorf(`%s is not a URL in plain ASCII such as "https://gate.example.org"`, quote(s))
	case u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "":
		return "", fmt.Errorf(`%s does not begin with http:// or https://: write a URL such as "https://gate.example.org"`, quote(s))
	case u.User != nil:
		return "", fmt.Errorf("%s holds a user name, which every sender would read: take it out", quote(s))
	case strings.ContainsAny(s, "?#"):
		return "", fmt.Errorf("%s must not have a query or a fragment: /r/REF is put behind it", quote(s))
	}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil {
		if _, err := fqdn(u.Hostname()); err != nil {
			return "", fmt.Errorf(`the host of %s is neither a fully qualified name nor an address`, quote(s))
		}
	}
	return strings.TrimRight(s, "/"), nil
}

// parsePrefix reads a network in CIDR notation (RFC 4632 §3.1), its host bits 0.
func parsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.Prefix{}, fmt.Errorf(`%s has no prefix length: write "%s/%d"`, quote(s), addr, addr.BitLen())
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf(`%s is not a network such as "192.0.2.0/24" or "2001:db8::/32"`, quote(s))
	case p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%s is an IPv4 network in IPv6 clothes: write it as an IPv4 network", quote(s))
	case p.Bits() == 0:
		return netip.Prefix{}, fmt.Errorf("%s is everybody", quote(s))
	case p.Masked() != p:
		return netip.Prefix{}, fmt.Errorf(`%s has bits behind the prefix length: write "%s", or "%s/%d" for the one address`,
			quote(s), p.Masked(), p.Addr(), p.Addr().BitLen())
	}
	return p, nil
}

func parseListen(s string) (listen.Address, error) {
	a, err := listen.Parse(s)
	if err != nil {
		return listen.Address{}, fmt.Errorf("%s: %w", quote(s), errors.Unwrap(err))
	}
	return a, nil
}

// parseServer reads the address of a DNS server, with port 53 where it has
// none.
func parseServer(s string) (netip.AddrPort, error) {
	server, err := netip.ParseAddrPort(s)
	if err != nil {
		addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf(`%s is not an address such as "127.0.0.1", "127.0.0.1:53" or "[::1]:53"; names are not looked up`, quote(s))
		}
		server = netip.AddrPortFrom(addr, 53)
	}
	server = netip.AddrPortFrom(server.Addr().Unmap(), server.Port())
	switch addr := server.Addr(); {
	case addr.IsUnspecified():
		return netip.AddrPort{}, fmt.Errorf(`%s is no server's address: write "127.0.0.1" for this machine`, quote(s))
	case addr.IsMulticast():
		return netip.AddrPort{}, fmt.Errorf("%s is a multicast address, not a server's", quote(s))
	case server.Port() == 0:
		return netip.AddrPort{}, fmt.Errorf("%s has port 0: DNS servers listen on port 53", quote(s))
	}
	return server, nil
}

func parseName(s string) (dnsname.Name, error) {
	name, err := dnsname.Parse(s)
	if err != nil {
		return dnsname.Name{}, fmt.Errorf(`%s is not a domain name such as "example.org"`, quote(s))
	}
	return name, nil
}

const sqliteScheme = "sqlite:"

// parseStore reads "sqlite:" and an absolute path.
func parseStore(s string) (string, error) {
	const write = `write "sqlite:/var/lib/arpagate/arpagate.db"`
	path, ok := strings.CutPrefix(s, sqliteScheme)
	switch {
	case !ok:
		return "", fmt.Errorf("%s is not a SQLite file, which is all that this version stores in: %s", quote(s), write)
	case path == ":memory:":
		return "", errors.New("a store in memory forgets the lists at every restart: " + write)
	case !strings.HasPrefix(path, "/"):
		return "", fmt.Errorf("the path in %s must be absolute: %s", quote(s), write)
	case strings.HasSuffix(path, "/") || filepath.Clean(path) != path:
		return "", fmt.Errorf("the path in %s must name a file, without empty parts or dots: %s", quote(s), write)
	case strings.ContainsAny(path, "?#%") || strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", fmt.Errorf("the path in %s must not hold ?, #, %% or control characters: %s", quote(s), write)
	}
	return s, nil
}
