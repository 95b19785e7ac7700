package remedy_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/remedy"
)

func TestSpelling(t *testing.T) {
	for _, tc := range []struct {
		addr, target string
		want         remedy.Spelling
		block        string
	}{
		{"203.0.113.9", "9.0/25.113.0.203.in-addr.arpa", remedy.FirstSlashMask, "203.0.113.0/25"},
		{"203.0.113.200", "200.192/26.113.0.203.in-addr.arpa", remedy.FirstSlashMask, "203.0.113.192/26"},
		{"203.0.113.9", "9.0-25.113.0.203.in-addr.arpa", remedy.FirstHyphenMask, "203.0.113.0/25"},
		{"203.0.113.9", "9.8-29.113.0.203.in-addr.arpa", remedy.FirstHyphenMask, "203.0.113.8/29"},
		{"203.0.113.9", "9.0-127.113.0.203.in-addr.arpa", remedy.FirstHyphenLast, "203.0.113.0/25"},
		{"203.0.113.9", "9.8-15.113.0.203.in-addr.arpa", remedy.FirstHyphenLast, "203.0.113.8/29"},
		{"203.0.113.1", "1.0-31.113.0.203.in-addr.arpa", remedy.FirstHyphenLast, ""},
		{"203.0.113.9", "9.0-31.113.0.203.in-addr.arpa", remedy.FirstHyphenLast, "203.0.113.0/27"},
		{"203.0.113.9", "9.cust42.113.0.203.in-addr.arpa", remedy.PlainLabel, ""},
		{"203.0.113.9", "9.128/25.113.0.203.in-addr.arpa", remedy.PlainLabel, ""},  // another half
		{"203.0.113.9", "9.128-255.113.0.203.in-addr.arpa", remedy.PlainLabel, ""}, // another half
		{"203.0.113.9", "9.0-999.113.0.203.in-addr.arpa", remedy.PlainLabel, ""},
		{"203.0.113.9", "9.rev.example.com", remedy.ForwardZone, ""},
		{"2001:db8::1", "1.x.8.b.d.0.1.0.0.2.ip6.arpa", remedy.PlainLabel, ""},
	} {
		spelling, block := remedy.SpellingOf(netip.MustParseAddr(tc.addr), name(tc.target))
		got := ""
		if block.IsValid() {
			got = block.String()
		}
		if spelling != tc.want || got != tc.block {
			t.Errorf("%s: %s, block %q; want %s, %q", tc.target, spelling, got, tc.want, tc.block)
		}
	}
}

func TestClassless(t *testing.T) {
	b := open(t)
	for _, target := range []string{"9.0/25.113.0.203.in-addr.arpa", "9.0-25.113.0.203.in-addr.arpa", "9.0-127.113.0.203.in-addr.arpa", "9.cust.113.0.203.in-addr.arpa", "9.rev.example.com", odd} {
		in := missing("203.0.113.9", "mail.example.org")
		in.Reverse = chained(target)
		c := b.For(in).Classless
		if c == nil {
			t.Fatalf("%s: nothing said", target)
		}
		if err := remedy.Agree(c.ParentText, c.OwnText); err != nil {
			t.Errorf("%s: %v\n%s%s", target, err, c.ParentText, c.OwnText)
		}
		if warned := strings.Contains(strings.Join(c.Cautions, ""), `"/"`); warned != strings.Contains(target, "/") {
			t.Errorf("%s: cautions %q", target, c.Cautions)
		}
		if c.Target != name(target) || c.Alias != name("9.113.0.203.in-addr.arpa") || !c.Target.Under(c.Child) {
			t.Errorf("%s: %+v", target, c)
		}
		if hasNS := strings.Contains(c.ParentText, " IN NS "); hasNS == strings.HasSuffix(target, "example.com") {
			t.Errorf("%s: NS records belong to a delegation only:\n%s", target, c.ParentText)
		}
	}
}

// TestAgree: the two halves meet only octet for octet.
func TestAgree(t *testing.T) {
	const own = "9.0/25.113.0.203.in-addr.arpa. 3600 IN PTR mail.example.org.\n"
	for parent, ok := range map[string]bool{
		"9.113.0.203.in-addr.arpa. 3600 IN CNAME 9.0/25.113.0.203.in-addr.arpa.\n":   true,
		"9.113.0.203.in-addr.arpa. 3600 IN CNAME 9.0-25.113.0.203.in-addr.arpa.\n":   false,
		"9.113.0.203.in-addr.arpa. 3600 IN CNAME 9.0/25.113.0.203.IN-ADDR.ARPA.\n":   false,
		"9.113.0.203.in-addr.arpa. 3600 IN CNAME 9.0\\04725.113.0.203.in-addr.arpa.": false,
		"0/25.113.0.203.in-addr.arpa. 3600 IN NS ns1.example.org.\n":                 false,
		"": false,
	} {
		if err := remedy.Agree(parent, own); (err == nil) != ok || err != nil && !errors.Is(err, remedy.ErrSpelling) {
			t.Errorf("%q: %v", parent, err)
		}
	}
}

// TestBlockOfOnesOwn: without a delegation, a small block is a hint that one
// could be had.
func TestBlockOfOnesOwn(t *testing.T) {
	b := open(t)
	for prefix, hint := range map[string]bool{"203.0.113.0/28": true, "203.0.113.0/24": false} {
		in := missing("203.0.113.9", "mail.example.org")
		in.Reverse, in.Origin = reverse(none()), &evidence.Origin{Prefix: netip.MustParsePrefix(prefix)}
		if got := strings.Contains(strings.Join(b.For(in).Cautions, ""), "RFC 2317"); got != hint {
			t.Errorf("%s: hint %v", prefix, got)
		}
	}
}
