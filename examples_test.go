package arpagate_test

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Examples must not name anybody: whoever copies one must reach nothing.

// special lists the address blocks that may appear: documentation, private and
// special-use (RFC 6890), and what is outside of 2000::/3.
var special = prefixes(`0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12
	192.0.0.0/24 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16
	192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3
	2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20`)

// reversed lists the blocks whose addresses may stand in reverse order.
var reversed = prefixes(`10.0.0.0/8 127.0.0.0/8 192.0.2.0/24 198.51.100.0/24 203.0.113.0/24`)

// tolerated lists other addresses and names, each with its reason. The key is
// the address or name, or a path for all that the file holds.
var tolerated = map[string]string{
	"examples_test.go":                   "is about them",
	"internal/config/check.go":           "warns of resolvers that many share",
	"internal/evidence/evidence_test.go": "judges an address of every block and at its edges; nothing is sent there",
	"internal/dialer/peers_test.go":      "judges an address of every block and at its edges; nothing is sent there",
	"docs/receivers.md":                  "names the receivers' own pages as sources",
	"internal/receivers/data_test.go":    "asks for the receivers by their names",
	"a.root-servers.net":                 "the canary that an operator may choose: it exists as long as the DNS does",
	"web.de":                             "a receiver, by the name that it is known under",
	"mail.com":                           "a receiver, by the name that it is known under",
	"outlook.com":                        "a receiver, by the name that it is known under",
	"mail.ru":                            "a receiver, by the name that it is known under",
	"zen.spamhaus.org":                   "a DNS list that is asked by default: there is no example of it",
	"check.spamhaus.org":                 "its page for operators of mail servers",
	"bl.spamcop.net":                     "a DNS list that is asked by default",
	"www.spamcop.net":                    "its page for operators of mail servers",
	"list.dnswl.org":                     "a DNS allow list that is asked by default",
	"www.dnswl.org":                      "its page for operators of mail servers",
	"origin.asn.cymru.com":               "tells by default who announces an address",
	"origin6.asn.cymru.com":              "the same for IPv6",
	"asn.cymru.com":                      "the names of autonomous systems, of the same operator",
	"docs/remedies.md":                   "lists the providers that the recipes are for, with their sources",
	"co.uk":                              "a public suffix of two labels",
	"1.2.3.4":                            "a listening address without port, in the list of hostile inputs; nothing is sent there",
}

// publicNames lists domains that may be named: standards, tools, our own.
var publicNames = map[string]string{
	"github.com":      "modules and issues",
	"golang.org":      "modules",
	"pgregory.net":    "modules",
	"go.dev":          "documentation",
	"rfc-editor.org":  "standards",
	"iana.org":        "registries",
	"ietf.org":        "standards",
	"postfix.org":     "documentation of the MTA",
	"modernc.org":     "modules",
	"uber.org":        "modules",
	"sqlite.org":      "documentation of the store",
	"prometheus.io":   "documentation of the metrics",
	"freedesktop.org": "documentation of systemd",
	"debian.org":      "packages",
	"apache.org":      "the licence",
}

var (
	dotted = regexp.MustCompile(`[0-9]+(\.[0-9]+){3,}`)
	colons = regexp.MustCompile(`(?i)[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,}`)
	// sections are dotted numbers that are no addresses.
	sections = regexp.MustCompile(`§[0-9.]+`)
	named    = regexp.MustCompile(`(?i)\b([a-z0-9_-]+\.)+(com|net|org|info|biz|edu|gov|io|dev|de|uk|fr|nl|eu|ru|cn|jp|ch|at|it)\b`)
)

func TestExampleAddresses(t *testing.T) {
	for _, p := range examples(loadTree(t)) {
		plain := sections.ReplaceAllString(p.text, "")
		for _, found := range slices.Concat(dotted.FindAllString(plain, -1), colons.FindAllString(plain, -1)) {
			addr, err := netip.ParseAddr(found)
			if err != nil || mayAppear(addr) || excused(p, found) {
				continue
			}
			t.Errorf("%s: address %s: use 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24 or 2001:db8::/32", p.where, found)
		}
	}
}

func TestExampleNames(t *testing.T) {
	for _, p := range examples(loadTree(t)) {
		for _, found := range named.FindAllString(p.text, -1) {
			name := strings.ToLower(found)
			if !harmless(name) && !excused(p, name) {
				t.Errorf("%s: name %s: use example.org, example.net, example.com", p.where, name)
			}
		}
	}
}

// machinePaths finds paths of one machine; it is put together so that it does
// not find itself.
var machinePaths = regexp.MustCompile(`(^|[\s"'=:(` + "`" + `])/(wo` + `rk|ho` + `me|ro` + `ot)/`)

func TestNoMachinePaths(t *testing.T) {
	for _, f := range loadTree(t).texts {
		for i, line := range strings.Split(f.body, "\n") {
			if machinePaths.MatchString(line) {
				t.Errorf("%s:%d: path of one machine: %s", f.path, i+1, strings.TrimSpace(line))
			}
		}
	}
}

// examples returns the strings of the Go files and the lines of the documents.
func examples(tr *tree) []prose {
	return slices.Concat(tr.strings(tr.sources), tr.documents())
}

// mayAppear reports whether a is special, or the reverse of an address of
// examples, as in the name of its PTR record.
func mayAppear(a netip.Addr) bool {
	if a.Is4() {
		b := a.As4()
		return in(special, a) || in(reversed, netip.AddrFrom4([4]byte{b[3], b[2], b[1], b[0]}))
	}
	return a.Is4In6() || in(special, a) || a.As16()[0]&0xe0 != 0x20
}

func in(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

func harmless(name string) bool {
	labels := strings.Split(name, ".")
	zone := strings.Join(labels[len(labels)-2:], ".")
	return slices.Contains(labels, "example") || publicNames[zone] != ""
}

func excused(p prose, found string) bool {
	file, _, _ := strings.Cut(p.where, ":")
	return tolerated[file] != "" || tolerated[found] != ""
}

func prefixes(list string) []netip.Prefix {
	var out []netip.Prefix
	for _, f := range strings.Fields(list) {
		out = append(out, netip.MustParsePrefix(f))
	}
	return out
}
