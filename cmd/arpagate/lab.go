package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/arpagate/arpagate/internal/config"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/listen"
)

func newLabCommand(a *app) *cobra.Command {
	var address, zone string
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Serve the DNS of the lab world, for trying things out",
		Long: `Serve the DNS of the lab world on a loopback address: hosts in documentation
addresses, good and bad in every known way. Ask it with any DNS tool, or with
"arpagate check --dns ADDRESS TARGET".`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.lab(cmd.Context(), address, zone) },
	}
	cmd.Flags().StringVar(&address, "listen", labAddress, "loopback `ADDR:PORT` to serve on")
	cmd.Flags().StringVar(&zone, "zone", "", "`FILE` with a world of your own, instead of the embedded one")
	return cmd
}

// labAddress is where the lab world's DNS usually is.
const labAddress = "127.0.0.1:10053"

func (a *app) lab(ctx context.Context, address, zone string) error {
	if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().IsLoopback() {
		return usagef("lab: --listen %q is not a loopback address with a port, as in %s", address, labAddress)
	}
	world := lab.Default()
	if zone != "" {
		text, err := os.ReadFile(zone)
		if err != nil {
			return fmt.Errorf("lab: %w", err)
		}
		if world, err = lab.Parse(string(text)); err != nil {
			return fmt.Errorf("lab: %s: %s", zone, strings.TrimPrefix(err.Error(), "lab: "))
		}
	}
	server, err := lab.Listen(ctx, world, address, lab.Options{})
	if err != nil {
		return err
	}
	defer server.Close()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var b strings.Builder
	fmt.Fprintf(&b, "The lab world's DNS is at %s. Its hosts:\n\n", server.Addr())
	for _, h := range world.Hosts() {
		fmt.Fprintf(&b, "  %-15s  %-10s  %s\n", h.Address, h.Expect, h.Title)
	}
	fmt.Fprintf(&b, "\nTry: arpagate check --dns %s %s\nStop with Ctrl-C.\n", server.Addr(), tryHost(world))
	if _, err := fmt.Fprint(a.stdout, b.String()); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// tryHost returns a host of the world to try: the first that does not pass, or
// what to put there for a world that describes none.
func tryHost(world *lab.World) string {
	hosts := world.Hosts()
	for _, h := range hosts {
		if h.Expect != evidence.Pass.String() {
			return h.Address.String()
		}
	}
	if len(hosts) > 0 {
		return hosts[0].Address.String()
	}
	return "NAME"
}

// labServer is the lab world behind "serve --lab".
type labServer struct {
	world  *lab.World
	server *lab.Server
	dir    string
}

// startLab serves the lab world, on a free port where the usual one is taken,
// and points the configuration at it: the DNS, the canaries, and a store that
// is thrown away.
func startLab(ctx context.Context, c *config.Config) (*labServer, error) {
	dir, err := os.MkdirTemp("", "arpagate-lab-")
	if err != nil {
		return nil, err
	}
	world := lab.Default()
	server, err := lab.Listen(ctx, world, labAddress, lab.Options{})
	if errors.Is(err, syscall.EADDRINUSE) {
		server, err = lab.Listen(ctx, world, "127.0.0.1:0", lab.Options{})
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	c.DNS.Servers = []netip.AddrPort{server.Addr()}
	c.DNS.Canaries = []config.Canary{
		{Name: dnsname.MustParse("canary.example.net"), Type: "A", Expect: config.Found},
		{Name: dnsname.MustParse("nxdomain.canary.example.net"), Type: "A", Expect: config.NXDomain},
	}
	c.Store.URL = "sqlite:" + filepath.Join(dir, "arpagate.db")
	c.Site.Name, c.Site.AuthservID = "mx.example.net", "mx.example.net"
	if len(c.Listen.HTTP) > 0 && c.Site.URL == "" {
		c.Site.URL = "http://" + strings.TrimPrefix(c.Listen.HTTP[0].String(), "tcp:")
	}
	l := &labServer{world: world, server: server, dir: dir}
	if err := os.WriteFile(l.configFile(), []byte(c.Show()), 0o600); err != nil {
		l.stop()
		return nil, err
	}
	return l, nil
}

// configFile is the effective configuration, for commands that want the store.
func (l *labServer) configFile() string { return filepath.Join(l.dir, "arpagate.toml") }

func (l *labServer) stop() {
	l.server.Close()
	_ = os.RemoveAll(l.dir)
}

// lines tells a newcomer what to type.
func (l *labServer) lines(c *config.Config) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
Arpagate is at work in the lab world: no packet leaves this machine, and nothing
is kept.

  policy  %s    Postfix policy delegation
  milter  %s
  pages   %s    /healthz /readyz /metrics, /r/REFERENCE
  DNS     %s        the lab world

Try, in another terminal:

  # a host as it should be, and one without a PTR record
  bin/arpagate check --lab 203.0.113.1
  bin/arpagate check --lab nameless.example.org
`, addresses(c.Listen.Policy), addresses(c.Listen.Milter), addresses(c.Listen.HTTP), l.server.Addr())
	if host, port, ok := tcpOf(c.Listen.Policy); ok {
		fmt.Fprintf(&b, `
  # ask as Postfix does; the reply holds a link to open
  printf '%%s\n' request=smtpd_access_policy protocol_state=RCPT \
      client_address=203.0.113.9 helo_name=nameless.example.org \
      recipient=you@example.net '' |
    bash -c 'exec 3<>/dev/tcp/%s/%s; cat >&3; head -n 1 <&3'
`, host, port)
	}
	fmt.Fprintf(&b, `
  # what was decided, and the lists
  bin/arpagate --config %s why 203.0.113.9
  bin/arpagate --config %s list allow show
`, l.configFile(), l.configFile())
	fmt.Fprintf(&b, "\nThe hosts of the lab world are listed in docs/lab.md. Stop with Ctrl-C.\n\n")
	return b.String()
}

// addresses joins the addresses of one kind of door.
func addresses(list []listen.Address) string {
	texts := make([]string, len(list))
	for i, address := range list {
		texts[i] = address.String()
	}
	return strings.Join(texts, ", ")
}

// tcpOf returns host and port of the first address that is a TCP one.
func tcpOf(list []listen.Address) (host, port string, ok bool) {
	for _, address := range list {
		if hostport, found := strings.CutPrefix(address.String(), "tcp:"); found {
			host, port, err := net.SplitHostPort(hostport)
			return host, port, err == nil
		}
	}
	return "", "", false
}

// enterLab serves the whole lab world for one examination, with its name servers
// and mail servers, and leads all connections there. Nothing else is asked.
func (x *examiner) enterLab(ctx context.Context) error {
	world := lab.Default()
	server, err := lab.Listen(ctx, world, "127.0.0.1:0", lab.Options{})
	if err != nil {
		return err
	}
	x.later(server.Close)
	names, err := world.ListenNameServers(ctx)
	if err != nil {
		return err
	}
	x.later(names.Close)
	mail, err := world.ListenSMTP(ctx)
	if err != nil {
		return err
	}
	x.later(mail.Close)
	x.roots = mail.Roots()
	c := *x.config
	c.DNS.Servers = []netip.AddrPort{server.Addr()}
	c.Doctor.List = nil
	c.Doctor.OriginIPv4, c.Doctor.OriginIPv6, c.Doctor.OriginAS = dnsname.Name{}, dnsname.Name{}, dnsname.Name{}
	c.Doctor.Map = nil
	for _, hosts := range []map[netip.AddrPort]netip.AddrPort{names.Map(), mail.Map()} {
		for from, to := range hosts {
			c.Doctor.Map = append(c.Doctor.Map, config.Mapping{From: from, To: to})
		}
	}
	c.Doctor.Helo, c.Site.AuthservID = "mx.example.net", "mx.example.net"
	x.config = &c
	return nil
}
