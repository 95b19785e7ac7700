package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/listen"
)

// check tells what is wrong between settings that are right each for itself: a
// section in which something is wrong already would only give echoes of it.
func (r *reader) check(c *Config) {
	if r.sound("site") {
		distinct(r, "site.own_networks", c.Site.OwnNetworks)
	}
	if r.sound("listen") {
		r.checkDoors(c)
	}
	if r.sound("dns") {
		r.checkDNS(c)
	}
	if r.sound("policy") {
		r.checkThresholds(&c.Policy)
		r.checkRules(&c.Policy)
	}
	if r.sound("doctor") {
		r.checkDoctor(&c.Doctor)
	}
	if r.sound("watch") {
		r.checkWatch(&c.Watch)
	}
	if c.Site.URL != "" && len(c.Listen.HTTP) == 0 {
		r.warn("site.url", "replies carry links, but listen.http is closed: nobody answers at them")
	}
}

// distinct tells which values of a list stand in it twice.
func distinct[T interface {
	comparable
	String() string
}](r *reader, path string, values []T,
) {
	for i, v := range values {
		if slices.Contains(values[:i], v) {
			r.problem(element(path, i), quote(v.String())+" is listed twice")
		}
	}
}

// door is one address of one list.
type door struct {
	path    string
	address listen.Address
}

func doors(l *Listen) []door {
	var out []door
	for _, list := range []struct {
		path      string
		addresses []listen.Address
	}{{"listen.policy", l.Policy}, {"listen.milter", l.Milter}, {"listen.http", l.HTTP}} {
		for i, a := range list.addresses {
			out = append(out, door{path: element(list.path, i), address: a})
		}
	}
	return out
}

func (r *reader) checkDoors(c *Config) {
	if len(c.Listen.Policy)+len(c.Listen.Milter) == 0 {
		r.problem("listen", "the gate has no door: open one in listen.policy or listen.milter")
	}
	seen := map[listen.Address]string{}
	for _, d := range doors(&c.Listen) {
		text := d.address.String()
		if strings.HasPrefix(text, "tcp:") && strings.HasSuffix(text, ":0") || strings.HasPrefix(text, "systemd:") {
			continue // a port of the kernel's choice; a name under which systemd passes several sockets
		}
		if other, taken := seen[d.address]; taken {
			r.problem(d.path, fmt.Sprintf("%s is taken by %s", quote(text), other))
		}
		seen[d.address] = d.path
	}
	switch c.Listen.PolicyStage {
	case "CONNECT", "EHLO", "MAIL":
		r.warn("listen.policy_stage", "before RCPT the recipient is not known: mail to postmaster@ and abuse@ is judged like any other (and Postfix asks there only with smtpd_delay_reject = no)")
	}
	if c.Listen.UnixMode&0o002 != 0 {
		r.warn("listen.unix_mode", "every user of this machine may ask the gate")
	}
}

// Resolvers that many share: DNS lists refuse them, and they are far away.
var publicResolvers = []netip.Prefix{
	netip.MustParsePrefix("1.0.0.0/24"), netip.MustParsePrefix("1.1.1.0/24"), netip.MustParsePrefix("2606:4700:4700::/48"), // Cloudflare
	netip.MustParsePrefix("8.8.4.0/24"), netip.MustParsePrefix("8.8.8.0/24"), netip.MustParsePrefix("2001:4860:4860::/48"), // Google
	netip.MustParsePrefix("9.9.9.0/24"), netip.MustParsePrefix("149.112.112.0/24"), netip.MustParsePrefix("2620:fe::/48"), // Quad9
	netip.MustParsePrefix("208.67.220.0/24"), netip.MustParsePrefix("208.67.222.0/24"), // OpenDNS
}

// maxServers is more than any site has a use for: each is watched for itself.
const maxServers = 8

func (r *reader) checkDNS(c *Config) {
	if c.DNS.StressTimeout > c.DNS.Timeout {
		r.problem("dns.stress_timeout", "must not be longer than dns.timeout")
	}
	if len(c.DNS.Servers) > maxServers {
		r.problem("dns.servers", fmt.Sprintf("lists %d servers; %d are the most", len(c.DNS.Servers), maxServers))
	}
	distinct(r, "dns.servers", c.DNS.Servers)
	for i, server := range c.DNS.Servers {
		path := element("dns.servers", i)
		for _, d := range doors(&c.Listen) {
			if d.address.String() == "tcp:"+server.String() {
				r.problem(path, fmt.Sprintf("%s is our own door %s, not a DNS server", quote(server.String()), d.path))
			}
		}
		switch {
		case slices.ContainsFunc(publicResolvers, func(p netip.Prefix) bool { return p.Contains(server.Addr()) }):
			r.warn(path, server.Addr().String()+" is a public resolver: it limits how much it answers, and sees your senders; ask one of your own")
		case server.Addr() == netip.AddrFrom4([4]byte{127, 0, 0, 53}):
			r.warn(path, "127.0.0.53 is the stub of systemd-resolved, which makes up answers for local names: ask the resolver behind it")
		}
	}
}

// checkThresholds asks for tag_at <= defer_at <= reject_at, where 0 is never.
func (r *reader) checkThresholds(p *Policy) {
	steps := []struct {
		path string
		at   int
	}{{"policy.tag_at", p.TagAt}, {"policy.defer_at", p.DeferAt}, {"policy.reject_at", p.RejectAt}}
	for i, step := range steps {
		for _, milder := range steps[:i] {
			if step.at > 0 && milder.at > step.at {
				r.problem(step.path, fmt.Sprintf("%d is below %s, which is %d: the severer step must not come first", step.at, milder.path, milder.at))
				break
			}
		}
	}
}

func (r *reader) checkRules(p *Policy) {
	seen := map[finding.Code]bool{}
	for i, rule := range p.Rule {
		path := element("policy.rule", i)
		if seen[rule.Code] {
			r.problem(path, fmt.Sprintf("there is a rule for %s above", rule.Code))
		}
		seen[rule.Code] = true
		switch {
		case rule.Patient && rule.Action != decision.Reject:
			r.warn(path, "patient has a meaning for the action reject only")
		case rule.Action > decision.Tag && heloOnly(rule.Code):
			// RFC 5321 §4.1.4.
			r.warn(path, fmt.Sprintf("%s tags at most: a HELO that does not fit the address refuses nobody (RFC 5321 §4.1.4)", rule.Code))
		}
	}
}

func heloOnly(code finding.Code) bool {
	return slices.ContainsFunc(finding.Catalogue(), func(e finding.Entry) bool { return e.Code == code && e.HeloOnly })
}

// trimRoom takes the name of the room off an error that is shown to people.
func trimRoom(err error) string {
	_, text, found := strings.Cut(err.Error(), ": ")
	if !found {
		return err.Error()
	}
	return text
}
