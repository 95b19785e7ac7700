package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/arpagate/arpagate/internal/config"
	"github.com/arpagate/arpagate/internal/dialer"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/store"
	"github.com/arpagate/arpagate/internal/watch"
)

// watchFlags are the flags of watch.
type watchFlags struct {
	once    bool
	json    bool
	every   time.Duration
	servers []string
	lab     bool
}

const watchLong = `Examine targets on a schedule, as check does, and tell what has changed: on
standard output, and by webhook and mail as [watch] in the configuration says.

Without TARGET those of watch.targets are watched; serve watches these too, so
that one of both is enough. The last state of each target is kept in the store.
A change counts when it was seen as often as watch.confirm says. A target with a
problem is examined again when its repair could be seen.

With --once every target is examined once, as from cron; the exit code is that of
check for the worst of them, as far as it is confirmed.`

// The limits of watch.every.
const (
	minEvery = 5 * time.Minute
	maxEvery = 7 * 24 * time.Hour
)

func newWatchCommand(a *app) *cobra.Command {
	var flags watchFlags
	cmd := &cobra.Command{
		Use:   "watch [TARGET...]",
		Short: "Examine hosts on a schedule, and tell what has changed",
		Long:  watchLong,
		Example: "  arpagate watch mail.example.org 203.0.113.9\n" +
			"  arpagate watch --once --json",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("every") && (flags.every < minEvery || flags.every > maxEvery) {
				return usagef("watch: --every %s is out of range: allowed are 5m to 168h", flags.every)
			}
			return a.watch(cmd.Context(), args, flags)
		},
	}
	cmd.Flags().BoolVar(&flags.once, "once", false, "examine each target once, and end")
	cmd.Flags().BoolVar(&flags.json, "json", false, "print each change, and with --once each state, as a JSON document on a line")
	cmd.Flags().DurationVar(&flags.every, "every", 0, "`TIME` from one examination to the next (default 1h, or watch.every)")
	cmd.Flags().StringArrayVar(&flags.servers, "dns", nil, "ask this DNS server, `ADDR:PORT` (may be repeated)")
	cmd.Flags().BoolVar(&flags.lab, "lab", false, "watch hosts of the lab world: no packet leaves this machine")
	return cmd
}

func (a *app) watch(ctx context.Context, args []string, flags watchFlags) error {
	c, _, err := a.loadConfig()
	if err != nil {
		return err
	}
	if flags.every > 0 {
		c.Watch.Every = flags.every
	}
	if len(args) > 0 {
		c.Watch.Targets = args
	}
	if len(c.Watch.Targets) == 0 {
		return &failure{
			code: exitUsage, err: errors.New("watch: there is nothing to watch"),
			hint: "name targets, as in arpagate watch mail.example.org, or set watch.targets in the configuration",
		}
	}
	x, err := a.openExaminer(ctx, c, examinerOptions{servers: flags.servers, lab: flags.lab})
	if err != nil {
		return err
	}
	defer x.close()
	var keeper watch.Keeper = forgetful{}
	if !flags.lab {
		db, err := store.Open(ctx, c.Store.URL, store.Options{Now: a.now})
		if err != nil {
			return err
		}
		defer db.Close(context.WithoutCancel(ctx))
		keeper = db.Watches()
	}
	w, err := newWatcher(ctx, c, watchParts{
		examiner: x, keeper: keeper, log: slog.New(logHandler(c.Log, a.stderr)), now: a.now, quiet: true,
		more: []watch.Notifier{&printer{app: a, json: flags.json}},
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if !flags.once {
		w.Run(ctx)
		return nil
	}
	w.Once(ctx)
	if ctx.Err() != nil {
		return exitInterrupted
	}
	return a.printStates(w.States(), flags.json)
}

// forgetful keeps nothing: the lab's hosts are none of the store's business.
type forgetful struct{}

// Save does nothing.
func (forgetful) Save(context.Context, string, []byte) error { return nil }

// Load returns nothing.
func (forgetful) Load(context.Context) (map[string][]byte, error) { return nil, nil }

// watchBeside has the daemon watch the targets of its configuration. The gate
// does its work without that too.
func (a *app) watchBeside(ctx context.Context, d *daemon) (end func()) {
	if len(d.config.Watch.Targets) == 0 {
		return func() {}
	}
	x, err := a.openExaminer(ctx, d.config, examinerOptions{memory: d.store})
	if err == nil {
		d.watcher, err = newWatcher(ctx, d.config, watchParts{examiner: x, keeper: d.store.Watches(), log: d.log, now: a.now})
	}
	if err != nil {
		d.log.Error("nothing is watched", "error", err)
		return func() {}
	}
	d.log.Info("watching", "targets", len(d.config.Watch.Targets), "every", d.config.Watch.Every)
	return x.close
}

// observeWatch shows what is watched, without naming it.
func (d *daemon) observeWatch() {
	count := func(f func(*watch.State) int) func() float64 {
		return func() float64 {
			if d.watcher == nil {
				return 0
			}
			sum := 0
			for _, s := range d.watcher.States() {
				sum += f(&s)
			}
			return float64(sum)
		}
	}
	for _, verdict := range []doctor.Verdict{doctor.Pass, doctor.Warn, doctor.Unknown, doctor.Fail} {
		d.metrics.Gauge("arpagate_watched_targets", "Watched targets by their confirmed verdict.", count(func(s *watch.State) int {
			if s.Verdict == verdict {
				return 1
			}
			return 0
		}), map[string]string{"verdict": string(verdict)})
	}
	d.metrics.Gauge("arpagate_watch_problems", "Confirmed problems of watched targets.", count(func(s *watch.State) int { return len(s.Problems) }), nil)
	d.metrics.Gauge("arpagate_watch_untold_changes", "Changes that a webhook or relay has not taken over yet.", count(func(s *watch.State) int {
		sum := 0
		for _, owed := range s.Owed {
			sum += len(owed)
		}
		return sum
	}), nil)
}

// watchParts are what a watcher is made of, beside the configuration.
type watchParts struct {
	examiner *examiner
	keeper   watch.Keeper
	log      *slog.Logger
	now      func() time.Time
	more     []watch.Notifier
	quiet    bool
}

func newWatcher(ctx context.Context, c *config.Config, p watchParts) (*watch.Watcher, error) {
	targets := make(map[string]doctor.Target, len(c.Watch.Targets))
	var names []string
	for _, text := range c.Watch.Targets {
		t, err := parseTarget(text)
		if err != nil {
			return nil, err
		}
		if _, twice := targets[t.String()]; !twice {
			names = append(names, t.String())
		}
		targets[t.String()] = t.of(doctor.Target{})
	}
	notifiers, err := notifiersOf(c, p)
	if err != nil {
		return nil, err
	}
	return watch.New(ctx, watch.Config{
		Targets: names, Every: c.Watch.Every,
		Patience: watch.Patience{Times: c.Watch.Confirm, Unknown: 3 * c.Watch.Confirm},
		Examine: func(ctx context.Context, target string) *doctor.Examination {
			return p.examiner.examine(ctx, targets[target])
		},
		Keeper: p.keeper, Notifiers: notifiers, Now: p.now, Log: p.log, Quiet: p.quiet,
	})
}

// notifiersOf makes what tells of changes. Its connections go through a dialer
// of their own, with the ports of the configuration; an endpoint that is written
// as an address there may lie in the site's own network.
func notifiersOf(c *config.Config, p watchParts) ([]watch.Notifier, error) {
	out := slices.Clone(p.more)
	var endpoints []endpoint
	var hook *url.URL
	if c.Watch.Webhook != "" {
		u, err := url.Parse(c.Watch.Webhook)
		if err != nil {
			return nil, fmt.Errorf("watch: webhook: %w", err)
		}
		hook = u
		endpoints = append(endpoints, endpoint{u.Hostname(), portOf(u)})
	}
	var relay endpoint
	if c.Watch.Relay != "" {
		host, port, err := net.SplitHostPort(c.Watch.Relay)
		if err != nil {
			return nil, fmt.Errorf("watch: relay: %w", err)
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("watch: relay: %w", err)
		}
		relay = endpoint{host, uint16(n)}
		endpoints = append(endpoints, relay)
	}
	if len(endpoints) == 0 {
		return out, nil
	}
	dial, err := dialer.New(dialTo(endpoints, p.examiner.hostMap(), p.now))
	if err != nil {
		return nil, err
	}
	route := watch.Route{DNS: p.examiner.dns, Dial: dial.Dial}
	if hook != nil {
		out = append(out, watch.NewWebhook(hook, "arpagate", route, nil))
	}
	if relay.host != "" {
		out = append(out, &watch.Mail{
			Relay: relay.host, Port: relay.port, Route: route, From: c.Watch.MailFrom, To: c.Watch.MailTo,
			Helo: p.examiner.helo(), Rand: randomBits, Now: p.now, Log: p.log,
		})
	}
	return out, nil
}

// endpoint is where a notifier connects to.
type endpoint struct {
	host string
	port uint16
}

// dialTo allows the ports of the endpoints, and those written as addresses.
func dialTo(endpoints []endpoint, lab map[netip.AddrPort]netip.AddrPort, now func() time.Time) dialer.Config {
	d := dialer.Config{Map: lab, Now: now}
	for _, e := range endpoints {
		// A hundred targets that change at once are told in one window.
		d.Services = append(d.Services, dialer.Service{Network: "tcp", Port: e.port, PerAddress: 300, PerNetwork: 300, AtOnce: 8})
		if addr, err := netip.ParseAddr(e.host); err == nil {
			d.Named = append(d.Named, netip.AddrPortFrom(addr, e.port))
		}
	}
	return d
}

func portOf(u *url.URL) uint16 {
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(port)
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

// printer tells of changes on standard output.
type printer struct {
	app  *app
	json bool
}

// Name returns "print".
func (*printer) Name() string { return "print" }

// Notify prints the change: its text with an empty line behind, or a document
// on a line.
func (p *printer) Notify(_ context.Context, c watch.Change) error {
	if p.json {
		return json.NewEncoder(p.app.stdout).Encode(watch.Message{Schema: 1, Text: c.Subject(), Change: c})
	}
	_, err := fmt.Fprintln(p.app.stdout, c.Text())
	return err
}

// stateDocument is a line of watch --once --json that is no change.
type stateDocument struct {
	Schema int          `json:"schema"`
	State  *watch.State `json:"state"`
}

// printStates prints a line for each target, and returns the worst verdict's
// exit code.
func (a *app) printStates(states []watch.State, asJSON bool) error {
	worst := doctor.Pass
	for i := range states {
		s := &states[i]
		worst = worse(worst, s.Verdict)
		if asJSON {
			if err := json.NewEncoder(a.stdout).Encode(stateDocument{Schema: 1, State: s}); err != nil {
				return err
			}
			continue
		}
		codes := make([]string, len(s.Problems))
		for j, p := range s.Problems {
			codes[j] = string(p.Code)
		}
		since := "never examined"
		if s.Known {
			since = "since " + s.Since.UTC().Format("2006-01-02 15:04 MST")
		}
		line := strings.TrimRight(fmt.Sprintf("%s  %s  %s  %s", s.Target, s.Verdict, since, strings.Join(codes, " ")), " ")
		if _, err := fmt.Fprintln(a.stdout, line); err != nil {
			return err
		}
	}
	return verdictExit(worst)
}

var (
	_ watch.Notifier = (*printer)(nil)
	_ watch.Keeper   = forgetful{}
	_ watch.Keeper   = store.Watches{}
)
