package netlab

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a daemon that runs in the foreground inside a namespace. Its
// output goes to a log, which is shown when the test fails.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  string
	once sync.Once
	done chan struct{}
}

// Start runs a daemon in the server namespace until the test ends.
func (w *World) Start(t testing.TB, name, path string, args ...string) *Process {
	t.Helper()
	log, err := os.Create(w.Path(name + ".log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := &Process{name: name, cmd: w.Server.Command(path, args...), log: log.Name(), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ended is in the log; Exited tells that it did
	}()
	t.Cleanup(func() {
		p.Stop(t)
		if t.Failed() {
			t.Logf("%s:\n%s", name, tail(p.Log(), 8<<10))
		}
	})
	return p
}

// PID is the process's id, also inside ip-netns(8), which replaces itself.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log is what the process has written so far.
func (p *Process) Log() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Exited reports whether the process has ended.
func (p *Process) Exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Kill ends the process as kill -9 does, and returns when it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // gone already: as well
	<-p.done
}

// Stop asks the process to end, and kills it when it does not within 10 s,
// which is an error of the test.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	p.once.Do(func() {
		_ = p.cmd.Process.Signal(unix.SIGTERM) // gone already: as well
		select {
		case <-p.done:
		case <-time.After(10 * time.Second):
			t.Errorf("%s did not end within 10 s of SIGTERM", p.name)
			p.Kill()
		}
	})
}

// RSS is the resident memory of the process in bytes.
func (p *Process) RSS() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, fmt.Errorf("netlab: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil {
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("netlab: no VmRSS of %s", p.name)
}

// waitListening returns when the process accepts connections at the target
// ("tcp", "127.0.0.1:10040") in the server namespace.
func (w *World) waitListening(t testing.TB, p *Process, network, target string) {
	t.Helper()
	w.await(t, p, "listens at "+target, func() bool {
		conn, err := w.Server.Dial(t.Context(), netip.Addr{}, network, target)
		return err == nil && conn.Close() == nil
	})
}

// await returns when the condition holds, and fails the test when the process
// ends first.
func (w *World) await(t testing.TB, p *Process, what string, holds func() bool) {
	t.Helper()
	Eventually(t, 20*time.Second, p.name+" "+what, func() bool {
		if p.Exited() {
			t.Fatalf("%s ended:\n%s", p.name, tail(p.Log(), 8<<10))
		}
		return holds()
	})
}

// Eventually polls a condition until it holds, and fails the test after the
// given time.
func Eventually(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within %v: %s", within, what)
}

// tail is the end of a text, at most n octets.
func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n:]
}
