package main_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLogCannotBeWritten: the gate goes on, counts what is lost, and ends when
// it is told to.
func TestLogCannotBeWritten(t *testing.T) {
	// covers: L113-L114, L116
	for _, tt := range []struct {
		name   string
		target func(*testing.T) *os.File
		cases  int // enough to overflow what waits in memory
	}{
		{"L113 disk full", fullDevice, 10},
		{"L114 reader gone", brokenPipe, 10},
		{"L116 full pipe that nobody reads", fullPipe, 5000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := prepare(t, labWorld(t, worldOfCanary(t)).Addr().String(), settings)
			target := tt.target(t)
			d.cmd.Stdout, d.cmd.Stderr = target, target
			d.start()
			var dialer net.Dialer
			c, err := dialer.DialContext(t.Context(), "unix", filepath.Join(d.dir, "policy"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			question := request("203.0.113.9", strings.Repeat("\x01", 250)) // a line of 1 KiB
			for range tt.cases {
				if got, err := exchange(c, question); err != nil || !strings.HasPrefix(got, deferred) {
					t.Fatalf("answer %q, %v", got, err)
				}
			}
			d.await("the loss to be counted", func() bool { return dropped(t, d.get("/metrics")) > 0 })
			d.stop()
		})
	}
}

func dropped(t *testing.T, numbers string) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^arpagate_log_dropped_lines_total (\S+)$`).FindStringSubmatch(numbers)
	if m == nil {
		t.Fatal("no metric of dropped lines")
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

func fullDevice(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func brokenPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return w
}

func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	// A service manager hands over a pipe whose writers wait.
	if err := unix.SetNonblock(int(w.Fd()), false); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestLogLossIsTold wants a line about the loss once the log takes lines again.
func TestLogLossIsTold(t *testing.T) {
	d := prepare(t, labWorld(t, worldOfCanary(t)).Addr().String(), settings)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	d.cmd.Stderr = w
	d.start()
	var dialer net.Dialer
	c, err := dialer.DialContext(t.Context(), "unix", filepath.Join(d.dir, "policy"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	question := request("203.0.113.9", strings.Repeat("\x01", 250))
	for dropped(t, d.get("/metrics")) == 0 {
		for range 500 {
			if _, err := exchange(c, question); err != nil {
				t.Fatal(err)
			}
		}
	}
	go func() {
		var b [64 << 10]byte
		for {
			n, err := r.Read(b[:])
			_, _ = d.log.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	d.await("the log to tell of its loss", func() bool { return strings.Contains(d.log.String(), `level=WARN msg="log lines lost" total=`) })
	d.stop()
}
