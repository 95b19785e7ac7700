// Package netlab builds a small mail world in network namespaces for tests:
// clients at documentation addresses, a real nsd and unbound that serve their
// zones, a real Postfix, and the arpagate binary. It needs root, iproute2,
// nftables and the daemons; nothing in it has a route to anywhere else.
//
//	 namespace apgPID-N-c              namespace apgPID-N-s
//	┌──────────────────────┐          ┌────────────────────────────────────────┐
//	│ SMTP clients         │   veth   │ Postfix  192.0.2.25, 2001:db8:25::25   │
//	│ 203.0.113.0/24       ├──────────┤   │ policy, milter (127.0.0.1, unix)   │
//	│ 198.51.100.0/24      │          │ arpagate                               │
//	│ 2001:db8:113::/64    │          │   │ 127.0.0.1:53                       │
//	└──────────────────────┘          │ unbound ── 127.0.0.1:5300 nsd (".")    │
//	                                  │         ── 127.0.0.1:5301 unreachable  │
//	                                  │         ── 127.0.0.1:5302 silent       │
//	                                  └────────────────────────────────────────┘
package netlab

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// Addresses of the server namespace, as its clients see them.
var (
	Server4 = netip.MustParseAddr("192.0.2.25")
	Server6 = netip.MustParseAddr("2001:db8:25::25")
)

// clientNets are the networks in which clients live; the server reaches them
// over the wire and knows no other route.
var clientNets = []string{"203.0.113.0/24", "198.51.100.0/24", "2001:db8:113::/64"}

// World is one pair of namespaces with a directory for what runs in them.
// Everything is removed when the test ends.
type World struct {
	// Server is where the daemons run, Client where SMTP clients dial from.
	Server, Client Namespace
	// Dir holds configuration, queue, mailboxes and logs; every user may enter
	// it, unlike the directory of testing.TB.
	Dir string

	clients map[netip.Addr]bool
}

// worlds numbers the worlds of one process, so that their names differ.
var worlds atomic.Int32

// New makes the two namespaces and the wire between them.
func New(t testing.TB) *World {
	t.Helper()
	sweep(t)
	prefix := fmt.Sprintf("apg%d-%d-", os.Getpid(), worlds.Add(1))
	w := &World{Dir: openDir(t), clients: map[netip.Addr]bool{}}
	w.Server = newNamespace(t, prefix+"s")
	w.Client = newNamespace(t, prefix+"c")
	w.wire(t)
	return w
}

// openDir makes a short path (unix sockets: 108 octets) that the postfix user
// may enter.
func openDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "apg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() && os.Getenv("ARPAGATE_KEEP") != "" {
			t.Logf("kept %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// wire joins the namespaces by a veth pair with addresses and on-link routes.
func (w *World) wire(t testing.TB) {
	t.Helper()
	s, c := w.Server, w.Client
	s.ip(t, "link", "add", "mail0", "type", "veth", "peer", "name", "mail0", "netns", c.Name)
	s.ip(t, "addr", "add", Server4.String()+"/32", "dev", "mail0")
	s.ip(t, "-6", "addr", "add", Server6.String()+"/128", "dev", "mail0", "nodad")
	for _, n := range []Namespace{s, c} {
		n.ip(t, "link", "set", "mail0", "up")
	}
	for _, network := range clientNets {
		s.ip(t, family(network), "route", "add", network, "dev", "mail0")
	}
	c.ip(t, "-4", "route", "add", Server4.String(), "dev", "mail0")
	c.ip(t, "-6", "route", "add", Server6.String(), "dev", "mail0")
}

// family is the flag of ip(8) for a network or address.
func family(s string) string {
	if strings.Contains(s, ":") {
		return "-6"
	}
	return "-4"
}

// AddClient gives the client namespace one more address; a known one is left.
func (w *World) AddClient(t testing.TB, a netip.Addr) {
	t.Helper()
	if w.clients[a] {
		return
	}
	w.clients[a] = true
	args := []string{family(a.String()), "addr", "add", netip.PrefixFrom(a, a.BitLen()).String(), "dev", "mail0"}
	if a.Is6() {
		args = append(args, "nodad")
	}
	w.Client.ip(t, args...)
}

// Path joins elements to Dir.
func (w *World) Path(elem ...string) string {
	return filepath.Join(append([]string{w.Dir}, elem...)...)
}

// write puts a file below Dir and returns its path.
func (w *World) write(t testing.TB, text string, elem ...string) string {
	t.Helper()
	path := w.Path(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// run executes a short command outside the namespaces and fails the test with
// its output when it fails.
func run(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}
