package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/arpagate/arpagate/internal/config"
	"github.com/arpagate/arpagate/internal/dialer"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/egress"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/gate"
	"github.com/arpagate/arpagate/internal/rdap"
	"github.com/arpagate/arpagate/internal/receivers"
	"github.com/arpagate/arpagate/internal/remedy"
	"github.com/arpagate/arpagate/internal/reply"
	"github.com/arpagate/arpagate/internal/report"
	"github.com/arpagate/arpagate/internal/resolver"
	"github.com/arpagate/arpagate/internal/resolver/authority"
	"github.com/arpagate/arpagate/internal/smtpprobe"
	"github.com/arpagate/arpagate/internal/spf"
	"github.com/arpagate/arpagate/internal/store"
)

// examiner is a doctor with everything that it was made of.
type examiner struct {
	doctor  *doctor.Doctor
	config  *config.Config
	dns     *resolver.Resolver
	machine egress.System
	roots   *x509.CertPool // of certificates; nil for those of the system
	now     func() time.Time
	words   report.Options // of this site
	closers []func()
}

// examinerOptions are what the flags of a command say.
type examinerOptions struct {
	servers         []string // --dns
	mta, provider   string
	noSMTP, noLists bool
	lab             bool
	gate            bool // the rules are those of a file, and not our defaults
	progress        func(doctor.Event)
	memory          evidence.Rememberer // nil: the store of the configuration, where there is one
}

// openExaminer makes a doctor of the configuration. close lets go of everything.
func (a *app) openExaminer(ctx context.Context, c *config.Config, o examinerOptions) (_ *examiner, err error) {
	x := &examiner{config: c, machine: egress.Linux{}, now: func() time.Time { return a.now().UTC() }}
	defer func() {
		if err != nil {
			x.close()
		}
	}()
	if o.lab {
		if err := x.enterLab(ctx); err != nil {
			return nil, err
		}
		c = x.config
	}
	rules, err := c.Rules()
	if err != nil {
		return nil, err
	}
	if x.dns, err = a.openResolver(c.DNS, o.servers); err != nil {
		return nil, err
	}
	x.later(func() { _ = x.dns.Close() })
	engine := gate.Config{
		DNS: x.dns, Policy: policyOf(c, rules), Now: x.now, Rand: randomBits, Budget: c.Doctor.Timeout, Thorough: true,
	}
	if o.memory != nil {
		engine.Memory = o.memory
	} else if db := a.lists(ctx, c); db != nil && !o.lab {
		x.later(func() { _ = db.Close(context.WithoutCancel(ctx)) })
		engine.Memory = db
	}
	d := doctor.Config{Gate: gate.New(engine), DNS: x.dns, SPF: spf.Senders, MTA: o.mta, Provider: o.provider, Now: x.now, Progress: o.progress}
	if err := x.probes(&d, o); err != nil {
		return nil, err
	}
	if err := books(&d); err != nil {
		return nil, err
	}
	x.doctor = doctor.New(d)
	x.words = report.Options{Words: reply.Site{AuthservID: c.Site.AuthservID}, Preset: rules.Preset, Site: o.gate, Zone: a.zone}
	if a.zone == nil {
		x.words.Zone = time.Local
	}
	return x, nil
}

// probes adds what looks at other people's hosts.
func (x *examiner) probes(d *doctor.Config, o examinerOptions) error {
	dial, err := dialer.New(dialer.Config{
		Services: append(dialer.DNS(), dialer.SMTP(), dialer.HTTPS()), Map: x.hostMap(), Now: x.now,
	})
	if err != nil {
		return err
	}
	if d.Authority, err = authority.New(authority.Config{DNS: x.dns, Dial: dial.Dial, Now: x.now}); err != nil {
		return err
	}
	if !o.noSMTP {
		if d.Prober, err = smtpprobe.New(smtpprobe.Config{Dialer: dial, Name: x.helo(), Roots: x.roots, Now: x.now}); err != nil {
			return err
		}
	}
	if !o.noLists {
		lists := dnsLists(x.config.Doctor.List)
		d.Lists = func(ctx context.Context, addr netip.Addr) []evidence.ListAnswer {
			if x.pointless(addr, slices.Equal(x.config.Doctor.List, config.DefaultLists())) {
				return nil
			}
			return evidence.Lists(ctx, x.dns, addr, lists)
		}
	}
	d.Origin = x.origin(dial)
	return nil
}

// origin asks who announces an address, and of the registries who holds it, as
// far as the configuration allows.
func (x *examiner) origin(dial *dialer.Dialer) func(context.Context, netip.Addr) *evidence.Origin {
	c, usual := x.config.Doctor, config.Default().Doctor
	zones := evidence.OriginZones{IPv4: c.OriginIPv4, IPv6: c.OriginIPv6, AS: c.OriginAS}
	pointless := zones == evidence.OriginZones{IPv4: usual.OriginIPv4, IPv6: usual.OriginIPv6, AS: usual.OriginAS}
	registries := rdap.New(rdap.Config{Dialer: dial, DNS: x.dns, Servers: c.RDAP, Roots: x.roots, Now: x.now})
	return func(ctx context.Context, addr netip.Addr) *evidence.Origin {
		var o *evidence.Origin
		if !x.pointless(addr, pointless) {
			o = evidence.OriginOf(ctx, x.dns, addr, zones)
		}
		if len(c.RDAP) == 0 {
			return o
		}
		// Without an answer the report says less, and nothing wrong.
		holder, err := registries.Holder(ctx, addr)
		late := errors.Is(err, context.DeadlineExceeded)
		if err != nil && !late {
			return o
		}
		if o == nil {
			o = &evidence.Origin{}
		}
		o.Holder, o.Handle, o.Late = holder.Name, holder.Handle, late
		return o
	}
}

// pointless reports whether nobody needs to be asked about the address:
// documentation addresses occur in labs, and the services that are usual know
// nothing of them.
func (x *examiner) pointless(addr netip.Addr, usual bool) bool {
	return usual && evidence.SourceOf(addr).Documentation
}

// books adds the recipes and the rules of receivers.
func books(d *doctor.Config) error {
	recipes, err := remedy.Open()
	if err != nil {
		return err
	}
	if word, ok := recipes.Server(d.MTA); ok {
		d.MTA = word
	} else if d.MTA != "" {
		return usagef("check: --mta %+q is not known: known are %s", d.MTA, enumerated(recipes.Servers()))
	}
	if word, ok := recipes.Provider(d.Provider); ok {
		d.Provider = word
	} else if d.Provider != "" {
		return usagef("check: --provider %+q is not known: known are %s", d.Provider, enumerated(recipes.Providers()))
	}
	rules, err := receivers.Open()
	if err != nil {
		return err
	}
	d.Remedy, d.Judge = recipes.For, rules.Judge
	return nil
}

func dnsLists(list []config.DNSList) []evidence.List {
	out := make([]evidence.List, 0, len(list))
	for _, l := range list {
		out = append(out, evidence.List{Zone: l.Zone, Allow: l.Kind == config.AllowList, IPv6: l.IPv6, Page: l.Page})
	}
	return out
}

// hostMap is the dialer's map; nil, with which everything public may be dialled,
// where the configuration has none.
func (x *examiner) hostMap() map[netip.AddrPort]netip.AddrPort {
	if len(x.config.Doctor.Map) == 0 {
		return nil
	}
	out := map[netip.AddrPort]netip.AddrPort{}
	for _, m := range x.config.Doctor.Map {
		out[m.From] = m.To
	}
	return out
}

// helo is what we say in EHLO: a name of ours, or at least an address.
func (x *examiner) helo() string {
	hostname, _ := os.Hostname()
	site := *x.config
	site.Complete(hostname)
	for _, name := range []string{x.config.Doctor.Helo, site.Site.Name} {
		if name != "" {
			return name
		}
	}
	if own, err := egress.Find(x.machine, nil); err == nil && len(own) > 0 {
		if own[0].Is6() {
			return "[IPv6:" + own[0].String() + "]"
		}
		return "[" + own[0].String() + "]"
	}
	return "[127.0.0.1]"
}

// examine looks at one target, within the time of the configuration.
func (x *examiner) examine(ctx context.Context, t doctor.Target) *doctor.Examination {
	ctx, cancel := context.WithTimeout(ctx, x.config.Doctor.Timeout)
	defer cancel()
	return x.doctor.Examine(ctx, t)
}

// egress returns the addresses that this machine sends from: its own, and what
// the service of the configuration sees.
func (x *examiner) egress(ctx context.Context) ([]netip.Addr, error) {
	service := x.config.Doctor.Egress
	var seen []netip.Addr
	for _, server := range service.Servers {
		one, err := resolver.New(resolver.Config{Servers: []netip.AddrPort{server}, Now: x.now, CacheBytes: 1 << 20, Timeout: x.config.DNS.Timeout})
		if err != nil {
			return nil, err
		}
		answer := one.Ask(ctx, egressQuestion(server, service.Name, service.Type)).Wait()[0]
		_ = one.Close()
		seen = append(seen, egress.Seen(&answer)...)
	}
	found, err := egress.Find(x.machine, seen)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &failure{
			code: exitUnavailable, err: errors.New("check: this machine has no address but those of its own, so it sends nothing"),
			hint: "name the address that others see, as in arpagate check 203.0.113.9",
		}
	}
	return found, nil
}

func egressQuestion(server netip.AddrPort, name dnsname.Name, kind string) evidence.Question {
	q := evidence.Question{Name: name, Type: evidence.A}
	switch {
	case kind == evidence.TXT.String():
		q.Type = evidence.TXT
	case server.Addr().Is6() && !server.Addr().Is4In6():
		q.Type = evidence.AAAA
	}
	return q
}

func (x *examiner) later(f func()) { x.closers = append(x.closers, f) }

// close lets go of everything, in the reverse order.
func (x *examiner) close() {
	for _, f := range slices.Backward(x.closers) {
		f()
	}
}

// lists opens the store of this site, where there is one, for its allow and
// block lists. An examination goes on without them.
func (a *app) lists(ctx context.Context, c *config.Config) *store.Store {
	if _, err := os.Stat(c.Store.Path()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := store.Open(ctx, c.Store.URL, store.Options{Now: a.now})
	if err != nil {
		a.complain(a.paintFor(a.stderr).Warn("warning:"), "the allow and block lists are not considered: "+err.Error())
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
