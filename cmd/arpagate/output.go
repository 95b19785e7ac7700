package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/remedy"
	"github.com/arpagate/arpagate/internal/report"
)

// outputFlags say in which form an examination is written.
type outputFlags struct {
	json    bool
	html    string
	verbose bool
	format  string
	ticket  bool
}

func (o *outputFlags) register(f *pflag.FlagSet) {
	f.BoolVar(&o.json, "json", false, "print one JSON document a target")
	f.StringVar(&o.html, "html", "", "write the report as a page of its own to `FILE`, - for standard output")
	f.BoolVar(&o.verbose, "verbose", false, "print every question with its answer, and every step of SMTP")
	f.StringVar(&o.format, "format", "", "print records as `FORMAT`: "+strings.Join(append(remedy.Formats(), "all"), ", "))
	f.BoolVar(&o.ticket, "ticket", false, "print the message to the one who can help")
}

// check tells what does not go together.
func (o *outputFlags) check() error {
	formats := append(remedy.Formats(), "all")
	o.format = strings.ToLower(o.format)
	switch {
	case o.format != "" && !slices.Contains(formats, o.format):
		return usagef("check: --format %+q is none of %s", o.format, strings.Join(formats, ", "))
	case o.json && o.html == "-":
		return usagef("check: --json and --html - both write to standard output: give --html a file")
	}
	return nil
}

// write prints the examinations; of a list, a line each.
func (a *app) write(found []*doctor.Examination, x *examiner, o *outputFlags, listed bool) error {
	options := x.words
	options.Width, options.Color = a.width(), a.palette().On
	options.Verbose, options.Format, options.Ticket = o.verbose, o.format, o.ticket
	if o.html != "" {
		if err := a.writePage(found[0], options, o.html); err != nil || o.html == "-" {
			return err
		}
	}
	var b bytes.Buffer
	for i, e := range found {
		switch {
		case o.json:
			if err := report.JSON(&b, e, options); err != nil {
				return err
			}
		case listed && !o.verbose:
			b.WriteString(report.Line(e, options) + "\n")
		default:
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(report.Text(e, options))
		}
	}
	_, err := a.stdout.Write(b.Bytes())
	return err
}

// writePage writes the page to a file, or to standard output.
func (a *app) writePage(e *doctor.Examination, options report.Options, to string) error {
	var b bytes.Buffer
	if err := report.HTML(&b, e, options); err != nil {
		return err
	}
	if to == "-" {
		_, err := a.stdout.Write(b.Bytes())
		return err
	}
	if err := os.WriteFile(to, b.Bytes(), 0o644); err != nil {
		return &failure{code: exitIO, err: fmt.Errorf("check: the page can't be written: %w", err)}
	}
	return nil
}

// enumerated joins words with commas.
func enumerated(words []string) string { return strings.Join(words, ", ") }
