package evidence

import (
	"context"
	"net/netip"

	"github.com/arpagate/arpagate/internal/dnsname"
)

// Lists asks DNS lists about an address, all at once, and judges once all answers
// are in. The test points of each list are asked too, for a list that has died
// lists everybody, or nobody (RFC 5782 §5).
func Lists(ctx context.Context, dns DNS, addr netip.Addr, lists []List) []ListAnswer {
	addr = addr.Unmap().WithZone("")
	out := make([]ListAnswer, len(lists))
	var questions []Question
	for i, list := range lists {
		out[i] = ListAnswer{List: list, State: ListSkipped}
		questions = append(questions, list.questions(addr)...)
	}
	if len(questions) == 0 {
		return out
	}
	answers := dns.Ask(ctx, questions...).Wait()
	for i, list := range lists {
		if n := len(list.questions(addr)); n > 0 {
			out[i].judge(answers[:n])
			answers = answers[n:]
		}
	}
	return out
}

// questions are the address, its text, what must be listed and what must not;
// none where the list does not file such addresses.
func (l List) questions(addr netip.Addr) []Question {
	if !addr.IsValid() || l.Zone.IsZero() || addr.Is6() && !l.IPv6 {
		return nil
	}
	name := dnsname.DNSBL(addr, l.Zone)
	listed, free := testPoints(addr, l.Zone)
	if listed.IsZero() || free.IsZero() {
		return nil // a zone so long that the names don't fit
	}
	return []Question{{name, A}, {name, TXT}, {listed, A}, {free, A}}
}

// testPoints returns the names of the addresses that every list must have and
// must not have: RFC 5782 §5. Those of IPv6 are mapped ones, written by nibbles
// as any other.
func testPoints(addr netip.Addr, zone dnsname.Name) (listed, free dnsname.Name) {
	if addr.Is4() {
		return dnsname.DNSBL(netip.AddrFrom4([4]byte{127, 0, 0, 2}), zone),
			dnsname.DNSBL(netip.AddrFrom4([4]byte{127, 0, 0, 1}), zone)
	}
	// ::FFFF:7F00:2, from the last nibble to the first.
	const rest = ".0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	listed, _ = dnsname.Parse("2" + rest + zone.String())
	free, _ = dnsname.Parse("1" + rest + zone.String())
	return listed, free
}

// judge reads the answers to the four questions.
func (l *ListAnswer) judge(answers []Answer) {
	said, text, listed, free := answers[0], answers[1], answers[2], answers[3]
	l.Answer, l.Tests = said, []Answer{listed, free}
	l.Codes = said.Addrs
	l.State = l.listState(said, listed, free)
	if l.State == Listed && len(text.Texts) > 0 {
		l.Text = text.Texts[0]
	}
	if l.State == ListRefused && len(l.Codes) == 0 {
		l.Codes = append(listed.Addrs, free.Addrs...)
	}
}

// listState says what the list means. What is no answer of the list at all comes
// first, then what makes its answers worthless, then the answer.
func (l List) listState(said, listed, free Answer) ListState {
	for _, a := range []Answer{said, listed, free} {
		if rewritten(a) {
			return ListRewrote
		}
	}
	for _, a := range []Answer{said, listed, free} {
		if refused(a, l.Allow) {
			return ListRefused
		}
	}
	switch {
	case listed.State.Negative(), free.State == Found:
		return ListBroken
	case !said.State.Complete(), !listed.State.Complete(), !free.State.Complete():
		return ListTrouble
	case said.State == Found:
		return Listed
	}
	return NotListed
}

// rewritten reports whether an answer can't be that of a list, whose values are
// of 127.0.0.0/8 (RFC 5782 §2.1).
func rewritten(a Answer) bool {
	for _, addr := range a.Addrs {
		if !addr.Is4() || addr.As4()[0] != 127 {
			return true
		}
	}
	return false
}

// refused reports whether the list says that it won't answer: by custom in
// 127.255.255.0/24, which looks like a listing to those who don't read it. DNSWL,
// an allow list, says 127.0.0.255, for every name of its zone.
func refused(a Answer, allow bool) bool {
	for _, addr := range a.Addrs {
		switch b := addr.As4(); {
		case b[0] == 127 && b[1] == 255 && b[2] == 255, allow && b == [4]byte{127, 0, 0, 255}:
			return true
		}
	}
	return false
}
