package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/arpagate/arpagate/internal/config"
	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/gate"
	"github.com/arpagate/arpagate/internal/reply"
	"github.com/arpagate/arpagate/internal/resolver"
	"github.com/arpagate/arpagate/internal/store"
)

// checkFlags are the flags of check.
type checkFlags struct {
	json    bool
	servers []string
	helo    *string // nil without the flag; "" is a client that gives no name
	timeout time.Duration
}

func newCheckCommand(a *app) *cobra.Command {
	var flags checkFlags
	var helo string
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
tell, or where there was nothing to examine.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("helo") {
				flags.helo = &helo
			}
			return a.check(cmd.Context(), args[0], flags)
		},
	}
	cmd.Flags().BoolVar(&flags.json, "json", false, "print one JSON document")
	cmd.Flags().StringArrayVar(&flags.servers, "dns", nil, "ask this DNS server, `ADDR:PORT` (may be repeated)")
	cmd.Flags().StringVar(&helo, "helo", "", "examine this HELO `NAME` too")
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
	engine := gate.Config{
		DNS: dns, Policy: policyOf(c, rules), Now: a.now, Rand: randomBits, Budget: flags.timeout, Thorough: true,
	}
	if db := a.lists(ctx, c); db != nil {
		defer db.Close(ctx)
		engine.Memory = db
	}
	x := examiner{dns: dns, gate: gate.New(engine)}
	result := x.examine(ctx, t, flags.helo)
	result.words, result.preset = reply.Site{AuthservID: c.Site.AuthservID}, rules.Preset
	if err := a.printCheck(&result, flags.json); err != nil {
		return err
	}
	return verdictExit(result.Verdict)
}

// lists opens the store of this site, where there is one, for its allow and
// block lists. An examination goes on without them.
func (a *app) lists(ctx context.Context, c *config.Config) *store.Store {
	if _, err := os.Stat(c.Store.Path()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := store.Open(ctx, c.Store.URL, store.Options{Now: a.now})
	if err != nil {
		a.complain(a.paintFor(a.stderr).warn("warning:"), "the allow and block lists are not considered: "+err.Error())
		return nil
	}
	return db
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

// checkResult is the JSON document of check, schema 1: docs/schema/check-1.json.
// Its first fields are those of the worst address.
type checkResult struct {
	Schema   int                `json:"schema"`
	Target   string             `json:"target"`
	Verdict  string             `json:"verdict"`
	IPRev    *evidence.IPRev    `json:"iprev,omitempty"`
	Findings []finding.Finding  `json:"findings"`
	Decision *decision.Decision `json:"decision,omitempty"`
	Helo     *evidence.Helo     `json:"helo,omitempty"`
	Source   *evidence.Source   `json:"source,omitempty"`
	// Error says why there was nothing to examine, Notes what could not be
	// examined beside the addresses.
	Error     string            `json:"error,omitempty"`
	Notes     []string          `json:"notes,omitempty"`
	Lookups   []evidence.Answer `json:"lookups,omitempty"`
	Addresses []addressResult   `json:"addresses"`

	floor   string // the verdict is no better than that
	assumed bool   // the HELO name is that of the host
	words   reply.Site
	preset  string
}

// addressResult is the examination of one address.
type addressResult struct {
	Address  netip.Addr        `json:"address"`
	Host     dnsname.Name      `json:"host,omitzero"`
	Verdict  string            `json:"verdict"`
	IPRev    evidence.IPRev    `json:"iprev"`
	Helo     evidence.Helo     `json:"helo"`
	Source   evidence.Source   `json:"source"`
	Findings []finding.Finding `json:"findings"`
	Decision decision.Decision `json:"decision"`

	judged *decision.Case
}

func (a *app) printCheck(result *checkResult, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(a.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}
	r := report{paint: a.palette(), width: a.width()}
	r.check(result)
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
