package listen_test

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/arpagate/arpagate/internal/listen"
	"github.com/arpagate/arpagate/internal/testneed"
)

// shortDir returns a directory with a path short enough for UNIX sockets.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "listen")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func mustParse(t *testing.T, spec string) listen.Address {
	t.Helper()
	a, err := listen.Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func openUnix(t *testing.T, path string, opts listen.Options) (net.Listener, error) {
	t.Helper()
	return listen.Open(t.Context(), mustParse(t, "unix:"+path), opts)
}

// stale leaves the socket of a dead process at path.
func stale(t *testing.T, path string) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
}

func wantOpen(t *testing.T, path string) {
	t.Helper()
	ln, err := openUnix(t, path, listen.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Error(err)
	} else {
		_ = c.Close()
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("closing the listener left the socket behind")
	}
}

func wantError(t *testing.T, path, want string) {
	t.Helper()
	before, _ := os.Lstat(path)
	ln, err := openUnix(t, path, listen.Options{})
	if err == nil {
		_ = ln.Close()
		t.Fatal("no error")
	}
	if !strings.HasPrefix(err.Error(), `listen: "unix:`+path+`": `) || !strings.Contains(err.Error(), want) {
		t.Errorf("error %q, want it to say %q", err, want)
	}
	if after, _ := os.Lstat(path); before != nil && (after == nil || !os.SameFile(before, after)) {
		t.Error("what was in the place of the socket is gone")
	}
}

func TestOpenUnix(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, "policy.sock")
	t.Run("free path", func(t *testing.T) { wantOpen(t, path) })

	t.Run("P107 stale socket", func(t *testing.T) {
		stale(t, path)
		wantOpen(t, path)
	})
	t.Run("P107 socket in use", func(t *testing.T) {
		ln, err := openUnix(t, path, listen.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ln.Close() }()
		wantError(t, path, "another process listens on the socket")
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatalf("the listener was disturbed: %v", err)
		}
		_ = c.Close()
	})
	t.Run("P108 symbolic link", func(t *testing.T) {
		link := filepath.Join(dir, "link.sock")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		wantError(t, link, "the path is a symbolic link")
	})
	t.Run("P109 regular file", func(t *testing.T) {
		file := filepath.Join(dir, "file.sock")
		if err := os.WriteFile(file, []byte("mail"), 0o600); err != nil {
			t.Fatal(err)
		}
		wantError(t, file, "exists and is not a socket")
	})
	t.Run("P109 directory", func(t *testing.T) { wantError(t, dir, "exists and is not a socket") })
	t.Run("P110 missing parent", func(t *testing.T) {
		wantError(t, filepath.Join(dir, "missing", "policy.sock"), "does not exist: create it first")
	})
	t.Run("P111 path of 107 octets", func(t *testing.T) {
		wantOpen(t, path+strings.Repeat("x", 107-len(path)))
	})
	t.Run("zero Address", func(t *testing.T) {
		if _, err := listen.Open(t.Context(), listen.Address{}, listen.Options{}); err == nil {
			t.Error("no error")
		}
	})
}

// P112: the stale socket of another user, in a directory whose sticky bit
// forbids to remove it.
func TestOpenUnixWrongOwner(t *testing.T) {
	testneed.Root(t)
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		mode fs.FileMode
		want string
	}{
		{"P112 wrong owner", 0o666, "cannot be removed"},
		{"P112 wrong owner, private", 0o600, "cannot tell whether another process listens"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(dir, tt.mode.String())
			stale(t, path)
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			asNobody(t, func() { wantError(t, path, tt.want) })
		})
	}
}

// asNobody runs f on a thread without root's rights on files. The thread ends
// with its goroutine, because it stays locked to it.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := syscall.Setfsuid(65534); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	<-done
}

func TestUnixMode(t *testing.T) {
	path := filepath.Join(shortDir(t), "policy.sock")
	for _, tt := range []struct{ opt, want fs.FileMode }{
		{0, 0o660}, {0o600, 0o600}, {0o666, 0o666}, {0o777, 0o777},
	} {
		ln, err := openUnix(t, path, listen.Options{Mode: tt.opt})
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != tt.want {
			t.Errorf("Mode %v gives %v, want %v", tt.opt, got, tt.want)
		}
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenTCP(t *testing.T) {
	ln, err := listen.Open(t.Context(), mustParse(t, "tcp:127.0.0.1:0"), listen.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	second, err := listen.Open(t.Context(), mustParse(t, "tcp:"+ln.Addr().String()), listen.Options{})
	if err == nil {
		_ = second.Close()
		t.Fatal("two listeners on one port")
	}
	if !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error %q", err)
	}
}
