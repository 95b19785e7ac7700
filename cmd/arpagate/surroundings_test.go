package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/arpagate/arpagate/internal/config"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/listen"
	"github.com/arpagate/arpagate/internal/reply"
	"github.com/arpagate/arpagate/internal/store"
	"github.com/arpagate/arpagate/internal/testneed"
)

// arpagate returns the command that a script would run, for what scripts can't
// set up. Ended by its context it would look like a signal, so it has none.
func arpagate(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("arpagate") // testscript.Main has put it there
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(path, args...)
}

// TestNobody runs commands without rights: what needs none works, and what
// needs a store says which file it is about.
func TestNobody(t *testing.T) {
	// covers: K081, K082
	testneed.Root(t)
	testneed.Command(t, "setpriv")
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "arpagate.toml")
	if err := os.WriteFile(config, []byte("[store]\nurl = \"sqlite:"+dir+"/a.db\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	server := serving(t, lab.Default()).String()
	binary := copied(t, dir)
	for _, test := range []struct {
		args string
		code exitCode
		said string
	}{
		{"version", exitOK, "arpagate "},
		{"check --dns " + server + " 203.0.113.1", exitOK, "203.0.113.1  pass"},
		{"check --dns " + server + " 203.0.113.9", exitRefused, "203.0.113.9  fail"},
		{"list allow add --config " + config + " 192.0.2.1", exitUnavailable, "error: store: unusable place: "},
		{"why --config " + config + " 192.0.2.1", exitUnavailable, "error: store: unusable place: "},
	} {
		args := append([]string{"--reuid=65534", "--regid=65534", "--clear-groups", binary}, strings.Fields(test.args)...)
		out, err := exec.Command("setpriv", args...).CombinedOutput()
		if code := codeOf(err); code != int(test.code) || !strings.HasPrefix(string(out), test.said) {
			t.Errorf("arpagate %s: exit code %d, said %q", test.args, code, out)
		}
		// As root all of it works.
		if out, err = exec.Command(binary, strings.Fields(test.args)...).CombinedOutput(); codeOf(err) >= int(exitUsage) {
			t.Errorf("as root: arpagate %s: %v, said %q", test.args, err, out)
		}
	}
}

// copied puts the program where everybody may run it.
func copied(t *testing.T, dir string) string {
	t.Helper()
	from, err := os.Open(arpagate(t).Path)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	path := filepath.Join(dir, "arpagate")
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func codeOf(err error) int {
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err != nil:
		return -1
	default:
		return 0
	}
}

// released builds the program as it is released, without the C library.
func released(t *testing.T, dir string) {
	t.Helper()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "arpagate"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestBareRoot runs the program in an empty root directory: no /dev/null, no
// /proc, no resolv.conf, no time zones.
func TestBareRoot(t *testing.T) {
	// covers: K085, K087, K086
	testneed.Root(t)
	root := t.TempDir()
	released(t, root)
	server := serving(t, lab.Default()).String()
	for _, test := range []struct {
		args  string
		alone bool // in a network namespace of its own, without a link
		code  exitCode
		said  string
	}{
		{"version", true, exitOK, "arpagate "},
		{"check --dns " + server + " 203.0.113.1", false, exitOK, "203.0.113.1  pass"},
		{"check 203.0.113.1", true, exitUnavailable, "error: "},
		{"check --dns " + server + " 203.0.113.1", true, exitUnknown, "203.0.113.1  unknown"},
	} {
		cmd := exec.Command("/arpagate", strings.Fields(test.args)...)
		cmd.Dir, cmd.Env = "/", []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
		if test.alone {
			cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWNET
		}
		var out bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(""), &out, &out
		err := cmd.Run()
		if code := codeOf(err); code != int(test.code) || !strings.HasPrefix(out.String(), test.said) {
			t.Errorf("arpagate %s: exit code %d, %v, said %q", test.args, code, err, &out)
		}
	}
}

// TestNoServers starts a gate in a root directory without resolv.conf: it says
// so, and asks everybody to come back.
func TestNoServers(t *testing.T) {
	// covers: C044, C158
	testneed.Root(t)
	root := t.TempDir()
	released(t, root)
	if err := os.WriteFile(filepath.Join(root, "arpagate.toml"), []byte(`
[listen]
policy = ["unix:/policy.sock"]
milter = []
http = []

[store]
url = "sqlite:/arpagate.db"

[policy]
preset = "strict"
`), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/arpagate", "serve", "--config", "/arpagate.toml")
	log := newWatched("no DNS server")
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stderr = "/", []string{}, strings.NewReader(""), log
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Cloneflags: unix.CLONE_NEWNET}
	start(t, cmd)
	select {
	case <-log.seen:
	case <-time.After(30 * time.Second):
		t.Fatalf("it said\n%s", log)
	}
	const request = "request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=203.0.113.9\n\n"
	got, err := asked(filepath.Join(root, "policy.sock"), request)
	for end := time.Now().Add(30 * time.Second); err != nil && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		got, err = asked(filepath.Join(root, "policy.sock"), request)
	}
	if err != nil || !strings.HasPrefix(got, "action=451 4.7.25 ") {
		t.Errorf("%q, %v", got, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v; it said\n%s", err, log)
	}
}

// TestOddClocks starts gates in other centuries.
func TestOddClocks(t *testing.T) {
	server := serving(t, lab.Default())
	for _, test := range []struct {
		covers string
		at     time.Time
		odd    bool
	}{
		{"C165", time.Unix(0, 0), true},
		{"C166", time.Unix(1<<31, 0), false},
		{"C167", time.Unix(1<<32, 0), true},
		{"C168", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), true},
	} {
		t.Run(test.covers, func(t *testing.T) {
			begin := time.Now()
			now := func() time.Time { return test.at.Add(time.Since(begin)) }
			dir := t.TempDir()
			c, _, err := config.Parse("test", []byte(fmt.Sprintf(
				"[listen]\npolicy = [\"unix:%s/p\"]\nmilter = []\nhttp = []\n[dns]\nservers = [%q]\ncanary = []\n[store]\nurl = \"sqlite:%s/a.db\"\n[policy]\npreset = \"strict\"\n",
				dir, server, dir)))
			if err != nil {
				t.Fatal(err)
			}
			log := newWatched("clock")
			d, err := newDaemon(t.Context(), c, listen.Inherit(), log, now)
			if err != nil {
				t.Fatal(err)
			}
			for address, want := range map[string]reply.Verb{"203.0.113.1": reply.Pass, "203.0.113.9": reply.Reject, "203.0.113.41": reply.Defer} {
				conn := facts.Conn{Door: facts.Policy, Stage: facts.Rcpt, Client: netip.MustParseAddr(address)}
				if got := d.gate.Ask(t.Context(), conn); got.Verb != want {
					t.Errorf("%s: %s", address, got.Line())
				}
			}
			d.close(t.Context())
			if got := strings.Contains(log.String(), "the clock of this machine looks wrong"); got != test.odd {
				t.Errorf("warned: %v; it said\n%s", got, log)
			}
			for answer := range strings.Lines(log.String()) {
				if strings.Contains(answer, "level=ERROR") {
					t.Errorf("it said %s", answer)
				}
			}
		})
	}
}

// TestManyEntries shows a list of a thousand.
func TestManyEntries(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "arpagate.toml")
	if err := os.WriteFile(config, []byte("[store]\nurl = \"sqlite:"+dir+"/a.db\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const n = 1000
	var stdout, stderr bytes.Buffer
	db, err := store.Open(t.Context(), "sqlite:"+dir+"/a.db", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		entry, err := store.ParseEntry(store.Block, fmt.Sprintf("198.51.100.%d/32", i%256))
		if i >= 256 {
			entry, err = store.ParseEntry(store.Block, fmt.Sprintf("2001:db8:%x::/48", i))
		}
		if err := errors.Join(err, db.Add(t.Context(), entry)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	show := func(args ...string) {
		t.Helper()
		stdout.Reset()
		args = append([]string{"list", "block", "show", "--config", config}, args...)
		if code := run(args, nothing, strings.NewReader(""), &stdout, &stderr); code != 0 {
			t.Fatalf("%q: exit code %d: %s", args, code, &stderr)
		}
	}
	show()
	lines := strings.Split(strings.TrimSuffix(stdout.String(), "\n"), "\n")
	if len(lines) != n+1 || !strings.HasPrefix(lines[1], "198.51.100.0/32 ") || !strings.HasPrefix(lines[n], "2001:db8:3e7::/48 ") {
		t.Errorf("%d lines, from %q to %q", len(lines), lines[1], lines[len(lines)-1])
	}
	show("--json")
	if got := strings.Count(stdout.String(), `"network":`); got != n {
		t.Errorf("%d entries in JSON", got)
	}
}

// TestNarrowTerminal reports to a terminal of ten columns: broken at forty, so
// that words stay whole, and in colour.
func TestNarrowTerminal(t *testing.T) {
	// covers: K043, K056
	terminal := openTerminal(t)
	if err := unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		testneed.Missing(t, "pseudo-terminals")
	}
	number, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		env    string
		colour bool
	}{{"TERM=xterm", true}, {"TERM=dumb", false}, {"NO_COLOR=1", false}} {
		screen, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
		if err != nil {
			testneed.Missing(t, "pseudo-terminals")
		}
		if err := unix.IoctlSetWinsize(int(screen.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 10}); err != nil {
			t.Fatal(err)
		}
		cmd := arpagate(t, "check", "--dns", serving(t, lab.Default()).String(), "203.0.113.9")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = screen, screen, screen
		cmd.Env = append(os.Environ(), "TERM=xterm", test.env)
		start(t, cmd)
		err = cmd.Wait()
		_ = screen.Close()
		// With the last user of the terminal gone, reading ends with EIO.
		buffer, _ := io.ReadAll(terminal)
		said := string(buffer)
		if codeOf(err) != int(exitRefused) || strings.Contains(said, "\x1b[") != test.colour {
			t.Errorf("%s: %v, said %q", test.env, err, said)
		}
		if !strings.Contains(said, "\n   There is no PTR record at\r\n") {
			t.Errorf("%s: not broken at forty columns:\n%s", test.env, said)
		}
	}
}
