package remedy

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// holder is who holds an address, by each kind of evidence there is.
type holder struct {
	// By the servers of the reverse zone, by the registration, by the origin AS,
	// and by the present PTR name, in this order of trust. Only the first can
	// say who is technically able to change the record; the last can be forged.
	zone, registered, announced, named *provider
	given                              *provider // by the operator
	provider                           *provider // the one to go by
	// own says that the reverse zone lies on servers of the customer's own, or
	// of somebody else's who is no known provider, below the provider's.
	own bool
	// sure says that the servers bear the customer's domain.
	sure    bool
	who     string
	contact string
	doubts  []string
}

// holderOf recognises the holder of the address.
func (b *Book) holderOf(in Input, want dnsname.Name) holder {
	h := holder{}
	h.zone = b.byZone(in.Reverse)
	h.registered, h.announced = b.byOrigin(in.Origin)
	h.named = b.byPTR(in)
	if h.zone == nil && in.Provider == "" {
		h.own, h.sure = ownZone(in, want, templates(in)...)
	}
	h.given = b.find(func(p *provider) bool { return p.ID == strings.ToLower(strings.TrimSpace(in.Provider)) })
	for _, p := range []*provider{h.given, h.zone, h.registered, h.announced, h.named} {
		if p != nil {
			h.provider = p
			break
		}
	}
	if h.own || h.provider == nil || h.provider == h.zone { // else the mailbox is somebody else's
		h.contact = contactOf(in.Reverse)
	}
	h.who = h.describe(in)
	h.doubts = h.disagreements(in)
	return h
}

// byZone recognises a provider by the servers and the SOA of the reverse zone.
func (b *Book) byZone(z *evidence.Zone) *provider {
	if z == nil {
		return nil
	}
	names := slices.Concat(z.Published, z.Delegated)
	if z.SOA != nil {
		names = append(names, z.SOA.MName, z.SOA.RName)
	}
	for i := range z.Servers {
		names = append(names, z.Servers[i].Name)
	}
	for _, n := range names {
		if p := b.find(func(p *provider) bool { return under(n, p.Known.Zone) }); p != nil {
			return p
		}
	}
	return nil
}

func (b *Book) byOrigin(o *evidence.Origin) (registered, announced *provider) {
	if o == nil {
		return nil, nil
	}
	text := strings.ToLower(o.Holder.String() + " " + o.Handle.String())
	registered = b.find(func(p *provider) bool {
		return slices.ContainsFunc(p.Known.Holder, func(word string) bool { return strings.Contains(text, word) })
	})
	if o.ASN != 0 {
		announced = b.find(func(p *provider) bool { return slices.Contains(p.Known.ASN, o.ASN) })
	}
	return registered, announced
}

func (b *Book) byPTR(in Input) *provider {
	if in.View == nil {
		return nil
	}
	for i := range in.View.IPRev.Names {
		n := in.View.IPRev.Names[i].Name
		if p := b.find(func(p *provider) bool { return p.assigns(n) }); p != nil {
			return p
		}
	}
	return nil
}

func (b *Book) find(match func(*provider) bool) *provider {
	for i := range b.providers {
		if match(&b.providers[i]) {
			return &b.providers[i]
		}
	}
	return nil
}

// under reports whether the name is one of the suffixes or lies below it.
func under(n dnsname.Name, suffixes []dnsname.Name) bool {
	return slices.ContainsFunc(suffixes, n.Under)
}

// assigns reports whether the name is one of those that the provider gives.
func (p *provider) assigns(n dnsname.Name) bool {
	return under(n, p.Known.PTR) || matches(n, p.Known.patterns)
}

func matches(n dnsname.Name, patterns []*regexp.Regexp) bool {
	return slices.ContainsFunc(patterns, func(re *regexp.Regexp) bool { return re.MatchString(n.String()) })
}

// ownZone reports whether the reverse zone looks like the customer's own: it
// lies behind an alias (RFC 2317) or is smaller than what providers keep, or its
// servers bear the customer's domain. The assigned names, made from a template,
// are those of the provider, and so is the domain that they lie in.
func ownZone(in Input, want dnsname.Name, assigned ...dnsname.Name) (own, sure bool) {
	z := in.Reverse
	if z == nil || z.Apex.IsZero() || z.Apex == root {
		return false, false
	}
	domains := []dnsname.Name{want.Org()}
	for _, n := range in.Names {
		if !slices.Contains(assigned, n) {
			domains = append(domains, n.Org())
		}
	}
	for _, n := range serverNames(z) {
		if org := n.Org(); !org.IsZero() && slices.Contains(domains, org) {
			return true, true
		}
	}
	return len(z.Chain) > 0 || in.Address.Is4() && len(z.Apex.Labels()) > 5, false
}

// templates are the PTR names that look assigned from a template.
func templates(in Input) []dnsname.Name {
	var out []dnsname.Name
	switch string(in.Finding.Code) {
	case "ptr-generic", "ptr-generic-static":
		out = append(out, in.Finding.Args.Name)
	}
	if v := in.View; v != nil && len(v.Generic.Parts) > 0 {
		out = append(out, v.Generic.Name)
	}
	return out
}

// serverNames are the name servers of a zone, each once.
func serverNames(z *evidence.Zone) []dnsname.Name {
	var out []dnsname.Name
	add := func(n dnsname.Name) {
		if !n.IsZero() && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	if z == nil {
		return nil
	}
	for _, n := range slices.Concat(z.Published, z.Delegated) {
		add(n)
	}
	for i := range z.Servers {
		add(z.Servers[i].Name)
	}
	return out
}

func (h *holder) describe(in Input) string {
	z := in.Reverse
	switch {
	case h.given != nil:
		return h.given.Title
	case h.zone != nil:
		return fmt.Sprintf("%s, whose name servers hold the zone %s", h.zone.Title, zoneText(z))
	case h.own:
		return zoneWho(z, dnsname.Name{})
	case h.provider != nil:
		return h.provider.Title + h.ground(in.Origin)
	case z != nil && !z.Apex.IsZero() && z.Apex != root:
		return zoneWho(z, dnsname.Name{}) + originText(in.Origin)
	case in.Origin != nil && originText(in.Origin) != "":
		return "the holder of the address" + originText(in.Origin)
	default:
		return whoOf[AddressHolder]
	}
}

// ground says what a recognition without the zone rests on.
func (h *holder) ground(o *evidence.Origin) string {
	switch {
	case h.registered != nil:
		return ", to whom the address is registered"
	case h.announced != nil:
		return fmt.Sprintf(", who announces the address (AS%d)", o.ASN)
	default:
		return ", going by the present PTR name"
	}
}

func originText(o *evidence.Origin) string {
	if o == nil {
		return ""
	}
	var parts []string
	if !o.Holder.IsZero() {
		parts = append(parts, "registered to "+o.Holder.String())
	}
	switch {
	case o.ASN != 0 && !o.Org.IsZero():
		parts = append(parts, fmt.Sprintf("announced by AS%d %s", o.ASN, o.Org))
	case o.ASN != 0:
		parts = append(parts, fmt.Sprintf("announced by AS%d", o.ASN))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func zoneText(z *evidence.Zone) string {
	if z == nil || z.Apex.IsZero() || z.Apex == root {
		return "of the address"
	}
	return z.Apex.String()
}

// disagreements says where the kinds of evidence name different parties.
func (h *holder) disagreements(in Input) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	behind := h.registered
	if behind == nil {
		behind = h.announced
	}
	switch {
	case h.own && behind != nil:
		say("The address belongs to %s, but its reverse zone %s is delegated to %s. The record is changed there; %s can't change it.",
			behind.Title, zoneText(in.Reverse), listNames(serverNames(in.Reverse)), behind.Title)
	case h.zone != nil && behind != nil && behind != h.zone:
		say("The address belongs to %s, but %s runs its reverse zone: a reseller may stand between. Ask the one who sends you the bill.",
			behind.Title, h.zone.Title)
	case h.zone == nil && h.provider != nil && in.Reverse != nil && !in.Reverse.Apex.IsZero() && in.Reverse.Apex != root:
		say("The name servers of %s (%s) are not known to be those of %s. If you rent from a reseller, ask the reseller.",
			zoneText(in.Reverse), listNames(serverNames(in.Reverse)), h.provider.Title)
	}
	if h.zone == nil && h.registered != nil && h.announced != nil && h.registered != h.announced {
		say("The address is registered to %s and announced by %s: the first decides about the PTR record.",
			h.registered.Title, h.announced.Title)
	}
	return out
}

// shown is the number of names that a sentence lists.
const shown = 4

func listNames(names []dnsname.Name) string {
	if len(names) == 0 {
		return "unknown servers"
	}
	var parts []string
	for i, n := range names {
		if i == shown {
			parts = append(parts, fmt.Sprintf("%d more", len(names)-shown))
			break
		}
		parts = append(parts, n.String())
	}
	return strings.Join(parts, ", ")
}

// contactOf is the mailbox of the person in charge of a zone.
func contactOf(z *evidence.Zone) string {
	if z == nil || z.SOA == nil {
		return ""
	}
	return mailbox(z.SOA.RName)
}

// mailbox turns an RNAME into an address.
//
// RFC 1035 §8: the first label is the local part, in which a dot is escaped.
func mailbox(rname dnsname.Name) string {
	labels := rname.Labels()
	if len(labels) < 3 {
		return ""
	}
	local := strings.ReplaceAll(labels[0], `\.`, ".")
	domain, err := dnsname.Parse(strings.Join(labels[1:], "."))
	if err != nil || !safe(domain) || domain.Under(dnsname.MustParse("invalid")) || !plainLocal(local) {
		return ""
	}
	return local + "@" + domain.String()
}

func plainLocal(s string) bool {
	for i := range len(s) {
		if c := s[i]; !wordByte(c) && c != '.' && c != '+' {
			return false
		}
	}
	return s != ""
}

// wayOf returns the recipe of the product that the address belongs to, as far
// as its PTR name tells, else the first.
func (p *provider) wayOf(in Input) *way {
	for i := range p.Ways {
		if slices.ContainsFunc(namesOf(in), func(n dnsname.Name) bool { return under(n, p.Ways[i].PTR) }) {
			return &p.Ways[i]
		}
	}
	return &p.Ways[0]
}

// namesOf are the PTR names of the address.
func namesOf(in Input) []dnsname.Name {
	if in.View == nil {
		return nil
	}
	var out []dnsname.Name
	for i := range in.View.IPRev.Names {
		out = append(out, in.View.IPRev.Names[i].Name)
	}
	return out
}

// blockOf is the network that the zone of an address stands for.
func blockOf(addr netip.Addr, bits int) netip.Prefix {
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
