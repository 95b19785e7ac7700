package dnswire_test

import (
	"bytes"
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
