package main

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"

	"github.com/arpagate/arpagate/internal/finding"
)

// palette paints for a terminal; the zero palette leaves text as it is.
type palette struct{ on bool }

// palette returns the colours for standard output.
func (a *app) palette() palette { return a.paintFor(a.terminal) }

// paintFor returns colours for a terminal that can show them to somebody who
// wants them: https://no-color.org.
func (a *app) paintFor(w io.Writer) palette {
	f, ok := w.(*os.File)
	return palette{on: ok && a.env("NO_COLOR") == "" && a.env("TERM") != "dumb" && isatty.IsTerminal(f.Fd())}
}

func (p palette) with(codes, s string) string {
	if !p.on || s == "" {
		return s
	}
	return "\x1b[" + codes + "m" + s + "\x1b[0m"
}

func (p palette) bold(s string) string { return p.with("1", s) }
func (p palette) dim(s string) string  { return p.with("2", s) }
func (p palette) good(s string) string { return p.with("1;32", s) }
func (p palette) warn(s string) string { return p.with("1;33", s) }
func (p palette) bad(s string) string  { return p.with("1;31", s) }

// verdict paints a verdict of check.
func (p palette) verdict(word string) string {
	switch word {
	case verdictPass:
		return p.good(word)
	case verdictFail:
		return p.bad(word)
	default:
		return p.warn(word)
	}
}

// severity paints the severity of a finding.
func (p palette) severity(s finding.Severity) string {
	switch s {
	case finding.Failure:
		return p.bad(string(s))
	case finding.Info:
		return p.dim(string(s))
	default:
		return p.warn(string(s))
	}
}

// The widths that text is broken at: wider lines are hard to read, narrower
// ones break everywhere.
const (
	narrowest    = 40
	widest       = 100
	usualColumns = 80
)

// width returns the width for text on standard output.
func (a *app) width() int {
	f, ok := a.terminal.(*os.File)
	if !ok {
		return usualColumns
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return usualColumns
	}
	return min(max(int(size.Col), narrowest), widest)
}
