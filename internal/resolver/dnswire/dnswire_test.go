package dnswire_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver/dnswire"
)

var ptr = evidence.Question{Name: dnsname.MustParse("9.113.0.203.in-addr.arpa"), Type: evidence.PTR}

func TestAppendQuery(t *testing.T) {
	for _, name := range []string{"9.113.0.203.in-addr.arpa", ".", `a\.b.example.org`, strings.Repeat("a.", 126) + "a"} {
		q := evidence.Question{Name: dnsname.MustParse(name), Type: evidence.AAAA}
		for _, edns := range []bool{false, true} {
			b := dnswire.AppendQuery(nil, 0x1234, q, edns)
			if len(b) > dnswire.MaxQuery {
				t.Errorf("%s: %d octets", name, len(b))
			}
			var m dns.Msg
			if err := m.Unpack(b); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if m.AuthenticatedData {
				t.Error("the gate's questions ask for no word on DNSSEC")
			}
			if m.Id != 0x1234 || !m.RecursionDesired || m.Response || len(m.Question) != 1 || m.Question[0].Qtype != dns.TypeAAAA {
				t.Errorf("%s: %s", name, &m)
			}
			if got := dnsname.MustParse(m.Question[0].Name); got != q.Name {
				t.Errorf("asks for %s, want %s", got, q.Name)
			}
			if opt := m.IsEdns0(); (opt != nil) != edns || edns && (opt.UDPSize() != dnswire.PayloadSize || opt.Do()) {
				t.Errorf("%s: OPT %v", name, opt)
			}
		}
	}
}

func TestMixCase(t *testing.T) {
	plain := dnswire.AppendQuery(nil, 1, ptr, true)
	mixed := slices.Clone(plain)
	dnswire.MixCase(mixed, bytes.Repeat([]byte{0xff}, 32))
	if !bytes.Contains(mixed, []byte("\x07IN-ADDR\x04ARPA\x00")) {
		t.Errorf("all bits set: %q", mixed)
	}
	same := slices.Clone(plain)
	if dnswire.MixCase(same, make([]byte, 32)); !bytes.Equal(same, plain) {
		t.Errorf("no bit set: %q", same)
	}
	long := dnswire.AppendQuery(nil, 1, evidence.Question{Name: dnsname.MustParse(strings.Repeat("a.", 126) + "a")}, false)
	dnswire.MixCase(long, bytes.Repeat([]byte{0xaa}, 32)) // 32 octets suffice for every name
}

// reply returns an answer to ptr with the records given as text.
func reply(t testing.TB, records ...string) []byte {
	m := new(dns.Msg).SetQuestion(ptr.Name.String()+".", dns.TypePTR)
	m.Response, m.Compress = true, true
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecodeIsIndependent(t *testing.T) {
	var d dnswire.Decoder
	b := reply(t, ptr.Name.String()+" 60 IN PTR mail.example.org.")
	r, err := d.Decode(b, ptr)
	if err != nil || r.TTL != 60 || len(r.Names) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	clear(b)
	if _, err := d.Decode(reply(t, ptr.Name.String()+" 60 IN PTR other.example.org."), ptr); err != nil {
		t.Fatal(err)
	}
	if got := r.Names[0].String(); got != "mail.example.org" {
		t.Errorf("the first response has become %s", got)
	}
}

func TestDecodeAllocations(t *testing.T) {
	var d dnswire.Decoder
	b := reply(t, ptr.Name.String()+" 60 IN PTR mail.example.org.")
	if n := testing.AllocsPerRun(100, func() { _, _ = d.Decode(b, ptr) }); n > 3 {
		t.Errorf("%v allocations, want the name, its place in a set, and the result", n)
	}
}

func TestFlagsOfQueries(t *testing.T) {
	for _, tt := range []struct {
		name   string
		query  []byte
		rd, ad bool
	}{
		{"PTR", dnswire.AppendQuery(nil, 1, ptr, true), true, false},
		{"TXT", dnswire.AppendQuery(nil, 1, evidence.Question{Name: ptr.Name, Type: evidence.TXT}, true), true, true},
		{"to an authoritative server", dnswire.AppendDirect(nil, 1, evidence.Question{Name: ptr.Name, Type: evidence.SOA}, true), false, false},
	} {
		var m dns.Msg
		if err := m.Unpack(tt.query); err != nil || m.RecursionDesired != tt.rd || m.AuthenticatedData != tt.ad || m.CheckingDisabled {
			t.Errorf("%s: %v, %s", tt.name, err, &m)
		}
	}
}

// message packs an answer to a question with records for its three sections,
// which a dash separates.
func message(t testing.TB, q evidence.Question, records ...string) []byte {
	m := new(dns.Msg).SetQuestion(dns.Fqdn(q.Name.String()), uint16(q.Type))
	m.Response, m.Compress = true, true
	sections := []*[]dns.RR{&m.Answer, &m.Ns, &m.Extra}
	for _, text := range records {
		if text == "-" {
			sections = sections[1:]
			continue
		}
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		*sections[0] = append(*sections[0], rr)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const zoneSOA = "example.org. 600 SOA ns.example.org. host.example.org. 7 3600 900 604800 300"

func TestDecodeData(t *testing.T) {
	apex := dnsname.MustParse("example.org")
	for _, tt := range []struct {
		name    string
		typ     evidence.Type
		records []string
		want    string
	}{
		{"TXT, joined", evidence.TXT, []string{`example.org. TXT "v=spf1 " "-all"`, `example.org. TXT ""`}, `2 [] [v=spf1 -all ] []`},
		{"TXT twice the same", evidence.TXT, []string{`example.org. TXT "a"`, `example.org. 9 TXT "a"`}, `2 [] [a a] []`},
		{
			"MX by preference", evidence.MX,
			[]string{"example.org. MX 20 b.example.org.", "example.org. MX 10 a.example.org."},
			"2 [a.example.org b.example.org] [] [10 20]",
		},
		{"SOA", evidence.SOA, []string{zoneSOA}, "1 [] [] [] example.org 7 300 600"},
		{"no MX, with the zone", evidence.MX, []string{"-", zoneSOA}, "0 [] [] [] example.org 7 300 600"},
		{
			"NS is no place for a SOA record of another section", evidence.NS,
			[]string{"example.org. NS ns.example.org.", "-", zoneSOA},
			"1 [ns.example.org] [] []",
		},
		{"DS are counted", evidence.DS, []string{"example.org. DS 1 13 2 00", "example.org. DS 2 13 2 00"}, "2 [] [] []"},
		{"no A: the decoder of the gate leaves the SOA record", evidence.A, []string{"-", zoneSOA}, "0 [] [] []"},
	} {
		var d dnswire.Decoder
		q := evidence.Question{Name: apex, Type: tt.typ}
		r, err := d.Decode(message(t, q, tt.records...), q)
		got := fmt.Sprintf("%d %s %s %d", r.Total, r.Names, r.Texts, r.Preferences)
		if r.Start != nil {
			got += fmt.Sprintf(" %s %d %d %d", r.Start.Zone, r.Start.Serial, r.Start.Minimum, r.Start.TTL)
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.name, got, err, tt.want)
		}
	}
	d := dnswire.Decoder{Whole: true}
	q := evidence.Question{Name: apex, Type: evidence.A}
	if r, err := d.Decode(message(t, q, "-", zoneSOA), q); err != nil || r.Start == nil {
		t.Errorf("a decoder that reads the whole: %+v, %v", r.Start, err)
	}
}

func TestDelegation(t *testing.T) {
	q := evidence.Question{Name: dnsname.MustParse("mail.example.org"), Type: evidence.NS}
	for _, tt := range []struct {
		name    string
		records []string
		want    string
	}{
		{"with glue", []string{
			"-", "example.org. NS b.example.org.", "example.org. NS a.example.org.", "-", "a.example.org. A 192.0.2.1",
			"b.example.org. AAAA 2001:db8::1",
		}, "example.org [b.example.org a.example.org] of 2 [{a.example.org 192.0.2.1} {b.example.org 2001:db8::1}]"},
		{"of a zone elsewhere", []string{"-", "example.net. NS a.example.org."}, " [] of 0 []"},
		{"of two zones: the first", []string{"-", "example.org. NS a.example.org.", "org. NS b.example.org."}, "example.org [a.example.org] of 1 []"},
		{"none", []string{"mail.example.org. NS a.example.org."}, " [] of 0 []"},
	} {
		var d dnswire.Decoder
		got, err := d.Delegation(message(t, q, tt.records...), q)
		if text := fmt.Sprintf("%s %s of %d %v", got.Zone, got.Names, got.Total, got.Glue); err != nil || text != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.name, text, err, tt.want)
		}
	}
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf("example.org. NS n%d.example.org.", i))
	}
	var d dnswire.Decoder
	if got, err := d.Delegation(message(t, q, append([]string{"-"}, many...)...), q); err != nil || got.Total != 60 || len(got.Names) != evidence.MaxNames {
		t.Errorf("sixty servers: %d of %d, %v", len(got.Names), got.Total, err)
	}
}
