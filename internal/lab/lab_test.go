package lab_test

import (
	"net/netip"
	"testing"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/lab"
)

// iprev is RFC 8601 §3 in its simplest form: one question after the other.
func iprev(t *testing.T, w *lab.World, addr netip.Addr) evidence.Result {
	ask := func(name dnsname.Name, kind evidence.Type) evidence.Answer {
		return w.Ask(t.Context(), evidence.Question{Name: name, Type: kind}).Wait()[0]
	}
	kind := evidence.A
	if addr.Is6() {
		kind = evidence.AAAA
	}
	ptr := ask(dnsname.Reverse(addr), evidence.PTR)
	if ptr.State.Trouble() {
		return evidence.TempError
	}
	result := evidence.PermError
	for _, name := range ptr.Names {
		if name.HostFault() != dnsname.Usable {
			continue
		}
		forward := ask(name, kind)
		for _, a := range forward.Addrs {
			if a == addr {
				return evidence.Pass
			}
		}
		if forward.State.Trouble() {
			result = evidence.TempError
		} else if result != evidence.TempError {
			result = evidence.Fail
		}
	}
	return result
}

func TestHostsAreWhatTheySay(t *testing.T) {
	w := lab.Default()
	seen := map[netip.Addr]bool{}
	for _, h := range w.Hosts() {
		if got := iprev(t, w, h.Address); got.String() != h.Expect {
			t.Errorf("%s (%s): iprev %s, want %s", h.Address, h.Title, got, h.Expect)
		}
		if seen[h.Address] {
			t.Errorf("%s is there twice", h.Address)
		}
		seen[h.Address] = true
	}
	if len(seen) < 40 {
		t.Errorf("only %d hosts", len(seen))
	}
}
