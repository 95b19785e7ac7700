package generic_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/generic"
)

func TestExplain(t *testing.T) {
	const v4, v6 = "203.0.113.9", "2001:db8:1:22::333"
	tests := []struct {
		addr, name, part string // part "" for a name that is not generic
	}{
		// All octets.
		{v4, "203-0-113-9.dsl.example.net", "octets 203-0-113-9"},
		{v4, "203.0.113.9.example.net", "octets 203.0.113.9"},
		{v4, "9.113.0.203.rev.example.net", "octets 9.113.0.203"},
		{v4, "host203_0_113_9.example.net", "octets 203_0_113_9"},
		{v4, "cpe-7-203-0-113-9.example.net", "octets 203-0-113-9"},
		{v4, "ip-203-000-113-009.pool.example.net", "octets 203-000-113-009"},
		{v4, "9.red-203-0-113.example.net", "octets 9.red-203-0-113"},
		{v4, "9.203-0-113.example.net", "octets 9.203-0-113"},
		{v4, "ip9.ip-203-0-113.example", "octets 9.ip-203-0-113"}, // in the domain's own name
		{v4, "ec2-203-0-113-9.compute.example.com", "octets 203-0-113-9"},
		{v4, "203-0-113-8.dsl.example.net", ""}, // another address
		{v4, "203-0-113-90.dsl.example.net", ""},
		{v4, "1203-0-113-9.dsl.example.net", "last octets 0-113-9"},
		{"192.0.2.2", "192-0-2-2.example.net", "octets 192-0-2-2"},
		{"192.0.2.2", "192-192-0-2.example.net", ""},
		{"::ffff:203.0.113.9", "203-0-113-9.example.net", "octets 203-0-113-9"},
		// Without separators.
		{v4, "p203000113009.example.net", "octets 203000113009"},
		{v4, "p009113000203.example.net", "octets 009113000203"},
		{v4, "s113009.ppp.example.net", "octets 113009"},
		{v4, "s000113009.ppp.example.net", "octets 000113009"},
		{v4, "s203000113.ppp.example.net", ""}, // the network alone
		{v4, "s1130090.ppp.example.net", ""},
		{v4, "cb007109.dsl.example.net", "hex cb007109"},
		{v4, "097100cb.dsl.example.net", "hex 097100cb"},
		{v4, "09.71.00.cb.example.net", "hex 09.71.00.cb"},
		{v4, "cb0071.dsl.example.net", ""},
		// The last octets.
		{v4, "guest-113-9.example.net", "last octets 113-9"},
		{v4, "9.113.pool.example.net", "last octets 9.113"},
		{v4, "h0-113-9.example.net", "last octets 0-113-9"},
		{v4, "h113x9.example.net", ""},
		{v4, "guest-9.example.net", ""},
		{v4, "guest-203-0.example.net", ""},
		{"192.0.2.3", "rack2-3.example.net", ""}, // too small to mean anything
		// Hosts that are there for mail.
		{v4, "mail-203-0-113-9.example.net", ""},
		{v4, "a113-9.smtp-out.example.com", ""},
		{v4, "mx113-9.example.com", ""},
		{v4, "a-mx-113-9.example.com", ""},
		{v4, "out113-9.example.com", ""},
		{v4, "113-9.xmail.example.com", ""},
		{v4, "south-113-9.example.com", "last octets 113-9"}, // a word, not a part of one
		{v4, "113-9.example.mx", "last octets 113-9"},        // nor the top level
		{v4, "mail.example.org", ""},
		{v4, "vps-e1cc9378.example.net", ""},
		// IPv6.
		{v6, "2001-db8-1-22--333.ip6.example.net", "groups 2001-db8-1-22--333"},
		{v6, "2001-db8-1-22-0-0-0-333.ip6.example.net", "groups 2001-db8-1-22-0-0-0-333"},
		{v6, "2001-0db8-0001-0022-0000-0000-0000-0333.example.net", "nibbles 2001-0db8-0001-0022-0000-0000-0000-0333"},
		{v6, "2001.0db8.0001.0022.0000.0000.0000.0333.example.net", "nibbles 2001.0db8.0001.0022.0000.0000.0000.0333"},
		{v6, "p20010db8000100220000000000000333.example.net", "nibbles 20010db8000100220000000000000333"},
		{v6, "0333-0000-0000-0000-0022-0001-0db8-2001.example.net", "nibbles 0333-0000-0000-0000-0022-0001-0db8-2001"},
		{v6, "33030000000000002200" + "1000" + "8bd0" + "1002.example.net", ""}, // no order at all
		{v6, "3.3.3.0.0.0.0.0.0.0.0.0.0.0.0.0.2.2.0.0.1.0.0.0.8.b.d.0.1.0.0.2.example.net", "nibbles 3.3.3.0.0.0.0.0.0.0.0.0.0.0.0.0.2.2.0.0.1.0.0.0.8.b.d.0.1.0.0.2"},
		{v6, "2001-db8-1-22--3333.ip6.example.net", ""},
		{v6, "2001-db8-1-22.ip6.example.net", ""}, // the network alone
		{v6, "203-0-113-9.example.net", ""},
		{"2001:db8::", "mail.example.org", ""},
		// What is no name or no address.
		{v4, ".", ""},
		{v4, "203-0-113-9", ""},
		{"", "203-0-113-9.example.net", ""},
	}
	for _, tt := range tests {
		addr, _ := netip.ParseAddr(tt.addr)
		var want []string
		if tt.part != "" {
			want = []string{tt.part}
		}
		got := generic.Explain(dnsname.MustParse(tt.name), addr)
		if got.Generic != (want != nil) || !slices.Equal(got.Parts, want) {
			t.Errorf("%s %s: got %v %q, want %q", tt.addr, tt.name, got.Generic, got.Parts, want)
		}
	}
	if v := generic.Explain(dnsname.Name{}, netip.MustParseAddr(v4)); v.Generic {
		t.Errorf("no name at all: %v", v)
	}
}

func FuzzExplain(f *testing.F) {
	f.Add("203-0-113-9.dsl.example.net", []byte{203, 0, 113, 9})
	f.Add("09.71.00.cb.s113009.example.net", []byte{203, 0, 113, 9})
	f.Add(`1\.2\0033.4.5.6.7-8_9--a.example.net`, []byte{1, 2, 3, 4})
	f.Add("2001-db8--1.example.net", netip.MustParseAddr("2001:db8::1").AsSlice())
	f.Add("3.3.3.0.0.0.0.0.0.0.0.0.0.0.0.0.2.2.0.0.1.0.0.0.8.b.d.0.1.0.0.2.example.net", netip.MustParseAddr("2001:db8:1:22::333").AsSlice())
	f.Fuzz(func(t *testing.T, text string, octets []byte) {
		name, err := dnsname.Parse(text)
		if err != nil {
			return
		}
		addr, _ := netip.AddrFromSlice(octets)
		v := generic.Explain(name, addr)
		if v.Generic != (len(v.Parts) == 1) {
			t.Fatalf("%s %s: %v %q", addr, name, v.Generic, v.Parts)
		}
		for _, p := range v.Parts {
			at := strings.LastIndexByte(p, ' ')
			if at < 0 || !strings.Contains(name.String(), p[at+1:]) {
				t.Errorf("%s %s: %q is no part of the name", addr, name, p)
			}
		}
	})
}

// hostNames are names as most clients of a mail server have them.
var hostNames = []struct {
	title, name, addr string
}{
	{"plain", "mail.example.org", "203.0.113.9"},
	{"numbered", "o7.ptr1234.sg.promo.example.com", "203.0.113.9"},
	{"long", strings.Repeat("a1-b2.c3.", 26) + "example.org", "203.0.113.9"},
	{"v6", "mail.example.org", "2001:db8::9"},
	{"v6-long", strings.Repeat("2001-0db8.", 20) + "example.org", "2001:db8::9"},
}

func TestNoAllocation(t *testing.T) {
	for _, h := range hostNames {
		name, addr := dnsname.MustParse(h.name), netip.MustParseAddr(h.addr)
		if n := testing.AllocsPerRun(100, func() { generic.Explain(name, addr) }); n != 0 {
			t.Errorf("%s: %v allocations", h.title, n)
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	for _, h := range hostNames {
		b.Run(h.title, func(b *testing.B) {
			name, addr := dnsname.MustParse(h.name), netip.MustParseAddr(h.addr)
			b.ReportAllocs()
			for b.Loop() {
				generic.Explain(name, addr)
			}
		})
	}
}
