package evidence_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/untrusted"
)

var originZones = evidence.OriginZones{
	IPv4: dnsname.MustParse("origin.example.net"),
	IPv6: dnsname.MustParse("origin6.example.net"),
	AS:   dnsname.MustParse("as.example.net"),
}

func TestOrigin(t *testing.T) {
	const as = `as64496.as.example.net TXT "64496 | ZZ | registry | 2001-01-01 | EXAMPLE-NET Example Hosting, ZZ"` + "\n"
	const at = "9.113.0.203.origin.example.net TXT "
	for _, tt := range []struct {
		name, addr, zone string
		want             string // "ASN PREFIX ORG"
	}{
		{
			"found", "203.0.113.9", as + at + `"64496 | 203.0.113.0/24 | ZZ | registry | 2001-01-01"`,
			"64496 203.0.113.0/24 EXAMPLE-NET Example Hosting, ZZ",
		},
		{"IPv6 by nibbles", "2001:db8::9", as + "9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.origin6.example.net TXT " +
			`"64496 | 2001:db8::/32 | ZZ | registry | 2001-01-01"`, "64496 2001:db8::/32 EXAMPLE-NET Example Hosting, ZZ"},
		{
			"the closest prefix", "203.0.113.9", as + at + `"64511 | 203.0.113.0/24 | ZZ | registry | "` + "\n" +
				at + `"64496 | 203.0.113.0/25 | ZZ | registry | "` + "\n" + at + `"64510 | 203.0.113.0/24 | ZZ"`,
			"64496 203.0.113.0/25 EXAMPLE-NET Example Hosting, ZZ",
		},
		{"several systems: the first", "203.0.113.9", at + `"64497 64496 | 203.0.113.0/24 | ZZ | registry | "`, "64497 203.0.113.0/24 "},
		{"a name of another system", "203.0.113.9", at + `"64496 | 203.0.113.0/24"` + "\n" +
			`as64496.as.example.net TXT "64497 | ZZ | registry | | OTHER"`, "64496 203.0.113.0/24 "},
		{"a prefix elsewhere", "203.0.113.9", at + `"64496 | 198.51.100.0/24 | ZZ"`, "0 invalid Prefix "},
		{"a prefix of the other family", "203.0.113.9", at + `"64496 | ::/0 | ZZ"`, "0 invalid Prefix "},
		{"no number", "203.0.113.9", at + `"x | 203.0.113.0/24"`, "0 invalid Prefix "},
		{"a number too large", "203.0.113.9", at + `"4294967296 | 203.0.113.0/24"`, "0 invalid Prefix "},
		{"nothing between the bars", "203.0.113.9", at + `"||||"`, "0 invalid Prefix "},
		{"an empty text", "203.0.113.9", at + `""`, "0 invalid Prefix "},
		{"not announced", "203.0.113.9", as, "0 invalid Prefix "},
		{"no answer", "203.0.113.9", "!servfail 9.113.0.203.origin.example.net", "0 invalid Prefix "},
		{"markup in the name", "203.0.113.9", at + `"64496 | 203.0.113.0/24"` + "\n" +
			`as64496.as.example.net TXT "64496 | | | | <b>\010\027[2J"`, `64496 203.0.113.0/24 <b>\010\027[2J`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			world, err := lab.Parse(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			o := evidence.OriginOf(t.Context(), world, netip.MustParseAddr(tt.addr), originZones)
			if got := origin(o); got != tt.want || o.Answer == nil || o.Answer.Type != evidence.TXT {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// origin writes what was found out.
func origin(o *evidence.Origin) string { return fmt.Sprintf("%d %s %s", o.ASN, o.Prefix, o.Org) }

func TestOriginWithoutAZone(t *testing.T) {
	world := lab.Default()
	for _, addr := range []netip.Addr{{}, netip.MustParseAddr("203.0.113.9")} {
		zones := originZones
		if addr.IsValid() {
			zones.IPv4 = dnsname.Name{}
		}
		if o := evidence.OriginOf(t.Context(), world, addr, zones); o != nil || len(world.Log()) > 0 {
			t.Errorf("%s: %+v, %d questions", addr, o, len(world.Log()))
		}
	}
}

// texts answers every question with one TXT record.
type texts struct{ text untrusted.Text }

// Ask answers at once.
func (d texts) Ask(_ context.Context, questions ...evidence.Question) evidence.Pending {
	return d
}

// Wait returns the answer to one question.
func (d texts) Wait() []evidence.Answer {
	return []evidence.Answer{{State: evidence.Found, Texts: []untrusted.Text{d.text}}}
}

func FuzzOrigin(f *testing.F) {
	for _, text := range []string{
		"64496 | 203.0.113.0/24 | ZZ | registry | 2001-01-01", "64496 | ZZ | registry | 2001-01-01 | NAME, ZZ",
		"64496 64497|203.0.113.9/32|", "|||||", "4294967295 | 0.0.0.0/0 | \x00", "1 | 203.0.113.0/33",
	} {
		f.Add(text)
	}
	addr := netip.MustParseAddr("203.0.113.9")
	f.Fuzz(func(t *testing.T, text string) {
		o := evidence.OriginOf(t.Context(), texts{untrusted.Long(text)}, addr, originZones)
		if (o.ASN == 0) == o.Prefix.IsValid() || o.Prefix.IsValid() && (!o.Prefix.Contains(addr) || o.Prefix != o.Prefix.Masked()) {
			t.Errorf("%q: %+v", text, o)
		}
	})
}
