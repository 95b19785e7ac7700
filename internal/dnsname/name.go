// Package dnsname holds domain names as values: read from DNS messages and
// from text, printed in the presentation format of RFC 1035 §5.1, compared
// without regard to case (RFC 4343). A Name comes from strangers, so its text
// is printable ASCII by construction: every other octet is escaped. The
// package also makes the names under which addresses are filed
// (in-addr.arpa, ip6.arpa, DNSBL zones) and finds organizational domains.
package dnsname

import (
	"errors"
	"strings"
)

// Errors of FromWire and Parse.
var (
	ErrTooLong  = errors.New("dnsname: name of more than 255 octets")
	ErrLabel    = errors.New("dnsname: label empty or of more than 63 octets")
	ErrShort    = errors.New("dnsname: name runs past the end of the message")
	ErrPointer  = errors.New("dnsname: compression pointer does not point backwards")
	ErrLabelTag = errors.New("dnsname: unknown label type")
	ErrEscape   = errors.New("dnsname: bad escape")
)

// maxWire is the longest name on the wire, RFC 1035 §2.3.4.
const maxWire = 255

// Name is a domain name: lower case, absolute, without the final dot; the root
// is ".". A dot or backslash inside a label is written \. and \\, an octet
// that is not printable \DDD. The zero value means "no name". It is
// comparable, and equal for names that the DNS holds equal.
type Name struct{ text string }

// String returns the presentation format, printable ASCII only.
func (n Name) String() string { return n.text }

// IsZero reports whether there is no name.
func (n Name) IsZero() bool { return n.text == "" }

// MarshalText returns what String returns.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.text), nil }

// UnmarshalText reads what MarshalText wrote.
func (n *Name) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*n = Name{}
		return nil
	}
	m, err := Parse(string(b))
	if err == nil {
		*n = m
	}
	return err
}

// FromWire reads the name that starts at msg[off], following compression
// pointers, and returns the offset of the octet after it. Pointers must point
// backwards, which bounds the work by the length of the message.
func FromWire(msg []byte, off int) (Name, int, error) {
	var buf [4 * maxWire]byte
	text := buf[:0]
	wire, end, limit := 1, -1, off
	for {
		if off >= len(msg) {
			return Name{}, 0, ErrShort
		}
		c := int(msg[off])
		switch {
		case c == 0:
			if end < 0 {
				end = off + 1
			}
			if len(text) == 0 {
				return Name{text: "."}, end, nil
			}
			return Name{text: string(text[:len(text)-1])}, end, nil
		case c < 0x40:
			if off+1+c > len(msg) {
				return Name{}, 0, ErrShort
			}
			// RFC 1035 §2.3.4: 255 octets, the length octets included.
			if wire += c + 1; wire > maxWire {
				return Name{}, 0, ErrTooLong
			}
			text = append(appendLabel(text, msg[off+1:off+1+c]), '.')
			off += c + 1
		case c >= 0xC0:
			// RFC 1035 §4.1.4.
			if off+1 >= len(msg) {
				return Name{}, 0, ErrShort
			}
			if end < 0 {
				end = off + 2
			}
			to := (c&0x3f)<<8 | int(msg[off+1])
			if to >= limit {
				return Name{}, 0, ErrPointer
			}
			off, limit = to, to
		default:
			return Name{}, 0, ErrLabelTag
		}
	}
}

// Parse reads presentation format, with or without the final dot. Upper case
// becomes lower case; octets that are not ASCII stay what they are and are
// printed escaped.
func Parse(s string) (Name, error) {
	if s == "." {
		return Name{text: "."}, nil
	}
	var text []byte
	var label [64]byte
	n, wire := 0, 1
	flush := func() error {
		if n == 0 || n > 63 {
			return ErrLabel
		}
		if wire += n + 1; wire > maxWire {
			return ErrTooLong
		}
		text = append(appendLabel(text, label[:n]), '.')
		n = 0
		return nil
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '.' {
			if err := flush(); err != nil {
				return Name{}, err
			}
			continue
		}
		if c == '\\' {
			v, used := unescape(s[i+1:])
			if used == 0 {
				return Name{}, ErrEscape
			}
			c, i = v, i+used
		}
		if n > 63 {
			return Name{}, ErrLabel
		}
		label[n] = c
		n++
	}
	if n > 0 || len(text) == 0 {
		if err := flush(); err != nil {
			return Name{}, err
		}
	}
	return Name{text: string(text[:len(text)-1])}, nil
}

// MustParse is Parse for names in source code; it panics on a bad one.
func MustParse(s string) Name {
	n, err := Parse(s)
	if err != nil {
		panic(err.Error() + ": " + s)
	}
	return n
}

// AppendWire appends the uncompressed wire format to dst.
func (n Name) AppendWire(dst []byte) []byte {
	if n.text == "" || n.text == "." {
		return append(dst, 0)
	}
	start := len(dst)
	dst = append(dst, 0)
	for i := 0; i < len(n.text); i++ {
		c := n.text[i]
		switch c {
		case '.':
			dst[start] = byte(len(dst) - start - 1)
			start = len(dst)
			dst = append(dst, 0)
			continue
		case '\\':
			v, used := unescape(n.text[i+1:])
			c, i = v, i+used
		}
		dst = append(dst, c)
	}
	dst[start] = byte(len(dst) - start - 1)
	return append(dst, 0)
}

// Labels returns the labels from left to right, each escaped as in String.
func (n Name) Labels() []string {
	if n.text == "" || n.text == "." {
		return nil
	}
	var out []string
	start := 0
	for i := 0; i < len(n.text); i++ {
		switch n.text[i] {
		case '\\':
			i++
		case '.':
			out = append(out, n.text[start:i])
			start = i + 1
		}
	}
	return append(out, n.text[start:])
}

// Under reports whether n is zone or lies below it.
func (n Name) Under(zone Name) bool {
	if zone.text == "." || n.text == zone.text {
		return !n.IsZero()
	}
	rest, ok := strings.CutSuffix(n.text, zone.text)
	if !ok || zone.IsZero() || !strings.HasSuffix(rest, ".") {
		return false
	}
	// The dot must separate labels: an escaped one is part of a label.
	slashes := len(rest) - 1 - len(strings.TrimRight(rest[:len(rest)-1], `\`))
	return slashes%2 == 0
}

func appendLabel(dst, label []byte) []byte {
	for _, c := range label {
		switch {
		case c >= 'A' && c <= 'Z':
			dst = append(dst, c+'a'-'A')
		case c == '.' || c == '\\':
			dst = append(dst, '\\', c)
		case c > ' ' && c < 0x7f:
			dst = append(dst, c)
		default:
			dst = append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
		}
	}
	return dst
}

// unescape reads what follows a backslash: three digits, or one octet. It
// returns the number of octets read, 0 when there is nothing good.
func unescape(s string) (byte, int) {
	if s == "" {
		return 0, 0
	}
	if s[0] < '0' || s[0] > '9' {
		return s[0], 1
	}
	if len(s) < 3 || s[1] < '0' || s[1] > '9' || s[2] < '0' || s[2] > '9' {
		return 0, 0
	}
	v := int(s[0]-'0')*100 + int(s[1]-'0')*10 + int(s[2]-'0')
	if v > 255 {
		return 0, 0
	}
	return byte(v), 3
}
