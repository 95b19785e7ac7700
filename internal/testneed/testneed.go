// Package testneed says what a test needs of its machine. A test that lacks it
// is skipped with the reason; with ARPAGATE_NEED_ALL=1, as make test sets it
// for root, it fails instead, so that no run passes by testing less. Nothing
// but tests may import this package.
package testneed

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Variable is the environment variable that turns skips into failures when it
// is "1".
const Variable = "ARPAGATE_NEED_ALL"

// systemFolders hold daemons and network commands, and are missing from the
// PATH of an ordinary Debian user.
var systemFolders = [...]string{"/usr/sbin", "/sbin"}

// Missing ends the test: it needs what, which the machine doesn't have.
func Missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv(Variable) == "1" {
		tb.Fatalf("needs %s, and %s=1 allows no skip", what, Variable)
	}
	tb.Skipf("needs %s", what)
}

// Root ends the test unless it runs as root.
func Root(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() != 0 {
		Missing(tb, "root")
	}
}

// Command ends the test unless each of the named programs is in the PATH or in
// one of the folders of system programs.
func Command(tb testing.TB, names ...string) {
	tb.Helper()
	for _, name := range names {
		if !found(name) {
			Missing(tb, "the command "+name+" (test/setup installs it)")
		}
	}
}

func found(name string) bool {
	if _, err := exec.LookPath(name); err == nil {
		return true
	}
	for _, folder := range systemFolders {
		if _, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return true
		}
	}
	return false
}
