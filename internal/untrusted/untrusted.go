// Package untrusted holds text that a stranger chose: HELO names, mailbox
// names, error texts of other servers. A Text can be compared and stored, but
// every way of printing it (String, fmt, JSON, slog) escapes it first, so that
// no log line, header, page or terminal ever receives an octet it did not ask
// for. Only a package that parses the text may take the octets out with Raw;
// arch_test.go holds the list.
package untrusted

import (
	"fmt"
	"log/slog"
)

// MaxLen is the number of octets that a Text keeps; RFC 5321 §4.5.3.1.2 gives
// a domain 255.
const MaxLen = 255

// Text is a string from the network. The zero value is the empty text.
// It is comparable.
type Text struct{ raw string }

// New keeps the first MaxLen octets of s.
func New(s string) Text {
	if len(s) > MaxLen {
		s = s[:MaxLen]
	}
	return Text{raw: s}
}

// MaxLong is the number of octets that a long Text keeps.
const MaxLong = 8192

// Long keeps the first MaxLong octets of s: for TXT records and the replies of
// other servers, which may be longer than any name.
func Long(s string) Text {
	if len(s) > MaxLong {
		s = s[:MaxLong]
	}
	return Text{raw: s}
}

// Raw returns the octets as they came, for parsing and comparing, never for
// printing.
func (t Text) Raw() string { return t.raw }

// IsZero reports whether the text is empty.
func (t Text) IsZero() bool { return t.raw == "" }

// String returns the text in printable ASCII; every other octet, and the
// backslash, is written \DDD (RFC 1035 §5.1).
func (t Text) String() string { return string(t.AppendTo(nil)) }

// AppendTo appends what String returns to dst.
func (t Text) AppendTo(dst []byte) []byte { return Append(dst, t.raw) }

// Append appends s to dst in printable ASCII, as String does.
func Append[S ~string | ~[]byte](dst []byte, s S) []byte {
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c < 0x7f && c != '\\' {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
	}
	return dst
}

// Format prints the escaped text for every verb, quoted for %q.
func (t Text) Format(f fmt.State, verb rune) {
	if verb == 'q' {
		fmt.Fprintf(f, "%q", t.String())
		return
	}
	_, _ = f.Write(t.AppendTo(nil))
}

// MarshalText returns the escaped text, for JSON and every other encoder.
func (t Text) MarshalText() ([]byte, error) { return t.AppendTo(nil), nil }

// UnmarshalText reverses MarshalText; a malformed escape is kept as it stands,
// and what is longer than MaxLong is cut.
func (t *Text) UnmarshalText(b []byte) error {
	raw := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+3 < len(b) && digits(b[i+1:i+4]) {
			raw = append(raw, byte(int(b[i+1]-'0')*100+int(b[i+2]-'0')*10+int(b[i+3]-'0')))
			i += 3
			continue
		}
		raw = append(raw, b[i])
	}
	*t = Long(string(raw))
	return nil
}

// LogValue gives slog the escaped text.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

var (
	_ fmt.Formatter  = Text{}
	_ slog.LogValuer = Text{}
)
