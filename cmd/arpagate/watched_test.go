package main

import (
	"bytes"
	"strings"
	"sync"
)

// watched is an output that says when a text has come by. Its methods may be
// called at the same time.
type watched struct {
	text string
	seen chan struct{} // closed then

	mu   sync.Mutex
	body bytes.Buffer
	once sync.Once
}

func newWatched(text string) *watched { return &watched{text: text, seen: make(chan struct{})} }

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.body.Write(p)
	if strings.Contains(w.body.String(), w.text) {
		w.once.Do(func() { close(w.seen) })
	}
	return n, err
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.body.String()
}
