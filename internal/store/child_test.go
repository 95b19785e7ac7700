package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/store"
	"github.com/arpagate/arpagate/internal/testneed"
)

// play is the test binary as another process.
func play(role, path string) int {
	var err error
	switch role {
	case "edit": // edits the lists as a daemon until it is killed
		err = edit(path, store.Options{Daemon: true}, 1<<30)
	case "command": // edits them beside one, for a while
		err = edit(path, store.Options{}, 200)
	case "open": // is killed while it makes the database
		err = edit(path, store.Options{Daemon: true}, 0)
	case "nobody": // has no right to anything of root's
		if err = errors.Join(syscall.Setgid(65534), syscall.Setuid(65534)); err == nil {
			_, err = store.Open(context.Background(), "sqlite:"+path, store.Options{Daemon: true})
		}
	}
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	return 0
}

// edit adds and removes entries and prints each change that was acknowledged.
func edit(path string, opts store.Options, n int) error {
	ctx := context.Background()
	s, err := store.Open(ctx, "sqlite:"+path, opts)
	if err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(1, uint64(os.Getpid())))
	for i := range n {
		text := fmt.Sprintf("198.51.100.%d", rnd.IntN(40))
		list := []store.List{store.Allow, store.Block}[rnd.IntN(2)]
		if rnd.IntN(3) == 0 {
			if _, err := s.Remove(ctx, list, text); err != nil {
				return err
			}
			fmt.Printf("- %s %s\n", list, text)
			continue
		}
		e, err := store.ParseEntry(list, text)
		if err != nil {
			return err
		}
		if err := s.Add(ctx, e); err != nil {
			return err
		}
		fmt.Printf("+ %s %s/32\n", list, text)
		s.Record(newCase(i, testAddr(i), evidence.Fail, start))
		if opts.Daemon && i%5 == 0 {
			if err := store.Pack(s, ctx); err != nil {
				return err
			}
		}
	}
	return s.Close(ctx)
}

// child starts this test binary in a role, with its output to read.
func child(t *testing.T, role, path string) (*osexec.Cmd, io.Reader) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := osexec.CommandContext(timeout(t, time.Minute), self)
	cmd.Env = append(os.Environ(), roleVar+"="+role, pathVar+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// acked notes in the model what a child has acknowledged, until it ends.
func acked(t *testing.T, out io.Reader, model map[string]bool) {
	t.Helper()
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return // an unfinished line is no acknowledgement
		}
		op, entry, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || op == "error" {
			t.Fatalf("child: %s", line)
		}
		model[strings.TrimSuffix(entry, "/32")] = op == "+"
	}
}

// stored returns the entries of both lists.
func stored(t *testing.T, s *store.Store) map[string]bool {
	t.Helper()
	got := map[string]bool{}
	for _, list := range []store.List{store.Allow, store.Block} {
		entries, err := s.Entries(t.Context(), list)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			got[string(list)+" "+strings.TrimSuffix(e.Text(), "/32")] = true
		}
	}
	return got
}

// One change can be under way when the process is killed: it is on disk, but
// its acknowledgement is not out. So at most one entry may differ.
func compare(t *testing.T, model, got map[string]bool, slack int) {
	t.Helper()
	differ := 0
	for entry, want := range model {
		if got[entry] != want {
			differ++
			t.Logf("%s: stored %v, acknowledged %v", entry, got[entry], want)
		}
	}
	for entry := range got {
		if _, known := model[entry]; !known {
			differ++
		}
	}
	if differ > slack {
		t.Errorf("%d entries differ from what was acknowledged", differ)
	}
}

func TestKilled(t *testing.T) {
	t.Parallel()
	const kills = 100
	path := newPath(t)
	model := map[string]bool{}
	total := 0
	t.Run("T041 T043 kill -9 at random points", func(t *testing.T) {
		for range kills {
			cmd, out := child(t, "edit", path)
			timer := time.AfterFunc(time.Duration(60+rand.IntN(120))*time.Millisecond, func() { _ = cmd.Process.Kill() })
			before := len(model)
			acked(t, out, model)
			timer.Stop()
			_ = cmd.Wait()
			total += len(model) - before
			s := open(t, path, store.Options{Daemon: true})
			if h := s.Health(); !h.OK {
				t.Fatalf("after a kill: %+v", h)
			}
			got := stored(t, s)
			inForce(t, s, got)
			shut(t, s)
			compare(t, model, got, 1)
			model = got // what was under way is settled now
		}
	})
	var result string
	if err := raw(t, path).QueryRow(`PRAGMA integrity_check`).Scan(&result); err != nil || result != "ok" {
		t.Errorf("integrity_check: %q, %v", result, err)
	}
	if total == 0 {
		t.Error("no child ever came to acknowledge anything")
	}
}

// inForce compares what counts for the clients of edit with what is stored: a
// pack may be missing after a kill, but never differ from its entries.
func inForce(t *testing.T, s *store.Store, stored map[string]bool) {
	t.Helper()
	for i := range 40 {
		addr, want := fmt.Sprintf("198.51.100.%d", i), ""
		for _, list := range []string{"block", "allow"} {
			if stored[list+" "+addr] {
				want = list + " " + addr + "/32"
			}
		}
		if got := counting(s, newClock(), addr, ""); got != want {
			t.Errorf("%s: %q counts, stored is %q", addr, got, want)
		}
	}
}

func TestKilledWhileMakingTheDatabase(t *testing.T) {
	t.Parallel()
	t.Run("T042 T121 kill -9 during migration", func(t *testing.T) {
		for i := range 10 {
			path := newPath(t)
			cmd, out := child(t, "open", path)
			time.AfterFunc(time.Duration(10+5*i)*time.Millisecond, func() { _ = cmd.Process.Kill() })
			_, _ = io.Copy(io.Discard, out)
			_ = cmd.Wait()
			s := open(t, path, store.Options{Daemon: true})
			add(t, s, store.Allow, "192.0.2.1", "")
			shut(t, s)
		}
	})
}

func TestCommandBesideDaemon(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, path, store.Options{Daemon: true})
	model := map[string]bool{}
	t.Run("T047 two writers", func(t *testing.T) {
		cmd, out := child(t, "command", path)
		for i := range 50 {
			add(t, s, store.Block, fmt.Sprintf("203.0.113.%d", i), "")
			s.Record(newCase(i, testAddr(i), evidence.Fail, start))
			model[fmt.Sprintf("block 203.0.113.%d", i)] = true
		}
		acked(t, out, model)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		compare(t, model, stored(t, s), 0)
	})
	t.Run("the daemon follows", func(t *testing.T) {
		cli := open(t, path, store.Options{})
		add(t, cli, store.Block, "192.0.2.0/24", "by hand")
		eventually(t, "the new entry", func() bool { return counting(s, newClock(), "192.0.2.1", "") == "block 192.0.2.0/24" })
		if had, err := cli.Remove(t.Context(), store.Block, "192.0.2.0/24"); !had || err != nil {
			t.Errorf("Remove: %v, %v", had, err)
		}
		eventually(t, "its end", func() bool { return counting(s, newClock(), "192.0.2.1", "") == "" })
	})
	if n, want := s.Stats().Entries, len(stored(t, s)); n != want {
		t.Errorf("%d entries in memory, %d on disk", n, want)
	}
}

func TestTwoProcessesMakeOneDatabase(t *testing.T) {
	t.Parallel()
	t.Run("T123 T124 migration run by two", func(t *testing.T) {
		path := newPath(t)
		model := map[string]bool{}
		one, out1 := child(t, "command", path)
		two, out2 := child(t, "command", path)
		acked(t, out1, model)
		acked(t, out2, map[string]bool{})
		if err := errors.Join(one.Wait(), two.Wait()); err != nil {
			t.Error(err)
		}
	})
}

func TestRightsOfNobody(t *testing.T) {
	t.Parallel()
	testneed.Root(t)
	base, err := os.MkdirTemp("/tmp", "arpagate-store")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name       string
		dir, file  os.FileMode
		text       string
		ofDatabase bool
	}{
		{"T014 C095 read-only dir", 0o755, 0, "can't write to the directory", false},
		{"T013 read-only file", os.ModeSticky | 0o777, 0o644, "can't read and write", true},
		{"T015 owned by other uid", os.ModeSticky | 0o777, 0o600, "can't read and write", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(base, strings.ReplaceAll(tc.name, " ", "-"))
			if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, tc.dir)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "a.db")
			if tc.ofDatabase {
				wellUsed(t, path)
				if err := os.Chmod(path, tc.file); err != nil {
					t.Fatal(err)
				}
			}
			cmd, out := child(t, "nobody", path)
			b, err := io.ReadAll(out)
			if err != nil || cmd.Wait() == nil || !strings.Contains(string(b), tc.text) || !strings.Contains(string(b), "uid 65534") {
				t.Errorf("%s (%v); want %q", b, err, tc.text)
			}
		})
	}
}
