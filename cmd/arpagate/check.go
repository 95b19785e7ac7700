package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/arpagate/arpagate/internal/config"
	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/reply"
	"github.com/arpagate/arpagate/internal/resolver"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// checkFlags are the flags of check.
type checkFlags struct {
	json    bool
	servers []string
	helo    string
	timeout time.Duration
}

func newCheckCommand(a *app) *cobra.Command {
	var flags checkFlags
	cmd := &cobra.Command{
		Use:   "check TARGET",
		Short: "Examine the DNS identity of an address, host or domain",
		Long: `Ask the DNS about TARGET as the gate does, and say what is wrong, on which
answers that rests, and what this site's rules would make of it.

TARGET is an address (203.0.113.9, 2001:db8::9), the name of a host (its
addresses are examined, with the name as HELO), or a mail domain (the hosts of
its MX records are examined).

The exit code is 0 when all is well, 1 with findings that refuse nobody, 2
where mail would be refused for what the DNS says, 3 where the DNS could not
tell.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.check(cmd.Context(), args[0], flags) },
	}
	cmd.Flags().BoolVar(&flags.json, "json", false, "print one JSON document")
	cmd.Flags().StringArrayVar(&flags.servers, "dns", nil, "ask this DNS server, `ADDR:PORT` (may be repeated)")
	cmd.Flags().StringVar(&flags.helo, "helo", "", "examine this HELO `NAME` too")
	cmd.Flags().DurationVar(&flags.timeout, "timeout", 20*time.Second, "give up after this `TIME`")
	return cmd
}

func (a *app) check(ctx context.Context, target string, flags checkFlags) error {
	t, err := parseTarget(target)
	if err != nil {
		return err
	}
	c, _, err := a.loadConfig()
	if err != nil {
		return err
	}
	rules, err := c.Rules()
	if err != nil {
		return err
	}
	dns, err := a.openResolver(c.DNS, flags.servers)
	if err != nil {
		return err
	}
	defer dns.Close()
	if flags.timeout <= 0 {
		return usagef("check: --timeout %s is not a time to wait", flags.timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, flags.timeout)
	defer cancel()
	x := examiner{dns: dns, rules: rules, site: decision.Site{OwnNetworks: c.Site.OwnNetworks}, now: a.now}
	result := x.examine(ctx, t, flags)
	result.words, result.preset = reply.Site{AuthservID: c.Site.AuthservID}, rules.Preset
	if err := a.printCheck(&result, flags.json); err != nil {
		return err
	}
	return verdictExit(result.Verdict)
}

// openResolver makes a resolver for one command, with the servers of the flag,
// else of the configuration, else of the system.
func (a *app) openResolver(c config.DNS, flags []string) (*resolver.Resolver, error) {
	servers := c.Servers
	if len(flags) > 0 {
		servers = nil
	}
	for _, text := range flags {
		server, err := netip.ParseAddrPort(text)
		if err != nil || server.Port() == 0 {
			return nil, usagef("check: --dns %q is not ADDR:PORT, as in 127.0.0.1:53 or [::1]:53", text)
		}
		servers = append(servers, server)
	}
	if len(servers) == 0 {
		var err error
		if servers, err = resolver.SystemServers("/etc/resolv.conf"); err != nil {
			return nil, fmt.Errorf("%w; name a server with --dns ADDR:PORT", err)
		}
	}
	return resolver.New(resolver.Config{Servers: servers, Now: a.now, CacheBytes: 1 << 20, Timeout: c.Timeout})
}

// checkResult is the JSON document of check, schema 1. Its first fields are
// those of the worst address.
type checkResult struct {
	Schema    int                `json:"schema"`
	Target    string             `json:"target"`
	Verdict   string             `json:"verdict"`
	IPRev     *evidence.IPRev    `json:"iprev,omitempty"`
	Findings  []finding.Finding  `json:"findings"`
	Decision  *decision.Decision `json:"decision,omitempty"`
	Helo      *evidence.Helo     `json:"helo,omitempty"`
	Source    *evidence.Source   `json:"source,omitempty"`
	Error     string             `json:"error,omitempty"`
	Hosts     []evidence.Answer  `json:"lookups,omitempty"`
	Addresses []addressResult    `json:"addresses"`

	words  reply.Site
	preset string
}

// addressResult is the examination of one address.
type addressResult struct {
	Address  netip.Addr        `json:"address"`
	Host     dnsname.Name      `json:"host,omitzero"`
	Verdict  string            `json:"verdict"`
	IPRev    evidence.IPRev    `json:"iprev"`
	Findings []finding.Finding `json:"findings"`
	Decision decision.Decision `json:"decision"`

	judged *decision.Case
}

// examiner walks the corridor for the addresses of one target.
type examiner struct {
	dns   evidence.DNS
	rules decision.Rules
	site  decision.Site
	now   func() time.Time
}

func (x *examiner) examine(ctx context.Context, t target, flags checkFlags) checkResult {
	result := checkResult{Schema: 1, Target: t.String(), Verdict: verdictUnknown, Findings: []finding.Finding{}, Addresses: []addressResult{}}
	if t.Addr.IsValid() {
		result.Addresses = append(result.Addresses, x.address(ctx, t.Addr, dnsname.Name{}, flags.helo))
	} else {
		x.name(ctx, t.Name, &result, flags.helo)
	}
	result.sum()
	return result
}

// maxTargets bounds the addresses that one name leads to.
const maxTargets = 16

// name examines the addresses of a domain's MX hosts, or of the host itself.
func (x *examiner) name(ctx context.Context, name dnsname.Name, result *checkResult, helo string) {
	hosts := []dnsname.Name{name}
	mx := x.dns.Ask(ctx, evidence.Question{Name: name, Type: evidence.MX}).Wait()[0]
	result.Hosts = append(result.Hosts, mx)
	if mx.State == evidence.Found {
		hosts = mx.Names
	}
	var questions []evidence.Question
	for _, host := range hosts {
		questions = append(questions, evidence.Question{Name: host, Type: evidence.A}, evidence.Question{Name: host, Type: evidence.AAAA})
	}
	answers := x.dns.Ask(ctx, questions...).Wait()
	result.Hosts = append(result.Hosts, answers...)
	for _, a := range answers {
		for _, addr := range a.Addrs {
			if len(result.Addresses) < maxTargets {
				result.Addresses = append(result.Addresses, x.address(ctx, addr, a.Name, helo))
			}
		}
	}
	if len(result.Addresses) > 0 {
		return
	}
	result.Error = fmt.Sprintf("%s has no address to examine: %s", hosts[0], strings.ToUpper(answers[0].State.String()))
}

// address judges one address; without a HELO argument the host's name is it.
func (x *examiner) address(ctx context.Context, addr netip.Addr, host dnsname.Name, helo string) addressResult {
	conn := facts.Conn{Door: facts.Check, Stage: facts.Rcpt, Client: addr.Unmap()}
	if helo == "" {
		helo = host.String()
	}
	if helo != "" {
		conn.Helo, conn.HeloKnown = untrusted.New(helo), true
	}
	gatherer := evidence.Gatherer{DNS: x.dns, Now: x.now, Thorough: true}
	c := &decision.Case{At: x.now(), Conn: conn}
	c.Evidence = evidence.Evidence{At: c.At, View: gatherer.View(ctx, conn)}
	c.Findings = finding.Of(conn, c.Evidence.View)
	c.Decision = x.rules.Decide(&x.site, conn, &c.Evidence, c.Findings)
	c.Took = x.now().Sub(c.At)
	findings := c.Findings
	if findings == nil {
		findings = []finding.Finding{}
	}
	return addressResult{
		Address: conn.Client, Host: host, Verdict: verdictOf(c), IPRev: c.Evidence.IPRev, Findings: findings, Decision: c.Decision, judged: c,
	}
}

// sum lifts the worst address to the top of the document.
func (r *checkResult) sum() {
	rank := map[string]int{verdictPass: 0, verdictWarn: 1, verdictUnknown: 2, verdictFail: 3}
	worst := -1
	for i := range r.Addresses {
		if worst < 0 || rank[r.Addresses[i].Verdict] > rank[r.Addresses[worst].Verdict] {
			worst = i
		}
	}
	if worst < 0 {
		return
	}
	w := &r.Addresses[worst]
	e := &w.judged.Evidence
	r.Verdict, r.IPRev, r.Findings, r.Decision, r.Helo, r.Source = w.Verdict, &w.IPRev, w.Findings, &w.Decision, &e.Helo, &e.Source
}

func (a *app) printCheck(result *checkResult, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(a.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}
	r := report{paint: a.palette(), width: a.width()}
	for i := range result.Addresses {
		address := &result.Addresses[i]
		if i > 0 {
			r.line("")
		}
		switch host := address.Host.String(); {
		case address.Host.IsZero():
		case host == result.Target:
			r.line("%s", r.paint.dim(host))
		default:
			r.line("%s", r.paint.dim(host+", MX of "+result.Target))
		}
		r.headline(address.judged, address.Verdict)
		r.findings(address.judged)
		r.dns(address.judged)
		r.decision(address.judged, result.preset, answerLine(result.words, address.judged))
	}
	if result.Error != "" {
		r.line("%s  %s  %s", r.paint.bold(result.Target), r.paint.verdict(result.Verdict), result.Error)
	}
	_, err := a.stdout.Write([]byte(r.String()))
	return err
}

// answerLine returns the reply that a sender would get, empty for none.
func answerLine(words reply.Site, c *decision.Case) string {
	if r := words.Of(c); r.Verb != reply.Pass {
		return r.Line()
	}
	return ""
}
