package remedy

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// Classless is a delegation of less than an octet (RFC 2317): the parent zone
// holds a CNAME for each address, which leads into a zone of the customer's.
type Classless struct {
	Spelling Spelling     `json:"spelling"`
	Parent   dnsname.Name `json:"parent,omitzero"` // the zone with the CNAME
	Child    dnsname.Name `json:"child"`           // the zone, or the name, below which the PTR records lie
	Alias    dnsname.Name `json:"alias"`           // owner of the CNAME
	Target   dnsname.Name `json:"target"`          // its target, owner of the PTR record
	// Block is the network that the spelling stands for, invalid where it does
	// not tell.
	Block netip.Prefix `json:"block,omitzero"`
	// ParentText is what the provider's zone must hold, OwnText what the
	// customer's must, as lines of a zone file.
	ParentText string   `json:"parent_text"`
	OwnText    string   `json:"own_text"`
	Cautions   []string `json:"cautions,omitempty"`
}

// Spelling is how the label of a classless delegation is written.
type Spelling string

// The spellings in use.
const (
	FirstSlashMask  Spelling = "first/mask" // 0/25, as in the examples of RFC 2317 §4
	FirstHyphenMask Spelling = "first-mask" // 0-25, as in RFC 4183 §2
	FirstHyphenLast Spelling = "first-last" // 0-127
	PlainLabel      Spelling = "label"      // any other name below the parent zone
	ForwardZone     Spelling = "forward"    // a name outside of the reverse tree
)

var slashOrHyphen = regexp.MustCompile(`^([0-9]{1,3})([/-])([0-9]{1,3})$`)

// SpellingOf recognises the spelling of the CNAME's target for an address, and
// the block that it stands for. 0-31 may be the addresses 0 to 31 or a block
// of 2; it is read as the range, and the block is then left open.
func SpellingOf(addr netip.Addr, target dnsname.Name) (Spelling, netip.Prefix) {
	if !target.Under(dnsname.MustParse("in-addr.arpa")) && !target.Under(dnsname.MustParse("ip6.arpa")) {
		return ForwardZone, netip.Prefix{}
	}
	labels := target.Labels()
	if !addr.Is4() || len(labels) < 2 {
		return PlainLabel, netip.Prefix{}
	}
	m := slashOrHyphen.FindStringSubmatch(labels[1])
	if m == nil {
		return PlainLabel, netip.Prefix{}
	}
	b := addr.As4()
	first, _ := strconv.Atoi(m[1])
	second, _ := strconv.Atoi(m[3])
	mask := maskBlock(addr, first, second)
	size := second - first + 1
	ranged := size > 1 && size <= 256 && size&(size-1) == 0 && first%size == 0 && int(b[3]) >= first && int(b[3]) <= second
	switch {
	case m[2] == "/" && mask.IsValid():
		return FirstSlashMask, mask
	case m[2] == "/":
		return PlainLabel, netip.Prefix{}
	case ranged && mask.IsValid():
		return FirstHyphenLast, netip.Prefix{}
	case mask.IsValid():
		return FirstHyphenMask, mask
	case ranged:
		bits := 32
		for n := size; n > 1; n /= 2 {
			bits--
		}
		return FirstHyphenLast, blockOf(addr, bits)
	default:
		return PlainLabel, netip.Prefix{}
	}
}

// maskBlock is the network of the address if it begins at the octet.
func maskBlock(addr netip.Addr, first, bits int) netip.Prefix {
	if bits < 24 || bits > 32 {
		return netip.Prefix{}
	}
	p := blockOf(addr, bits)
	if int(p.Addr().As4()[3]) != first {
		return netip.Prefix{}
	}
	return p
}

// ErrSpelling says that the two halves of a classless delegation do not meet.
var ErrSpelling = errors.New("remedy: the parent's CNAME does not lead to the owner of a PTR record")

// Agree checks that every CNAME of the parent's text leads to the owner of a
// PTR record of the own zone's text, octet for octet.
func Agree(parentText, ownText string) error {
	var targets, owners []string
	for line := range strings.Lines(parentText) {
		if f := strings.Fields(line); len(f) == 5 && f[3] == "CNAME" {
			targets = append(targets, f[4])
		}
	}
	for line := range strings.Lines(ownText) {
		if f := strings.Fields(line); len(f) == 5 && f[3] == "PTR" {
			owners = append(owners, f[0])
		}
	}
	if len(targets) == 0 || len(owners) == 0 {
		return ErrSpelling
	}
	for _, t := range targets {
		if !slices.Contains(owners, t) {
			return fmt.Errorf("%w: %q", ErrSpelling, t)
		}
	}
	return nil
}

// classless describes the delegation behind the address, if there is one.
func classless(in Input, name dnsname.Name) *Classless {
	z := in.Reverse
	if z == nil || len(z.Chain) == 0 || !in.Address.IsValid() {
		return nil
	}
	last := z.Chain[len(z.Chain)-1]
	if last.Target.IsZero() || last.Owner.IsZero() {
		return nil
	}
	c := &Classless{Alias: z.Chain[0].Owner, Parent: last.Zone, Target: last.Target, Child: childOf(z, last.Target)}
	c.Spelling, c.Block = SpellingOf(in.Address, last.Target)
	ttl := usualTTL
	if last.TTL > 0 {
		ttl = int(last.TTL.Seconds())
	}
	var parent strings.Builder
	fmt.Fprintf(&parent, "%s. %d IN CNAME %s.\n", master(last.Owner), ttl, master(last.Target))
	if c.Spelling != ForwardZone && c.Child == z.Apex {
		for _, n := range serverNames(z) {
			fmt.Fprintf(&parent, "%s. %d IN NS %s.\n", master(c.Child), ttl, master(n))
		}
	}
	c.ParentText = parent.String()
	data := placeName + "."
	if !name.IsZero() {
		data = name.String() + "."
	}
	c.OwnText = fmt.Sprintf("%s. %d IN PTR %s\n", master(last.Target), known{zone: in.Reverse}.ttl(), data)
	if Agree(c.ParentText, c.OwnText) != nil {
		return nil // better nothing than two halves that don't meet
	}
	c.Cautions = classlessCautions(c, z)
	return c
}

// childOf is the zone of the target, or else the name above it.
func childOf(z *evidence.Zone, target dnsname.Name) dnsname.Name {
	if !z.Apex.IsZero() && target.Under(z.Apex) {
		return z.Apex
	}
	labels := target.Labels()
	n, err := dnsname.Parse(strings.Join(labels[min(1, len(labels)):], "."))
	if err != nil {
		return target
	}
	return n
}

func classlessCautions(c *Classless, z *evidence.Zone) []string {
	out := []string{
		"Both halves must spell the name alike, character for character: the CNAME in " + orParent(c.Parent) + " leads to " + c.Target.String() + ", and there the PTR record must stand.",
	}
	if strings.Contains(c.Target.String(), "/") {
		out = append(out, `The name has a "/", which some resolvers and control panels refuse. Ask the provider for a spelling with "-" instead.`)
	}
	if len(z.Chain) > 1 {
		out = append(out, fmt.Sprintf("There are %d aliases in a row; some resolvers follow only a few. One is enough.", len(z.Chain)))
	}
	return append(out, "Let one of the parent's name servers be a secondary of your zone, so that one failure does not split the answer (RFC 2317 §5.1).")
}

func orParent(zone dnsname.Name) string {
	if zone.IsZero() {
		return "the provider's zone"
	}
	return zone.String()
}
