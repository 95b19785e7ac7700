package dialer_test

import (
	"net/netip"
	"testing"

	"github.com/arpagate/arpagate/internal/dialer"
)

// TestPeers gives the reason for each address; none of them is dialled, since
// the question is put to the function that stands before connect(2).
func TestPeers(t *testing.T) {
	tests := []struct{ row, addr, want string }{
		{"H135", "127.0.0.1", "loopback"},
		{"H137", "0.0.0.0", "this-network"},
		{"H138", "::1", "loopback"},
		{"H139", "::ffff:127.0.0.1", "loopback"},
		{"H140", "10.0.0.1", "private"},
		{"H141", "100.64.0.1", "shared"},
		{"H142", "169.254.169.254", "link-local"},
		{"H143", "fd00:ec2::254", "private"},
		{"H144", "192.0.0.8", "protocol-assignment"},
		{"H145", "198.18.0.1", "benchmarking"},
		{"H146", "240.0.0.1", "reserved"},
		{"H147", "255.255.255.255", "broadcast"},
		{"H148", "64:ff9b::7f00:1", "nat64"},
		{"H149", "2002:7f00:1::", "6to4"},
		{"H150", "2001:0:0:0:0:0:80ff:fffe", "teredo"},
		{"H151", "::127.0.0.1", "ipv4-compatible"},
		{"H152", "fe80::1", "link-local"},
		{"H153", "ff02::1", "multicast"},

		// The rest of the table.
		{"", "0.1.2.3", "this-network"},
		{"", "127.255.255.254", "loopback"},
		{"", "172.16.0.1", "private"},
		{"", "172.31.255.255", "private"},
		{"", "192.168.1.1", "private"},
		{"", "192.88.99.1", "6to4-relay"},
		{"", "198.19.255.255", "benchmarking"},
		{"", "224.0.0.1", "multicast"},
		{"", "239.255.255.255", "multicast"},
		{"", "::", "unspecified"},
		{"", "::ffff:10.0.0.1", "private"},
		{"", "::ffff:192.0.2.1", "documentation"},
		{"", "64:ff9b:1::1", "nat64"},
		{"", "100::1", "discard"},
		{"", "2001:2::1", "protocol-assignment"},
		{"", "5f00::1", "segment-routing"},
		{"", "fc00::1", "private"},
		{"", "fec0::1", "site-local"},
		{"", "ff0e::1", "multicast"},
		{"", "192.0.2.1", "documentation"},
		{"", "198.51.100.1", "documentation"},
		{"", "203.0.113.1", "documentation"},
		{"", "2001:db8::1", "documentation"},
		{"", "3fff::1", "documentation"},
		{"", "fe80::1%eth0", "zone"},
		{"", "2600::1%eth0", "zone"},

		// Neighbours of the blocks above.
		{"", "1.0.0.0", "allowed"},
		{"", "9.255.255.255", "allowed"},
		{"", "100.63.255.255", "allowed"},
		{"", "100.128.0.0", "allowed"},
		{"", "172.32.0.0", "allowed"},
		{"", "223.255.255.255", "allowed"},
		{"", "2003::1", "allowed"},
		{"", "::ffff:9.0.0.1", "allowed"},
	}
	d := open(t, dialer.Config{})
	for _, tt := range tests {
		peer := netip.AddrPortFrom(netip.MustParseAddr(tt.addr), 25)
		if got := why(d.Control(peer, peer)); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.row, tt.addr, got, tt.want)
		}
	}
}

// TestPeerIsWhatCounts: an address that was fine when it was asked for does not
// let another one through at dial time.
func TestPeerIsWhatCounts(t *testing.T) {
	d := open(t, dialer.Config{})
	fine, loopback := netip.MustParseAddrPort("9.0.0.1:25"), netip.MustParseAddrPort("127.0.0.1:25")
	if got := why(d.Control(fine, loopback)); got != "loopback" {
		t.Errorf("asked for %s, peer %s: %s", fine, loopback, got)
	}
	mapped := netip.MustParseAddrPort("192.0.2.1:25")
	d = open(t, dialer.Config{Map: map[netip.AddrPort]netip.AddrPort{mapped: netip.MustParseAddrPort("127.0.0.1:2525")}})
	if got := why(d.Control(fine, fine)); got != "map" {
		t.Errorf("%s from within a lab: %s, want it barred", fine, got)
	}
	if got := why(d.Control(mapped, loopback)); got != "map" {
		t.Errorf("asked for %s, peer %s that is not in the map: %s", mapped, loopback, got)
	}
}

func TestOwn(t *testing.T) {
	d := open(t, dialer.Config{
		Services: append(dialer.DNS(), dialer.SMTP()),
		Own: []netip.AddrPort{
			netip.MustParseAddrPort("9.0.0.1:25"), netip.MustParseAddrPort("9.0.0.2:0"), netip.MustParseAddrPort("[::ffff:9.0.0.3]:53"),
		},
	})
	for _, tt := range []struct{ name, addr, want string }{
		{"H154 our own public address", "9.0.0.1:25", "own"},
		{"the same, mapped", "[::ffff:9.0.0.1]:25", "own"},
		{"another port of it", "9.0.0.1:53", "allowed"},
		{"H155 our backend, all ports", "9.0.0.2:25", "own"},
		{"H156 our resolver", "9.0.0.3:53", "own"},
		{"a neighbour", "9.0.0.4:25", "allowed"},
	} {
		peer := netip.MustParseAddrPort(tt.addr)
		if got := why(d.Control(peer, peer)); got != tt.want {
			t.Errorf("%s, %s: %s, want %s", tt.name, tt.addr, got, tt.want)
		}
	}
}

// TestShortForm: H136, an address of less than four numbers, which some systems
// read as one, is none.
func TestShortForm(t *testing.T) {
	if addr, err := netip.ParseAddr("127.1"); err == nil {
		t.Errorf("H136 127.1 is read as %s", addr)
	}
}

// TestGoPredicates tells why the registries' table is used: this is what the
// predicates of net/netip take for public.
func TestGoPredicates(t *testing.T) {
	d := open(t, dialer.Config{})
	for _, addr := range []string{
		"100.64.0.1", "192.0.0.8", "198.18.0.1", "240.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:0:0:0:0:80ff:fffe", "::127.0.0.1",
	} {
		a := netip.MustParseAddr(addr)
		if !a.IsGlobalUnicast() || a.IsPrivate() {
			t.Errorf("%s: the predicates know it by now", addr)
		}
		if peer := netip.AddrPortFrom(a, 25); d.Control(peer, peer) == nil {
			t.Errorf("%s: let through", addr)
		}
	}
}
