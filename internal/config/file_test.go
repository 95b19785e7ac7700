package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/config"
)

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	special := func(name string, make func(path string) error) string {
		path := filepath.Join(dir, name)
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct{ covers, path, want string }{
		{"C001 missing", filepath.Join(dir, "none.toml"), "no such file"},
		{"C002 empty", write("empty.toml", "", 0o644), ""},
		{"C003 directory", dir, "this is a directory"},
		{"C005 world-writable", write("loose.toml", "", 0o646), "may write to the file (mode 0646)"},
		{"C006 symlink loop", special("loop.toml", func(p string) error { return os.Symlink(p, p) }), "too many levels of symbolic links"},
		{"C007 device", "/dev/zero", "not a plain file"},
		{"C008 FIFO", special("fifo.toml", func(p string) error { return syscall.Mkfifo(p, 0o600) }), "not a plain file"},
		{"C009 100 MiB", special("huge.toml", func(p string) error {
			return errors.Join(os.WriteFile(p, nil, 0o600), os.Truncate(p, 100<<20))
		}), "more than 1048576 octets"},
		{"just right", write("good.toml", "[log]\nformat = \"json\"\n", 0o640), ""},
	} {
		t.Run(test.covers, func(t *testing.T) {
			c, _, err := load(t, test.path)
			if test.want == "" {
				if err != nil || c == nil {
					t.Fatalf("got %v, %v", c, err)
				}
				return
			}
			var problems config.Problems
			if !errors.As(err, &problems) || c != nil {
				t.Fatalf("got %v, %v; want Problems", c, err)
			}
			if !strings.HasPrefix(err.Error(), test.path+": ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want the path and %q", err, test.want)
			}
		})
	}
	if _, _, err := config.Load(filepath.Join(dir, "none.toml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file gives %v, which is not fs.ErrNotExist", err)
	}
}

// TestUnreadable meets a file of mode 0000. Root may read everything, so the
// thread gives that right away for the moment.
func TestUnreadable(t *testing.T) {
	// covers: C004
	dir := t.TempDir()
	path := filepath.Join(dir, "secret.toml")
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.WriteFile(path, nil, 0o600), os.Chmod(path, 0)); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		const nobody = 65534
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
		defer func() { _, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, 0, 0, 0) }()
	}
	_, _, err := config.Load(path)
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), path+": permission denied") {
		t.Errorf("got %v, want permission denied", err)
	}
}

// load fails the test where Load waits for somebody to write.
func load(t *testing.T, path string) (*config.Config, []config.Warning, error) {
	t.Helper()
	type result struct {
		c   *config.Config
		w   []config.Warning
		err error
	}
	done := make(chan result, 1)
	go func() {
		c, w, err := config.Load(path)
		done <- result{c, w, err}
	}()
	select {
	case r := <-done:
		return r.c, r.w, r.err
	case <-time.After(time.Minute):
		t.Fatalf("Load(%q) waits", path)
		return nil, nil, nil
	}
}

func TestEncodings(t *testing.T) {
	for _, test := range []struct{ covers, content, want string }{
		{"C010 UTF-16 little endian", "\xff\xfe[\x00l\x00o\x00g\x00]\x00", "x.toml:1:1: the file is UTF-16"},
		{"C010 UTF-16 big endian", "\xfe\xff\x00[\x00l\x00o\x00g\x00]", "x.toml:1:1: the file is UTF-16"},
		{"C011 byte order mark", "\ufeff[log]\nformat = \"json\"\n", ""},
		{"C012 CR LF", "[log]\r\nformat = \"json\"\r\n", ""},
		{"C013 NUL", "[log]\nform\x00at = \"json\"\n", "x.toml:2:5: the file holds a NUL octet"},
		{"C014 garbage at the end", "[log]\nformat = \"json\"\n%%%\n", "x.toml:3:1: not TOML"},
		{"C015 tabs and blanks", "\t [log]\n \t format\t= \t\"json\" \t\n", ""},
		{"Latin 1", "[log]\nformat = \"json\" # \xe9\n", "x.toml:2:"},
		{"C019 key twice", "[log]\nformat = \"json\"\nformat = \"logfmt\"\n", "x.toml:3:1: not TOML"},
		{"table twice", "[log]\n[dns]\n[log]\n", "x.toml:3:"},
		{"nested deeply", "a = " + strings.Repeat("[", 20000), "x.toml:1:"},
	} {
		t.Run(test.covers, func(t *testing.T) {
			c, _, err := config.Parse("x.toml", []byte(test.content))
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want == "" && c.Log.Format != "json":
				t.Errorf("log.format is %q", c.Log.Format)
			case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)):
				t.Errorf("got %v, want %q…", err, test.want)
			}
		})
	}
}

// TestManyProblems bounds what is told of a file that is no configuration.
func TestManyProblems(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		b.WriteString(fmt.Sprintf("k%s%d = 1\n", strings.Repeat("x", i%50), i))
	}
	_, _, err := config.Parse("x.toml", []byte(b.String()))
	var problems config.Problems
	if !errors.As(err, &problems) || len(problems) > 50 {
		t.Fatalf("got %d problems", len(problems))
	}
	if last := problems[len(problems)-1].Text; !strings.Contains(last, "problems more") {
		t.Errorf("the last one says %q", last)
	}
}
