package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"os"
	"strings"
	"testing"

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

// A large file is checked while it serves.
func TestDamageFoundLater(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, path, store.Options{Daemon: true})
	add(t, s, store.Allow, "192.0.2.0/24", "")
	for i := range 2000 {
		c := newCase(i, client, evidence.Fail, start)
		c.Findings[0].Args.Why = strings.Repeat("x", 3000)
		s.Record(c)
	}
	flush(t, s)
	shut(t, s)
	rewrite(t, path, func(b []byte) []byte { b[pageWith(b, 10)+3] ^= 0xff; return b })
	s = open(t, path, store.Options{Daemon: true})
	stop := run(t, s)
	eventually(t, "an alarm", func() bool {
		h := s.Health()
		return !h.OK && strings.Contains(h.Why, "damaged")
	})
	stop()
	if got := counting(s, newClock(), "192.0.2.1", ""); got == "" {
		t.Error("the lists are gone")
	}
}
