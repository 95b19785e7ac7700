package doctor_test

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/test/netlab"
)

const nsdConf = `server:
    username: ""
    zonesdir: "%[1]s"
    database: ""
    pidfile: "%[1]s/nsd.pid"
    xfrdfile: "%[1]s/xfrd.state"
    xfrdir: "%[1]s"
    zonelistfile: "%[1]s/zone.list"
    cookie-secret-file: "%[1]s/cookies"
    server-count: 1
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
    xfrd-reload-timeout: 0
%[2]sremote-control:
    control-enable: no
`

const knotConf = `server:
    rundir: %[1]s
    listen: [ %[2]s@53, %[3]s@53 ]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: notice
database:
    storage: %[1]s/db
remote:
  - id: secondary
    address: %[4]s@53
acl:
  - id: anybody
    action: [ update, transfer ]
template:
  - id: default
    storage: %[1]s
    acl: anybody
    semantic-checks: off
    zonefile-load: whole
zone:
`

// unbound keeps empty zones of its own for the documentation networks (RFC
// 6303), which have to go.
const unboundConf = `server:
    interface: %[3]s@53
    access-control: 127.0.0.0/8 allow
    directory: "%[1]s"
    chroot: ""
    username: ""
    pidfile: "%[1]s/unbound.pid"
    do-daemonize: no
    use-syslog: no
    logfile: ""
    verbosity: 1
    module-config: "validator iterator"
    trust-anchor-file: "%[2]s"
    root-hints: "%[1]s/hints"
    num-threads: 1
    aggressive-nsec: no
    ede: %[4]s
    trust-anchor-signaling: no
    local-zone: "2.0.192.in-addr.arpa." nodefault
    local-zone: "113.0.203.in-addr.arpa." nodefault
    local-zone: "100.51.198.in-addr.arpa." nodefault
    local-zone: "8.b.d.0.1.0.0.2.ip6.arpa." nodefault
remote-control:
    control-enable: no
`

// swallow lets what goes to the silent server vanish on the way in, where
// nobody is told.
const swallow = `table inet silent {
    chain in {
        type filter hook input priority 0;
        ip daddr { %s, %s } drop
    }
}
`

// startDNS runs the name servers and the caching, validating resolver.
func (s *site) startDNS(t *testing.T, u *universe) {
	t.Helper()
	for _, a := range []netip.Addr{rootServer, fixedServer, fixedSecond, primary, secondary, lameServer, silentServer} {
		s.addLocal(t, a)
	}
	s.Server.NFT(t, fmt.Sprintf(swallow, silentServer, twin(silentServer)))
	s.sign(t, u)
	s.startKnot(t, u.dynamic, u.followed())
	s.startNSD(t, "root", []*zone{u.root}, nil, rootServer)
	s.fixed = s.startNSD(t, "fixed", u.fixed, nil, fixedServer, fixedSecond)
	s.startNSD(t, "secondary", u.stale, u.followed(), secondary)
	s.startNSD(t, "lame", []*zone{newZone("lame.invalid.", "lame.example.org.")}, nil, lameServer)
	s.startUnbound(t, "unbound", resolverAddr, "yes")
	s.startUnbound(t, "plain", plainAddr, "no")
}

// followed are the zones that the secondary transfers from the primary.
func (u *universe) followed() []*zone {
	var out []*zone
	for _, z := range u.dynamic {
		stale := slices.ContainsFunc(u.stale, func(s *zone) bool { return s.origin == z.origin })
		if slices.Contains(z.servers, "ns2.example.org.") && !stale {
			out = append(out, z)
		}
	}
	return out
}

// sign delegates every zone, and makes the keys of those that are to be signed,
// for their parents need the DS records.
func (s *site) sign(t *testing.T, u *universe) {
	t.Helper()
	for _, z := range u.all() {
		if z == u.root {
			continue
		}
		var ds []string
		if slices.Contains(u.signed, z.origin) {
			ds = s.makeKey(t, z.origin)
		}
		if slices.Contains(u.islands, z.origin) {
			ds = nil
		}
		_, parent, _ := strings.Cut(z.origin, ".")
		u.find(cmp.Or(parent, ".")).delegate(z, ds...)
	}
	s.makeKey(t, ".")
}

// makeKey makes the one key of a zone, and returns its DS record.
func (s *site) makeKey(t *testing.T, origin string) []string {
	t.Helper()
	dir := s.keyDir(origin)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", "-r", "/dev/urandom", "-s", origin)
	cmd.Dir = dir
	run(t, cmd)
	b, err := os.ReadFile(filepath.Join(dir, ".ds"))
	if err != nil {
		t.Fatal(err)
	}
	return []string{strings.TrimSpace(string(b))}
}

func (s *site) keyDir(origin string) string { return s.Path("keys", origin+"key") }

// signed writes the zone with its signatures beside the master file, and
// returns the path.
func (s *site) signed(t *testing.T, file, origin string, expired bool) string {
	t.Helper()
	from, until := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	if expired {
		from, until = from.AddDate(0, -2, 0), from.AddDate(0, -1, 0)
	}
	keys, err := filepath.Glob(filepath.Join(s.keyDir(origin), "K*.private"))
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys of %s: %q, %v", origin, keys, err)
	}
	run(t, exec.Command("ldns-signzone", "-o", origin, "-i", fmt.Sprint(from.Unix()), "-e", fmt.Sprint(until.Unix()),
		"-f", file+".signed", file, strings.TrimSuffix(keys[0], ".private")))
	return file + ".signed"
}

// nsd is a running NSD with the files of its zones.
type nsd struct {
	*netlab.Process
	files map[string]string // by origin
}

// startNSD runs an NSD with zones of its own, and others that it transfers
// from the primary.
func (s *site) startNSD(t *testing.T, name string, own, followed []*zone, at ...netip.Addr) *nsd {
	t.Helper()
	dir := s.Path("nsd-" + name)
	var listen, zones strings.Builder
	for _, a := range at {
		fmt.Fprintf(&listen, "    ip-address: %s@53\n    ip-address: %s@53\n", a, twin(a))
	}
	n := &nsd{files: map[string]string{}}
	for i, z := range own {
		file := s.write(t, z.text(), "nsd-"+name, fmt.Sprintf("zone%d", i))
		n.files[z.origin] = file
		if slices.Contains(s.universe.signed, z.origin) {
			file = s.signed(t, file, z.origin, slices.Contains(s.universe.expired, z.origin))
		}
		fmt.Fprintf(&zones, "zone:\n    name: %q\n    zonefile: %q\n", z.origin, file)
	}
	for i, z := range followed {
		fmt.Fprintf(&zones, "zone:\n    name: %q\n    zonefile: \"copy%d\"\n    request-xfr: AXFR %s NOKEY\n    allow-notify: 0.0.0.0/0 NOKEY\n", z.origin, i, primary)
	}
	conf := s.write(t, fmt.Sprintf(nsdConf, dir, listen.String())+zones.String(), "nsd-"+name, "nsd.conf")
	n.Process = s.Start(t, "nsd-"+name, "nsd", "-d", "-c", conf)
	for _, z := range slices.Concat(own, followed) {
		s.awaitZone(t, n.Process, at[0], z.origin)
	}
	return n
}

func (s *site) startKnot(t *testing.T, zones, followed []*zone) {
	t.Helper()
	dir := s.Path("knot")
	if err := os.MkdirAll(filepath.Join(dir, "db"), 0o755); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf(knotConf, dir, primary, twin(primary), secondary)
	for i, z := range zones {
		file := s.write(t, z.text(), "knot", fmt.Sprintf("zone%d", i))
		conf += fmt.Sprintf("  - domain: %q\n    file: %q\n", z.origin, file)
		if slices.Contains(followed, z) {
			conf += "    notify: secondary\n"
		}
	}
	p := s.Start(t, "knot", "knotd", "-c", s.write(t, conf, "knot", "knot.conf"))
	for _, z := range zones {
		s.awaitZone(t, p, primary, z.origin)
	}
}

// Where unbound answers. The plain one does not say why it fails (RFC 8914), as
// is its default.
var (
	resolverAddr = netip.MustParseAddr("127.0.0.1")
	plainAddr    = netip.MustParseAddr("127.0.0.2")
)

func (s *site) startUnbound(t *testing.T, name string, at netip.Addr, ede string) {
	t.Helper()
	keys, err := filepath.Glob(filepath.Join(s.keyDir("."), "K*.key"))
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys of the root: %q, %v", keys, err)
	}
	s.write(t, fmt.Sprintf(". 3600000 NS a.root-servers.net.\na.root-servers.net. 3600000 A %s\n", rootServer), name, "hints")
	conf := s.write(t, fmt.Sprintf(unboundConf, s.Path(name), keys[0], at, ede), name, "unbound.conf")
	p := s.Start(t, name, "unbound", "-d", "-c", conf)
	s.awaitZone(t, p, at, "example.org.")
}

// awaitZone returns when the server answers for the zone.
func (s *site) awaitZone(t *testing.T, p *netlab.Process, server netip.Addr, origin string) {
	t.Helper()
	if strings.Contains(origin, "/") {
		return // no name for package net
	}
	r := s.resolver(server)
	netlab.Eventually(t, 20*time.Second, fmt.Sprintf("%s has %s", server, origin), func() bool {
		if p.Exited() {
			t.Fatalf("the server at %s ended:\n%s", server, p.Log())
		}
		names, err := r.LookupNS(t.Context(), origin)
		return err == nil && len(names) > 0
	})
}

// resolver asks one server of the namespace.
func (s *site) resolver(server netip.Addr) *net.Resolver {
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return s.Server.Dial(ctx, netip.Addr{}, network, netip.AddrPortFrom(server, 53).String())
		},
	}
}
