package store

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/arpagate/arpagate/internal/dnsname"
)

// List names one of the two lists.
type List string

// The lists.
const (
	Allow List = "allow" // let through whatever the findings are
	Block List = "block" // refuse whatever the findings are
)

// Longest texts kept with an entry, in octets; what is longer is cut.
const (
	maxReason = 1024
	maxOwner  = 255
)

// ErrEntry is wrapped by the errors of ParseEntry and Add for an entry that
// can't stand in a list; the text says how to write it.
var ErrEntry = errors.New("store: bad list entry")

// Entry is one line of a list: a network, or a domain that stands for itself
// and the names under it, and then only for clients whose name is confirmed.
type Entry struct {
	List List `json:"list"`
	// Exactly one of Network and Domain is set.
	Network netip.Prefix `json:"network,omitzero"`
	Domain  dnsname.Name `json:"domain,omitzero"`
	// Reason and Owner say why and by whom; cut at 1024 and 255 octets, with
	// what is not printable UTF-8 escaped as \DDD.
	Reason string `json:"reason"`
	Owner  string `json:"owner"`
	// Created is set by Add where it is zero.
	Created time.Time `json:"created"`
	// Expiry is the time from which the entry is void; zero means never.
	Expiry time.Time `json:"expiry,omitzero"`
	// Hits counts the decisions under the entry, LastUse is the time of the
	// last one. Add ignores both.
	Hits    int64     `json:"hits"`
	LastUse time.Time `json:"last_use,omitzero"`
}

// Text returns the network or domain in its one canonical spelling.
func (e Entry) Text() string {
	if e.Network.IsValid() {
		return e.Network.String()
	}
	return e.Domain.String()
}

// target is what an entry is about: exactly one of both is set.
type target struct {
	network netip.Prefix
	domain  string // in the format of dnsname.Name
}

func (e Entry) target() target { return target{e.Network, e.Domain.String()} }

// record returns what is packed of the entry.
func (e Entry) record() record {
	return record{
		list: e.List, at: e.target(), text: e.Text(), created: micros(e.Created), expiry: micros(e.Expiry),
		words: e.Owner + wordsEnd + e.Reason,
	}
}

// ParseEntry reads a network ("192.0.2.0/24"), an address ("2001:db8::1"), or
// a domain ("example.org"). An IPv4-mapped network is unmapped. Host bits
// behind the prefix length, networks of length 0, single labels, and public
// suffixes in the allow list are errors.
func ParseEntry(list List, text string) (Entry, error) {
	var e Entry
	var err error
	if e.Network, e.Domain, err = parseTarget(strings.TrimSpace(text)); err != nil {
		return Entry{}, err
	}
	e.List = list
	return e.canonical()
}

// parseTarget reads a network or a domain, in any spelling.
func parseTarget(text string) (network netip.Prefix, domain dnsname.Name, err error) {
	switch {
	case strings.Contains(text, "/"):
		if network, err = netip.ParsePrefix(text); err != nil {
			err = fmt.Errorf("%w: %q is no network: write it like 192.0.2.0/24 or 2001:db8::/32", ErrEntry, text)
		}
	case strings.Contains(text, ":") || numericLast(text):
		addr, bad := netip.ParseAddr(text)
		if bad != nil || addr.Zone() != "" {
			err = fmt.Errorf("%w: %q is no address that other hosts know: write it like 192.0.2.1 or 2001:db8::1", ErrEntry, text)
			break
		}
		network = netip.PrefixFrom(addr, addr.BitLen())
	default:
		if domain, err = dnsname.Parse(text); err != nil {
			err = fmt.Errorf("%w: %q is neither a network nor a domain", ErrEntry, text)
		}
	}
	return network, domain, err
}

// numericLast tells an IPv4 address from a domain: no top-level domain is all
// digits (RFC 3696 §2).
func numericLast(s string) bool {
	tld := s[strings.LastIndexByte(s, '.')+1:]
	return tld != "" && strings.Trim(tld, "0123456789") == ""
}

// canonical checks the entry and returns it as it is stored.
func (e Entry) canonical() (Entry, error) {
	if e.List != Allow && e.List != Block {
		return Entry{}, fmt.Errorf("%w: no list %q: there are allow and block", ErrEntry, e.List)
	}
	if e.Network.IsValid() != e.Domain.IsZero() {
		return Entry{}, fmt.Errorf("%w: exactly one of network and domain is needed", ErrEntry)
	}
	var err error
	if e.Network.IsValid() {
		e.Network, err = canonicalNetwork(e.Network)
	} else {
		err = checkDomain(e.List, e.Domain)
	}
	e.Reason = printable(e.Reason, maxReason)
	e.Owner = printable(e.Owner, maxOwner)
	return e, err
}

func canonicalNetwork(p netip.Prefix) (netip.Prefix, error) {
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return p, fmt.Errorf("%w: %q reaches beyond the IPv4-mapped addresses", ErrEntry, p)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p.Bits() == 0 {
		return p, fmt.Errorf("%w: %q is everybody: set the policy instead", ErrEntry, p)
	}
	if p != p.Masked() {
		return p, fmt.Errorf("%w: %q has bits set behind its length: did you mean %s or %s/%d?",
			ErrEntry, p, p.Masked(), p.Addr(), p.Addr().BitLen())
	}
	return p, nil
}

func checkDomain(list List, d dnsname.Name) error {
	if bare, ok := strings.CutPrefix(d.String(), "*."); ok {
		return fmt.Errorf("%w: %q: write %q, the names under it are included", ErrEntry, d, bare)
	}
	if fault := d.HostFault(); fault != dnsname.Usable {
		return fmt.Errorf("%w: %q can't be a mail server's domain (%s)", ErrEntry, d, fault)
	}
	// The organizational domain of a name right below a public suffix is that
	// name itself.
	child, err := dnsname.Parse("x." + d.String())
	if list == Allow && err == nil && child.Org() == child {
		return fmt.Errorf("%w: %q is a public suffix: everybody can register a name under it", ErrEntry, d)
	}
	return nil
}

// printable returns s cut at limit octets, with every octet that is not part
// of a printable character written as \DDD, so that any database can hold it
// and any terminal show it.
func printable(s string, limit int) string {
	out := make([]byte, 0, min(len(s), limit))
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		piece := s[:n]
		s = s[n:]
		if (r == utf8.RuneError && n == 1) || !unicode.IsPrint(r) {
			piece = escapeOctets(piece)
		}
		if len(out)+len(piece) > limit {
			break
		}
		out = append(out, piece...)
	}
	return string(out)
}

func escapeOctets(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, `\%03d`, s[i])
	}
	return b.String()
}
