package generic

import "slices"

// number is a run of digits in a name, s[start:end]; value is -1 when it is no
// octet.
type number struct{ value, start, end int16 }

// maxNumbers is the number of digit runs that a host name can have; escapes in a
// name that is none may make it longer, which costs an allocation.
const maxNumbers = 127

// octets looks for an IPv4 address: all octets in decimal or hexadecimal, or
// the last two or three.
func octets(s string, addr [4]byte) (kind, part string) {
	var buf [maxNumbers]number
	nums := numbers(buf[:0], s)
	for i := range nums {
		if all(nums[i:], addr) {
			return "octets", s[nums[i].start:nums[i+3].end]
		}
	}
	for _, n := range nums {
		if digits := s[n.start:n.end]; padded(digits, addr) {
			return "octets", digits
		}
	}
	if from, to := hex(s, addr[:]); to > 0 {
		return "hex", s[from:to]
	}
	for i := range nums {
		if n := last(s, nums[i:], addr); n > 0 {
			return "last octets", s[nums[i].start:nums[i+n-1].end]
		}
	}
	return "", ""
}

// numbers splits the runs of digits out of s.
func numbers(dst []number, s string) []number {
	for i := 0; i < len(s); i++ {
		if !digit(s[i]) {
			continue
		}
		n := number{start: int16(i)}
		for ; i < len(s) && digit(s[i]); i++ {
			n.value = min(10*n.value+int16(s[i]-'0'), 256)
		}
		if n.end = int16(i); n.value > 255 || n.end-n.start > 3 {
			n.value = -1
		}
		dst = append(dst, n)
	}
	return dst
}

// all reports whether the first four numbers are the four octets. Templates
// write them forward, reversed, and with words or the last octet in front, so
// any order and anything between them will do.
func all(nums []number, addr [4]byte) bool {
	if len(nums) < 4 {
		return false
	}
	var have, want [4]int16
	for i, n := range nums[:4] {
		if n.value < 0 || !slices.Contains(addr[:], byte(n.value)) {
			return false // as nearly always
		}
		have[i], want[i] = n.value, int16(addr[i])
	}
	slices.Sort(have[:])
	slices.Sort(want[:])
	return have == want
}

// padded reports whether the digits are octets of three digits each, forward or
// reversed: all four, or the last three or two.
func padded(digits string, addr [4]byte) bool {
	count := len(digits) / 3
	if count < 2 || count > 4 || len(digits)%3 != 0 {
		return false
	}
	forward, reversed := true, true
	for i := range count {
		d := digits[3*i:]
		v := 100*int(d[0]-'0') + 10*int(d[1]-'0') + int(d[2]-'0')
		forward = forward && v == int(addr[4-count+i])
		reversed = reversed && v == int(addr[3-i])
	}
	return forward || reversed
}

// last returns 3 or 2 when that many numbers, with one separator between them,
// are the last octets, forward or reversed; else 0. Less than
// "1-23" proves nothing.
func last(s string, nums []number, addr [4]byte) int {
	for n := 3; n >= 2; n-- {
		if len(nums) < n || nums[n-1].end-nums[0].start < 4 {
			continue
		}
		forward, reversed := true, true
		for i, num := range nums[:n] {
			apart := i == 0 || num.start-nums[i-1].end == 1 && separator(s[nums[i-1].end])
			forward = forward && apart && num.value == int16(addr[4-n+i])
			reversed = reversed && apart && num.value == int16(addr[3-i])
		}
		if forward || reversed {
			return n
		}
	}
	return 0
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func separator(c byte) bool { return c == '-' || c == '.' || c == '_' }
