package evidence_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/lab"
)

// points are the test points of RFC 5782 §5, as a good list has them.
const points = "2.0.0.127.list.example.net A 127.0.0.2\n"

// points6 is the same for IPv6: ::FFFF:7F00:2 is listed, ::FFFF:7F00:1 is not.
const points6 = "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.list.example.net A 127.0.0.2\n"

// DNSWL answers a resolver that asks too much with 127.0.0.255 for every name, its
// test points too; in a block list the value means nothing.
func TestAllowListRefuses(t *testing.T) {
	const all = "9.113.0.203.list.example.net A 127.0.0.255\n2.0.0.127.list.example.net A 127.0.0.255\n1.0.0.127.list.example.net A 127.0.0.255\n"
	for _, tt := range []struct {
		name, zone string
		allow      bool
		want       evidence.ListState
	}{
		{"at every name", all, true, evidence.ListRefused},
		{"at the address alone", points + "9.113.0.203.list.example.net A 127.0.0.255\n", true, evidence.ListRefused},
		{"a listing is one", points + "9.113.0.203.list.example.net A 127.0.5.1\n", true, evidence.Listed},
		{"no allow list", all, false, evidence.ListBroken},
		{"a block list with that code", points + "9.113.0.203.list.example.net A 127.0.0.255\n", false, evidence.Listed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			world, err := lab.Parse(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			list := evidence.List{Zone: dnsname.MustParse("list.example.net"), Allow: tt.allow}
			got := evidence.Lists(t.Context(), world, netip.MustParseAddr("203.0.113.9"), []evidence.List{list})[0]
			if got.State != tt.want {
				t.Errorf("%s, want %s", got.State, tt.want)
			}
		})
	}
}

func TestLists(t *testing.T) {
	const v6 = "9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.list.example.net "
	for _, tt := range []struct {
		name, addr, zone string
		want             string
	}{
		{"not listed", "203.0.113.9", points, "not-listed []"},
		{"listed, with a text", "203.0.113.9", points + "9.113.0.203.list.example.net A 127.0.0.4\n" +
			`9.113.0.203.list.example.net TXT "see https://list." "example.net/9"`, "listed [127.0.0.4] see https://list.example.net/9"},
		{"listed by several codes", "203.0.113.9", points + "9.113.0.203.list.example.net A 127.0.0.4\n" +
			"9.113.0.203.list.example.net A 127.0.0.10\n", "listed [127.0.0.4 127.0.0.10]"},
		{"a mapped address is an IPv4 one", "::ffff:203.0.113.9", points + "9.113.0.203.list.example.net A 127.0.0.4\n", "listed [127.0.0.4]"},
		{"IPv6 by nibbles", "2001:db8::9", points6 + v6 + "A 127.0.0.4\n", "listed [127.0.0.4]"},
		{"IPv6, not listed", "2001:db8::9", points6, "not-listed []"},
		{"IPv6 with the test points of IPv4 only", "2001:db8::9", points + v6 + "A 127.0.0.4\n", "broken [127.0.0.4]"},
		{"refused: a public resolver", "203.0.113.9", points + "9.113.0.203.list.example.net A 127.255.255.254\n", "refused [127.255.255.254]"},
		{"refused at the test point", "203.0.113.9", "2.0.0.127.list.example.net A 127.255.255.252\n", "refused [127.255.255.252]"},
		{"rewritten by the resolver", "203.0.113.9", points + "9.113.0.203.list.example.net A 198.51.100.80\n", "rewritten [198.51.100.80]"},
		{"rewritten, though the code is there too", "203.0.113.9", points + "9.113.0.203.list.example.net A 127.0.0.4\n" +
			"9.113.0.203.list.example.net A 198.51.100.80\n", "rewritten [127.0.0.4 198.51.100.80]"},
		{"broken: lists everybody", "203.0.113.9", points + "1.0.0.127.list.example.net A 127.0.0.2\n" +
			"9.113.0.203.list.example.net A 127.0.0.2\n", "broken [127.0.0.2]"},
		{"broken: lists nobody", "203.0.113.9", "list.example.net TXT closed\n", "broken []"},
		{"no answer", "203.0.113.9", points + "!timeout 9.113.0.203.list.example.net A\n", "trouble []"},
		{"listed, but not to be verified", "203.0.113.9", "9.113.0.203.list.example.net A 127.0.0.4\n" +
			"!servfail 2.0.0.127.list.example.net\n", "trouble [127.0.0.4]"},
		{"the counter-test is not answered", "203.0.113.9", points + "!servfail 1.0.0.127.list.example.net\n", "trouble []"},
		{"the text alone is not answered", "203.0.113.9", points + "9.113.0.203.list.example.net A 127.0.0.4\n" +
			"!servfail 9.113.0.203.list.example.net TXT\n", "listed [127.0.0.4]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			world, err := lab.Parse(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			list := evidence.List{Zone: dnsname.MustParse("list.example.net"), IPv6: true}
			l := evidence.Lists(t.Context(), world, netip.MustParseAddr(tt.addr), []evidence.List{list})[0]
			got := fmt.Sprintf("%s %s", l.State, l.Codes)
			if !l.Text.IsZero() {
				got += " " + l.Text.String()
			}
			if got != tt.want || l.List != list || len(l.Tests) != 2 || l.Answer.Type != evidence.A {
				t.Errorf("got %s, want %s: %+v", got, tt.want, l)
			}
		})
	}
}

func TestListsThatAreNotAsked(t *testing.T) {
	world, err := lab.Parse(points)
	if err != nil {
		t.Fatal(err)
	}
	four := evidence.List{Zone: dnsname.MustParse("list.example.net")}
	for _, addr := range []string{"2001:db8::9", ""} {
		ip, _ := netip.ParseAddr(addr)
		got := evidence.Lists(t.Context(), world, ip, []evidence.List{four, {}})
		if got[0].State != evidence.ListSkipped || got[1].State != evidence.ListSkipped || len(world.Log()) > 0 {
			t.Errorf("%q: %s, %s, %d questions", addr, got[0].State, got[1].State, len(world.Log()))
		}
	}
	// The answers find their lists, whichever of them is left out.
	six := evidence.List{Zone: dnsname.MustParse("list.example.org"), IPv6: true, Allow: true}
	got := evidence.Lists(t.Context(), world, netip.MustParseAddr("203.0.113.9"), []evidence.List{{}, six, four})
	if got[0].State != evidence.ListSkipped || got[1].State != evidence.ListBroken || got[2].State != evidence.NotListed ||
		!got[1].Allow || got[2].Answer.Name.String() != "9.113.0.203.list.example.net" {
		t.Errorf("got %s, %s, %s", got[0].State, got[1].State, got[2].State)
	}
	if len(world.Log()) != 8 {
		t.Errorf("%d questions for two lists", len(world.Log()))
	}
}
