package spf

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
)

// term is one word of a record: a mechanism, or a modifier with name and "=".
type term struct {
	text      string // as it stands
	qualifier byte   // + - ~ ?
	name      string // in lower case; "redirect=" for a modifier
	domain    dnsname.Name
	network   netip.Prefix // of ip4 and ip6
	bits4     int          // of a and mx
	bits6     int
	fault     string // what is wrong with it, or why it says nothing
	bad       bool   // it is against the grammar
}

// isRecord reports whether a TXT record is one of SPF. RFC 7208 §4.5: the
// version, and then a space or the end.
func isRecord(text string) bool {
	const version = "v=spf1"
	return len(text) >= len(version) && strings.EqualFold(text[:len(version)], version) &&
		(len(text) == len(version) || text[len(version)] == ' ')
}

// parse reads the terms behind the version. What can't be read keeps its place,
// with the fault. RFC 7208 §5.1: what stands behind "all" is ignored, and with
// "all" the redirect too (RFC 7208 §6.1); but not what is against the grammar,
// which spoils the record wherever it stands (RFC 7208 §4.6).
func parse(record string, self dnsname.Name) (terms []term) {
	var redirect *term
	ended := false
	modifiers := map[string]bool{}
	for _, word := range strings.Split(record, " ")[1:] {
		if word == "" {
			continue
		}
		t := parseTerm(word, self)
		// RFC 7208 §6: neither may stand there twice.
		if t.name == "redirect=" || t.name == "exp=" {
			if modifiers[t.name] {
				t.fail("a second " + strings.TrimSuffix(t.name, "="))
			}
			modifiers[t.name] = true
		}
		switch {
		case t.name == "redirect=" && !t.bad:
			redirect = &t
		case !ended || t.bad:
			terms = append(terms, t)
		}
		ended = ended || t.name == "all" && t.fault == ""
	}
	if redirect != nil && !ended {
		terms = append(terms, *redirect)
	}
	return terms
}

// fail notes that the term is against the grammar (RFC 7208 §12).
func (t *term) fail(why string) { t.fault, t.bad = why, true }

func parseTerm(word string, self dnsname.Name) term {
	t := term{text: word, qualifier: '+', bits4: 32, bits6: 128}
	if i := strings.IndexFunc(word, func(r rune) bool { return r <= ' ' || r > '~' }); i >= 0 {
		t.fail("it holds a character that no term may hold")
		return t
	}
	if i := strings.IndexAny(word, "=:/"); i >= 0 && word[i] == '=' {
		t.modifier(strings.ToLower(word[:i]), word[i+1:])
		return t
	}
	if strings.IndexByte("+-~?", word[0]) >= 0 {
		t.qualifier, word = word[0], word[1:]
	}
	name, rest := word, ""
	if i := strings.IndexAny(word, ":/"); i >= 0 {
		name, rest = word[:i], word[i:]
	}
	t.name = strings.ToLower(name)
	t.mechanism(rest, self)
	return t
}

// modifier reads name=value. RFC 7208 §6: unknown ones are ignored.
func (t *term) modifier(name, value string) {
	t.name = name + "="
	if !isName(name) {
		t.fail("no modifier can have this name")
	}
	if name == "redirect" {
		t.setDomain(value)
	}
}

// isName reports whether a modifier can have the name: RFC 7208 §12.
func isName(s string) bool {
	return s != "" && s[0] >= 'a' && s[0] <= 'z' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// mechanism reads what follows the name: RFC 7208 §5.
func (t *term) mechanism(rest string, self dnsname.Name) {
	value, given := strings.CutPrefix(rest, ":")
	switch t.name {
	case "all":
		if rest != "" {
			t.fail("all takes no value")
		}
	case "ip4", "ip6":
		t.setNetwork(value)
	case "include":
		t.setDomain(value)
	case "exists":
		t.fault = "it depends on the message (exists)"
	case "ptr":
		t.fault = "it depends on the client's PTR record, and should not be used (ptr)"
	case "a", "mx":
		spec := rest
		if given {
			spec = value
		}
		t.setHost(spec, given, self)
	default:
		t.fail("no mechanism has this name")
	}
}

// setHost reads [domain][/n][//n], RFC 7208 §5.3, §5.6.
func (t *term) setHost(spec string, given bool, self dnsname.Name) {
	if strings.Contains(spec, "%") {
		t.fault = dependsOnMessage
		return
	}
	domain, lengths := spec, ""
	if i := strings.IndexByte(spec, '/'); i >= 0 {
		domain, lengths = spec[:i], spec[i:]
	}
	t.domain = self
	if given {
		t.setDomain(domain)
	}
	four, six, dual := strings.Cut(lengths, "//")
	if n, ok := strings.CutPrefix(four, "/"); ok {
		t.bits4 = t.length(n, 32)
	}
	if dual {
		t.bits6 = t.length(six, 128)
	}
}

// length reads the number of bits of a network, without a leading zero.
func (t *term) length(s string, most int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > most || strconv.Itoa(n) != s {
		t.fail("bad length of the network")
		return most
	}
	return n
}

func (t *term) setNetwork(value string) {
	address, length, cut := strings.Cut(value, "/")
	addr, err := netip.ParseAddr(address)
	switch {
	case err != nil || addr.Zone() != "" || addr.Is4() != (t.name == "ip4"):
		t.fail("no address that " + t.name + " can take")
		return
	case addr.Is4In6():
		// RFC 7208 §5: a mapped client is an IPv4 client, so this matches nobody.
		t.fault = "an IPv4-mapped address matches nobody"
		return
	}
	bits := addr.BitLen()
	if cut {
		bits = t.length(length, bits)
	}
	t.network = netip.PrefixFrom(addr, bits).Masked()
}

const dependsOnMessage = "it depends on the message (macro)"

// setDomain reads a domain-spec, RFC 7208 §7.1; what a macro stands for is not
// known without a message.
func (t *term) setDomain(value string) {
	if strings.Contains(value, "%") {
		t.fault = dependsOnMessage
		return
	}
	if _, err := netip.ParseAddr(value); err == nil {
		t.fail("it names an address where a name must stand")
		return
	}
	name, err := dnsname.Parse(value)
	// RFC 7208 §4.3: a domain of one label is none.
	if err != nil || strings.Contains(value, `\`) || len(name.Labels()) < 2 {
		t.fail("it names no domain")
		return
	}
	t.domain = name
}
