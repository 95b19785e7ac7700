package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/arpagate/arpagate/internal/config"
	"github.com/arpagate/arpagate/internal/doctor"
)

// exitCode ends the program with that code and without a word: what there was
// to say has been said. Other errors become a failure.
type exitCode int

// The exit codes. Those from 64 on are those of sysexits.h, so that they never
// look like a verdict.
const (
	exitOK          exitCode = 0
	exitFindings    exitCode = 1
	exitRefused     exitCode = 2
	exitUnknown     exitCode = 3
	exitUsage       exitCode = 64
	exitUnavailable exitCode = 69
	exitInternal    exitCode = 70
	exitIO          exitCode = 74
	exitConfig      exitCode = 78
	exitInterrupted exitCode = 130
	exitPipe        exitCode = 141
)

// exitMeanings is the table in the help text and in the manual pages.
var exitMeanings = []struct {
	code    exitCode
	meaning string
}{
	{exitOK, "done; check: pass"},
	{exitFindings, "check: findings that refuse nobody; why, list remove: nothing found; classify: a line that can't be read"},
	{exitRefused, "check: mail would be refused"},
	{exitUnknown, "check: it could not be told, or nothing to examine"},
	{exitUsage, "wrong arguments"},
	{exitUnavailable, "a file, socket, store or server that is needed can't be had"},
	{exitInternal, "a fault in arpagate itself"},
	{exitIO, "the output could not be written"},
	{exitConfig, "the configuration is wrong, or can't be read"},
	{exitInterrupted, "interrupted by Ctrl-C; check: after printing what was known"},
	{exitPipe, "whoever read the output has gone"},
}

// Error returns "exit code N"; nobody gets to see it.
func (c exitCode) Error() string { return "exit code " + strconv.Itoa(int(c)) }

// failure is an error with the exit code that it leads to, and what to do
// about it.
type failure struct {
	code exitCode
	err  error
	hint string // a sentence without a final dot; empty for none
}

// Error returns the text of the error.
func (f *failure) Error() string { return f.err.Error() }

// Unwrap returns the error.
func (f *failure) Unwrap() error { return f.err }

// usagef makes the error of a wrong argument.
func usagef(format string, args ...any) error {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// fail tells people of the error and returns the exit code for the shell.
func (a *app) fail(err error) exitCode {
	var code exitCode
	if err == nil || errors.As(err, &code) {
		return code
	}
	// The reader of a pipe may go when it has seen enough.
	if errors.Is(err, syscall.EPIPE) {
		return exitPipe
	}
	f := &failure{code: exitUnavailable, err: err}
	errors.As(err, &f)
	paint := a.paintFor(a.stderr)
	var problems config.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			a.complain(paint.Bad("error:"), p.String())
		}
	} else {
		a.complain(paint.Bad("error:"), err.Error())
	}
	if f.hint != "" {
		a.complain(paint.Dim("hint:"), f.hint)
	}
	return f.code
}

// complain writes one line to standard error; where that fails, there is
// nobody to tell.
func (a *app) complain(label, text string) {
	_, _ = fmt.Fprintln(a.stderr, label, oneLine(text))
}

// oneLine escapes what could move a terminal's cursor: arguments come back in
// errors.
func oneLine(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// output remembers the first error of standard output, so that no command can
// forget it.
type output struct {
	w   io.Writer
	err error
}

// Write writes to the real output.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil && o.err == nil {
		o.err = &failure{code: exitIO, err: fmt.Errorf("the output can't be written: %w", err)}
	}
	return n, err
}

var (
	_ error     = exitCode(0)
	_ error     = (*failure)(nil)
	_ io.Writer = (*output)(nil)
)

// verdictExit returns the exit code of a verdict of check, nil for a pass.
func verdictExit(verdict doctor.Verdict) error {
	switch verdict {
	case doctor.Pass:
		return nil
	case doctor.Warn:
		return exitFindings
	case doctor.Fail:
		return exitRefused
	default:
		return exitUnknown
	}
}
