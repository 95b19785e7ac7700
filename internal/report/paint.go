package report

import (
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/finding"
)

// Palette paints for a terminal; the zero Palette leaves text as it is.
type Palette struct{ On bool }

func (p Palette) with(codes, s string) string {
	if !p.On || s == "" {
		return s
	}
	return "\x1b[" + codes + "m" + s + "\x1b[0m"
}

func (p Palette) copy(s string) string { return p.with("36", s) }
func (p Palette) good(s string) string { return p.with("1;32", s) }

// Bold paints what names a thing.
func (p Palette) Bold(s string) string { return p.with("1", s) }

// Dim paints what may be overlooked.
func (p Palette) Dim(s string) string { return p.with("2", s) }

// Warn paints what should be seen.
func (p Palette) Warn(s string) string { return p.with("1;33", s) }

// Bad paints what is wrong.
func (p Palette) Bad(s string) string { return p.with("1;31", s) }

// Verdict paints the word of a verdict.
func (p Palette) Verdict(v doctor.Verdict) string {
	switch v {
	case doctor.Pass:
		return p.good(string(v))
	case doctor.Fail:
		return p.Bad(string(v))
	case unjudged:
		return p.Dim(string(v))
	default:
		return p.Warn(string(v))
	}
}

// severity paints the word of a severity.
func (p Palette) severity(s finding.Severity) string {
	switch s {
	case finding.Failure:
		return p.Bad(string(s))
	case finding.Info:
		return p.Dim(string(s))
	default:
		return p.Warn(string(s))
	}
}
