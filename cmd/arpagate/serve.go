package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

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

// stopGrace is how long the store may take to write what is queued.
const stopGrace = 10 * time.Second

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
	d.announce()
	if _, err := a.stdout.Write([]byte(tryIt)); err != nil {
		d.log.Warn("the lines to try could not be printed", "error", err)
	}
	return d.supervise(ctx, path, hostname)
}

// announce logs where the doors are.
func (d *daemon) announce() {
	for _, open := range d.doors {
		d.log.Info("listening", "door", open.kind, "address", open.listener.Addr().String())
	}
	d.log.Info("rules", "preset", d.config.Policy.Preset, "site", d.config.Site.Name)
}

// supervise runs the daemon and hands it the signals, until it is told to stop.
func (d *daemon) supervise(ctx context.Context, path, hostname string) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// A reader of the log that goes away must not take the gate with it.
	signal.Ignore(syscall.SIGPIPE)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	done := make(chan error, 1)
	go func() { done <- d.run(ctx) }()
	notify(systemd.SdNotifyReady)
	for {
		select {
		case <-hangup:
			if path == "" {
				d.log.Warn("nothing to reload: there is no configuration file")
				continue
			}
			notify(systemd.SdNotifyReloading)
			d.reload(path, hostname)
			notify(systemd.SdNotifyReady)
		case err := <-done:
			notify(systemd.SdNotifyStopping)
			d.log.Info("stopped", "error", err)
			grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
			defer cancel()
			d.close(grace)
			return err
		}
	}
}

// notify tells the service manager, where there is one: sd_notify(3).
func notify(state string) {
	_, _ = systemd.SdNotify(false, state)
}
