package journal

import (
	"bytes"
	"context"
	"io"
	"sync"
)

// Writer hands lines to a slow or broken io.Writer without ever making the
// caller wait: it keeps at most limit octets, and drops and counts the lines
// beyond, and those that out did not take. It is safe for concurrent use.
type Writer struct {
	out   io.Writer
	limit int
	done  chan struct{}

	mu      sync.Mutex
	filled  *sync.Cond
	pending []byte
	dropped uint64
	closed  bool
}

// NewWriter starts a Writer before out; Close must be called.
func NewWriter(out io.Writer, limit int) *Writer {
	w := &Writer{out: out, limit: limit, done: make(chan struct{})}
	w.filled = sync.NewCond(&w.mu)
	go w.pump()
	return w
}

// Write queues one line, with its line end. It never fails and never blocks.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	first := len(w.pending) == 0
	if len(w.pending)+len(line) > w.limit || w.closed {
		w.dropped++
	} else {
		w.pending = append(w.pending, line...)
	}
	w.mu.Unlock()
	if first {
		w.filled.Signal()
	}
	return len(line), nil
}

// Dropped returns the number of lines lost so far.
func (w *Writer) Dropped() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropped
}

// Close writes what is queued and stops. Where out takes it no more, Close
// returns when ctx ends, with its error; the write that hangs then keeps its
// goroutine, for nothing can interrupt it.
func (w *Writer) Close(ctx context.Context) error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.filled.Signal()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *Writer) pump() {
	defer close(w.done)
	var batch []byte
	for {
		w.mu.Lock()
		for len(w.pending) == 0 && !w.closed {
			w.filled.Wait()
		}
		batch, w.pending = w.pending, batch[:0]
		w.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		if n, err := w.out.Write(batch); err != nil {
			w.mu.Lock()
			w.dropped += uint64(bytes.Count(batch[n:], []byte{'\n'}))
			w.mu.Unlock()
		}
	}
}
