package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/testneed"
)

// slowWorld answers after a while.
func slowWorld(t *testing.T, delay string) string {
	t.Helper()
	world, err := lab.Parse("ptr 203.0.113.1 mail.example.org\nmail.example.org A 203.0.113.1\n!delay " + delay + " 203.0.113.1 PTR\n")
	if err != nil {
		t.Fatal(err)
	}
	return serving(t, world).String()
}

// TestSignals sends each signal to a check that waits for an answer. It ends at
// once, by the signal, which a shell shows as 128 and its number, and nothing is
// printed: half a document would be none. Ctrl-C alone is a wish to see what is
// known: the whole document says that it is partial.
func TestSignals(t *testing.T) {
	server := slowWorld(t, "1m")
	for _, test := range []struct {
		covers string
		signal syscall.Signal
		times  int
	}{
		{"K060 SIGINT once", syscall.SIGINT, 1},
		{"K061 SIGINT twice", syscall.SIGINT, 2},
		{"K062 SIGTERM", syscall.SIGTERM, 1},
		{"K064 SIGHUP", syscall.SIGHUP, 1},
		{"K066 SIGKILL", syscall.SIGKILL, 1},
	} {
		t.Run(test.covers, func(t *testing.T) {
			t.Parallel()
			cmd := undisturbed(t, "check", "--json", "--timeout", "1m", "--dns", server, "203.0.113.1")
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			start(t, cmd)
			asleep(t, cmd.Process.Pid)
			begin := time.Now()
			for range test.times {
				_ = cmd.Process.Signal(test.signal)
			}
			_ = cmd.Wait()
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			ended := status.Signaled() && status.Signal() == test.signal
			killed := ended && out.Len() == 0
			whole := strings.Contains(out.String(), `"partial": true`) && json.Valid(out.Bytes())
			told := status.ExitStatus() == int(exitInterrupted) && whole
			// The second Ctrl-C may come before or after the first one is heard, and
			// even after all was said.
			if wish := test.signal == syscall.SIGINT; wish && !told && (test.times == 1 || !killed && !(ended && whole)) || !wish && !killed {
				t.Errorf("ended with %v, said %q", cmd.ProcessState, &out)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// undisturbed returns the command with every signal at its default, whatever
// another test makes this process ignore.
func undisturbed(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	testneed.Command(t, "env")
	return exec.Command("env", slices.Concat([]string{"--default-signal", arpagate(t).Path}, args)...)
}

// start starts a program that is killed at the end of the test.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
}

// asleep waits until the program has sent its question: it has a UDP socket
// then.
func asleep(t *testing.T, pid int) {
	t.Helper()
	for range 600 {
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, link := range links {
			if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, "socket:") {
				time.Sleep(200 * time.Millisecond)
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("no question was sent")
}

// TestStopped holds a check for a while in the middle; it goes on where it was.
func TestStopped(t *testing.T) {
	// covers: K065, K144
	cmd := arpagate(t, "check", "--dns", slowWorld(t, "1s"), "203.0.113.1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start(t, cmd)
	asleep(t, cmd.Process.Pid)
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
	}
	if err := cmd.Wait(); err != nil || !strings.HasPrefix(out.String(), "203.0.113.1  pass") {
		t.Errorf("%v, said %q", err, &out)
	}
}
