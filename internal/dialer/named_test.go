package dialer_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/arpagate/arpagate/internal/dialer"
)

// TestNamed: the relay that the operator named on loopback is dialled, at its
// port and no other, also in a lab; a lab reaches nothing beyond this machine.
func TestNamed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	at := listener.Addr().(*net.TCPAddr).AddrPort()
	services := []dialer.Service{{Network: "tcp", Port: at.Port(), PerAddress: 9, PerNetwork: 9, AtOnce: 9}}
	for _, test := range []struct {
		name string
		c    dialer.Config
		to   netip.AddrPort
		want string
	}{
		{"named", dialer.Config{Named: []netip.AddrPort{at}}, at, "allowed"},
		{"named in its mapped form", dialer.Config{Named: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("::ffff:127.0.0.1"), at.Port())}}, at, "allowed"},
		{"another address", dialer.Config{Named: []netip.AddrPort{at}}, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), at.Port()), "loopback"},
		{"another port", dialer.Config{Named: []netip.AddrPort{netip.AddrPortFrom(at.Addr(), 1)}}, at, "loopback"},
		{"named in a lab", dialer.Config{Named: []netip.AddrPort{at}, Map: map[netip.AddrPort]netip.AddrPort{}}, at, "allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.c.Services = services
			if got := why(dial(t, open(t, test.c), test.to.String())); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}

	// What lies beyond this machine is asked of the function before connect(2).
	far := netip.MustParseAddrPort("192.168.0.25:25")
	for want, c := range map[string]dialer.Config{
		"allowed": {Named: []netip.AddrPort{far}},
		"private": {Named: []netip.AddrPort{far}, Map: map[netip.AddrPort]netip.AddrPort{}},
	} {
		if got := why(open(t, c).Control(far, far)); got != want {
			t.Errorf("far, %v: got %s, want %s", c, got, want)
		}
	}
}
