package generic_test

import (
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/generic"
)

const (
	v4  = "203.0.113.9"
	v6  = "2001:db8:1:22::333"
	own = generic.Own
	sta = generic.GenericStatic
	dyn = generic.GenericDynamic
)

// names are spellings of templates, and names that only look like one.
var names = []struct {
	addr, name string
	degree     generic.Degree
	part       string // what a part must begin with; "" for any
}{
	// All octets.
	{v4, "203-0-113-9.dsl.example.net", dyn, "octets 203-0-113-9 "},
	{v4, "203.0.113.9.example.net", dyn, "octets 203.0.113.9 "},
	{v4, "9.113.0.203.rev.example.net", dyn, "octets 9.113.0.203 "},
	{v4, "host203_0_113_9.example.net", sta, "octets 203_0_113_9 "},
	{v4, "cpe-7-203-0-113-9.example.net", dyn, "octets 203-0-113-9 "},
	{v4, "ip-203-000-113-009.pool.example.net", dyn, "octets 203-000-113-009 "},
	{v4, "9.red-203-0-113.example.net", dyn, "octets 9.red-203-0-113 "},
	{v4, "host9-113-dynamic.0-203-r.retail.example.net", dyn, "octets 9-113-dynamic.0-203 "},
	{v4, "w009.z203000113.access.example.net", dyn, "octets 009.z203000113 "},
	{v4, "113x9x0x203.ap113.ftth.example.net", dyn, "octets 113x9x0x203 "}, // in any order
	{v4, "ec2-203-0-113-9.compute.example.com", sta, "octets 203-0-113-9 "},
	{v4, "p203000113009.ppp.example.net", dyn, "octets 203000113009 "},
	{v4, "20301139.dsl.example.net", dyn, "octets 20301139 "},
	{v4, "cb007109.dsl.example.net", dyn, "hex cb007109 "},
	{v4, "pcb007109.dip.example.net", dyn, "hex cb007109 "},
	{v4, "09.71.00cb.ip4.example.net", dyn, "hex 09.71.00cb "},
	{"::ffff:203.0.113.9", "203-0-113-9.dsl.example.net", dyn, "octets 203-0-113-9 "},
	{v4, "3405803785.dsl.example.net", dyn, "octets 3405803785 "}, // as one number
	// In the domain's own name.
	{v4, "ip9.ip-203-0-113.example", sta, "octets 9.ip-203-0-113 "},
	// Parts of the address.
	{v4, "guest-113-9.eduroam.example.edu", dyn, "last two octets 113-9 "},
	{v4, "s113009.ppp.example.net", dyn, "last two octets 113009 "},
	{v4, "dsl-0-113-9.example.net", dyn, "three octets 0-113-9 "},
	{v4, "a-12-34-1-9.w203-0.abo.example.fr", dyn, "three octets 9.w203-0 "},
	// No address: words, numbers, what hosters deal out.
	{v4, "adsl-user12345.example.net", dyn, "word adsl "},
	{v4, "cpc12345-xyz7-2-0-cust8.9-3.cable.example.net", dyn, "word cable "},
	{v4, "dynamic-pool-77.dialup.example.net", dyn, "word dialup "},
	{v4, "abonent-1234.gprs.example.net", dyn, "word gprs "},
	{v4, "vps-1a2b3c4d.vps.example.net", sta, "hash 1a2b3c4d "},
	{v4, "vm-0bfc8c04-cfd1-45a8-a072-fff0a4b436bf.compute.example.net", sta, "UUID "},
	{v4, "vm1234567.cloud.example.net", sta, "number of 7 digits 1234567 "},
	{v4, "cpe-00-00-5e-00-53-01.example.net", dyn, "hardware address 00-00-5e-00-53-01 "},
	{v4, "customer.example.net", dyn, "placeholder "},
	{v4, "hosted-by.example.net", sta, "placeholder "},
	// The degrees.
	{v4, "static-203-0-113-9.example.net", sta, "word static "},
	{v4, "203-0-113-9.business.example.net", sta, "word business "},
	{v4, "203-0-113-9.fixed.example.nl", sta, ""},
	{v4, "vps-203-0-113-9.example.net", sta, ""},
	{v4, "203-0-113-9.adsl-static.example.be", sta, ""},
	{v4, "203-0-113-9.dynamic.example.net", dyn, ""},
	{v4, "203-0-113-9.dynamic.business.example.net", dyn, ""},
	{v4, "203-0-113-9.cable.example.net", dyn, ""},
	// Mail, and large senders that number their hosts by address.
	{v4, "mail.example.org", own, "word mail "},
	{v4, "mx113-9.example.com", own, ""},
	{v4, "a113-9.smtp-out.example.com", own, ""},
	{v4, "out203-0-113-9.mail.example.com", own, ""},
	{v4, "mail-m113009.example.com", own, ""},
	{v4, "mta-out-203-0-113-9.mail.example.com", own, ""},
	{v4, "o9.ptr1234.example.com", own, ""},
	{v4, "smtp-7109.mail.example.com", own, ""},
	{v4, "relay-dyn-12.example.com", own, ""},
	{v4, "mail.dsl-shop.example", own, ""},
	// Other names that somebody chose.
	{v4, "example.org", own, "the domain itself "},
	{v4, "gw.example.org", own, ""},
	{v4, "vps1.example.org", own, ""},
	{v4, "server9.example.org", own, ""},
	{v4, "nat.office.example.org", own, ""},
	{v4, "r2d2.example.org", own, ""},
	{v4, "xn--bcher-kva.example.org", own, ""},
	{v4, "203-0-113-8.example.net", own, ""}, // another address says less
	// IPv6.
	{v6, "2001-db8-1-22--333.ip6.example.net", dyn, "groups 2001-db8-1-22--333 "},
	{v6, "2001-db8-1-22-0-0-0-333.ip6.example.net", dyn, "groups 2001-db8-1-22-0-0-0-333 "},
	{v6, "2001-0db8-0001-0022-0000-0000-0000-0333.example.net", dyn, "groups 2001-0db8-0001-0022-0000-0000-0000-0333 "},
	{v6, "2001.0db8.0001.0022.0000.0000.0000.0333.dyn.example.net", dyn, ""},
	{v6, "p20010db8000100220000000000000333.dip.example.net", dyn, "groups 20010db8000100220000000000000333 "},
	{v6, "0333-0000-0000-0000-0022-0001-0db8-2001.dyn.example.net", dyn, "groups "},
	{v6, "3.3.3.0.0.0.0.0.0.0.0.0.0.0.0.0.2.2.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.example.net", dyn, "groups "},
	{v6, "2001-db8-1-22.cpe.example.net", dyn, "some groups 2001-db8-1-22 "},
	{"2001:db8::203:0:113:9", "203.0.113.9.v6.example.net", dyn, "groups 203.0.113.9 "},
	{"2001:db8::a8bb:ccff:fedd:eeff", "host-aabbccddeeff.dyn.example.net", dyn, "some groups aabbccddeeff "},
	{v6, "tunnel12345.tserv7.ipv6.example.net", dyn, "word tunnel "},
	{v6, "mail.example.org", own, ""},
	{v6, "mx-333.example.org", own, ""},
	{"2001:db8::25", "ns1.ip6.example.org", own, ""},
	// What is no name or no address.
	{v4, ".", own, ""},
	{v4, "localhost", own, ""},
	{"", "mail.example.net", own, ""},
}

func TestNames(t *testing.T) {
	for _, tt := range names {
		addr, _ := netip.ParseAddr(tt.addr)
		v := generic.Explain(dnsname.MustParse(tt.name), addr)
		if v.Degree != tt.degree {
			t.Errorf("%s %s: %s %.2f %v, want %s", tt.addr, tt.name, v.Degree, v.Score, v.Parts, tt.degree)
		}
		found := false
		for _, p := range v.Parts {
			found = found || strings.HasPrefix(p.String(), tt.part)
		}
		if !found {
			t.Errorf("%s %s: no part %q in %v", tt.addr, tt.name, tt.part, v.Parts)
		}
	}
	if v := generic.Classify(dnsname.Name{}, netip.MustParseAddr(v4)); v.Degree != own {
		t.Errorf("no name at all: %v", v)
	}
}

func TestProviders(t *testing.T) {
	const file = `
# A comment.
dynamic ti#a#-*.bb.example.no x%.example.org
own *.example.com
static vmi#.example.net *.example.org
`
	for _, tt := range []struct{ name, kind string }{
		{"ti0203a400-0123.bb.example.no", "lines of a provider"},
		{"tia400-0123.bb.example.no", ""},
		{"bb.example.no", ""},
		{"xcb007109.example.org", "lines of a provider"}, // the first that fits
		{"xcb0.example.org", "machines of a provider"},
		{"o1.mail.example.com", "pool of a sender"},
		{"example.com", ""},
		{"vmi123456.example.net", "machines of a provider"},
		{"vmi123456x.example.net", ""},
		{"vmi123456.example", ""},
	} {
		if got := generic.Provider(file, tt.name); got != tt.kind {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.kind)
		}
	}
}

func TestDegreeText(t *testing.T) {
	for _, d := range []generic.Degree{own, sta, dyn} {
		text, err := d.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back generic.Degree
		if err := back.UnmarshalText(text); err != nil || back != d {
			t.Errorf("%s: read back as %s, %v", text, back, err)
		}
	}
	var d generic.Degree
	if err := d.UnmarshalText([]byte("dynamic")); err == nil {
		t.Error("dynamic is a degree")
	}
}

// hostile are names that nobody should have.
var hostile = []string{
	`1\002\.3\0034.5\255.6`, strings.Repeat(`\000\001`, 31) + ".example.org",
	strings.Repeat("1-", 31) + "1.example.net", strings.Repeat("1.2.3.", 40) + "example.net",
	strings.Repeat("a", 63) + "." + strings.Repeat("0", 63) + "." + strings.Repeat("f", 63) + "." + strings.Repeat("9", 61),
	strings.Repeat("mail-dsl", 7) + ".example.net", "99999999999999999999999999999999999999.example.net",
	"xn--" + strings.Repeat("a0", 29) + ".example", "---.example.net", "-.-", "_._", "256-999-1000-300.example.net",
	strings.Repeat("dyn.", 60) + "co.uk", "co.uk", "uk", "1", "a.b",
}

func TestHostileNames(t *testing.T) {
	for _, text := range hostile {
		for _, addr := range []string{v4, v6, "0.0.0.0", "::", "255.255.255.255", "2001:db8::1"} {
			check(t, dnsname.MustParse(text), netip.MustParseAddr(addr))
		}
	}
}

// check holds Classify against Explain, and the parts against the score.
func check(t *testing.T, name dnsname.Name, addr netip.Addr) {
	t.Helper()
	v, w := generic.Explain(name, addr), generic.Classify(name, addr)
	if v.Degree != w.Degree || v.Score != w.Score || w.Parts != nil {
		t.Fatalf("%s %s: %v, explained %v", addr, name, w, v)
	}
	if v.Score < 0 || v.Score > 1 || math.IsNaN(v.Score) || (v.Score > 0.5) != (v.Degree != own) {
		t.Fatalf("%s %s: %s with score %v", addr, name, v.Degree, v.Score)
	}
	sum := 0.0
	for _, p := range v.Parts {
		sum += p.Weight
	}
	if logit := math.Log(v.Score / (1 - v.Score)); math.Abs(logit-sum) > 1e-6 {
		t.Errorf("%s %s: parts add up to %v, the score to %v", addr, name, sum, logit)
	}
}

func FuzzClassify(f *testing.F) {
	for _, tt := range names {
		if addr, err := netip.ParseAddr(tt.addr); err == nil {
			f.Add(tt.name, addr.AsSlice())
		}
	}
	for _, text := range hostile {
		f.Add(text, []byte{1, 2, 3, 4})
	}
	f.Fuzz(func(t *testing.T, text string, octets []byte) {
		name, err := dnsname.Parse(text)
		if err != nil {
			return
		}
		addr, _ := netip.AddrFromSlice(octets)
		check(t, name, addr)
	})
}

// hosts are names as clients of a mail server have them.
var hosts = []struct{ title, name, addr string }{
	{"plain", "mail.example.org", v4},
	{"numbered", "o7.ptr1234.sg.promo.example.com", v4},
	{"octets", "203-0-113-9.dynamic.dsl.example.net", v4},
	{"long", strings.Repeat("a1-b2.c3.", 26) + "example.org", v4},
	{"v6", "mail.example.org", "2001:db8::9"},
	{"v6-groups", "2001-0db8-0001-0022-0000-0000-0000-0333.dyn.example.net", v6},
	{"v6-long", strings.Repeat("2001-0db8.", 20) + "example.org", "2001:db8::9"},
}

func TestNoAllocation(t *testing.T) {
	for _, h := range hosts {
		name, addr := dnsname.MustParse(h.name), netip.MustParseAddr(h.addr)
		if n := testing.AllocsPerRun(100, func() { generic.Classify(name, addr) }); n != 0 {
			t.Errorf("%s: %v allocations", h.title, n)
		}
	}
}

func BenchmarkClassify(b *testing.B) {
	for _, h := range hosts {
		b.Run(h.title, func(b *testing.B) {
			name, addr := dnsname.MustParse(h.name), netip.MustParseAddr(h.addr)
			b.ReportAllocs()
			for b.Loop() {
				generic.Classify(name, addr)
			}
		})
	}
}

// TestEscapesAreNoNumbers: the digits of an escape number an octet of the name, as
// in a name that is not in ASCII.
func TestEscapesAreNoNumbers(t *testing.T) {
	addr := netip.MustParseAddr(v4)
	for _, name := range []string{`m\195\188ller.example.org`, `\195.example.org`, `a\.b\009.example.org`} {
		v := generic.Explain(dnsname.MustParse(name), addr)
		for _, p := range v.Parts {
			if strings.HasPrefix(p.Text, "number") || strings.Contains(p.Text, "octet") || strings.Contains(p.Text, "other number") || strings.Contains(p.Text, "more numbers") {
				t.Errorf("%s: %s", name, p)
			}
		}
	}
}
