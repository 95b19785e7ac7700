package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/arpagate/arpagate/internal/journal"
)

// gatedWriter takes lines only when it is let.
type gatedWriter struct {
	let chan struct{}
	err error

	mu   sync.Mutex
	body bytes.Buffer
}

func (g *gatedWriter) Write(p []byte) (int, error) {
	<-g.let
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		n := min(len(p), 8) // the first line
		g.body.Write(p[:n])
		return n, g.err
	}
	return g.body.Write(p)
}

func (g *gatedWriter) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.body.String()
}

func write(w *journal.Writer, lines ...string) {
	for _, l := range lines {
		_, _ = w.Write([]byte(l))
	}
}

// TestWriterNeverBlocks: a target that takes nothing holds nobody up, memory
// stays bounded, and what is lost is counted by the line.
func TestWriterNeverBlocks(t *testing.T) {
	// covers: L115-L116
	synctest.Test(t, func(t *testing.T) {
		out := &gatedWriter{let: make(chan struct{})}
		w := journal.NewWriter(out, 80)
		write(w, "first 1\n")
		synctest.Wait() // out has the first line and hangs
		for n := range 25 {
			write(w, fmt.Sprintf("line %2d\n", n))
		}
		if got := w.Dropped(); got != 15 {
			t.Errorf("%d lines dropped, want 15: ten of eight octets fit", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.Close(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Close with a target that hangs: %v", err)
		}
		close(out.let)
		if err := w.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if got := out.String(); !strings.HasPrefix(got, "first 1\nline  0\n") || !strings.HasSuffix(got, "line  9\n") {
			t.Errorf("written:\n%s", got)
		}
	})
}

// TestWriterGoesOn wants lines written again when a target that hung has come
// back.
func TestWriterGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &gatedWriter{let: make(chan struct{})}
		w := journal.NewWriter(out, 8)
		write(w, "first 1\n")
		synctest.Wait()
		write(w, "second2\n", "lost  3\n")
		close(out.let)
		synctest.Wait()
		write(w, "fourth4\n")
		if err := w.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if got := out.String(); got != "first 1\nsecond2\nfourth4\n" || w.Dropped() != 1 {
			t.Errorf("%d dropped, written:\n%s", w.Dropped(), got)
		}
		write(w, "late  5\n")
		if w.Dropped() != 2 {
			t.Error("a line after Close is not counted as lost")
		}
	})
}

// TestWriterCountsErrors: the lines that the target did not take are counted,
// those before the error are not.
func TestWriterCountsErrors(t *testing.T) {
	// covers: L113-L114, L117-L118
	for _, err := range []error{syscall.ENOSPC, syscall.EPIPE, syscall.EROFS, os.ErrClosed} {
		t.Run(err.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out := &gatedWriter{let: make(chan struct{})}
				w := journal.NewWriter(out, 1000)
				write(w, "first 1\n")
				synctest.Wait()
				write(w, "second2\n", "lost  3\n", "lost  4\n")
				out.let <- struct{}{}
				out.mu.Lock()
				out.err = err
				out.mu.Unlock()
				out.let <- struct{}{}
				synctest.Wait()
				if got := w.Dropped(); got != 2 {
					t.Errorf("%d lines dropped, want 2", got)
				}
				out.mu.Lock()
				out.err = nil
				out.mu.Unlock()
				write(w, "fifth 5\n")
				close(out.let)
				if err := w.Close(t.Context()); err != nil {
					t.Error(err)
				}
				if got := out.String(); got != "first 1\nsecond2\nfifth 5\n" {
					t.Errorf("written:\n%s", got)
				}
			})
		})
	}
}

// TestWriterFull writes to a device that is always full.
func TestWriterFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	w := journal.NewWriter(full, 1<<20)
	write(w, "one\n", "two\n", "three\n")
	if err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if w.Dropped() != 3 {
		t.Errorf("%d lines dropped, want 3", w.Dropped())
	}
}

// TestWriterTogether has many write at the same time: no line is torn.
func TestWriterTogether(t *testing.T) {
	var out bytes.Buffer
	w := journal.NewWriter(&out, 1<<20)
	var group sync.WaitGroup
	const writers, each = 8, 200
	for n := range writers {
		group.Go(func() {
			for range each {
				write(w, strings.Repeat(string(rune('a'+n)), 40)+"\n")
			}
		})
	}
	group.Wait()
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != writers*each || w.Dropped() != 0 {
		t.Errorf("%d lines, %d dropped", len(lines), w.Dropped())
	}
	for _, l := range lines {
		if len(l) != 40 || strings.Trim(l, l[:1]) != "" {
			t.Fatalf("torn line %q", l)
		}
	}
}
