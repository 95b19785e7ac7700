package generic

// The forms in which an IPv6 address, or an IPv4 address in hexadecimal, is
// looked for.

// groupRun is the longest run of tokens that are consecutive groups.
type groupRun struct {
	span
	groups, digits int
	last           bool // the last group is among them
}

// groups finds consecutive groups of the address among the hexadecimal tokens
// of the name, which separators part; "--" stands for any number of zero
// groups. Forward or reversed, with or without leading zeros.
func groups(s string, b [16]byte) groupRun {
	var best groupRun
	var parts [8]int
	for g := range parts {
		parts[g] = int(b[2*g])<<8 | int(b[2*g+1])
	}
	for i := 0; i < len(s); i++ {
		if nibble(s[i]) < 0 || i > 0 && !separator(s[i-1]) && nibble(s[i-1]) >= 0 {
			continue
		}
		v, end := hexToken(s, i)
		for g := 0; v > 0 && g < 8; g++ {
			if v != parts[g] {
				continue
			}
			for _, step := range [...]int{1, -1} {
				if r := groupsFrom(s, i, &parts, g, step); r.digits > best.digits {
					best = r
				}
			}
		}
		if best.groups == 8 {
			break
		}
		i = end
	}
	return best
}

// groupsFrom counts the groups, from the given one on, that stand at s[i].
func groupsFrom(s string, i int, parts *[8]int, g, step int) groupRun {
	r := groupRun{span: span{int16(i), int16(i)}}
	for g >= 0 && g < 8 {
		v, end := hexToken(s, i)
		if v < 0 || v != parts[g] {
			break
		}
		r.groups++
		if v != 0 {
			r.digits += end - i
		}
		r.end = int16(end)
		r.last = r.last || g == 7
		g += step
		if end+1 >= len(s) || !separator(s[end]) {
			break
		}
		i = end + 1
		if separator(s[i]) { // "--"
			i++
			for g >= 0 && g < 8 && parts[g] == 0 {
				g += step
			}
		}
	}
	return r
}

// hexToken reads up to four hexadecimal digits that end at a separator or the
// end of the name; -1 when there are none such.
func hexToken(s string, i int) (v, end int) {
	for end = i; end < len(s) && end-i < 5 && nibble(s[end]) >= 0; end++ {
		v = v<<4 | nibble(s[end])
	}
	if end == i || end-i > 4 || end < len(s) && !separator(s[end]) {
		return -1, end
	}
	return v, end
}

// hexRun returns the longest part of the address, in hexadecimal, that stands
// in the name: forward, or with octets, groups or nibbles reversed. Single
// separators may part the digits.
func hexRun(s string, addr []byte, least int) (best span, digits int) {
	var buf, turned [32]byte
	n := 2 * len(addr)
	for i, o := range addr {
		buf[2*i], buf[2*i+1] = o>>4, o&15
	}
	for _, unit := range [...]int{n, 2, 4, 1} {
		if unit > n {
			continue
		}
		for i := range n {
			turned[i] = buf[n-unit-i+2*(i%unit)]
		}
		if p, d := longest(s, turned[:n], least); d > digits {
			best, digits = p, d
		}
	}
	return best, digits
}

// longest returns the longest run of at least so many digits that the name and
// the digits share.
func longest(s string, digits []byte, least int) (best span, count int) {
	for i := range len(s) {
		// One hexadecimal letter in front may be a word.
		if nibble(s[i]) < 0 || i > 1 && nibble(s[i-1]) >= 0 && nibble(s[i-2]) >= 0 {
			continue
		}
		for from := 0; from+max(least, count+1) <= len(digits); from++ {
			if nibble(s[i]) != int(digits[from]) {
				continue
			}
			n, at := 0, i
			for at < len(s) && from+n < len(digits) {
				if nibble(s[at]) == int(digits[from+n]) {
					n++
				} else if n == 0 || !separator(s[at]) || separator(s[at-1]) {
					break
				}
				at++
			}
			for n > 0 && at > i && separator(s[at-1]) {
				at--
			}
			if n >= least && n > count {
				best, count = span{int16(i), int16(at)}, n
			}
		}
	}
	return best, count
}

// nibble returns the value of a hexadecimal digit in lower case, or -1.
func nibble(c byte) int { return int(nibbles[c]) }

var nibbles = func() (t [256]int8) {
	for c := range t {
		t[c] = -1
		if digit(byte(c)) {
			t[c] = int8(c - '0')
		} else if c >= 'a' && c <= 'f' {
			t[c] = int8(c - 'a' + 10)
		}
	}
	return t
}()
