package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong in a file.
type Problem struct {
	File string
	// Line and Column count from 1, the column in octets; 0 where the trouble
	// is not in a line.
	Line, Column int
	// Key is the dotted key, with [n] for the elements of a list, counted from
	// 0; empty where the trouble is not with a setting.
	Key string
	// Text says what is wrong and how to write it.
	Text string
}

// String returns "file:line:column: key: text", without the parts that are not
// known.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if p.Key != "" {
		b.WriteString(": " + p.Key)
	}
	b.WriteString(": " + p.Text)
	return b.String()
}

// Problems is the error of Parse and Load: everything that is wrong, in the
// order of the file.
type Problems []Problem

// Error returns one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Warning is something that works, but probably not as meant.
type Warning Problem

// String returns what Problem.String returns; a Warning of Complete has no
// file.
func (w Warning) String() string {
	if w.File == "" {
		return w.Key + ": " + w.Text
	}
	return Problem(w).String()
}

// maxEcho bounds what is repeated of a bad value.
const maxEcho = 60

// quote repeats a value of the file in printable ASCII, cut to a line's length
// and without the password that a URL may hold.
func quote(s string) string {
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		authority, path, slash := strings.Cut(rest, "/")
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			s = scheme + "://***@" + authority[at+1:]
			if slash {
				s += "/" + path
			}
		}
	}
	if len(s) > maxEcho {
		s = s[:maxEcho] + "..."
	}
	return strconv.QuoteToASCII(s)
}

// maxText bounds the words of the decoder, which repeats keys as they are.
const maxText = 200

// ascii escapes what is not printable ASCII, and cuts the text.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() > maxText {
			b.WriteString("...")
			break
		}
		if r >= ' ' && r <= '~' {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
	}
	return b.String()
}

// alternatives joins the words as `"a", "b" or "c"`.
func alternatives(words []string) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(w))
	}
	return b.String()
}

// nearest returns the word that differs least from s, "" when all differ much.
// Case, and the difference between - and _, count for nothing.
func nearest(s string, words []string) string {
	if len(s) > maxEcho {
		return ""
	}
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }
	best, least := "", 1+max(1, len(s)/3)
	for _, w := range words {
		if d := distance(plain(s), plain(w)); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance is the number of octets to insert, delete or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
