package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/arpagate/arpagate/internal/listen"
)

func newServeCommand(a *app) *cobra.Command {
	var withLab bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gate: answer MTAs until stopped",
		Long: `Run the gate in the foreground: policy delegation, milter and pages on the
addresses of [listen].

SIGHUP reads the configuration again; a broken file leaves the old one at
work. SIGTERM and SIGINT finish the answers under way and stop. Sockets passed
by systemd are used where an address says systemd:NAME, and sd_notify(3) is
told of start, reload and stop.

With --lab the gate asks the embedded lab world instead of the DNS, keeps its
store in a temporary directory, and prints lines to try.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.serve(cmd.Context(), withLab)
		},
	}
	cmd.Flags().BoolVar(&withLab, "lab", false, "serve the lab world, with nothing kept")
	return cmd
}

func (a *app) serve(ctx context.Context, withLab bool) error {
	c, path, err := a.loadConfig()
	if err != nil {
		return err
	}
	var tryIt string
	if withLab {
		world, err := startLab(ctx, c)
		if err != nil {
			return err
		}
		defer world.stop()
		tryIt = world.lines(c)
	}
	// A reader of the log that goes away must not take the gate with it, nor a
	// SIGHUP that comes while the store is being opened.
	signal.Ignore(syscall.SIGPIPE)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	hostname, _ := os.Hostname()
	warnings := c.Complete(hostname)
	inherited := listen.Inherit()
	d, err := newDaemon(ctx, c, inherited, a.stderr, a.now)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		d.log.Warn("configuration", "warning", w.String())
	}
	for _, name := range inherited.Names() {
		d.log.Warn("systemd passed a socket that no address in [listen] names", "name", name)
	}
	_ = inherited.Close()
	defer a.watchBeside(ctx, d)()
	d.announce()
	if withLab {
		path = "" // the lab's settings are not those of the file
		if _, err := a.stdout.Write([]byte(tryIt)); err != nil {
			d.log.Warn("the lines to try could not be printed", "error", err)
		}
	}
	return d.supervise(ctx, hangup, func() { d.reload(path, hostname) })
}

// announce logs where the doors are.
func (d *daemon) announce() {
	for _, open := range d.doors {
		d.log.Info("listening", "door", open.kind, "address", open.listener.Addr().String())
	}
	d.log.Info("rules", "preset", d.config.Policy.Preset, "site", d.config.Site.Name)
}

// supervise runs the daemon and hands it the signals, until it is told to stop.
// Of many SIGHUPs at a time, two at least lead to a reload: the first, and one
// after the last.
func (d *daemon) supervise(ctx context.Context, hangup <-chan os.Signal, reload func()) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		defer cancel()
		done <- d.run(ctx)
	}()
	notify(systemd.SdNotifyReady)
	for ctx.Err() == nil {
		select {
		case <-hangup:
			notify(reloading())
			reload()
			notify(systemd.SdNotifyReady)
		case <-ctx.Done():
		}
	}
	notify(systemd.SdNotifyStopping)
	d.log.Info("stopping")
	err := <-done
	if err != nil {
		d.log.Error("stopped", "error", err)
	} else {
		d.log.Info("stopped")
	}
	d.close(ctx)
	return err
}

// reloading is what systemd wants to hear before a reload: with the time, so
// that Type=notify-reload can tell this reload from an earlier one, see
// sd_notify(3).
func reloading() string {
	var now unix.Timespec
	// CLOCK_MONOTONIC is there on every kernel that Go runs on.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return fmt.Sprintf("%s\nMONOTONIC_USEC=%d", systemd.SdNotifyReloading, now.Nano()/1000)
}

// notify tells the service manager, where there is one: sd_notify(3).
func notify(state string) {
	_, _ = systemd.SdNotify(false, state)
}
