package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/store"
)

// raw opens the file as another program would.
func raw(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_busy_timeout=5000")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// lockDatabase takes the write lock until the returned function is called.
func lockDatabase(tb testing.TB, path string) (unlock func()) {
	tb.Helper()
	conn, err := raw(tb, path).Conn(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := conn.ExecContext(tb.Context(), `BEGIN IMMEDIATE`); err != nil {
		tb.Fatal(err)
	}
	return func() {
		if _, err := conn.ExecContext(context.Background(), `ROLLBACK`); err != nil {
			tb.Error(err)
		}
		_ = conn.Close()
	}
}

// wellUsed makes a closed database with list entries and cases.
func wellUsed(t *testing.T, path string) {
	t.Helper()
	s := open(t, path, store.Options{Daemon: true})
	add(t, s, store.Allow, "192.0.2.0/24", "kept through damage")
	for i := range 200 {
		s.Record(newCase(i, testAddr(i), evidence.Fail, start))
	}
	flush(t, s)
	shut(t, s)
}

func TestDamagedFile(t *testing.T) {
	t.Parallel()
	junk := make([]byte, 20000)
	if _, err := rand.Read(junk); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		damage func(b []byte) []byte
		saved  bool // the list entry can still be read
	}{
		{"T002 0 octets", func([]byte) []byte { return nil }, false},
		{"T003 random octets", func([]byte) []byte { return junk }, false},
		{"T004 truncated at 1 page", func(b []byte) []byte { return b[:4096] }, false},
		{"T005 page 1 bit-flipped", func(b []byte) []byte { b[100] ^= 0x40; return b }, false},
		{"T006 index page bit-flipped", func(b []byte) []byte { b[pageWith(b, 10)] ^= 0x08; return b }, true},
		{"T007 header of a JPEG", func(b []byte) []byte { return append([]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00"), b[11:]...) }, false},
		{"T012 encrypted", func(b []byte) []byte {
			for i := range b {
				b[i] ^= junk[i%1000] | 1
			}
			return b
		}, false},
		{"last page missing", func(b []byte) []byte { return b[:len(b)-4096] }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			wellUsed(t, path)
			rewrite(t, path, tc.damage)

			if _, err := store.Open(t.Context(), "sqlite:"+path, store.Options{}); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("a command opens it: %v, want ErrDamaged", err)
			}
			s := open(t, path, store.Options{Daemon: true})
			h := s.Health()
			if h.OK || h.SetAside == "" || !strings.Contains(h.Why, "set aside") {
				t.Errorf("no alarm: %+v", h)
			}
			if _, err := os.Stat(h.SetAside); err != nil {
				t.Errorf("the damaged file is not kept: %v", err)
			}
			if got := counting(s, newClock(), "192.0.2.1", "") != ""; got != tc.saved {
				t.Errorf("list entry carried over: %v, want %v", got, tc.saved)
			}
			add(t, s, store.Block, "203.0.113.1", "works again")
			s.Record(newCase(1, client, evidence.Fail, start))
			flush(t, s)
			if s.Health().OK {
				t.Error("the alarm has gone by itself")
			}
			shut(t, s)
			s = open(t, path, store.Options{Daemon: true})
			if h := s.Health(); !h.OK {
				t.Errorf("still an alarm after a clean restart: %+v", h)
			}
		})
	}
}

func rewrite(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pageWith returns the offset of the first page after page 1 of a b-tree type:
// 10 is a leaf of an index.
func pageWith(b []byte, kind byte) int {
	for off := 4096; off < len(b); off += 4096 {
		if b[off] == kind {
			return off
		}
	}
	return 4096
}

func TestOddFilesThatAreSound(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		prepare func(t *testing.T, path string)
	}{
		{"T001 missing", func(*testing.T, string) {}},
		{"T008 v0 schema", func(t *testing.T, path string) { exec(t, path, `PRAGMA application_id = 1098018913`, `VACUUM`) }},
		{"T010 journal_mode=delete left over", func(t *testing.T, path string) {
			wellUsed(t, path)
			exec(t, path, `PRAGMA journal_mode = DELETE`)
		}},
		{"T011 page_size 512", func(t *testing.T, path string) {
			wellUsed(t, path)
			exec(t, path, `PRAGMA journal_mode = DELETE`, `PRAGMA page_size = 512`, `VACUUM`)
		}},
		{"T021 -wal without -shm", func(t *testing.T, path string) { leftOver(t, path); remove(t, path+"-shm") }},
		{"T022 -wal truncated mid-frame", func(t *testing.T, path string) {
			leftOver(t, path)
			rewrite(t, path+"-wal", func(b []byte) []byte { return b[:len(b)-1000] })
		}},
		{"T023 -wal from another db", func(t *testing.T, path string) {
			leftOver(t, path)
			wal, err := os.ReadFile(path + "-wal")
			if err != nil {
				t.Fatal(err)
			}
			remove(t, path, path+"-wal", path+"-shm")
			wellUsed(t, path)
			wal[20]++ // neither salt nor checksum fits
			if err := os.WriteFile(path+"-wal", wal, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"T025 -shm garbage", func(t *testing.T, path string) {
			leftOver(t, path)
			rewrite(t, path+"-shm", func(b []byte) []byte { return bytes.Repeat([]byte{0xa5}, len(b)) })
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			tc.prepare(t, path)
			s := open(t, path, store.Options{Daemon: true})
			if h := s.Health(); !h.OK || h.SetAside != "" {
				t.Errorf("%+v", h)
			}
			add(t, s, store.Block, "203.0.113.1", "")
		})
	}
}

// leftOver leaves files as a killed process does.
func leftOver(t *testing.T, path string) {
	t.Helper()
	s := open(t, path, store.Options{Daemon: true})
	add(t, s, store.Allow, "192.0.2.0/24", "")
	files := map[string][]byte{}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		files[path+suffix] = b
	}
	shut(t, s)
	for name, b := range files {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func remove(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

func exec(t *testing.T, path string, statements ...string) {
	t.Helper()
	db := raw(t, path)
	db.SetMaxOpenConns(1)
	for _, st := range statements {
		if _, err := db.ExecContext(t.Context(), st); err != nil {
			t.Fatalf("%s: %v", st, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

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
			t.Parallel()
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
