package generic

import "slices"

// number is a run of decimal digits in the name.
type number struct {
	span
	value   int16 // up to 255; -1 when it is more than an octet
	matched uint8 // which octets it holds, as bits; 0 for none
}

// maxNumbers is the most numbers that are looked at. Names of more exist, and
// are told by those.
const maxNumbers = 24

// octets looks for the octets of an IPv4 address among the numbers, and marks
// which of them each holds. It returns the octets found.
func octets(s string, nums []number, addr [4]byte) (found uint8) {
	single := 0
	for i := range nums {
		n := &nums[i]
		if n.end-n.start > 3 {
			if m := joined(s[n.start:n.end], addr); m&^found != 0 {
				n.matched = m
				found |= m
			}
		} else if n.value >= 0 && slices.Contains(addr[:], byte(n.value)) {
			single++
		}
	}
	// A run of numbers that are the octets in order, forward or reversed, comes
	// before chance finds of one.
	for length := min(4, single); length > 1; length-- {
		for i := 0; i+length <= len(nums); i++ {
			found |= inOrder(nums[i:i+length], addr, found)
		}
	}
	for i := 0; i < len(nums) && single > 0; i++ {
		n := &nums[i]
		if n.matched != 0 || n.value < 0 || n.end-n.start == 2 && s[n.start] == '0' {
			continue // hosts are counted 01, 02, 03; octets have three digits or no zeros
		}
		for k := 3; k >= 0; k-- {
			if bit := uint8(1) << k; found&bit == 0 && n.value == int16(addr[k]) {
				n.matched = bit
				found |= bit
				break
			}
		}
	}
	return found
}

// inOrder marks numbers that are consecutive octets, forward or reversed, and
// returns which.
func inOrder(nums []number, addr [4]byte, found uint8) uint8 {
	for first := 0; first+len(nums) <= 4; first++ {
		forward, reversed := true, true
		last := first + len(nums) - 1
		for i, n := range nums {
			free := n.matched == 0 && n.value >= 0
			forward = forward && free && n.value == int16(addr[first+i])
			reversed = reversed && free && n.value == int16(addr[last-i])
		}
		bits := uint8(1<<len(nums)-1) << first
		if !forward && !reversed || found&bits != 0 {
			continue
		}
		for i := range nums {
			at := first + i
			if !forward {
				at = last - i
			}
			nums[i].matched = 1 << at
		}
		return bits
	}
	return 0
}

// joined reports which octets the digits, four or more, are: written one after
// another, with three digits each or as many as they need, forward or reversed;
// or as one number.
func joined(digits string, addr [4]byte) uint8 {
	if asNumber(digits, addr) {
		return 15
	}
	for count := 4; count > 1; count-- {
		for first := 0; first+count <= 4; first++ {
			bits := uint8(1<<count-1) << first
			part := addr[first : first+count]
			if len(digits) == 3*count && (padded(digits, part, false) || padded(digits, part, true)) {
				return bits
			}
			if written(digits, part, false) || written(digits, part, true) {
				return bits
			}
		}
	}
	return 0
}

// asNumber reports whether the digits are the address as one number.
func asNumber(digits string, addr [4]byte) bool {
	if len(digits) < 8 || len(digits) > 10 {
		return false
	}
	v := uint64(0)
	for i := range len(digits) {
		v = 10*v + uint64(digits[i]-'0')
	}
	return v == uint64(addr[0])<<24|uint64(addr[1])<<16|uint64(addr[2])<<8|uint64(addr[3])
}

func padded(digits string, octets []byte, reversed bool) bool {
	for i := range octets {
		o := octets[i]
		if reversed {
			o = octets[len(octets)-1-i]
		}
		if value(digits[3*i:3*i+3]) != int16(o) {
			return false
		}
	}
	return true
}

func written(digits string, octets []byte, reversed bool) bool {
	for i := range octets {
		o := octets[i]
		if reversed {
			o = octets[len(octets)-1-i]
		}
		n := 1
		if o > 99 {
			n = 3
		} else if o > 9 {
			n = 2
		}
		if len(digits) < n || value(digits[:n]) != int16(o) {
			return false
		}
		digits = digits[n:]
	}
	return digits == ""
}

// value returns the value of up to three digits; of more, a value over 255.
func value(digits string) int16 {
	v := int16(0)
	for i := range len(digits) {
		v = min(10*v+int16(digits[i]-'0'), 1000)
	}
	return v
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func letter(c byte) bool { return c >= 'a' && c <= 'z' }

func separator(c byte) bool { return c == '-' || c == '.' || c == '_' }
