package report

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// writer puts text together line by line, at most width columns each.
type writer struct {
	strings.Builder
	width int
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

func (w *writer) blank() {
	if text := w.String(); text != "" && !strings.HasSuffix(text, "\n\n") {
		w.WriteByte('\n')
	}
}

// plain paints nothing.
func plain(s string) string { return s }

// wrapped writes a text in lines of the terminal's width; the lines after the
// first are indented as far as the prefix is long, as long as that leaves room.
// paint is applied to the words of each line, and the prefix stays as it is. An
// empty text leaves a prefix that says something alone, and nothing of one that
// is blank.
func (w *writer) wrapped(prefix, text string, paint func(string) string) {
	columns := utf8.RuneCountInString(strip(prefix))
	if columns > w.width/2 {
		columns = deepIndent
	}
	w.hanging(prefix, strings.Repeat(" ", columns), text, paint)
}

// deepIndent is that of lines after a prefix which would leave them no room.
const deepIndent = 6

// hanging is wrapped with an indent of its own.
func (w *writer) hanging(prefix, indent, text string, paint func(string) string) {
	line, used := "", utf8.RuneCountInString(strip(prefix))
	flush := func() {
		w.line("%s", strings.TrimRight(prefix+paint(line), " "))
		prefix, line, used = indent, "", len(indent)
	}
	for _, word := range strings.Fields(clean(text)) {
		n := utf8.RuneCountInString(word)
		if (line != "" || strings.TrimSpace(prefix) != "" && used > deepIndent) && used+btoi(line != "")+n > w.width {
			flush()
		}
		if line != "" {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	if line != "" || strings.TrimSpace(prefix) != "" {
		flush()
	}
}

// verbatim writes lines that somebody will copy: from the first column, for in
// zone files and in main.cf a blank at the beginning has a meaning, and never
// broken.
func (w *writer) verbatim(text string, paint func(string) string) {
	for line := range strings.Lines(text) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "        ")
		w.line("%s", paint(clean(line)))
	}
}

// strip takes the escapes of our own palette out.
func strip(s string) string {
	for {
		at := strings.IndexByte(s, 0x1b)
		if at < 0 {
			return s
		}
		end := strings.IndexByte(s[at:], 'm')
		if end < 0 {
			return s
		}
		s = s[:at] + s[at+end+1:]
	}
}

// clean makes sure that nothing moves the cursor of a terminal, whatever the
// rooms before this one did: control characters, those of ISO 8859 and of
// Unicode's directions included, become question marks.
func clean(s string) string {
	bad := func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r == 0xfeff
	}
	if !strings.ContainsFunc(s, bad) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case bad(r):
			return '?'
		}
		return r
	}, s)
}
