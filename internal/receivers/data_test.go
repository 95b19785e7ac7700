package receivers_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/receivers"
)

// TestData checks what the parser does not: that the rules make sense to people.
func TestData(t *testing.T) {
	ids := map[string]bool{}
	for _, r := range open(t).Receivers() {
		fires := false
		for _, rule := range r.Rules {
			if ids[r.Name+rule.ID] {
				t.Errorf("%s: rule %s stands twice", r.Name, rule.ID)
			}
			ids[r.Name+rule.ID] = true
			fires = fires || rule.When != "otherwise"
			if rule.Effect == receivers.Unsure && rule.Note == "" {
				t.Errorf("%s: %s is unknown and does not say why", r.Name, rule.ID)
			}
			if rule.Effect != receivers.Score && (rule.Points != 0 || rule.Sets != nil) {
				t.Errorf("%s: %s: points without a score", r.Name, rule.ID)
			}
			if len(rule.Date) != 10 || rule.Date > "2027" || rule.Date < "2001" {
				t.Errorf("%s: %s: date %q", r.Name, rule.ID, rule.Date)
			}
			for _, text := range []string{rule.Reply, rule.Note, rule.Source} {
				if strings.ContainsAny(text, "|\t\n") || strings.ContainsFunc(text, func(r rune) bool { return r > '~' }) {
					t.Errorf("%s: %s: %q", r.Name, rule.ID, text)
				}
			}
			if (rule.Effect == receivers.Reject || rule.Effect == receivers.Defer) && rule.Reply == "" {
				t.Errorf("%s: %s: no reply", r.Name, rule.ID)
			}
			if reply := rule.Reply; rule.Effect == receivers.Reject && reply != "" && reply[0] != '5' || rule.Effect == receivers.Defer && reply[0] != '4' {
				t.Errorf("%s: %s: effect %s with reply %q", r.Name, rule.ID, rule.Effect, reply)
			}
		}
		if !fires && !strings.Contains(r.Name, "defaults") {
			t.Errorf("%s has no rule", r.Name)
		}
	}
}

// Those that an operator asks for first must not get lost.
func TestWhoIsThere(t *testing.T) {
	var names []string
	for _, r := range open(t).Receivers() {
		names = append(names, r.Name)
	}
	for _, want := range []string{
		"Gmail", "Microsoft 365 and Outlook.com", "Yahoo and AOL", "GMX, web.de and mail.com", "T-Online", "Postfix (defaults)",
		"Postfix with reject_unknown_client_hostname", "Postfix with reject_unknown_reverse_client_hostname",
		"Exim (defaults)", "Exim with verify = reverse_host_lookup", "rspamd (defaults)", "SpamAssassin (defaults)",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s", want)
		}
	}
}

// rspamd weighs words by where they stand in the name.
func TestWordsOfRspamd(t *testing.T) {
	for name, want := range map[string]float64{
		"mail.example.org": 0, "host.example.org": 0, "dhcp.example.org": 0, "adsl.example.org": 0,
		"a.dhcp.example.org": 3, "a.host.example.org": 1, "a.vps.example.org": 0.5, "a.customer.example.org": 0.5,
		"dsl7.example.org": 2.5, "a.adsl.example.org": 2.5, "192-dsl.example.org": 2.5, "host-7.example.org": 1,
		"a.cable.example.org": 2, "dyn-12.example.org": 3, "a.dyn.example.org": 0, "clients-7.example.org": 0, "clients-77.example.org": 3,
		"a.dial-up.example.org": 3, "0123.clients.example.org": 3, "mx1.pool.example.org": 2.5, "dynamic.example.org": 0,
	} {
		id := identity(t, "192.0.2.25", name)
		got := 0.0
		for _, v := range open(t).Judge(id) {
			for _, r := range v.Rules {
				if v.Receiver == "rspamd (defaults)" && r.ID == "HFILTER_HELO_n" {
					got = r.Points
				}
			}
		}
		if got != want {
			t.Errorf("%s earns %v points, want %v", name, got, want)
		}
	}
}

// What no receiver can see is not judged.
func TestNothingToJudge(t *testing.T) {
	b := open(t)
	if v := b.Judge(receivers.Identity{}); v != nil {
		t.Errorf("nobody: %v", v)
	}
	for _, addr := range []string{"10.0.0.1", "127.0.0.1", "fe80::1", "100.64.0.1"} {
		if v := b.Judge(identity(t, addr, "mail.example.org")); v != nil {
			t.Errorf("%s: %v", addr, v)
		}
	}
}

// Each verdict can be explained: by rules that fired, with their sources, or by
// "nothing", which needs none.
func TestEveryVerdictIsExplained(t *testing.T) {
	b := open(t)
	for _, who := range identities {
		id := identity(t, who.addr, who.helo)
		verdicts := b.Judge(id)
		if len(verdicts) != len(b.Receivers()) {
			t.Fatalf("%s: %d verdicts", who.title, len(verdicts))
		}
		for _, v := range verdicts {
			sum := 0.0
			for _, r := range v.Rules {
				sum += r.Points
				if r.Code != "" && !finding.Known(r.Code) || r.Source == "" || r.Date == "" {
					t.Errorf("%s, %s: %+v", who.title, v.Receiver, r)
				}
			}
			if (v.Effect == receivers.Nothing) != (len(v.Rules) == 0) && len(v.Open) == 0 || math.Abs(sum-v.Points) > 1e-9 {
				t.Errorf("%s, %s: %s of %g points by %d rules", who.title, v.Receiver, v.Effect, v.Points, len(v.Rules))
			}
		}
	}
}
