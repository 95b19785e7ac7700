// Package postfix_test proves the gate with a real Postfix, which asks it
// through both doors, and which is also the oracle of its verdicts. The set-up
// of all scenarios, on top of the namespaces that package netlab draws:
//
//	 clients                 Postfix, by port                     gates
//	┌──────────────┐   ┌──────────────────────────────┐   ┌───────────────────┐
//	│ 203.0.113.x  │   │   25 policy ┐  26 milter ┐   ├───┤ strict   100[01]0 │
//	│ 198.51.100.x ├───┤  587 + AUTH ┘ 588 + AUTH ┘   │   │                   │
//	│ 2001:db8:    │   │ 2025 policy   2026 milter    ├───┤ careful  100[23]0 │
//	│      113::x  │   │ 3025 policy   3026 milter    ├───┤ monitor  100[45]0 │
//	└──────────────┘   │ 4025 policy   4026 milter    ├───┤ mortal   unix     │
//	                   │   27 oracle, no gate         │   └─────────┬─────────┘
//	                   └───────────────┬──────────────┘             │
//	                                   └────── unbound ── nsd ──────┘
//
// The oracle is reject_unknown_client_hostname with 550 for what it knows and
// 450 for what it could not find out. The mortal gate lives in the scenario
// that kills it, the others serve until the end.
package postfix_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/arpagate/arpagate/internal/testneed"
	"github.com/arpagate/arpagate/test/netlab"
)

// door is one way from Postfix to the gates, with Postfix's ports for each.
type door struct {
	name                                         string
	strict, careful, monitor, mortal, submission uint16
}

var doors = []door{
	{name: "policy", strict: 25, careful: 2025, monitor: 3025, mortal: 4025, submission: 587},
	{name: "milter", strict: 26, careful: 2026, monitor: 3026, mortal: 4026, submission: 588},
}

const oraclePort = 27

// site is the whole set-up.
type site struct {
	*netlab.World
	postfix                  *netlab.Postfix
	strict, careful, monitor *netlab.Gate
	mortal                   netlab.GateConfig
}

func TestPostfix(t *testing.T) {
	s := newSite(t)
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) { s.scenarios(t, d) })
	}
	t.Run("oracle", s.oracle)
}

// need ends the test on machines that can't run it.
func need(t *testing.T) {
	t.Helper()
	testneed.Root(t)
	testneed.Command(t, "ip", "nft", "nsd", "unbound", "postfix", "saslpasswd2")
	// Debian keeps daemons where an ordinary user's PATH does not look.
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
}

func newSite(t *testing.T) *site {
	t.Helper()
	need(t)
	s := &site{World: netlab.New(t)}
	s.BuildGate(t) // first, for what doesn't build needs no world
	s.StartDNS(t, netlab.DNS{Zones: zones(), Dead: deadNames, Silent: silentNames})
	s.strict = s.StartGate(t, tcpGate("strict", 10000))
	s.careful = s.StartGate(t, tcpGate("careful", 10020))
	s.monitor = s.StartGate(t, tcpGate("monitor", 10040))
	s.mortal = netlab.GateConfig{
		Name: "mortal", Preset: "strict",
		Policy: "unix:" + s.Path("gate-mortal", "policy"), Milter: "unix:" + s.Path("gate-mortal", "milter"),
		HTTP: "tcp:127.0.0.1:10060",
	}
	s.postfix = s.StartPostfix(t, s.services()...)
	return s
}

// tcpGate is a gate whose name is its preset, on three ports from the given.
func tcpGate(preset string, port int) netlab.GateConfig {
	return netlab.GateConfig{
		Name: preset, Preset: preset,
		Policy: fmt.Sprintf("tcp:127.0.0.1:%d", port),
		Milter: fmt.Sprintf("tcp:127.0.0.1:%d", port+10),
		HTTP:   fmt.Sprintf("tcp:127.0.0.1:%d", port+1),
	}
}

func (s *site) services() []netlab.Service {
	const auth = "smtpd_sasl_auth_enable = yes"
	return []netlab.Service{
		{Port: doors[0].strict, Options: []string{policy("inet:127.0.0.1:10000")}},
		{Port: doors[0].careful, Options: []string{policy("inet:127.0.0.1:10020")}},
		{Port: doors[0].monitor, Options: []string{policy("inet:127.0.0.1:10040")}},
		{Port: doors[0].mortal, Options: []string{policy(s.mortal.Policy)}},
		{Port: doors[0].submission, Options: []string{policy("inet:127.0.0.1:10000"), auth}},
		{Port: doors[1].strict, Options: []string{milter("inet:127.0.0.1:10010")}},
		{Port: doors[1].careful, Options: []string{milter("inet:127.0.0.1:10030")}},
		{Port: doors[1].monitor, Options: []string{milter("inet:127.0.0.1:10050")}},
		{Port: doors[1].mortal, Options: []string{milter(s.mortal.Milter)}},
		{Port: doors[1].submission, Options: []string{milter("inet:127.0.0.1:10010"), auth}},
		{Port: oraclePort, Options: []string{
			"smtpd_recipient_restrictions = reject_unknown_client_hostname, reject_unauth_destination",
			"unknown_client_reject_code = 550",
		}},
	}
}

// policy is the form of the policy door that the documentation recommends: a
// dead gate lets mail through.
func policy(target string) string {
	return "smtpd_recipient_restrictions = check_policy_service { " + target +
		", timeout=10s, default_action=DUNNO }, reject_unauth_destination"
}

// milter is the same for the milter door.
func milter(target string) string {
	return "smtpd_milters = { " + target + ", connect_timeout=5s, command_timeout=10s, default_action=accept }"
}
