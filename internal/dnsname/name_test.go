package dnsname_test

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/dnsname"
)

func TestParse(t *testing.T) {
	label := strings.Repeat("x", 63)
	for _, tt := range []struct {
		in, want string
		err      error
	}{
		{"Mail.Example.ORG.", "mail.example.org", nil},
		{"mail", "mail", nil},
		{".", ".", nil},
		{`a\.b.example.org`, `a\.b.example.org`, nil},
		{`a\046b.example.org`, `a\.b.example.org`, nil},
		{`a\\b`, `a\\b`, nil},
		{"a b\n", `a\032b\010`, nil},
		{"é.example.org", `\195\169.example.org`, nil},
		{`\065bc`, "abc", nil},
		{label + ".example.org", label + ".example.org", nil},
		{label + "x.example.org", "", dnsname.ErrLabel},
		{"a..b", "", dnsname.ErrLabel},
		{"", "", dnsname.ErrLabel},
		{".org", "", dnsname.ErrLabel},
		{`a\`, "", dnsname.ErrEscape},
		{`a\25`, "", dnsname.ErrEscape},
		{`a\256`, "", dnsname.ErrEscape},
		{strings.Repeat(label+".", 4), "", dnsname.ErrTooLong},
	} {
		got, err := dnsname.Parse(tt.in)
		if got.String() != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("Parse(%q) = %q, %v; want %q, %v", tt.in, got, err, tt.want, tt.err)
		}
	}
}

// Rows D056-D066 of the hostile inputs: names that want to send the reader in
// circles, or out of the message.
func TestFromWire(t *testing.T) {
	long := bytes.Repeat(append([]byte{63}, bytes.Repeat([]byte{'x'}, 63)...), 3)
	max := append(append(bytes.Clone(long), 61), bytes.Repeat([]byte{'y'}, 61)...)
	for _, tt := range []struct {
		name string
		msg  []byte
		off  int
		want string
		end  int
		err  error
	}{
		{"plain", []byte("\x04Mail\x07example\x03org\x00rest"), 0, "mail.example.org", 18, nil},
		{"root", []byte{0}, 0, ".", 1, nil},
		{"compressed", []byte("\x07example\x03org\x00\x04mail\xc0\x00+"), 13, "mail.example.org", 20, nil},
		{"dot inside a label", []byte("\x03a.b\x07example\x03org\x00"), 0, `a\.b.example.org`, 17, nil},
		{"D056 pointer to itself", []byte{0xc0, 0}, 0, "", 0, dnsname.ErrPointer},
		{"D057 pointer forward", []byte{0xc0, 2, 0}, 0, "", 0, dnsname.ErrPointer},
		{"D058 two-node loop", []byte{0xc0, 2, 0xc0, 0}, 2, "", 0, dnsname.ErrPointer},
		{"D059 pointer past the end", []byte{0xff, 0xff}, 0, "", 0, dnsname.ErrPointer},
		{"label, then pointer back to it", []byte("\x01a\xc0\x00"), 0, "", 0, dnsname.ErrPointer},
		{"half a pointer", []byte{0xc0}, 0, "", 0, dnsname.ErrShort},
		{"D062 label type 0x40", []byte{0x40, 0}, 0, "", 0, dnsname.ErrLabelTag},
		{"D063 label type 0x80", []byte{0x80, 0}, 0, "", 0, dnsname.ErrLabelTag},
		{"D064 255 octets", append(bytes.Clone(max), 0), 0, strings.Repeat(strings.Repeat("x", 63)+".", 3) + strings.Repeat("y", 61), 255, nil},
		{"D065 256 octets", append(append(bytes.Clone(long), 62), append(bytes.Repeat([]byte{'y'}, 62), 0)...), 0, "", 0, dnsname.ErrTooLong},
		{"label past the end", []byte("\x09mail"), 0, "", 0, dnsname.ErrShort},
		{"no end", []byte("\x04mail"), 0, "", 0, dnsname.ErrShort},
		{"offset past the end", []byte{0}, 7, "", 0, dnsname.ErrShort},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, end, err := dnsname.FromWire(tt.msg, tt.off)
			if got.String() != tt.want || end != tt.end || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %d, %v; want %q, %d, %v", got, end, err, tt.want, tt.end, tt.err)
			}
		})
	}
}

func TestPointerChainIsBounded(t *testing.T) {
	msg := []byte("\x03org\x00")
	for i := range 127 {
		at := 0
		if i > 0 {
			at = len(msg) - 2
		}
		msg = append(msg, 0xc0|byte(at>>8), byte(at))
	}
	if got, _, err := dnsname.FromWire(msg, len(msg)-2); err != nil || got.String() != "org" {
		t.Errorf("D061: 127 hops backwards: %q, %v", got, err)
	}
}

func TestUnder(t *testing.T) {
	for _, tt := range []struct {
		name, zone string
		want       bool
	}{
		{"mail.example.com", "example.com", true},
		{"example.com", "example.com", true},
		{"notmail.example.com", "mail.example.com", false},
		{"example.com", "mail.example.com", false},
		{`evil\.mail.example.com`, "mail.example.com", false},
		{`evil\\.mail.example.com`, "mail.example.com", true},
		{"mail.example.org", ".", true},
	} {
		if got := dnsname.MustParse(tt.name).Under(dnsname.MustParse(tt.zone)); got != tt.want {
			t.Errorf("%s under %s: %v", tt.name, tt.zone, got)
		}
	}
}

func TestReverseAndDNSBL(t *testing.T) {
	zone := dnsname.MustParse("list.example.org")
	for _, tt := range []struct{ addr, reverse, list string }{
		{"203.0.113.9", "9.113.0.203.in-addr.arpa", "9.113.0.203.list.example.org"},
		{"::ffff:203.0.113.9", "9.113.0.203.in-addr.arpa", "9.113.0.203.list.example.org"},
		{"2001:db8::1", "1." + strings.Repeat("0.", 23) + "8.b.d.0.1.0.0.2.ip6.arpa", "1." + strings.Repeat("0.", 23) + "8.b.d.0.1.0.0.2.list.example.org"},
	} {
		addr := netip.MustParseAddr(tt.addr)
		if got := dnsname.Reverse(addr).String(); got != tt.reverse {
			t.Errorf("Reverse(%s) = %s", tt.addr, got)
		}
		if got := dnsname.DNSBL(addr, zone).String(); got != tt.list {
			t.Errorf("DNSBL(%s) = %s", tt.addr, got)
		}
	}
	if !dnsname.Reverse(netip.Addr{}).IsZero() || !dnsname.DNSBL(netip.Addr{}, zone).IsZero() {
		t.Error("no address has no name")
	}
}

func TestOrg(t *testing.T) {
	for in, want := range map[string]string{
		"a.b.example.co.uk": "example.co.uk", "mail.example.org": "example.org", "example.org": "example.org", "org": "org", "co.uk": "co.uk",
	} {
		if got := dnsname.MustParse(in).Org().String(); got != want {
			t.Errorf("Org(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestHostFault(t *testing.T) {
	for in, want := range map[string]dnsname.HostFault{
		"mail.example.org": dnsname.Usable, "a_b.example.org": dnsname.Usable, "xn--80ak6aa92e.example": dnsname.Usable,
		".": dnsname.Root, "mail": dnsname.SingleLabel, "localhost": dnsname.Localhost, "x.localhost": dnsname.Localhost,
		"localhost.localdomain": dnsname.Localhost, "192.0.2.1": dnsname.Numeric, "a.123": dnsname.Numeric, "7": dnsname.Numeric,
		"*.example.org": dnsname.BadCharacter, `a\.b.example.org`: dnsname.BadCharacter, `\000.example.org`: dnsname.BadCharacter,
		"-h.example.org": dnsname.BadHyphen, "h-.example.org": dnsname.BadHyphen,
		"1.2.0.192.in-addr.arpa": dnsname.ReverseZone, "1.ip6.arpa": dnsname.ReverseZone,
	} {
		if got := dnsname.MustParse(in).HostFault(); got != want {
			t.Errorf("HostFault(%s) = %q, want %q", in, got, want)
		}
	}
}

func FuzzFromWire(f *testing.F) {
	for _, seed := range []string{"\x04mail\x03org\x00", "\xc0\x00", "\x03org\x00\x04mail\xc0\x00", "\x03a.b\x00", "\x40", ""} {
		f.Add([]byte(seed), 0)
		f.Add([]byte(seed), 5)
	}
	f.Fuzz(func(t *testing.T, msg []byte, off int) {
		if off < 0 {
			return
		}
		name, end, err := dnsname.FromWire(msg, off)
		if err != nil {
			return
		}
		if end <= off || end > len(msg) {
			t.Fatalf("end %d of a name at %d in %d octets", end, off, len(msg))
		}
		mustRoundTrip(t, name)
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"mail.example.org.", `a\.b`, `\255`, ".", "é", "a..b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, err := dnsname.Parse(s); err == nil {
			mustRoundTrip(t, name)
		}
	})
}

// mustRoundTrip demands that a name survives text and wire, and is printable.
func mustRoundTrip(t *testing.T, name dnsname.Name) {
	t.Helper()
	for i := range len(name.String()) {
		if c := name.String()[i]; c <= ' ' || c > '~' {
			t.Fatalf("%q holds octet %#x", name.String(), c)
		}
	}
	again, err := dnsname.Parse(name.String())
	if err != nil || again != name {
		t.Fatalf("%q parsed again is %q, %v", name, again, err)
	}
	wire := name.AppendWire(nil)
	back, end, err := dnsname.FromWire(wire, 0)
	if err != nil || back != name || end != len(wire) {
		t.Fatalf("%q through the wire is %q, %v", name, back, err)
	}
	if joined := strings.Join(name.Labels(), "."); name.String() != "." && joined != name.String() {
		t.Fatalf("labels of %q join to %q", name, joined)
	}
}

// TestLocal: names of local networks mean nothing outside.
func TestLocal(t *testing.T) {
	for name, want := range map[string]bool{
		"exchange.corp.local": true, "box.lan": true, "host.localdomain": true, "srv.internal": true,
		"mail.example.org": false, "local.example.org": false, "lan": true, ".": false,
	} {
		if got := dnsname.MustParse(name).Local(); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
