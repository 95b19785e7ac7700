package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/arpagate/arpagate/internal/config"
	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/gate"
	"github.com/arpagate/arpagate/internal/journal"
	"github.com/arpagate/arpagate/internal/listen"
	"github.com/arpagate/arpagate/internal/metrics"
	"github.com/arpagate/arpagate/internal/milterd"
	"github.com/arpagate/arpagate/internal/policyd"
	"github.com/arpagate/arpagate/internal/reply"
	"github.com/arpagate/arpagate/internal/resolver"
	"github.com/arpagate/arpagate/internal/store"
	"github.com/arpagate/arpagate/internal/watch"
)

// daemon is the gate with everything around it: what serve runs.
type daemon struct {
	config   *config.Config
	log      *slog.Logger
	lines    *journal.Writer
	now      func() time.Time
	store    *store.Store
	resolver *resolver.Resolver
	mask     *gate.Mask
	gate     *gate.Gate
	metrics  *metrics.Metrics
	watcher  *watch.Watcher // nil where nothing is watched
	ready    atomic.Bool

	policy       *policyd.Handler
	milter       *milterd.Handler
	policyServer *listen.Server
	milterServer *listen.Server
	doors        []door
}

// logLimit bounds the log lines that wait for a slow reader.
const logLimit = 4 << 20

// newDaemon opens store, resolver and doors; what it opened before an error it
// closes again.
func newDaemon(ctx context.Context, c *config.Config, inherited *listen.Inherited, logTo io.Writer, now func() time.Time) (*daemon, error) {
	d := &daemon{config: c, lines: journal.NewWriter(logTo, logLimit), now: now, mask: gate.NewMask(defaultGateway())}
	if err := d.open(ctx, inherited); err != nil {
		d.close(ctx)
		return nil, err
	}
	return d, nil
}

func (d *daemon) open(ctx context.Context, inherited *listen.Inherited) error {
	c := d.config
	d.log = slog.New(logHandler(c.Log, d.lines))
	if at := d.now().UTC(); at.Year() < 2026 || at.Year() > 2099 {
		d.log.Warn("the clock of this machine looks wrong, and expiries and patience go by it", "now", at)
	}
	rules, err := c.Rules()
	if err != nil {
		return err
	}
	d.store, err = store.Open(ctx, c.Store.URL, store.Options{
		Daemon: true, KeepMail: c.Store.KeepMailAddresses, Retention: c.Store.Retention, Now: d.now, Log: d.log,
	})
	if err != nil {
		return err
	}
	if d.resolver, err = newResolver(c.DNS, d.log, d.now); err != nil {
		return err
	}
	d.metrics = metrics.New()
	d.gate = gate.New(gate.Config{
		DNS: d.resolver, Memory: d.store, DNSHealth: d.resolver.Sick, Mask: d.mask,
		Recorders: []decision.Recorder{d.store, d.metrics, journal.New(d.lines, c.Log.Format == "json", journal.Which(c.Log.Cases))},
		Policy:    policyOf(c, rules),
		Now:       d.now, Rand: randomBits,
		Budget: c.DNS.Timeout, Hurry: c.DNS.StressTimeout,
	})
	if err = d.openDoors(ctx, inherited); err != nil {
		return err
	}
	d.observe()
	return nil
}

// policyOf picks from the configuration what a reload may change.
func policyOf(c *config.Config, rules decision.Rules) gate.Policy {
	rules.FailOpen = c.Policy.OnError == config.OnErrorAccept
	return gate.Policy{
		Rules: rules,
		Site:  decision.Site{OwnNetworks: c.Site.OwnNetworks},
		Words: reply.Site{AuthservID: c.Site.AuthservID, URL: c.Site.URL},
	}
}

func logHandler(c config.Log, to io.Writer) slog.Handler {
	var level slog.Level
	// The configuration has checked the word.
	_ = level.UnmarshalText([]byte(c.Level))
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.NewJSONHandler(journal.ASCII(to), options)
	}
	return slog.NewTextHandler(to, options)
}

// newResolver starts a resolver. Without servers it starts all the same, and
// every question fails: the gate then asks everybody to come back.
func newResolver(c config.DNS, log *slog.Logger, now func() time.Time) (*resolver.Resolver, error) {
	servers := c.Servers
	if len(servers) == 0 {
		var err error
		if servers, err = resolver.SystemServers("/etc/resolv.conf"); err != nil {
			log.Error("no DNS server, nothing can be judged: name some in [dns] servers", "error", err)
		}
	}
	return resolver.New(resolver.Config{
		Servers: servers, Now: now, CacheBytes: int(c.CacheSize), Timeout: c.Timeout, Canaries: canaries(c.Canaries),
	})
}

func canaries(in []config.Canary) []resolver.Canary {
	out := make([]resolver.Canary, 0, len(in))
	for _, c := range in {
		q := evidence.Question{Name: c.Name}
		// The configuration has checked the type.
		_ = q.Type.UnmarshalText([]byte(c.Type))
		out = append(out, resolver.Canary{Question: q, Absent: c.Expect == config.NXDomain})
	}
	return out
}

// randomBits draws from the kernel; it never fails (crypto/rand).
func randomBits() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.NativeEndian.Uint64(b[:])
}

// run serves until ctx ends, then finishes the answers under way.
func (d *daemon) run(ctx context.Context) error {
	var group sync.WaitGroup
	failures := make(chan error, len(d.doors)+1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	serve := func(name string, f func() error) {
		group.Go(func() {
			if err := f(); err != nil {
				failures <- fmt.Errorf("%s: %w", name, err)
				cancel()
			}
		})
	}
	for _, open := range d.doors {
		serve(open.kind, func() error { return open.serve(ctx, open.listener) })
	}
	serve("store", func() error { return d.store.Run(ctx) })
	group.Go(func() { d.watch(ctx) })
	if d.watcher != nil {
		group.Go(func() { d.watcher.Run(ctx) })
	}
	d.ready.Store(true)
	<-ctx.Done()
	d.ready.Store(false)
	group.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return nil
	}
}

// reload reads the file again. All of it holds or nothing: a broken file
// leaves the old rules at work.
func (d *daemon) reload(path, hostname string) {
	if path == "" {
		d.log.Warn("nothing to reload: the gate runs without a configuration file, or with --lab")
		return
	}
	c, warnings, err := config.Load(path)
	var rules decision.Rules
	if err == nil {
		rules, err = c.Rules()
	}
	if err != nil {
		d.log.Error("configuration not reloaded, the old one stays", "file", path, "error", err)
		return
	}
	for _, w := range append(warnings, c.Complete(hostname)...) {
		d.log.Warn("configuration", "warning", w.String())
	}
	d.gate.SetPolicy(policyOf(c, rules))
	d.log.Info("configuration reloaded", "file", path, "preset", rules.Preset)
	if late := startOnly(c, d.config); len(late) > 0 {
		d.log.Warn("what changed here takes effect with the next start", "tables", strings.Join(late, " "))
	}
}

// startOnly names the tables that differ and are read at the start only.
func startOnly(a, b *config.Config) []string {
	var names []string
	for _, table := range []struct {
		name string
		a, b any
	}{
		{"[listen]", a.Listen, b.Listen},
		{"[dns]", a.DNS, b.DNS},
		{"[store]", a.Store, b.Store},
		{"[log]", a.Log, b.Log},
		{"[doctor]", a.Doctor, b.Doctor},
		{"[watch]", a.Watch, b.Watch},
	} {
		if !reflect.DeepEqual(table.a, table.b) {
			names = append(names, table.name)
		}
	}
	return names
}

// How long the store may take to write what is queued, and then the log.
const (
	storeGrace = 10 * time.Second
	logGrace   = 2 * time.Second
)

// close lets go of everything, in the order in which things depend on each
// other. Neither a disk nor a log that hangs keeps it from returning.
func (d *daemon) close(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for _, open := range d.doors {
		_ = open.listener.Close()
	}
	if d.resolver != nil {
		_ = d.resolver.Close()
	}
	if d.store != nil {
		grace, cancel := context.WithTimeout(ctx, storeGrace)
		defer cancel()
		if err := d.store.Close(grace); err != nil {
			d.log.Error("store", "error", err)
		}
	}
	grace, cancel := context.WithTimeout(ctx, logGrace)
	defer cancel()
	_ = d.lines.Close(grace)
}

// find returns the case of a reference, nil where there is none. One that is
// not found may still wait for the disk: the sender can be quicker than that.
func (d *daemon) find(ctx context.Context, ref string) (*decision.Case, error) {
	c, err := d.store.Case(ctx, ref)
	if !errors.Is(err, store.ErrNotFound) {
		return c, err
	}
	waiting, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	// What can't be written soon is not found: the page says so.
	_ = d.store.Flush(waiting)
	if c, err = d.store.Case(ctx, ref); errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return c, err
}

var (
	_ evidence.Rememberer = (*store.Store)(nil)
	_ evidence.DNS        = (*resolver.Resolver)(nil)
	_ decision.Recorder   = (*store.Store)(nil)
)
