package milterd

import "bytes"

// resultsName is the field that says what was found about a message (RFC 8601
// §2.1).
const resultsName = "Authentication-Results"

// maxForged is how many forged fields of one message are kept count of. Beyond
// it the message is put off: it can't be passed on with some of them.
const maxForged = 4096

// resultFields are the Authentication-Results fields of a message.
type resultFields struct {
	seen    uint32
	forged  []uint32 // their indices among the seen, from 1, ascending
	tooMany bool
}

// header looks at a header field: name, NUL, value, NUL.
func (s *session) header(f frame) {
	s.h.count.headers.Add(1)
	name, value, _ := bytes.Cut(f.body, []byte{0})
	ours := s.forgeable()
	if ours == "" || !equalFold(name, resultsName) {
		return
	}
	r := &s.message.results
	r.seen++
	id, ok := authservID(bytes.TrimSuffix(value, []byte{0}))
	// What is cut off before its identifier ends is meant to hide it.
	hidden := !ok && f.cut
	switch {
	case !hidden && !sameID(id, ours):
	case len(r.forged) == maxForged:
		r.tooMany = true
	default:
		r.forged = append(r.forged, r.seen)
	}
}

// appendRemovals appends the orders to delete the forged fields. The index
// counts the fields of one name, from 1, and both Postfix and Sendmail may
// count anew after each deletion: so the last goes first.
func (r *resultFields) appendRemovals(dst []byte) []byte {
	for i := len(r.forged) - 1; i >= 0; i-- {
		dst = appendFrame(dst, actChangeHeader, number(r.forged[i]), resultsName, "\x00", "\x00")
	}
	return dst
}

// authservID returns the identifier in front of an Authentication-Results
// field, without quotes: RFC 8601 §2.2, authserv-id as a value of RFC 2045
// §5.1, between comments and folded blanks of RFC 5322 §3.2.2. It is false
// where the text ends before the identifier does; what follows it does not
// matter, for a careless reader would not mind it either.
func authservID(b []byte) (id []byte, ok bool) {
	b, ok = skipCFWS(b)
	if !ok {
		return nil, false
	}
	if b[0] == '"' {
		return quotedString(b[1:])
	}
	n := 0
	for n < len(b) && tokenChar(b[n]) {
		n++
	}
	return b[:n], true
}

// skipCFWS drops blanks, line ends and comments in front; it is false where
// nothing is left.
func skipCFWS(b []byte) ([]byte, bool) {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == '\\' && depth > 0:
			i++
		case depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n':
			return b[i:], true
		}
	}
	return nil, false
}

// quotedString reads up to the closing quote and undoes quoted pairs and
// folding (RFC 5322 §3.2.4).
func quotedString(b []byte) ([]byte, bool) {
	var id []byte
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			return id, true
		case '\\':
			if i++; i < len(b) {
				id = append(id, b[i])
			}
		case '\r', '\n':
		default:
			id = append(id, b[i])
		}
	}
	return nil, false
}

// tokenChar reports whether c may stand in a token: RFC 2045 §5.1, with the
// octets of UTF-8 that RFC 6532 §3.2 adds.
func tokenChar(c byte) bool {
	return c > ' ' && c != 0x7f && bytes.IndexByte([]byte(`()<>@,;:\"/[]?=`), c) < 0
}

// sameID compares identifiers as host names are compared: without regard to
// the case of ASCII letters and to a final dot.
func sameID(id []byte, ours string) bool {
	id = bytes.TrimSuffix(bytes.Trim(id, " \t"), []byte{'.'})
	if n := len(ours); n > 0 && ours[n-1] == '.' {
		ours = ours[:n-1]
	}
	return equalFold(id, ours)
}

// equalFold ignores the case of ASCII letters only: strings.EqualFold would
// take the sign for kelvin for a k.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if lower(c) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
