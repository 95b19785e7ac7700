package remedy

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// Formats returns the words of Remedy.Texts, in the order of the report.
func Formats() []string {
	return []string{"bind", "nsupdate", "tinydns", "dnscontrol", "octodns", "terraform"}
}

// texts writes the records in every format. Records that the servers hold
// already are shown as such where the format has comments, and stand in the
// sets of those formats that describe a set as a whole.
func texts(records []Record, old replaced) map[string]string {
	missing := false
	for _, r := range records {
		missing = missing || !r.Held
	}
	if !missing {
		return nil
	}
	sets := group(records)
	return map[string]string{
		"bind":       bind(records, old),
		"nsupdate":   nsupdate(records),
		"tinydns":    tinydns(records),
		"dnscontrol": dnscontrol(records),
		"octodns":    octodns(sets),
		"terraform":  terraform(sets),
	}
}

// set is a record set: all records of an owner and type.
type set struct {
	Record
	data []string
	held bool // all of it
}

func group(records []Record) []set {
	var out []set
next:
	for _, r := range records {
		for i := range out {
			if out[i].Owner == r.Owner && out[i].Type == r.Type {
				out[i].data = append(out[i].data, r.Data)
				out[i].held = out[i].held && r.Held
				out[i].open = out[i].open || r.open
				continue next
			}
		}
		out = append(out, set{Record: r, data: []string{r.Data}, held: r.Held})
	}
	return out
}

// zoneOf is the zone of a record; where nobody could say, the usual one.
func (r Record) zoneOf() (zone dnsname.Name, assumed bool) {
	if !r.Zone.IsZero() && r.Owner.Under(r.Zone) {
		return r.Zone, false
	}
	if r.Type != evidence.PTR {
		return r.Owner.Org(), true
	}
	labels := r.Owner.Labels()
	if len(labels) == 0 {
		return r.Owner, true
	}
	skip := 1 // 113.0.203.in-addr.arpa
	if r.Owner.Under(dnsname.MustParse("ip6.arpa")) {
		skip = max(1, len(labels)-18) // a /64
	}
	zone, err := dnsname.Parse(strings.Join(labels[min(skip, len(labels)-1):], "."))
	if err != nil {
		return r.Owner, true
	}
	return zone, true
}

// label is the owner's name below its zone, "@" for the zone itself.
func (r Record) label() string {
	zone, _ := r.zoneOf()
	if r.Owner == zone {
		return "@"
	}
	return strings.TrimSuffix(r.Owner.String(), "."+zone.String())
}

// bind writes lines of a zone file (RFC 1035 §5.1), with full owner names.
func bind(records []Record, old replaced) string {
	var b strings.Builder
	for i, r := range records {
		zone, assumed := r.zoneOf()
		if before, _ := previous(records, i); before != zone {
			fmt.Fprintf(&b, "; zone %s%s\n", master(zone), assumedText(assumed))
		}
		if r.Type == evidence.PTR && !r.Held {
			b.WriteString(r.byOthers(";"))
			old.bind(&b, r)
		}
		if !r.Instead.IsZero() {
			fmt.Fprintf(&b, "; take out: %s. IN CNAME %s.\n", master(r.Owner), master(r.Instead))
		}
		if r.drop != "" {
			fmt.Fprintf(&b, "; take out: %s. IN %s %s\n", master(r.Owner), r.Type, r.drop)
		}
		if r.open && !r.Held {
			b.WriteString("; if it is not there already:\n")
		}
		if r.Held {
			b.WriteString("; there already: ")
		}
		fmt.Fprintf(&b, "%s. %d IN %s %s\n", master(r.Owner), r.TTL, r.Type, r.Data)
	}
	return b.String()
}

func previous(records []Record, i int) (dnsname.Name, bool) {
	if i == 0 {
		return dnsname.Name{}, false
	}
	return records[i-1].zoneOf()
}

func assumedText(assumed bool) string {
	if assumed {
		return " (assumed)"
	}
	return ""
}

// nsupdate writes a script for nsupdate (RFC 2136): one update for each zone. A
// PTR record takes the place of all that were there.
func nsupdate(records []Record) string {
	var b strings.Builder
	for _, r := range records {
		if r.Held {
			continue
		}
		b.WriteString(r.byOthers(";"))
		if !r.Zone.IsZero() {
			fmt.Fprintf(&b, "zone %s.\n", master(r.Zone))
		}
		if r.Type == evidence.PTR {
			fmt.Fprintf(&b, "update delete %s. PTR\n", master(r.Owner))
		}
		if !r.Instead.IsZero() {
			fmt.Fprintf(&b, "update delete %s. CNAME\n", master(r.Owner))
		}
		if r.drop != "" {
			fmt.Fprintf(&b, "update delete %s. %s %s\n", master(r.Owner), r.Type, r.drop)
		}
		fmt.Fprintf(&b, "update add %s. %d %s %s\nsend\n", master(r.Owner), r.TTL, r.Type, r.Data)
	}
	return b.String()
}

// tinydns writes lines of tinydns-data: "+" for an address, "^" for a PTR
// record, ":28" with its octets for an IPv6 address.
func tinydns(records []Record) string {
	var b strings.Builder
	for _, r := range records {
		if r.Held {
			fmt.Fprintf(&b, "# there already: %s %s %s\n", r.Owner, r.Type, r.Data)
			continue
		}
		owner := octal(r.Owner)
		b.WriteString(r.byOthers("#"))
		b.WriteString(r.takeOut("#"))
		switch r.Type {
		case evidence.A:
			fmt.Fprintf(&b, "+%s:%s:%d\n", owner, r.Data, r.TTL)
		case evidence.AAAA:
			fmt.Fprintf(&b, ":%s:28:%s:%d\n", owner, octets(r.Data), r.TTL)
		case evidence.MX:
			b.WriteString(mxTinydns(r))
		case evidence.PTR:
			target := placeName
			if n, err := dnsname.Parse(r.Data); err == nil && r.Data != placeName+"." {
				target = octal(n)
			}
			fmt.Fprintf(&b, "^%s:%s:%d\n", owner, target, r.TTL)
		}
	}
	return b.String()
}

// master writes a name for a zone file or a script of nsupdate, where quotes,
// parentheses, semicolon, at and dollar sign have a meaning (RFC 1035 §5.1).
func master(n dnsname.Name) string { return spell(n, `\%03d`) }

// octal writes a name for tinydns-data, in which a colon ends a field and
// \ooo is an octet in octal.
func octal(n dnsname.Name) string { return spell(n, `\%03o`) }

// spell writes every octet that is no letter, digit, hyphen, underscore or
// slash in the given form.
func spell(n dnsname.Name, form string) string {
	var b strings.Builder
	for i, label := range n.Labels() {
		if i > 0 {
			b.WriteByte('.')
		}
		for _, c := range labelOctets(label) {
			if wordByte(c) || c == '/' {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, form, c)
			}
		}
	}
	return b.String()
}

// labelOctets takes the escapes out of a label.
func labelOctets(label string) []byte {
	n, err := dnsname.Parse(label)
	if err != nil {
		return []byte(label)
	}
	wire := n.AppendWire(nil)
	return wire[1 : 1+int(wire[0])]
}

// dnscontrol writes statements for dnsconfig.js. D_EXTEND adds to a zone that
// is declared with D elsewhere.
func dnscontrol(records []Record) string {
	var b strings.Builder
	for _, r := range records {
		zone, assumed := r.zoneOf()
		if r.Held {
			fmt.Fprintf(&b, "// there already: %s %s %s\n", r.Owner, r.Type, r.Data)
			continue
		}
		b.WriteString(r.byOthers("//") + r.takeOut("//"))
		if assumed {
			b.WriteString("// the zone is assumed\n")
		}
		data := quote(r.Data)
		if preference, host := exchange(r.Data); r.Type == evidence.MX {
			data = preference + ", " + quote(host)
		}
		fmt.Fprintf(&b, "D_EXTEND(%s, %s(%s, %s, TTL(%d)));\n", quote(zone.String()), r.Type, quote(r.label()), data, r.TTL)
	}
	return b.String()
}

// quote writes a string of JavaScript, JSON or YAML (which holds JSON).
func quote(s string) string {
	out, err := json.Marshal(s)
	if err != nil { // can't be: a string always has a form in JSON
		return `""`
	}
	return string(out)
}

// octodns writes YAML for octoDNS, one piece for each zone's file. A record set
// stands there as a whole, so addresses that are there already are named too.
func octodns(sets []set) string {
	var b strings.Builder
	for _, s := range sets {
		if s.held || s.unsure(&b) {
			continue
		}
		b.WriteString(s.byOthers("#") + s.takeOut("#"))
		zone, assumed := s.zoneOf()
		label := s.label()
		if label == "@" {
			label = ""
		}
		fmt.Fprintf(&b, "# %s.yaml%s\n%s:\n  ttl: %d\n  type: %s\n", zone, assumedText(assumed), quote(label), s.TTL, s.Type)
		if s.Type == evidence.MX {
			b.WriteString(mxOctodns(s))
			continue
		}
		if len(s.data) == 1 {
			fmt.Fprintf(&b, "  value: %s\n", quote(s.data[0]))
			continue
		}
		b.WriteString("  values:\n")
		for _, d := range s.data {
			fmt.Fprintf(&b, "    - %s\n", quote(d))
		}
	}
	return b.String()
}

// terraform writes resources of the provider hashicorp/dns, which speaks
// dynamic update with any server.
func terraform(sets []set) string {
	var b strings.Builder
	for _, s := range sets {
		if s.held || s.unsure(&b) {
			continue
		}
		b.WriteString(s.byOthers("#") + s.takeOut("#"))
		zone, assumed := s.zoneOf()
		if assumed {
			b.WriteString("# the zone is assumed\n")
		}
		kind := map[evidence.Type]string{evidence.A: "dns_a_record_set", evidence.AAAA: "dns_aaaa_record_set", evidence.PTR: "dns_ptr_record", evidence.MX: "dns_mx_record_set"}[s.Type]
		key, value, width := "ptr", hcl(s.data[0]), 4
		switch s.Type {
		case evidence.PTR:
		case evidence.MX:
			key = ""
		default:
			quoted := make([]string, len(s.data))
			for i, d := range s.data {
				quoted[i] = hcl(d)
			}
			key, value, width = "addresses", "["+strings.Join(quoted, ", ")+"]", 9
		}
		line := func(key, value string) { fmt.Fprintf(&b, "  %-*s = %s\n", width, key, value) }
		fmt.Fprintf(&b, "resource %q %q {\n", kind, resourceName(s.Record))
		line("zone", hcl(zone.String()+"."))
		if label := s.label(); label != "@" {
			line("name", hcl(label))
		}
		if key != "" {
			line(key, value)
		} else {
			b.WriteString(mxTerraform(s))
		}
		line("ttl", itoa(s.TTL))
		b.WriteString("}\n")
	}
	return b.String()
}

// hcl writes a string of HCL, in which ${ and %{ begin a template.
func hcl(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(quote(s))
}

func resourceName(r Record) string {
	out := []byte(strings.ToLower(r.Type.String()) + "_")
	for _, c := range []byte(r.Owner.String()) {
		if !wordByte(c) || c == '-' {
			c = '_'
		}
		out = append(out, c)
	}
	return string(out)
}

// octets writes an IPv6 address as the octets of a generic record.
func octets(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, c := range a.As16() {
		fmt.Fprintf(&b, `\%03o`, c)
	}
	return b.String()
}
