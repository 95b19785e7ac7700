package main

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"

	"github.com/arpagate/arpagate/internal/report"
)

// palette returns the colours for standard output.
func (a *app) palette() report.Palette { return a.paintFor(a.terminal) }

// paintFor returns colours for a terminal that can show them to somebody who
// wants them: https://no-color.org.
func (a *app) paintFor(w io.Writer) report.Palette {
	return report.Palette{On: a.isTerminal(w) && a.env("NO_COLOR") == "" && a.env("TERM") != "dumb"}
}

func (a *app) isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// The widths that text is broken at: wider lines are hard to read, narrower
// ones break everywhere.
const (
	narrowest    = 40
	widest       = 100
	usualColumns = 80
)

// width returns the width for text on standard output.
func (a *app) width() int { return a.widthOf(a.terminal) }

func (a *app) widthOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return usualColumns
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return usualColumns
	}
	return min(max(int(size.Col), narrowest), widest)
}
