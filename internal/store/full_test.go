package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/store"
	"github.com/arpagate/arpagate/internal/testneed"
)

// smallDisk mounts a file system of 2 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m,mode=0700"); err != nil {
		testneed.Missing(t, "the right to mount a tmpfs: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		}
	})
	return dir
}

// fill leaves no free block, and returns how to get the space back.
func fill(t *testing.T, dir string) (empty func()) {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{4096, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	_ = f.Close()
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() { remove(t, name) }
}

func TestFullDisk(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "arpagate.db")
	c := newClock()
	s := open(t, path, store.Options{Daemon: true, Now: c.now, QueueLen: 100})
	add(t, s, store.Block, "192.0.2.1", "")
	add(t, s, store.Block, "192.0.2.2", "")
	flush(t, s)
	empty := fill(t, dir)

	n := 0
	t.Run("T030 F11 cases wait, memory goes on", func(t *testing.T) {
		eventually(t, "the full disk", func() bool {
			for range 20 {
				n++
				s.Record(newCase(n, testAddr(n), evidence.Fail, c.now()))
			}
			h := s.Health()
			return !h.OK && strings.Contains(h.Why, "full") && h.Dropped > 0
		})
		if m := s.Recall(testAddr(n), nil, c.now()); m.Negatives != 1 {
			t.Errorf("memory: %+v", m)
		}
	})
	t.Run("T031 a block that can't be stored is not in force", func(t *testing.T) {
		e, err := store.ParseEntry(store.Block, "203.0.113.1")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Add(t.Context(), e); err == nil || !strings.Contains(err.Error(), "full") {
			t.Errorf("Add: %v", err)
		}
		if got := counting(s, c, "203.0.113.1", ""); got != "" {
			t.Errorf("%q counts", got)
		}
	})
	t.Run("T032 an unblock takes effect at once", func(t *testing.T) {
		had, err := s.Remove(t.Context(), store.Block, "192.0.2.1")
		if !had || !errors.Is(err, store.ErrPending) {
			t.Errorf("Remove: %v, %v", had, err)
		}
		if got := counting(s, c, "192.0.2.1", ""); got != "" {
			t.Errorf("%q counts", got)
		}
		if got := counting(s, c, "192.0.2.2", ""); got == "" {
			t.Error("the other entry is gone")
		}
	})
	t.Run("reads go on", func(t *testing.T) {
		if e, err := s.Entries(t.Context(), store.Block); err != nil || len(e) != 1 {
			t.Errorf("Entries: %v, %v", e, err)
		}
	})
	empty()
	t.Run("it heals by itself", func(t *testing.T) {
		began := time.Now()
		eventually(t, "health", func() bool { return s.Health().OK })
		t.Logf("healed %v after there was space", time.Since(began))
		flush(t, s)
		if s.Stats().Cases == 0 {
			t.Error("no case was written")
		}
	})
	shut(t, s)
	s = open(t, path, store.Options{Daemon: true, Now: c.now})
	if got := stored(t, s); fmt.Sprint(got) != "map[block 192.0.2.2:true]" {
		t.Errorf("stored in the end: %v", got)
	}
	shut(t, s)
}

func TestStartOnFullDisk(t *testing.T) {
	dir := smallDisk(t)
	t.Run("T016 T034 T122 a new database says so", func(t *testing.T) {
		empty := fill(t, dir)
		path := filepath.Join(dir, "new.db")
		s, err := store.Open(t.Context(), "sqlite:"+path, store.Options{Daemon: true})
		if err == nil {
			shut(t, s)
		}
		if err == nil || !strings.Contains(err.Error(), "full") {
			t.Errorf("%v", err)
		}
		empty()
		remove(t, path, path+"-wal", path+"-shm")
	})
	t.Run("an old one serves its lists", func(t *testing.T) {
		path := filepath.Join(dir, "old.db")
		wellUsed(t, path)
		empty := fill(t, dir)
		s := open(t, path, store.Options{Daemon: true})
		if got := counting(s, newClock(), "192.0.2.1", ""); got != "allow 192.0.2.0/24" {
			t.Errorf("%q counts", got)
		}
		empty()
		eventually(t, "health", func() bool { return s.Health().OK })
		add(t, s, store.Block, "203.0.113.1", "")
		shut(t, s)
	})
}
