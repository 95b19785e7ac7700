// Package generic tells whether a PTR name looks assigned from a template
// rather than chosen by whoever runs the host. No standard defines it: signs in
// name and address are weighed, with weights that were trained on labelled
// names (docs/classifier.md). It does not ask the DNS, nor know who the host is.
package generic

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
)

// Degree says what a name looks like.
type Degree uint8

// The degrees.
const (
	// Own is a name that somebody chose for the host.
	Own Degree = iota
	// GenericStatic is a name from a template that says that the host keeps its
	// address: a machine for rent, a fixed or a business line.
	GenericStatic
	// GenericDynamic is any other name from a template.
	GenericDynamic
)

// String returns "own", "generic-static" or "generic-dynamic".
func (d Degree) String() string {
	return [...]string{"own", "generic-static", "generic-dynamic"}[min(d, GenericDynamic)]
}

// MarshalText returns what String returns.
func (d Degree) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Degree) UnmarshalText(text []byte) error {
	for *d = range GenericDynamic + 1 {
		if d.String() == string(text) {
			return nil
		}
	}
	return fmt.Errorf("generic: %q is no degree", text)
}

// Verdict is what the classifier says of one name.
type Verdict struct {
	Degree Degree
	// Score is how likely the name is generic, from 0 to 1; one of more than a
	// half is.
	Score float64
	// Parts are the parts of the name that the score comes from, the heaviest
	// first; from Explain only. Their weights add up to the logit of the score.
	Parts []Part
}

// Part is something in the name, and what it weighs.
type Part struct {
	Text   string  // "octets 203-0-113-9", "word dsl", "one label"
	Weight float64 // above 0 when it speaks for a template
}

// String returns text and weight, as "word dsl +1.2".
func (p Part) String() string { return fmt.Sprintf("%s %+.1f", p.Text, p.Weight) }

// Classify judges name, a PTR name of addr. It allocates nothing.
func Classify(name dnsname.Name, addr netip.Addr) Verdict {
	var x Signs
	x.examine(plain(name.String()), addr)
	return x.verdict()
}

// Explain is Classify with the parts.
func Explain(name dnsname.Name, addr netip.Addr) Verdict {
	var x Signs
	x.examine(plain(name.String()), addr)
	v := x.verdict()
	v.Parts = x.parts()
	return v
}

// Examine returns the signs of name, a PTR name of addr, for those who train
// the weights.
func Examine(name dnsname.Name, addr netip.Addr) *Signs {
	x := &Signs{}
	x.examine(plain(name.String()), addr)
	return x
}

// plain takes the digits out of the escapes of a name (RFC 1035 §5.1): they number
// an octet, and nothing that was assigned. The name keeps its length.
func plain(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	t := []byte(s)
	for i := 0; i+1 < len(t); i++ {
		if t[i] != '\\' {
			continue
		}
		if !digit(t[i+1]) {
			i++ // an escaped character stands for itself
			continue
		}
		for end := min(i+4, len(t)); i+1 < end; i++ {
			t[i+1] = '\\'
		}
	}
	return string(t)
}

// verdict weighs the signs.
func (x *Signs) verdict() Verdict {
	sum := 0
	for i, set := range x.set {
		for ; set != 0; set &= set - 1 {
			sum += int(weights[64*i+bits.TrailingZeros64(set)])
		}
	}
	v := Verdict{Score: 1 / (1 + math.Exp(-float64(sum)/hundred))}
	if sum > 0 {
		v.Degree = x.degree()
	}
	return v
}

// hundred weights are one of the logit: whole numbers add up to the same on
// every machine.
const hundred = 100

// degree tells the two degrees of a generic name apart. What the name says
// comes before what is known of the provider.
func (x *Signs) degree() Degree {
	switch {
	case x.word(firstWord+Sign(dynamic), "dyn", "din"), x.word(restWord+Sign(dynamic), "dyn", "din"):
		return GenericDynamic
	case x.says(static), x.says(business):
		return GenericStatic
	case x.says(dynamic):
		return GenericDynamic
	case x.Has(providerStatic):
		return GenericStatic
	case x.Has(providerDynamic), x.says(access), x.says(nat), x.says(guest):
		return GenericDynamic
	case x.says(hosting), x.says(server), x.any(orgOctets, rentedNumber, orgWord+Sign(hosting), orgWord+Sign(server)):
		return GenericStatic
	}
	return GenericDynamic
}

// word reports whether the word of the sign begins in one of these ways.
func (x *Signs) word(s Sign, beginnings ...string) bool {
	at := x.where[s]
	for _, b := range beginnings {
		if x.Has(s) && strings.HasPrefix(x.c.s[at.start:at.end], b) {
			return true
		}
	}
	return false
}

// says reports whether the host part has a word of the class.
func (x *Signs) says(c class) bool { return x.any(firstWord+Sign(c), restWord+Sign(c)) }

// parts puts the signs into words. Signs of the same letters are one part.
func (x *Signs) parts() []Part {
	var parts []Part
	var spans []span
	for s := range signCount {
		if !x.Has(s) || weights[s] == 0 {
			continue
		}
		at, weight := x.where[s], s.Weight()
		if i := slices.Index(spans, at); i >= 0 && !at.empty() {
			parts[i].Weight += weight
			continue
		}
		spans = append(spans, at)
		parts = append(parts, Part{x.text(s), weight})
	}
	slices.SortStableFunc(parts, func(a, b Part) int { return cmp.Compare(math.Abs(b.Weight), math.Abs(a.Weight)) })
	return parts
}

// text puts a sign into words.
func (x *Signs) text(s Sign) string {
	at := x.where[s]
	if at.empty() {
		return s.String()
	}
	letters := x.c.s[at.start:at.end]
	switch {
	case s >= firstWord:
		return "word " + letters
	case s >= providerDynamic:
		return s.String() + ": " + letters + x.c.suffix
	}
	return s.String() + " " + letters
}
