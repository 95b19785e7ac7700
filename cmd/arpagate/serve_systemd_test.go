package main_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestNotify plays the service manager of a Type=notify-reload unit: what the
// daemon tells it on start, reload and stop.
func TestNotify(t *testing.T) {
	world := parseWorld(t, slowZone)
	d := prepare(t, labWorld(t, world).Addr().String(), settings)
	path := filepath.Join(d.dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	told := func() string {
		t.Helper()
		var b [4096]byte
		if err := manager.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, err := manager.Read(b[:])
		if err != nil {
			t.Fatalf("%v; the log:\n%s", err, d.log)
		}
		return string(b[:n])
	}
	want := func(state string) {
		t.Helper()
		if got := told(); got != state {
			t.Errorf("told %q, want %q", got, state)
		}
	}
	d.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+path)
	d.launch()
	want("READY=1")
	d.answers(deferred) // READY means that the doors are open
	for _, text := range []string{d.text, "broken"} {
		d.write(text)
		before := monotonic(t)
		d.signal(syscall.SIGHUP)
		// systemd.service(5), Type=notify-reload: both in one datagram.
		m := regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=(\d+)$`).FindStringSubmatch(told())
		if m == nil {
			t.Fatal("the reload is not announced with its time")
		}
		if at, err := strconv.ParseInt(m[1], 10, 64); err != nil || at < before || at > monotonic(t) {
			t.Errorf("the reload is said to be at %s µs, after %d", m[1], before)
		}
		want("READY=1")
	}
	// Stopping is told when it begins, not when it is done.
	answer := make(chan error, 1)
	go func() {
		_, err := talk(t, filepath.Join(d.dir, "policy"), request("203.0.113.10", "nameless.example.org"))
		answer <- err
	}()
	d.await("the question", func() bool { return strings.Contains(d.get("/metrics"), `arpagate_connections{door="policy"} 1`) })
	d.signal(syscall.SIGTERM)
	want("STOPPING=1")
	d.signal(syscall.SIGHUP)
	if err := <-answer; err != nil {
		t.Error(err)
	}
	if code := d.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if err := manager.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := manager.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("told %d octets more after STOPPING=1, %v", n, err)
	}
}

// monotonic returns CLOCK_MONOTONIC in microseconds.
func monotonic(t *testing.T) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano() / 1000
}

// TestActivation plays the service manager of a socket unit: it holds the
// sockets, and one of them that the configuration does not name.
func TestActivation(t *testing.T) {
	text := strings.NewReplacer(`"unix:DIR/policy"`, `"systemd:policy"`, `"unix:DIR/milter"`, `"systemd:milter"`).Replace(settings)
	d := prepare(t, labWorld(t, worldOfCanary(t)).Addr().String(), text)
	var files []*os.File
	for _, name := range []string{"policy", "milter", "spare"} {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(d.dir, name), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	// LISTEN_PID is known between fork and exec only: sd_listen_fds(3).
	shell := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, d.cmd.Path)
	shell.Args = append(shell.Args, d.cmd.Args[1:]...)
	shell.Stdout, shell.Stderr, shell.ExtraFiles = d.cmd.Stdout, d.cmd.Stderr, files
	shell.Env = append(os.Environ(), "LISTEN_FDS=3", "LISTEN_FDNAMES=policy:milter:spare")
	d.cmd = shell
	d.start()
	d.answers(deferred)
	if act := d.milt("203.0.113.9", "nameless.example.org"); act.SMTPCode != 450 {
		t.Errorf("milter says %+v", act)
	}
	d.awaitLog(`msg="systemd passed a socket that no address in [listen] names" name=spare`)
	d.stop()
	if _, err := os.Lstat(filepath.Join(d.dir, "policy")); err != nil {
		t.Errorf("the service manager's socket is gone: %v", err)
	}
}
