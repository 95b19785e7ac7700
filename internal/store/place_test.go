package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/store"
	"github.com/arpagate/arpagate/internal/testneed"
)

func TestPlacesThatAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Mkdir(in("dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	open777 := in("open")
	if err := errors.Join(os.Mkdir(open777, 0o700), os.Chmod(open777, 0o777), os.Symlink(in("target"), in("link")),
		syscall.Mkfifo(in("fifo"), 0o600), os.WriteFile(in("plain"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	exec(t, in("foreign.db"), `CREATE TABLE accounts (name TEXT)`)
	wellUsed(t, in("future.db"))
	exec(t, in("future.db"), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
	t.Run("refused", func(t *testing.T) { refused(t, in, filepath.Join(open777, "a.db")) })
	// The file of a newer version is as it was.
	exec(t, in("future.db"), `DELETE FROM goose_db_version WHERE version_id = 99`)
	s := open(t, in("future.db"), store.Options{Daemon: true})
	if e, err := s.Entries(t.Context(), store.Allow); err != nil || len(e) != 1 {
		t.Errorf("%v, %v", e, err)
	}
}

func refused(t *testing.T, in func(string) string, worldWritable string) {
	for _, tc := range []struct {
		name, url string
		is        error
		text      string
	}{
		{"T018 a directory", "sqlite:" + in("dir"), store.ErrURL, "is a directory"},
		{"T019 symlink", "sqlite:" + in("link"), store.ErrURL, "symbolic link"},
		{"T020 FIFO", "sqlite:" + in("fifo"), store.ErrURL, "not a regular file"},
		{"C096 dir 0777", "sqlite:" + worldWritable, store.ErrURL, "chmod o-w"},
		{"C097 :memory:", "sqlite::memory:", store.ErrURL, "name a file"},
		{"C098 postgres URL with % in password", "postgres://arpagate:p%ss%zz@db.example.org/arpagate", store.ErrURL, "PostgreSQL is not supported"},
		{"C099 wrong password", "postgresql://arpagate:wrong@db.example.org/arpagate", store.ErrURL, "PostgreSQL is not supported"},
		{"C100 sslmode=disable remote", "postgres://db.example.org/arpagate?sslmode=disable", store.ErrURL, "PostgreSQL is not supported"},
		{"C102 T009 T125 db from a newer version", "sqlite:" + in("future.db"), store.ErrSchema, "later version"},
		{"database of another program", "sqlite:" + in("foreign.db"), store.ErrSchema, "another program"},
		{"missing directory", "sqlite:" + in("none/a.db"), store.ErrURL, "create it"},
		{"file as directory", "sqlite:" + in("plain/a.db"), store.ErrURL, "not a directory"},
		{"no scheme", in("a.db"), store.ErrURL, "sqlite:"},
		{"no file", "sqlite:", store.ErrURL, "names no file"},
		{"two slashes", "sqlite://var/a.db", store.ErrURL, "one slash"},
		{"NUL", "sqlite:/tmp/a\x00.db", store.ErrURL, "NUL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := store.Open(t.Context(), tc.url, store.Options{Daemon: true})
			if err == nil {
				shut(t, s)
			}
			if !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("%v; want %v with %q", err, tc.is, tc.text)
			}
			if err != nil && (strings.Contains(err.Error(), "p%ss") || strings.Contains(err.Error(), "wrong@")) {
				t.Errorf("password in %v", err)
			}
		})
	}
}

// An empty file that root makes belongs to the owner of the directory.
func TestRootLeavesFilesToTheOwner(t *testing.T) {
	t.Parallel()
	testneed.Root(t)
	dir := t.TempDir()
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "a.db")
	s := open(t, path, store.Options{})
	add(t, s, store.Allow, "192.0.2.1", "")
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		st, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if sys, ok := st.Sys().(*syscall.Stat_t); !ok || sys.Uid != 65534 || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, owner %d", suffix, st.Mode(), sys.Uid)
		}
	}
}

func TestStrangeFileNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b.db", "50%.db", "what?mode=ro", "x#y", "q&_synchronous=OFF", "\u00fcber.db"} {
		path := filepath.Join(t.TempDir(), name)
		shut(t, open(t, path, store.Options{Daemon: true}))
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%q: %v, %v", name, st, err)
		}
	}
}

func TestLibraryVersion(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, version string
		ok            bool
	}{
		{"T046 before the fix", "3.51.2", false},
		{"T046 the fix", "3.51.3", true},
		{"later", "3.54.1", true},
		{"next major", "4.0.0", true},
		{"old", "3.7.17", false},
		{"none", "", false},
	} {
		if err := store.CheckLibrary(tc.version); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestNetworkFileSystems(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		magic int64
		want  string
	}{
		{"C094 T017 NFS", 0x6969, "NFS"},
		{"SMB", 0xfe534d42, "SMB"},
		{"ext4", 0xef53, ""},
		{"tmpfs", 0x01021994, ""},
	} {
		if got := store.NetworkFS(tc.magic); got != tc.want {
			t.Errorf("%s: %q", tc.name, got)
		}
	}
}

func TestDurableByDefault(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, path, store.Options{Daemon: true})
	for _, tc := range []struct{ name, pragma, want string }{
		{"C103 C104 C105 synchronous is FULL", "synchronous", "2"},
		{"log", "journal_mode", "wal"},
		{"T027 busy timeout", "busy_timeout", "5000"},
		{"deleted means gone", "secure_delete", "1"},
	} {
		if got := store.Pragma(s, tc.pragma); got != tc.want {
			t.Errorf("%s: %s = %q, want %q", tc.name, tc.pragma, got, tc.want)
		}
	}
}

func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	first := open(t, path, store.Options{Daemon: true})
	t.Run("C101 two daemons one file", func(t *testing.T) {
		began := time.Now()
		_, err := store.Open(t.Context(), "sqlite:"+path, store.Options{Daemon: true})
		if !errors.Is(err, store.ErrHeld) || !strings.Contains(err.Error(), "process ") {
			t.Errorf("%v, want ErrHeld with the holder", err)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("it took %v to say so", took)
		}
	})
	shut(t, first)
	open(t, path, store.Options{Daemon: true})
}
