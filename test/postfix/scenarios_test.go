package postfix_test

import (
	"net/mail"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/test/netlab"
)

// scenarios is what has to hold at each door.
func (s *site) scenarios(t *testing.T, d door) {
	for _, scenario := range []struct {
		name string
		run  func(*testing.T, door)
	}{
		{"good client", s.goodClient},
		{"two recipients", s.twoRecipients},
		{"forged header", s.forgedHeader},
		{"strict", s.strictRefuses},
		{"careful", s.carefulDefers},
		{"dns trouble", s.dnsTrouble},
		{"authenticated", s.authenticated},
		{"role mailboxes", s.roleMailboxes},
		{"mixed recipients", s.mixedRecipients},
		{"allow list", s.allowList},
		{"monitor", s.monitorWarns},
		{"case", s.caseIsKept},
		{"killed", s.killed},
	} {
		t.Run(scenario.name, func(t *testing.T) { scenario.run(t, d) })
	}
}

// mustAccept sends a mail that has to be accepted, and returns its header
// fields as delivered.
func (s *site) mustAccept(t *testing.T, m netlab.Mail) mail.Header {
	t.Helper()
	dialogue := s.Send(t, m)
	if !dialogue.Accepted() {
		t.Fatalf("not accepted:\n%s", dialogue)
	}
	message, err := mail.ReadMessage(strings.NewReader(s.postfix.Delivered(t, dialogue.ID)))
	if err != nil {
		t.Fatal(err)
	}
	return message.Header
}

// mustRefuse sends a mail that has to end with RCPT, and returns the reply.
func (s *site) mustRefuse(t *testing.T, m netlab.Mail, code string, words ...string) string {
	t.Helper()
	dialogue := s.Send(t, m)
	reply := dialogue.Rcpt()
	if !strings.HasPrefix(reply, code+" ") {
		t.Errorf("reply to RCPT of %s is not %s:\n%s", m.From, code, dialogue)
	}
	for _, w := range words {
		if !strings.Contains(reply, w) {
			t.Errorf("reply to RCPT of %s lacks %q: %s", m.From, w, reply)
		}
	}
	if link.FindString(reply) == "" {
		t.Errorf("reply to RCPT of %s has no link at its end: %s", m.From, reply)
	}
	return reply
}

// link is the end of every reply that refuses or defers.
var link = regexp.MustCompile(regexp.QuoteMeta("See "+netlab.SiteURL+"/r/") + `([0-9A-HJKMNP-TV-Z]{10})$`)

// results are the Authentication-Results fields of a message, unfolded.
func results(h mail.Header) []string { return h["Authentication-Results"] }

// client -> Postfix -> gate: pass -> mailbox, with one field of ours.
func (s *site) goodClient(t *testing.T, d door) {
	for from, want := range map[netip.Addr]string{
		good:  `mx.example.org; iprev=pass policy.iprev=203.0.113.10 (mail.example.net)`,
		good6: `mx.example.org; iprev=pass policy.iprev="2001:db8:113::10" (mail6.example.net)`,
	} {
		got := results(s.mustAccept(t, netlab.Mail{From: from, Port: d.strict}))
		if !slices.Equal(got, []string{want}) {
			t.Errorf("%s: Authentication-Results %q, want %q once", from, got, want)
		}
	}
}

// client -> two RCPT, so two questions about one message -> one field.
func (s *site) twoRecipients(t *testing.T, d door) {
	m := netlab.Mail{From: good, Port: d.strict, To: []string{"one@example.org", "two@example.org"}}
	if got := results(s.mustAccept(t, m)); len(got) != 1 {
		t.Errorf("Authentication-Results %q, want one", got)
	}
}

// client with forged fields -> milter removes those with our identifier (RFC
// 8601 §5), whatever their spelling. The policy protocol can't remove fields.
func (s *site) forgedHeader(t *testing.T, d door) {
	if d.name == "policy" {
		t.Log("policy delegation can't remove header fields; ours comes first")
	}
	kept := []string{
		"other.example.com; dkim=pass header.d=example.com",
		"sub.mx.example.org; spf=pass smtp.mailfrom=example.net",
	}
	forged := []string{
		"mx.example.org; iprev=pass policy.iprev=203.0.113.66 (forged)",
		"MX.example.ORG; spf=pass smtp.mailfrom=forged.example",
		`"mx.example.org" 1; dkim=pass header.d=forged.example`,
		"(comment) mx.example.org;\r\n\tdmarc=pass header.from=forged.example",
		"mx.example.org; none",
	}
	m := netlab.Mail{From: good, Port: d.strict}
	for i, value := range slices.Concat(forged[:2], kept[:1], forged[2:], kept[1:]) {
		name := []string{"Authentication-Results", "authentication-results"}[i%2]
		m.Header = append(m.Header, name+": "+value)
	}
	header := s.mustAccept(t, m)
	got := results(header)
	want := append([]string{"mx.example.org; iprev=pass policy.iprev=203.0.113.10 (mail.example.net)"}, kept...)
	if d.name == "milter" && !slices.Equal(got, want) {
		t.Errorf("Authentication-Results %q, want %q", got, want)
	}
	if len(got) == 0 || got[0] != want[0] {
		t.Errorf("first Authentication-Results of %q is not ours", got)
	}
}

// client without confirmed name -> strict gate -> 550 at RCPT.
func (s *site) strictRefuses(t *testing.T, d door) {
	const failed = "Reverse DNS validation failed: "
	for from, words := range map[netip.Addr]string{
		noPTR:     failed + "203.0.113.20 has no PTR record",
		noPTR6:    failed + "2001:db8:113::20 has no PTR record",
		mismatch:  failed + "PTR record of 203.0.113.30 is other.example.net",
		mismatch6: failed + "PTR record of 2001:db8:113::30 is other6.example.net",
	} {
		s.mustRefuse(t, netlab.Mail{From: from, Port: d.strict}, "550 5.7.25", words)
	}
}

// client without confirmed name -> careful gate -> 450 at RCPT, and still 450
// after three times, for an hour has not passed.
func (s *site) carefulDefers(t *testing.T, d door) {
	for _, from := range []netip.Addr{noPTR, noPTR6, mismatch, noPTR, noPTR} {
		s.mustRefuse(t, netlab.Mail{From: from, Port: d.careful}, "450 4.7.25", "Reverse DNS validation failed: ")
	}
	s.mustAccept(t, netlab.Mail{From: good, Port: d.careful})
}

// client whose zones don't answer -> 451, with whatever preset.
func (s *site) dnsTrouble(t *testing.T, d door) {
	for _, from := range []netip.Addr{reverseBad, forwardBad} {
		for _, port := range []uint16{d.strict, d.careful} {
			s.mustRefuse(t, netlab.Mail{From: from, Port: port}, "451 4.7.25", "could not be checked")
		}
	}
}

// client without PTR -> AUTH -> accepted; without AUTH on the same port not.
func (s *site) authenticated(t *testing.T, d door) {
	m := netlab.Mail{From: noPTR, Port: d.submission}
	s.mustRefuse(t, m, "550 5.7.25")
	m.Login = true
	dialogue := s.Send(t, m)
	if auth := dialogue.Reply("AUTH"); auth.Code != 235 {
		t.Fatalf("AUTH failed:\n%s", dialogue)
	}
	if !dialogue.Accepted() {
		t.Errorf("authenticated client not accepted:\n%s", dialogue)
	}
}

// client without PTR -> postmaster@ and abuse@ (RFC 5321 §4.5.1, RFC 2142).
func (s *site) roleMailboxes(t *testing.T, d door) {
	for _, to := range []string{"postmaster@example.org", "abuse@example.org", "PostMaster@example.org"} {
		s.mustAccept(t, netlab.Mail{From: noPTR, Port: d.strict, To: []string{to}})
	}
}

// client without PTR -> postmaster@ and user@ in one transaction: the one is
// accepted, the other not, in either order.
func (s *site) mixedRecipients(t *testing.T, d door) {
	to := []string{"postmaster@example.org", "user@example.org"}
	for range 2 {
		dialogue := s.Send(t, netlab.Mail{From: noPTR, Port: d.strict, To: to})
		role, user := dialogue.Reply("RCPT TO:<postmaster"), dialogue.Reply("RCPT TO:<user")
		if role.Code != 250 || user.Code != 550 || !dialogue.Accepted() {
			t.Errorf("postmaster %d, want 250; user %d, want 550:\n%s", role.Code, user.Code, dialogue)
		}
		slices.Reverse(to)
	}
}

// client without PTR -> list allow add -> accepted; remove -> refused again.
func (s *site) allowList(t *testing.T, d door) {
	const network = "198.51.100.128/25"
	m := netlab.Mail{From: allowed, Port: d.strict}
	s.mustRefuse(t, m, "550 5.7.25")
	s.strict.CLI(t, "list", "allow", "add", network, "--reason", "partner without PTR", "--owner", "postmaster")
	netlab.Eventually(t, 10*time.Second, network+" allowed", func() bool { return s.Send(t, m).Accepted() })
	if show := s.strict.CLI(t, "list", "allow", "show"); !strings.Contains(show, network) {
		t.Errorf("list allow show lacks %s:\n%s", network, show)
	}
	s.strict.CLI(t, "list", "allow", "remove", network)
	netlab.Eventually(t, 10*time.Second, network+" no longer allowed", func() bool { return !s.Send(t, m).Accepted() })
}

// client without PTR -> monitor gate -> accepted, with a warning in a log.
func (s *site) monitorWarns(t *testing.T, d door) {
	before := len(s.postfix.Log())
	s.mustAccept(t, netlab.Mail{From: noPTR, Port: d.monitor})
	if log := s.monitor.Log(); !strings.Contains(log, noPTR.String()) || !strings.Contains(log, "would") {
		t.Errorf("the gate's log does not say what would have become of %s:\n%s", noPTR, log)
	}
	// A milter has no way into Postfix's log.
	if log := s.postfix.Log()[before:]; d.name == "policy" && !strings.Contains(log, "has no PTR record") {
		t.Errorf("no warning in Postfix's log:\n%s", log)
	}
}

// refused client -> reference in the reply -> why REF tells the case.
func (s *site) caseIsKept(t *testing.T, d door) {
	reply := s.mustRefuse(t, netlab.Mail{From: mismatch, Port: d.strict}, "550 5.7.25")
	found := link.FindStringSubmatch(reply)
	if found == nil {
		t.Fatalf("no reference in %q", reply)
	}
	for _, target := range []string{found[1], mismatch.String()} {
		netlab.Eventually(t, 10*time.Second, "why "+target+" tells the case", func() bool {
			why, ok := s.strict.TryCLI("why", target) // cases are written in batches
			return ok && strings.Contains(why, "other.example.net") && strings.Contains(why, found[1])
		})
	}
}

// client without PTR -> gate killed -> accepted by the default action of the
// documentation -> gate back, on the same store and sockets -> refused.
func (s *site) killed(t *testing.T, d door) {
	m := netlab.Mail{From: noPTR, Port: d.mortal}
	gate := s.StartGate(t, s.mortal)
	s.mustRefuse(t, m, "550 5.7.25")
	gate.Kill()
	if got := results(s.mustAccept(t, m)); len(got) != 0 {
		t.Errorf("Authentication-Results %q of a dead gate", got)
	}
	s.StartGate(t, s.mortal)
	netlab.Eventually(t, 20*time.Second, "gate answers again", func() bool { return !s.Send(t, m).Accepted() })
	s.mustRefuse(t, m, "550 5.7.25")
}
