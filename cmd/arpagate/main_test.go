package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/arpagate/arpagate/internal/config"
	"github.com/arpagate/arpagate/internal/testneed"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"arpagate": main})
}

// nothing is an environment without variables.
func nothing(string) string { return "" }

// TestEveryConfig wants of "config check" the verdict of config.Load, which
// serve starts with.
func TestEveryConfig(t *testing.T) {
	// covers: K128
	paths, err := filepath.Glob("../../internal/config/testdata/*/*.toml")
	if err != nil || len(paths) < 50 {
		t.Fatalf("found %d files, %v", len(paths), err)
	}
	for _, path := range paths {
		var stdout, stderr bytes.Buffer
		want := exitOK
		if _, _, err := config.Load(path); err != nil {
			want = exitConfig
		}
		code := run([]string{"config", "check", "--config", path}, nothing, strings.NewReader(""), &stdout, &stderr)
		if code != int(want) {
			t.Errorf("%s: exit code %d, want %d\n%s", path, code, want, &stderr)
		}
		if want == exitConfig && !strings.HasPrefix(stderr.String(), "error: "+path+":") {
			t.Errorf("%s: said\n%s", path, &stderr)
		}
	}
}

// broken is an output that fails.
type broken struct{ err error }

func (b broken) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "stdout", Err: b.err}
}

func TestOutputFails(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		code exitCode
		said string
	}{
		{"disk full", syscall.ENOSPC, exitIO, "error: the output can't be written: write stdout: no space left on device\n"},
		{"reader gone", syscall.EPIPE, exitPipe, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, args := range [][]string{{"version"}, {"--version"}, {"--help"}, {"config", "reference"}, {"completion", "bash"}} {
				var stderr bytes.Buffer
				code := run(args, nothing, strings.NewReader(""), broken{test.err}, &stderr)
				if code != int(test.code) || stderr.String() != test.said {
					t.Errorf("%q: exit code %d, said %q", args, code, &stderr)
				}
			}
		})
	}
}

// TestPanic plants a panic: it has an exit code of its own.
func TestPanic(t *testing.T) {
	// covers: K080
	env := func(string) string { panic("planted") }
	// The environment is asked for colours as soon as there is a terminal.
	code := run([]string{"config", "check", "--config", "/"}, env, strings.NewReader(""), io.Discard, openTerminal(t))
	if code != int(exitInternal) {
		t.Errorf("exit code %d, want %d", code, exitInternal)
	}
}

func openTerminal(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		testneed.Missing(t, "pseudo-terminals")
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestColour(t *testing.T) {
	terminal := openTerminal(t)
	for _, test := range []struct {
		covers string
		out    io.Writer
		env    map[string]string
		want   bool
	}{
		{"a terminal", terminal, map[string]string{"TERM": "xterm"}, true},
		{"K055 not a terminal", &bytes.Buffer{}, map[string]string{"TERM": "xterm"}, false},
		{"K057 NO_COLOR", terminal, map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, false},
		{"NO_COLOR empty means nothing", terminal, map[string]string{"TERM": "xterm", "NO_COLOR": ""}, true},
		{"K058 TERM=dumb", terminal, map[string]string{"TERM": "dumb"}, false},
	} {
		t.Run(test.covers, func(t *testing.T) {
			a := &app{terminal: test.out, env: func(name string) string { return test.env[name] }}
			if got := a.palette().Dim("x") != "x"; got != test.want {
				t.Errorf("colours %v, want %v", got, test.want)
			}
		})
	}
}

// TestWidth asks terminals of several widths for theirs.
func TestWidth(t *testing.T) {
	// covers: K056
	terminal := openTerminal(t)
	for columns, want := range map[uint16]int{10: narrowest, 72: 72, 500: widest, 0: usualColumns} {
		if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
			t.Fatal(err)
		}
		if got := (&app{terminal: terminal}).width(); got != want {
			t.Errorf("%d columns: width %d, want %d", columns, got, want)
		}
	}
	if got := (&app{terminal: io.Discard}).width(); got != usualColumns {
		t.Errorf("no terminal: width %d", got)
	}
}

// TestExitMeanings wants each code told once, in help and manual.
func TestExitMeanings(t *testing.T) {
	help := exitHelp()
	for _, e := range exitMeanings {
		if strings.Count(help, fmt.Sprintf("%5d  %s", e.code, e.meaning)) != 1 {
			t.Errorf("the help text lacks %d", e.code)
		}
	}
}

// TestCommandsAreDocumented wants words for every command and flag, and no
// command that takes arguments without looking at them.
func TestCommandsAreDocumented(t *testing.T) {
	root := newRootCommand(&app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, terminal: io.Discard, env: nothing})
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") || strings.ToUpper(cmd.Short[:1]) != cmd.Short[:1] {
			t.Errorf("%s: the short text %q should be words with a capital and without a final dot", cmd.CommandPath(), cmd.Short)
		}
		if cmd.Args == nil && cmd.Name() != "help" {
			t.Errorf("%s takes any arguments", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}
