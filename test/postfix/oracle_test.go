package postfix_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/arpagate/arpagate/test/netlab"
)

// oracle sends from every host of the world, to the strict gate through the
// policy door and to Postfix's own reject_unknown_client_hostname, and compares
// what became of the recipient. Both ask the same unbound.
//
//	         ┌── :25 smtpd ── policy ── gate (strict) ──┐
//	host ────┤                                          ├── unbound ── nsd
//	         └── :27 smtpd, reject_unknown_client_… ────┘
func (s *site) oracle(t *testing.T) {
	deviated := map[string]int{}
	for _, h := range hosts {
		t.Run(h.name, func(t *testing.T) { s.compare(t, h, deviated) })
	}
	for _, why := range []string{onePTR, generic} {
		t.Logf("%d hosts judged otherwise: %s", deviated[why], why)
		if deviated[why] == 0 {
			t.Errorf("documented deviation does not occur: %s", why)
		}
	}
}

// tries is how often Postfix is asked where chance decides: often enough that
// all hosts together differ once, not each of them.
const tries = 6

func (s *site) compare(t *testing.T, h host, deviated map[string]int) {
	gate, dialogue := s.verdict(t, h, doors[0].strict)
	if gate != h.gate {
		t.Errorf("gate: %s, want %s\n%s", gate, h.gate, dialogue)
	}
	if h.deviates == "" {
		if postfix, dialogue := s.verdict(t, h, oraclePort); postfix != gate {
			t.Errorf("undocumented difference: gate %s, Postfix %s\n%s", gate, postfix, dialogue)
		}
		return
	}
	differs := false
	for range tries {
		postfix, dialogue := s.verdict(t, h, oraclePort)
		if !slices.Contains(h.postfix, postfix) {
			t.Errorf("undocumented verdict of Postfix: %s, want one of %v\n%s", postfix, h.postfix, dialogue)
		}
		differs = differs || postfix != gate
	}
	if differs {
		deviated[h.deviates]++
	}
	if chance := len(h.postfix) > 1; !chance && !differs {
		t.Errorf("documented deviation does not occur here: %s", h.deviates)
	}
}

// verdict is what a service of Postfix makes of a host.
func (s *site) verdict(t *testing.T, h host, port uint16) (verdict, netlab.Dialogue) {
	t.Helper()
	dialogue := s.Send(t, netlab.Mail{From: netip.MustParseAddr(h.addr), Port: port})
	switch dialogue.Reply("RCPT").Code / 100 {
	case 2:
		return accepted, dialogue
	case 4:
		return deferred, dialogue
	case 5:
		return refused, dialogue
	}
	t.Fatalf("RCPT not answered:\n%s", dialogue)
	return "", dialogue
}
