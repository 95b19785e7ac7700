package netlab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace known to ip-netns(8).
type Namespace struct {
	Name string
}

// Where ip-netns(8) keeps the handles, and the files that it mounts over those
// of /etc for the processes that it starts.
const (
	handleDir = "/run/netns"
	etcDir    = "/etc/netns"
)

// etcFiles replace the host's for everything started in a namespace: names
// are resolved by its unbound and by nothing else.
var etcFiles = map[string]string{
	"resolv.conf":   "nameserver 127.0.0.1\noptions timeout:3 attempts:1\n",
	"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
	"hosts":         "127.0.0.1 localhost\n::1 localhost\n",
}

func newNamespace(t testing.TB, name string) Namespace {
	t.Helper()
	n := Namespace{Name: name}
	t.Cleanup(func() { n.remove(t) })
	for file, text := range etcFiles {
		path := filepath.Join(etcDir, name, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, exec.Command("ip", "netns", "add", name))
	n.ip(t, "link", "set", "lo", "up")
	return n
}

// sweep removes namespaces of processes that died before they could.
func sweep(t testing.TB) {
	t.Helper()
	handles, err := filepath.Glob(filepath.Join(handleDir, "apg*-*-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, handle := range handles {
		var owner int
		name := filepath.Base(handle)
		if _, err := fmt.Sscanf(name, "apg%d-", &owner); err == nil && errors.Is(unix.Kill(owner, 0), unix.ESRCH) {
			Namespace{Name: name}.remove(t)
		}
	}
}

// remove ends what still runs in the namespace, all of it started by the test,
// and removes the namespace. The directory of ip-netns(8) goes with the last.
func (n Namespace) remove(t testing.TB) {
	t.Helper()
	out, err := exec.Command("ip", "netns", "pids", n.Name).Output()
	if err != nil {
		t.Logf("ip netns pids %s: %v", n.Name, err)
	}
	for _, field := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(field); err == nil && pid != os.Getpid() {
			_ = unix.Kill(pid, unix.SIGKILL) // gone already: as well
		}
	}
	if out, err := exec.Command("ip", "netns", "delete", n.Name).CombinedOutput(); err != nil {
		t.Errorf("ip netns delete %s: %v\n%s", n.Name, err, out)
	}
	if err := os.RemoveAll(filepath.Join(etcDir, n.Name)); err != nil {
		t.Error(err)
	}
	_ = os.Remove(etcDir) // fails while another namespace needs it
}

// ip runs ip(8) on the namespace.
func (n Namespace) ip(t testing.TB, args ...string) {
	t.Helper()
	run(t, exec.Command("ip", append([]string{"-n", n.Name}, args...)...))
}

// Command is a command that will run in the namespace, with its /etc files.
func (n Namespace) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", n.Name, name}, args...)...)
}

// NFT loads rules in the language of nft(8).
func (n Namespace) NFT(t testing.TB, rules string) {
	t.Helper()
	cmd := n.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	run(t, cmd)
}

// do runs f on a thread of the namespace. Sockets that f opens itself belong
// to it for good; goroutines that f starts do not.
func (n Namespace) do(f func() error) error {
	result := make(chan error, 1)
	go func() {
		// The thread is never unlocked, so it ends with this goroutine and can't
		// carry the namespace to other work.
		runtime.LockOSThread()
		result <- n.enter(f)
	}()
	return <-result
}

func (n Namespace) enter(f func() error) error {
	handle, err := os.Open(filepath.Join(handleDir, n.Name))
	if err != nil {
		return fmt.Errorf("netlab: %w", err)
	}
	defer handle.Close()
	if err := unix.Setns(int(handle.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("netlab: enter %q: %w", n.Name, err)
	}
	return f()
}

// Dial connects from inside the namespace, from the given address where it is
// valid. The target must be an address and port, not a name: looking up names
// would leave the thread.
func (n Namespace) Dial(ctx context.Context, from netip.Addr, network, target string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	if from.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	var conn net.Conn
	err := n.do(func() (err error) {
		conn, err = d.DialContext(ctx, network, target)
		return err
	})
	return conn, err
}
