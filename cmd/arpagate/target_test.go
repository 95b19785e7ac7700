package main

import (
	"errors"
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	for _, test := range []struct {
		covers, in string
		want       string // the target
		fault      string // or a part of what is wrong with it
	}{
		{covers: "K001", in: "", fault: "it is empty"},
		{covers: "K002", in: "-", fault: "neither standard input nor a file"},
		{covers: "K004", in: "198.51.100.7", want: "198.51.100.7"},
		{covers: "K005", in: "198.51.100.007", fault: "without leading zeros"},
		{covers: "K006", in: "3325256711", fault: "no address in full"},
		{covers: "K007", in: "0x7f.1", fault: "no address in full"},
		{covers: "K008", in: "[2001:db8::1]", want: "2001:db8::1"},
		{covers: "K009", in: "2001:db8::1%eth0", fault: "with a zone"},
		{covers: "K010", in: "::ffff:198.51.100.7", want: "198.51.100.7"},
		{covers: "K011", in: "198.51.100.0/24", fault: "one address is examined at a time"},
		{covers: "K012", in: "198.51.100.1-198.51.100.9", fault: "one address is examined at a time"},
		{covers: "K013", in: "example.org", want: "example.org"},
		{covers: "K014", in: "a b", fault: "blank or a control character"},
		{covers: "K015", in: "١٩٨.51.100.7", fault: "write it in ASCII"},
		{covers: "K016", in: "198.51.100.7\n", fault: "blank or a control character"},
		{covers: "K017", in: strings.Repeat("a", 10<<10), fault: "10240 octets"},
		{covers: "K020", in: "@file", fault: "neither standard input nor a file"},
		{covers: "K021", in: "0.0.0.0/0", fault: "one address is examined at a time"},
		{covers: "K022", in: "::/0", fault: "one address is examined at a time"},
		{covers: "K023", in: "198.51.100.9-198.51.100.1", fault: "one address is examined at a time"},
		{covers: "K024", in: "198.51.100.0/33", fault: "without a slash"},
		{covers: "K025", in: "198.51.100.0/-1", fault: "without a slash"},
		{covers: "K026", in: "198.51.100.7/24", fault: "one address is examined at a time"},
		{in: "2001:DB8::1", want: "2001:db8::1"},
		{in: "[::ffff:198.51.100.7]", want: "198.51.100.7"},
		{in: "[198.51.100.7]", fault: "only an IPv6 address may stand in brackets"},
		{in: "[2001:db8::1]:25", fault: "nothing behind them"},
		{in: "[2001:db8::1", fault: "nothing behind them"},
		{in: "[2001:db8::1%eth0]", fault: "with a zone"},
		{in: "IPv6:2001:db8::1", fault: "without IPv6:"},
		{in: "198.51.100.7:25", fault: "without a port"},
		{in: "2001:db8:::1", fault: "no IPv6 address"},
		{in: "Mail.Example.ORG.", want: "mail.example.org"},
		{in: "_dmarc.example.org", want: "_dmarc.example.org"},
		{in: "xn--bcher-kva.example.org", want: "xn--bcher-kva.example.org"},
		{in: "b\u00fccher.example.org", fault: "xn--"},
		{in: "mail", fault: "two labels"},
		{in: ".", fault: "the root is no host"},
		{in: "..", fault: "label empty"},
		{in: "example..org", fault: "label empty"},
		{in: "localhost", fault: "local host"},
		{in: "-mail.example.org", fault: "hyphen"},
		{in: "mail!.example.org", fault: "letters, digits"},
		{in: `mail\.example.org`, fault: "letters, digits"},
		{in: "7.100.51.198.in-addr.arpa", fault: "name the address instead"},
		{in: "https://example.org", fault: "not a URL"},
		{in: "you@example.org", want: "example.org"},
		{in: "a@b@example.org", fault: "no mail address"},
		{in: "you@203.0.113.9", fault: "no address in full"},
		{in: "you@", fault: "it is empty"},
		{in: strings.Repeat("a", 64) + ".example.org", fault: "63 octets"},
		{in: strings.Repeat("abcdefghi.", 26) + "org", fault: "255 octets"},
	} {
		t.Run(test.covers+" "+test.in[:min(len(test.in), 40)], func(t *testing.T) {
			got, err := parseTarget(test.in)
			if test.fault == "" {
				if err != nil || got.String() != test.want {
					t.Errorf("got %q, %v; want %q", got, err, test.want)
				}
				return
			}
			var f *failure
			if !errors.As(err, &f) || f.code != exitUsage {
				t.Fatalf("got %q, %v; want a usage error", got, err)
			}
			if text := err.Error(); !strings.Contains(text, test.fault) || strings.ContainsAny(text, "\r\n\x1b") {
				t.Errorf("got %q, want %q in it", text, test.fault)
			}
		})
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{"198.51.100.7", "[2001:db8::1]", "mail.example.org", `a\046b.example`, "198.51.100.1-198.51.100.9", "\x1b[2J"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseTarget(s)
		switch {
		case err != nil && oneLine(err.Error()) != err.Error():
			t.Errorf("the error %q is not a line of plain text", err)
		case err == nil:
			again, err := parseTarget(got.String())
			again.Mailbox = got.Mailbox // which its domain does not tell
			if err != nil || again != got {
				t.Errorf("%q was read as %q, and that as %q, %v", s, got, again, err)
			}
		}
	})
}
