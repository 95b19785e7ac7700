package generic

import "strings"

// span is a part of the name, s[start:end].
type span struct{ start, end int16 }

func (p span) empty() bool { return p.end <= p.start }

func (p span) holds(i int) bool { return int(p.start) <= i && i < int(p.end) }

// cut is a name in its parts: host, organization and public suffix, as in
// "203-0-113-9.dsl" "example" "co.uk".
type cut struct {
	s     string // up to the public suffix, without the dot before it
	host  int    // length of the host part; 0 where the name is the domain itself
	org   int    // where the label of the organization starts
	first int    // length of the first label; 0 without a host part
	// suffix is the public suffix, with the dot before it.
	suffix string
}

// maxName is the longest host name, RFC 1035 §2.3.4. Escapes make a name
// longer that is none; its end is what says whose it is.
const maxName = 255

// cutUp finds the host part. Only the few categories of second-level labels
// under country codes are known as public suffixes of two labels: the whole list
// costs an allocation, and where it would say more, the label of the
// organization is taken for one of the host.
func cutUp(s string) cut {
	if len(s) > maxName {
		s = s[len(s)-maxName:]
	}
	dot := strings.LastIndexByte(s, '.')
	if dot < 0 {
		return cut{suffix: s}
	}
	if at := strings.LastIndexByte(s[:dot], '.'); at >= 0 && len(s)-dot == 3 && category(s[at+1:dot]) {
		dot = at
	}
	c := cut{suffix: s[dot:]}
	s = s[:dot]
	c.s = s
	if at := strings.LastIndexByte(s, '.'); at >= 0 {
		c.host, c.org = at, at+1
		c.first = strings.IndexByte(s, '.')
	}
	return c
}

// category reports whether the label is a category of names under a country
// code, as in co.uk, com.br or ne.jp.
func category(label string) bool {
	switch label {
	case "co", "com", "net", "org", "gov", "edu", "ac", "or", "ne", "go", "ad", "gr", "ed", "lg", "mil", "info", "biz",
		"gob", "gub", "gouv", "nom", "id", "asn", "sch", "ltd", "plc", "nic", "int",
		"firm", "gen", "ind", "fin", "med", "sld", "k12", "tm", "coop", "adv", "inf", "srv", "psi",
		"idv", "gv", "priv", "school", "nhs", "police", "bel", "waw", "dn", "kiev", "od", "spb", "msk", "dp", "lviv", "kh":
		return true
	}
	return false
}
