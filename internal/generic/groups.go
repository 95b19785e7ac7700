package generic

import (
	"net/netip"
	"strconv"
)

// groups looks for an IPv6 address: in its text form, with all groups, or as 32
// nibbles.
func groups(s string, addr netip.Addr) (kind, part string) {
	var buf [64]byte
	b := addr.As16()
	if from, to := text(s, addr.AppendTo(buf[:0])); to > 0 {
		return "groups", s[from:to]
	}
	if from, to := text(s, appendGroups(buf[:0], b)); to > 0 {
		return "groups", s[from:to]
	}
	if from, to := hex(s, b[:]); to > 0 {
		return "nibbles", s[from:to]
	}
	return "", ""
}

// appendGroups appends all eight groups without leading zeros.
func appendGroups(dst []byte, b [16]byte) []byte {
	for i := 0; i < 16; i += 2 {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = strconv.AppendUint(dst, uint64(b[i])<<8|uint64(b[i+1]), 16)
	}
	return dst
}

// text finds an address with separators in place of its colons.
func text(s string, addr []byte) (from, to int) {
	for i := 0; i+len(addr) <= len(s); i++ {
		n := 0
		for n < len(addr) && (s[i+n] == addr[n] || addr[n] == ':' && separator(s[i+n])) {
			n++
		}
		// One more digit would make it another address.
		if end := i + n; n == len(addr) && (end == len(s) || nibble(s[end]) < 0) {
			return i, end
		}
	}
	return 0, 0
}

// hex finds all octets of an address in hexadecimal, two digits each, with or
// without single separators: forward, or with octets, groups (IPv6) or nibbles
// reversed.
func hex(s string, addr []byte) (from, to int) {
	var buf [32]byte
	digits := buf[:2*len(addr)]
	if nibbles(s) < len(digits) {
		return 0, 0 // as nearly always
	}
	for _, unit := range [...]int{len(digits), 2, 4, 1} {
		for i := range digits {
			at := len(digits) - unit - i + 2*(i%unit)
			digits[i] = addr[at/2] >> (4 - 4*(at%2)) & 15
		}
		if from, to := find(s, digits); to > 0 {
			return from, to
		}
	}
	return 0, 0
}

// find finds the digits, which single separators may part.
func find(s string, digits []byte) (from, to int) {
	for i := range len(s) {
		n, at := 0, i
		for at < len(s) && n < len(digits) {
			if nibble(s[at]) == int(digits[n]) {
				n++
			} else if n == 0 || !separator(s[at]) || separator(s[at-1]) {
				break
			}
			at++
		}
		if n == len(digits) {
			return i, at
		}
	}
	return 0, 0
}

// nibbles counts the hexadecimal digits.
func nibbles(s string) int {
	count := 0
	for i := range len(s) {
		if nibble(s[i]) >= 0 {
			count++
		}
	}
	return count
}

// nibble returns the value of a hexadecimal digit in lower case, or -1.
func nibble(c byte) int {
	switch {
	case digit(c):
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
