package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/report"
)

// progress rewrites one line on a terminal while an examination is under way;
// where nobody watches it is silent.
type progress struct {
	to    io.Writer // nil: nobody watches
	paint report.Palette
	width int
	now   func() time.Time

	mu    sync.Mutex
	what  string
	shown int // the length of the line
	last  time.Time
	open  []string // the parts under way
}

// newProgress watches for a terminal on standard error.
func (a *app) newProgress() *progress {
	p := &progress{now: a.now, width: usualColumns}
	if a.isTerminal(a.stderr) && a.env("TERM") != "dumb" {
		p.to, p.paint, p.width = a.stderr, a.paintFor(a.stderr), a.widthOf(a.stderr)
	}
	return p
}

// begin names the target, and which one of how many it is.
func (p *progress) begin(target string, i, of int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.open = target, nil
	if of > 1 {
		p.what = fmt.Sprintf("%s (%d of %d)", target, i, of)
	}
}

// often is how long the line stays as it is at least.
const often = 100 * time.Millisecond

// tell shows how far the examination is, and what it waits for.
func (p *progress) tell(e doctor.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.to == nil {
		return
	}
	if e.Ended {
		for i, part := range p.open {
			if part == e.Part {
				p.open = append(p.open[:i], p.open[i+1:]...)
				break
			}
		}
	} else {
		p.open = append(p.open, e.Part)
	}
	now := p.now()
	if now.Sub(p.last) < often {
		return
	}
	p.last = now
	line := fmt.Sprintf("%s: %d of %d done", p.what, e.Done, e.Parts)
	if len(p.open) > 0 {
		line += ", waiting for " + p.open[0]
	}
	p.show(line)
}

// show writes the line over the old one; the cursor goes back to its beginning.
// There is no escape in it, for those who want no colours.
func (p *progress) show(line string) {
	line = oneLine(line)
	if len(line) > p.width-1 {
		line = line[:p.width-1]
	}
	blank := strings.Repeat(" ", max(0, p.shown-len(line)))
	p.shown = len(line)
	_, _ = fmt.Fprint(p.to, "\r"+p.paint.Dim(line)+blank+"\r")
}

// clear takes the line away.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown > 0 {
		_, _ = fmt.Fprint(p.to, "\r"+strings.Repeat(" ", p.shown)+"\r")
		p.shown = 0
	}
	p.to = nil
}
