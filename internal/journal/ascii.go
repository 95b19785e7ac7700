package journal

import (
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// ASCII returns a writer of JSON lines before out that writes everything beyond
// printable ASCII as \u and four digits. The handler of slog leaves such
// characters as they are, and some of them (U+009B, U+202E) command terminals.
func ASCII(out io.Writer) io.Writer { return ascii{out} }

type ascii struct{ out io.Writer }

// Write hands on whole lines with one Write.
func (a ascii) Write(lines []byte) (int, error) {
	text := make([]byte, 0, len(lines))
	for i := 0; i < len(lines); {
		r, size := utf8.DecodeRune(lines[i:])
		i += size
		switch {
		case r < 0x7f:
			text = append(text, byte(r))
		case r <= 0xffff:
			text = fmt.Appendf(text, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			text = fmt.Appendf(text, `\u%04x\u%04x`, high, low)
		}
	}
	if _, err := a.out.Write(text); err != nil {
		return 0, err
	}
	return len(lines), nil
}

var _ io.Writer = ascii{}
