package egress_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/egress"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// machine is one with these interfaces and sources.
type machine struct {
	interfaces string
	v4, v6     string
	err        error
}

func (m machine) Interfaces() ([]netip.Addr, error) { return addrs(m.interfaces), m.err }

func (m machine) Source(dst netip.Addr) (netip.Addr, error) {
	text := m.v4
	if dst.Is6() {
		text = m.v6
	}
	if text == "" {
		return netip.Addr{}, errors.New("no route")
	}
	return netip.MustParseAddr(text), nil
}

func addrs(list string) (out []netip.Addr) {
	for _, word := range strings.Fields(list) {
		out = append(out, netip.MustParseAddr(word))
	}
	return out
}

func TestFind(t *testing.T) {
	for _, test := range []struct {
		name    string
		machine machine
		seen    string
		want    string
	}{
		{
			"the routes come first, and nothing twice",
			machine{interfaces: "127.0.0.1 ::1 203.0.113.1 203.0.113.2 fe80::1%eth0 2001:db8::2 2001:db8::1", v4: "203.0.113.2", v6: "2001:db8::1"},
			"", "203.0.113.2 2001:db8::1 203.0.113.1 2001:db8::2",
		},
		{
			"behind a gateway: what the service saw",
			machine{interfaces: "127.0.0.1 192.168.1.5", v4: "192.168.1.5"},
			"203.0.113.9", "192.168.1.5 203.0.113.9",
		},
		{
			"behind a gateway that nobody tells of",
			machine{interfaces: "127.0.0.1 10.0.0.5", v4: "10.0.0.5"},
			"", "10.0.0.5",
		},
		{"no route, but an address", machine{interfaces: "203.0.113.1"}, "", "203.0.113.1"},
		{"mapped addresses", machine{interfaces: "::ffff:203.0.113.1", v4: "203.0.113.1"}, "::ffff:203.0.113.1", "203.0.113.1"},
		{"nothing but loopback", machine{interfaces: "127.0.0.1 ::1 224.0.0.1"}, "", ""},
		{"interfaces that can't be read", machine{v4: "203.0.113.1", err: errors.New("denied")}, "", "203.0.113.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := egress.Find(test.machine, addrs(test.seen))
			if want := addrs(test.want); !slices.Equal(got, want) || err != nil {
				t.Errorf("got %v, %v; want %v", got, err, want)
			}
		})
	}
}

// TestFindFails wants the error only where nothing at all is known.
func TestFindFails(t *testing.T) {
	if got, err := egress.Find(machine{err: errors.New("denied")}, nil); err == nil || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestFindIsBounded gives a machine with very many addresses.
func TestFindIsBounded(t *testing.T) {
	var many string
	for addr := netip.MustParseAddr("2001:db8::1"); len(many) < 10_000; addr = addr.Next() {
		many += addr.String() + " "
	}
	if got, _ := egress.Find(machine{interfaces: many}, nil); len(got) != egress.Most {
		t.Errorf("got %d addresses", len(got))
	}
}

func TestSeen(t *testing.T) {
	answer := &evidence.Answer{
		Addrs: addrs("203.0.113.9"),
		Texts: []untrusted.Text{untrusted.New(" 2001:db8::9 "), untrusted.New("v=spf1 -all"), untrusted.New("203.0.113.10\x00"), untrusted.New("fe80::1%eth0")},
	}
	if got, want := egress.Seen(answer), addrs("203.0.113.9 2001:db8::9 fe80::1"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestLinux asks the real machine, which sends nothing for it: loopback is
// there, and is reached from loopback.
func TestLinux(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	all, err := egress.Linux{}.Interfaces()
	if err != nil || !slices.Contains(all, loopback) {
		t.Errorf("interfaces %v, %v", all, err)
	}
	if got, err := (egress.Linux{}).Source(loopback); err != nil || !got.IsLoopback() {
		t.Errorf("source for loopback %v, %v", got, err)
	}
	if got, err := (egress.Linux{}).Source(netip.MustParseAddr("::1")); err == nil && !got.IsLoopback() {
		t.Errorf("source for loopback %v", got)
	}
}
