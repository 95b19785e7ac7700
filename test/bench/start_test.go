package bench_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/binary"
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

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"

	"github.com/arpagate/arpagate/internal/store"
)

const (
	// starts is how often each gate is started.
	starts = 15
	// listed is the number of entries in the lists of the full store.
	listed = 100_000
	// patience bounds each start and each stop.
	patience = 20 * time.Second
)

// BenchmarkStart starts the program with 100,000 list entries, beside the same
// with an empty store, in turns, and measures from exec to the first answer.
// The goal is 100 ms. The very first start finds entries that no daemon has yet
// packed for a quick start.
func BenchmarkStart(b *testing.B) {
	binary := build(b)
	dns := nameserver(b, hosts).String()
	empty, full := newInstance(b, binary, dns), newInstance(b, binary, dns)
	fill(b, full.path("arpagate.db"))
	first, _ := full.start(b, func() { awaitPacks(b, full.path("arpagate.db")) })
	b.ReportMetric(first.Seconds()*1000, "first-ms")
	var took, used [2][]time.Duration
	for range starts { // whatever b.N is: these are enough
		for i, g := range []*instance{empty, full} {
			wall, cpu := g.start(b, func() {})
			took[i], used[i] = append(took[i], wall), append(used[i], cpu)
		}
	}
	for i, of := range []string{"empty-", ""} {
		slices.Sort(took[i])
		slices.Sort(used[i])
		b.ReportMetric(took[i][starts/2].Seconds()*1000, of+"ms")
		b.ReportMetric(took[i][0].Seconds()*1000, of+"best-ms")
		b.ReportMetric(used[i][starts/2].Seconds()*1000, of+"cpu-ms")
	}
	b.ReportMetric(0, "ns/op")
}

// build compiles the program as make build does.
func build(b *testing.B) string {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "arpagate")
	cmd := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-o", binary, "../../cmd/arpagate")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// fill makes a store whose lists are full: networks of both families, one
// domain in ten, and an expiry for every other entry.
func fill(b *testing.B, path string) {
	b.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, "sqlite:"+path, store.Options{Daemon: true})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Close(ctx); err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	insert, err := tx.Prepare(`INSERT INTO entries (list, entry, reason, owner, created, expiry, hits, last_use)
		VALUES ($1, $2, 'reported by a customer, ticket 4711', 'postmaster', $3, $4, 0, 0)`)
	if err != nil {
		b.Fatal(err)
	}
	defer insert.Close()
	now := time.Now()
	for i := range listed {
		list, text := listEntry(i)
		expiry := now.AddDate(1, 0, 0).UnixMicro() * int64(i%2)
		if _, err := insert.Exec(string(list), text, now.UnixMicro(), expiry); err != nil {
			b.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}

// awaitPacks returns when the daemon has packed the lists.
func awaitPacks(b *testing.B, path string) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var packs int
		if err := db.QueryRow(`SELECT count(*) FROM packs`).Scan(&packs); err == nil && packs > listed/1024 {
			return
		}
	}
	b.Fatal("the lists were never packed")
}

func listEntry(i int) (store.List, string) {
	switch i % 10 {
	case 0:
		return store.Allow, fmt.Sprintf("host%d.example.org", i)
	case 1, 2, 3:
		a := netip.MustParseAddr("2001:db8::").As16()
		binary.BigEndian.PutUint32(a[4:], uint32(i))
		return store.Block, netip.PrefixFrom(netip.AddrFrom16(a), 64).String()
	}
	a := netip.MustParseAddr("198.18.0.0").As4()
	binary.BigEndian.PutUint32(a[:], binary.BigEndian.Uint32(a[:])+uint32(i))
	return store.Block, netip.PrefixFrom(netip.AddrFrom4(a), 32).String()
}

// instance is one configured gate that can be started many times.
type instance struct{ binary, dir string }

const startConf = `[site]
name = "gate.example.org"
url = "https://gate.example.org"
authserv_id = "mx.example.org"

[listen]
policy = ["unix:%[1]s/policy"]
milter = ["unix:%[1]s/milter"]
http = ["unix:%[1]s/http"]

[dns]
servers = [%[2]q]

[store]
url = "sqlite:%[1]s/arpagate.db"
`

func newInstance(b *testing.B, binary, dns string) *instance {
	b.Helper()
	// Short, for the sake of the sockets: unix(7) allows 107 octets.
	dir, err := os.MkdirTemp("", "start")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	g := &instance{binary: binary, dir: dir}
	if err := os.WriteFile(g.path("arpagate.toml"), fmt.Appendf(nil, startConf, dir, dns), 0o600); err != nil {
		b.Fatal(err)
	}
	return g
}

func (g *instance) path(name string) string { return filepath.Join(g.dir, name) }

// start runs the gate until it has answered once, then calls f, and stops the
// gate. It returns the time from exec to the answer, and how long the gate has
// worked for it, on all cores: neighbours change that less.
func (g *instance) start(b *testing.B, f func()) (took, cpu time.Duration) {
	b.Helper()
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: g.path("notify"), Net: "unixgram"})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = manager.Close(); _ = os.Remove(g.path("notify")) }()
	cmd := exec.CommandContext(b.Context(), g.binary, "serve", "--config", g.path("arpagate.toml"))
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+g.path("notify"))
	var log strings.Builder
	cmd.Stderr = &log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	err = g.firstAnswer(manager)
	took = time.Since(began)
	if cpu = cpuOf(cmd.Process.Pid); err == nil {
		f()
	}
	kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	_ = cmd.Process.Signal(unix.SIGTERM)
	if ended := cmd.Wait(); err != nil || ended != nil {
		b.Fatalf("%v, %v\n%s", err, ended, log.String())
	}
	return took, cpu
}

// cpuOf is the time that a process has worked: proc_pid_schedstat(5) of its
// threads.
func cpuOf(pid int) time.Duration {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	total := time.Duration(0)
	for _, name := range threads {
		var ns int64
		if b, err := os.ReadFile(name); err == nil { // or else the thread has ended
			_, _ = fmt.Sscan(string(b), &ns)
		}
		total += time.Duration(ns)
	}
	return total
}

// firstAnswer waits until the gate says that it is ready, as systemd does, and
// asks it about a client.
func (g *instance) firstAnswer(manager *net.UnixConn) error {
	if err := manager.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	state := make([]byte, 256)
	if n, err := manager.Read(state); err != nil || string(state[:n]) != "READY=1" {
		return fmt.Errorf("sd_notify: %q, %w", state[:n], err)
	}
	conn, err := net.Dial("unix", g.path("policy"))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write(request(0)); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(answer, "action=") {
		return fmt.Errorf("answer %q, %w", answer, err)
	}
	return nil
}
