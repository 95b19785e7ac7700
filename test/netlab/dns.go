package netlab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// Resolver is where unbound answers in the server namespace.
const Resolver = "127.0.0.1:53"

// DNS says what the world's name servers hold.
type DNS struct {
	Zones *Zones
	// Dead names are delegated to a port that unbound can't send to: SERVFAIL,
	// at once.
	Dead []string
	// Silent names are delegated to a port where packets vanish: a timeout.
	Silent []string
}

const nsdConf = `server:
    ip-address: 127.0.0.1@5300
    username: ""
    zonesdir: "%[1]s"
    database: ""
    pidfile: "%[1]s/nsd.pid"
    xfrdfile: "%[1]s/xfrd.state"
    zonelistfile: "%[1]s/zone.list"
    cookie-secret-file: "%[1]s/cookies"
    server-count: 1
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
remote-control:
    control-enable: no
`

// unbound keeps empty zones of its own for the documentation networks (RFC
// 6303), which have to go. It asks nobody but loopback, even by mistake.
const unboundConf = `server:
    interface: 127.0.0.1@53
    outgoing-interface: 127.0.0.1
    do-ip6: no
    access-control: 127.0.0.0/8 allow
    do-not-query-localhost: no
    directory: "%[1]s"
    chroot: ""
    username: ""
    pidfile: "%[1]s/unbound.pid"
    do-daemonize: no
    use-syslog: no
    logfile: ""
    verbosity: 1
    module-config: "iterator"
    num-threads: 1
    outgoing-range: 4096
    num-queries-per-thread: 2048
    local-zone: "2.0.192.in-addr.arpa." nodefault
    local-zone: "113.0.203.in-addr.arpa." nodefault
    local-zone: "100.51.198.in-addr.arpa." nodefault
    local-zone: "8.b.d.0.1.0.0.2.ip6.arpa." nodefault
remote-control:
    control-enable: no
stub-zone:
    name: "."
    stub-addr: 127.0.0.1@5300
`

// deadAndSilent tells the sender that port 5301 can't be reached, as a missing
// route does (what is dropped on the way out is an error of sendto), and lets
// what goes to port 5302 vanish on the way in, where nobody is told.
const deadAndSilent = `table inet delegations {
    chain out {
        type filter hook output priority 0;
        meta l4proto { tcp, udp } th dport 5301 drop
    }
    chain in {
        type filter hook input priority 0;
        meta l4proto { tcp, udp } th dport 5302 drop
    }
}
`

// StartDNS runs nsd with the zones, and unbound in front of it.
func (w *World) StartDNS(t testing.TB, d DNS) {
	t.Helper()
	w.Server.NFT(t, deadAndSilent)
	dir := w.Path("dns")
	conf := fmt.Sprintf(nsdConf, dir)
	for i, origin := range d.Zones.origins {
		file := fmt.Sprintf("zone%d", i)
		w.write(t, d.Zones.text(origin), "dns", file)
		conf += fmt.Sprintf("zone:\n    name: %q\n    zonefile: %q\n", origin, file)
	}
	nsd := w.Start(t, "nsd", "nsd", "-d", "-c", w.write(t, conf, "dns", "nsd.conf"))
	w.waitAnswering(t, nsd, "127.0.0.1:5300")

	conf = fmt.Sprintf(unboundConf, dir) + stubs(d.Dead, 5301) + stubs(d.Silent, 5302)
	unbound := w.Start(t, "unbound", "unbound", "-d", "-c", w.write(t, conf, "dns", "unbound.conf"))
	w.waitAnswering(t, unbound, Resolver)
}

// waitAnswering returns when a name server knows the world. That it listens
// does not say so: nsd listens first and reads its zones then.
func (w *World) waitAnswering(t testing.TB, p *Process, server string) {
	t.Helper()
	resolver := net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return w.Server.Dial(ctx, netip.Addr{}, network, server)
		},
	}
	w.await(t, p, "answers at "+server, func() bool {
		addrs, err := resolver.LookupHost(t.Context(), "ns.example.org.")
		return err == nil && len(addrs) == 1 && addrs[0] == Server4.String()
	})
}

// stubs sends names to a port of loopback.
func stubs(names []string, port int) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "stub-zone:\n    name: %q\n    stub-addr: 127.0.0.1@%d\n", name, port)
	}
	return b.String()
}

// CutDNS lets every datagram and segment to unbound vanish, until MendDNS.
func (w *World) CutDNS(t testing.TB) {
	t.Helper()
	w.Server.NFT(t, `table inet cut {
    chain in {
        type filter hook input priority 0;
        meta l4proto { tcp, udp } th dport 53 drop
    }
}
`)
}

// MendDNS ends what CutDNS began.
func (w *World) MendDNS(t testing.TB) {
	t.Helper()
	w.Server.NFT(t, "delete table inet cut\n")
}
