// Package generic tells whether a PTR name looks assigned from a template
// because the address is written in it. It is an honest first rule and no
// more: a template without the address (customer or machine numbers, words
// like "dsl") is not seen, and no standard defines one.
package generic

import (
	"net/netip"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
)

// Verdict is what the classifier says of one name.
type Verdict struct {
	Generic bool
	// Parts are the parts of the name that say so, as "octets 203-0-113-9",
	// "last octets 113-9", "hex cb007109", "groups 2001-db8--9" or "nibbles
	// 20010db8…"; nil when it is not generic.
	Parts []string
}

// Explain looks in name, a PTR name of addr, for the address. It allocates
// nothing for a name that is not generic.
func Explain(name dnsname.Name, addr netip.Addr) Verdict {
	// Below the top level the whole name counts, the organizational domain too:
	// some hosters register ip-203-0-113.example and the like by the thousand.
	s := name.String()
	s = s[:max(0, strings.LastIndexByte(s, '.'))]
	kind, part := search(s, addr.Unmap())
	if kind == "" || mail(s) {
		return Verdict{}
	}
	return Verdict{Generic: true, Parts: []string{kind + " " + part}}
}

func search(s string, addr netip.Addr) (kind, part string) {
	switch {
	case addr.Is4():
		return octets(s, addr.As4())
	case addr.Is6():
		return groups(s, addr)
	}
	return "", ""
}

// mail reports whether the name says that the host is there for mail. Large
// senders number such hosts by their addresses, and name them with care.
func mail(s string) bool {
	if strings.Contains(s, "mail") || strings.Contains(s, "smtp") {
		return true
	}
	for _, word := range [...]string{"mx", "mta", "out", "relay"} {
		for at := s; ; {
			i := strings.Index(at, word)
			if i < 0 {
				break
			}
			if i == 0 || at[i-1] == '.' || at[i-1] == '-' {
				return true
			}
			at = at[i+len(word):]
		}
	}
	return false
}
