package remedy_test

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/remedy"
)

// odd is a delegation whose name needs escapes in every format.
const odd = `9.a\032b\:c\"d$\{x\}.113.0.203.in-addr.arpa`

// inputs are cases whose records are read back from every format.
func inputs() map[string]remedy.Input {
	plain := missing("203.0.113.9", "mail.example.org")
	plain.Reverse = reverse(ptrs(2*time.Hour, "old.example.net", "older.example.net"))
	plain.Forward = []*evidence.Zone{forward(addrs(30*time.Minute, "198.51.100.7"))}
	unknown := missing("203.0.113.9", "mail.example.org")
	six := missing("2001:db8:1:2::25", "mail.example.org")
	six.Reverse = zone(dnsname.Reverse(six.Address).String(), evidence.PTR, "2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", server("ns1.example.net", "198.51.100.1", 1, none()))
	apex := missing("203.0.113.9", "example.org")
	apex.Forward = []*evidence.Zone{zone("example.org", evidence.A, "example.org", server("ns1.example.org", "198.51.100.11", 7, none()))}
	slash, strange := missing("203.0.113.9", "mail.example.org"), missing("203.0.113.9", "mail.example.org")
	slash.Reverse, strange.Reverse = chained("9.0/25.113.0.203.in-addr.arpa"), chained(odd)
	return map[string]remedy.Input{"replaces": plain, "zones unknown": unknown, "IPv6": six, "apex": apex, "slash": slash, "odd octets": strange}
}

// chained is the zone of 203.0.113.9 behind an alias.
func chained(target string) *evidence.Zone {
	z := reverse(none())
	t := name(target)
	labels := t.Labels()
	z.Chain = []evidence.Alias{{Owner: name("9.113.0.203.in-addr.arpa"), Target: t, Zone: name("113.0.203.in-addr.arpa"), TTL: time.Hour}}
	z.Name, z.Apex = t, name(strings.Join(labels[1:], "."))
	return z
}

// rr is one record in a form that can be compared.
type rr struct {
	owner, typ, data string
	ttl              uint32
}

// wanted are the records of a remedy that are to be published.
func wanted(r *remedy.Remedy, held bool) []rr {
	var out []rr
	for _, rec := range r.Records {
		if held || !rec.Held {
			out = append(out, rr{rec.Owner.String(), rec.Type.String(), strings.TrimSuffix(rec.Data, "."), rec.TTL})
		}
	}
	return out
}

func TestRecordsReadBack(t *testing.T) {
	b := open(t)
	readers := map[string]func(*testing.T, string) []rr{
		"bind": readBind, "nsupdate": readNsupdate, "tinydns": readTinydns, "dnscontrol": readDNSControl, "octodns": readOctodns, "terraform": readTerraform,
	}
	if len(readers) != len(remedy.Formats()) {
		t.Error("a format has no reader")
	}
	for label, in := range inputs() {
		r := b.For(in)
		for format, read := range readers {
			t.Run(format+" "+label, func(t *testing.T) {
				text := r.Texts[format]
				set := format == "octodns" || format == "terraform" // they describe sets as a whole
				got, want := read(t, text), wanted(r, set)
				if set {
					want = slices.DeleteFunc(want, func(w rr) bool { return !strings.Contains(text, w.data) })
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s\nread   %v\nwanted %v", text, got, want)
				}
			})
		}
	}
}

func readBind(t *testing.T, text string) []rr {
	var out []rr
	p := dns.NewZoneParser(strings.NewReader(text), "", "")
	for r, ok := p.Next(); ok; r, ok = p.Next() {
		h := r.Header()
		data := strings.TrimSuffix(strings.TrimPrefix(r.String(), h.String()), ".")
		out = append(out, rr{canonical(t, h.Name), dns.TypeToString[h.Rrtype], data, h.Ttl})
	}
	if err := p.Err(); err != nil {
		t.Errorf("%v in %s", err, text)
	}
	return out
}

// canonical is the name in our own spelling.
func canonical(t *testing.T, s string) string {
	t.Helper()
	n, err := dnsname.Parse(s)
	if err != nil {
		t.Errorf("%q: %v", s, err)
	}
	return n.String()
}

func readNsupdate(t *testing.T, text string) []rr {
	var lines []string
	for line := range strings.Lines(text) {
		rest, add := strings.CutPrefix(line, "update add ")
		switch {
		case add:
			f := strings.SplitN(rest, " ", 3)
			lines = append(lines, f[0]+" "+f[1]+" IN "+f[2])
		case line != "send\n" && !strings.HasPrefix(line, ";") && !strings.HasPrefix(line, "zone ") && !strings.HasPrefix(line, "update delete "):
			t.Errorf("line %q", line)
		}
	}
	return readBind(t, strings.Join(lines, ""))
}

func readTinydns(t *testing.T, text string) []rr {
	var out []rr
	octets := func(s string) string {
		return regexp.MustCompile(`\\([0-7]{3})`).ReplaceAllStringFunc(s, func(m string) string {
			v, _ := strconv.ParseUint(m[1:], 8, 8)
			return string([]byte{byte(v)})
		})
	}
	labels := func(s string) string {
		var b strings.Builder
		for i, l := range strings.Split(s, ".") {
			if i > 0 {
				b.WriteByte('.')
			}
			for _, c := range []byte(octets(l)) {
				b.WriteString(`\` + string([]byte{'0' + c/100, '0' + c/10%10, '0' + c%10}))
			}
		}
		return canonical(t, b.String())
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line[1:], ":")
		ttl, err := strconv.ParseUint(f[len(f)-1], 10, 32)
		if err != nil {
			t.Errorf("line %q: %v", line, err)
		}
		switch line[0] {
		case '+':
			out = append(out, rr{labels(f[0]), "A", f[1], uint32(ttl)})
		case '^':
			out = append(out, rr{labels(f[0]), "PTR", labels(f[1]), uint32(ttl)})
		case ':':
			a, ok := netip.AddrFromSlice([]byte(octets(f[2])))
			if f[1] != "28" || !ok {
				t.Errorf("line %q", line)
			}
			out = append(out, rr{labels(f[0]), "AAAA", a.String(), uint32(ttl)})
		default:
			t.Errorf("line %q", line)
		}
	}
	return out
}

// unquote reads a string of JSON.
func unquote(t *testing.T, s string) string {
	t.Helper()
	var v string
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Errorf("%s: %v", s, err)
	}
	return v
}

// under joins a label and its zone.
func under(t *testing.T, label, zone string) string {
	if label == "@" || label == "" {
		return canonical(t, zone)
	}
	return canonical(t, label+"."+zone)
}

const jsonString = `("(?:[^"\\]|\\.)*")`

func readDNSControl(t *testing.T, text string) []rr {
	line := regexp.MustCompile(`^D_EXTEND\(` + jsonString + `, ([A-Z]+)\(` + jsonString + `, ` + jsonString + `, TTL\((\d+)\)\)\);\n$`)
	var out []rr
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, "//") {
			continue
		}
		m := line.FindStringSubmatch(l)
		if m == nil {
			t.Errorf("line %q", l)
			continue
		}
		ttl, _ := strconv.ParseUint(m[5], 10, 32)
		out = append(out, rr{under(t, unquote(t, m[3]), unquote(t, m[1])), m[2], strings.TrimSuffix(unquote(t, m[4]), "."), uint32(ttl)})
	}
	return out
}

func readOctodns(t *testing.T, text string) []rr {
	set := regexp.MustCompile(`(?m)^# (.*?)\.yaml(?: \(assumed\))?\n` + jsonString + `:\n  ttl: (\d+)\n  type: ([A-Z]+)\n((?:  .*\n)+)`)
	var out []rr
	for _, m := range set.FindAllStringSubmatch(text, -1) {
		ttl, _ := strconv.ParseUint(m[3], 10, 32)
		for _, v := range regexp.MustCompile(`(?:value: |    - )`+jsonString).FindAllStringSubmatch(m[5], -1) {
			out = append(out, rr{under(t, unquote(t, m[2]), m[1]), m[4], strings.TrimSuffix(unquote(t, v[1]), "."), uint32(ttl)})
		}
	}
	return out
}

func readTerraform(t *testing.T, text string) []rr {
	block := regexp.MustCompile(`(?ms)^resource "(\w+)" "(\w+)" \{\n(.*?)^\}\n`)
	hcl := func(s string) string {
		return unquote(t, strings.NewReplacer("$${", "${", "%%{", "%{").Replace(s))
	}
	var out []rr
	for _, m := range block.FindAllStringSubmatch(text, -1) {
		attr := map[string]string{}
		for l := range strings.Lines(m[3]) {
			key, value, ok := strings.Cut(strings.TrimSpace(l), " = ")
			if !ok {
				t.Errorf("line %q", l)
			}
			attr[strings.TrimSpace(key)] = value
		}
		if attr["name"] == "" {
			attr["name"] = `"@"`
		}
		owner := under(t, hcl(attr["name"]), hcl(attr["zone"]))
		ttl, _ := strconv.ParseUint(attr["ttl"], 10, 32)
		switch m[1] {
		case "dns_ptr_record":
			out = append(out, rr{owner, "PTR", strings.TrimSuffix(hcl(attr["ptr"]), "."), uint32(ttl)})
		case "dns_a_record_set", "dns_aaaa_record_set":
			typ := strings.ToUpper(strings.Split(m[1], "_")[1])
			for _, v := range regexp.MustCompile(jsonString).FindAllString(attr["addresses"], -1) {
				out = append(out, rr{owner, typ, hcl(v), uint32(ttl)})
			}
		default:
			t.Errorf("resource %s", m[1])
		}
	}
	return out
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRecords holds the order, owners, zones and TTLs.
func TestRecords(t *testing.T) {
	r := open(t).For(inputs()["replaces"])
	want := []remedy.Record{
		{Owner: name("mail.example.org"), Type: evidence.A, Data: "198.51.100.7", TTL: 1800, Zone: name("example.org"), Held: true},
		{Owner: name("mail.example.org"), Type: evidence.A, Data: "203.0.113.9", TTL: 1800, Zone: name("example.org")},
		{Owner: name("9.113.0.203.in-addr.arpa"), Type: evidence.PTR, Data: "mail.example.org.", TTL: 7200, Zone: name("113.0.203.in-addr.arpa")},
	}
	if got, want := asJSON(t, r.Records), asJSON(t, want); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, line := range []string{"; take out: 9.113.0.203.in-addr.arpa. IN PTR old.example.net.\n", "; there already: mail.example.org. 1800 IN A 198.51.100.7\n"} {
		if !strings.Contains(r.Texts["bind"], line) {
			t.Errorf("no %q in %s", line, r.Texts["bind"])
		}
	}
	if !strings.Contains(r.Texts["nsupdate"], "zone 113.0.203.in-addr.arpa.\nupdate delete 9.113.0.203.in-addr.arpa. PTR\nupdate add ") {
		t.Errorf("the old PTR records stay:\n%s", r.Texts["nsupdate"])
	}
}

// TestNothingToPublish: what the servers hold already is not printed again.
func TestNothingToPublish(t *testing.T) {
	in := missing("203.0.113.9", "mail.example.org")
	in.Reverse = reverse(ptrs(time.Hour, "mail.example.org"))
	in.Forward = []*evidence.Zone{forward(addrs(time.Hour, "203.0.113.9"))}
	r := open(t).For(in)
	if r.Texts != nil {
		t.Errorf("%v", r.Texts)
	}
	for _, rec := range r.Records {
		if !rec.Held {
			t.Errorf("%+v is there already", rec)
		}
	}
}
