package facts_test

import (
	"testing"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/untrusted"
)

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"198.51.100.7":                "198.51.100.7",
		"2001:DB8::1":                 "2001:db8::1",
		"IPv6:2001:db8::1":            "2001:db8::1",
		"ipv6:2001:db8::1":            "2001:db8::1",
		"::ffff:198.51.100.7":         "198.51.100.7",
		"IPv6:::ffff:198.51.100.7":    "198.51.100.7",
		"":                            "invalid IP",
		"unknown":                     "invalid IP",
		"IPv6:":                       "invalid IP",
		"[198.51.100.7]":              "invalid IP",
		"198.51.100.7:25":             "invalid IP",
		"198.51.100.007":              "invalid IP",
		"0xC6336407":                  "invalid IP",
		" 198.51.100.7":               "invalid IP",
		"198.51.100.7 ":               "invalid IP",
		"fe80::1%eth0":                "invalid IP",
		"198.51.100.7/32":             "invalid IP",
		"local":                       "invalid IP",
		"198.51.100.7\x00203.0.113.9": "invalid IP",
	} {
		if got := facts.Address(in).String(); got != want {
			t.Errorf("Address(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestAuthenticated(t *testing.T) {
	if (facts.Conn{}).Authenticated() || !(facts.Conn{AuthUser: untrusted.New("alice")}).Authenticated() {
		t.Error("a client is authenticated when, and only when, it has a login")
	}
}
