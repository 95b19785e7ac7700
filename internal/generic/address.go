package generic

// numbers splits the runs of digits out of s.
func numbers(dst []number, s string) []number {
	for i := 0; i < len(s) && len(dst) < cap(dst); i++ {
		if !digit(s[i]) {
			continue
		}
		start := i
		for i < len(s) && digit(s[i]) {
			i++
		}
		n := number{span: span{int16(start), int16(i)}, value: value(s[start:i])}
		if n.value > 255 || i-start > 3 {
			n.value = -1
		}
		dst = append(dst, n)
	}
	return dst
}

// ofOctets finds an IPv4 address.
func (x *Signs) ofOctets(nums []number, addr [4]byte) {
	s := x.c.s
	found := octets(s, nums, addr)
	var all span
	digits, runs := 0, 0
	for i := range nums {
		n := nums[i]
		if n.matched == 0 {
			if n.end-n.start > 4 && value(s[n.end-3:n.end]) == int16(addr[3]) {
				x.add(numberEndsIn, n.span)
			}
			continue
		}
		if all.empty() {
			all.start = n.start
		}
		all.end = n.end
		runs++
		digits += int(n.end - n.start)
		if s[n.start] == '0' && n.end-n.start > 2 {
			x.add(zeroPadded, n.span)
		}
	}
	switch last := found&8 != 0; found {
	case 0:
	case 15:
		x.add(fourOctets, all)
	case 14, 13, 11:
		x.add(threeOctets, all)
	case 7:
		x.add(networkOctets, all)
	case 12:
		if digits > 3 {
			x.add(twoOctets, all)
		} else {
			x.add(twoShort, all)
		}
	case 8:
		x.add(lastOctet1-Sign(min(digits, 3)-1), all)
	default:
		if last || runs > 1 {
			x.add(twoOther, all)
		} else {
			x.add(otherOctet, all)
		}
	}
	if found == 15 {
		return
	}
	longest := longestHex(s)
	if longest >= 8 {
		if p, n := hexRun(s, addr[:], 8); n == 8 {
			x.add(hexAddress, p)
			return
		}
	}
	if longest < 4 {
		return
	}
	if p, ok := hexEnd(s, addr); ok {
		x.add(hexPart, p)
	}
}

// hexEnd finds the last two octets as four hexadecimal digits on their own.
func hexEnd(s string, addr [4]byte) (span, bool) {
	for i := 0; i+4 <= len(s); i++ {
		if nibble(s[i]) != int(addr[2]>>4) || i > 0 && nibble(s[i-1]) >= 0 || i+4 < len(s) && nibble(s[i+4]) >= 0 {
			continue
		}
		if nibble(s[i+1]) == int(addr[2]&15) && nibble(s[i+2]) == int(addr[3]>>4) && nibble(s[i+3]) == int(addr[3]&15) {
			return span{int16(i), int16(i + 4)}, true
		}
	}
	return span{}, false
}

// ofGroups finds an IPv6 address.
func (x *Signs) ofGroups(nums []number, b [16]byte) {
	s := x.c.s
	r := groups(s, b)
	p, n := span{}, 0
	if r.groups < 8 && longestHex(s) >= 8 {
		p, n = hexRun(s, b[:], 8)
	}
	switch {
	case n == 32 || r.groups == 8 || r.last && r.groups >= 3 && r.digits >= 6:
		x.add(allGroups, longer(r.span, p))
	case n >= 8 || r.digits >= 5:
		x.add(someGroups, longer(r.span, p))
	case r.digits >= 3:
		x.add(fewGroups, r.span)
	}
	// An address of the other family is in some: as decimal digits, as the last
	// 32 bits, or after the prefix of 6to4.
	if r.groups > 2 {
		return
	}
	x.ofHardware(b)
	for _, v4 := range [...][4]byte{{decimal(b[8:]), decimal(b[10:]), decimal(b[12:]), decimal(b[14:])}, [4]byte(b[12:]), [4]byte(b[2:6])} {
		if v4[0] == 0 || v4[1]|v4[2] == 0 {
			continue
		}
		if octets(s, nums, v4) == 15 {
			x.add(allGroups, span{nums[0].start, nums[len(nums)-1].end})
			break
		}
		for i := range nums {
			nums[i].matched = 0
		}
	}
}

// ofHardware finds the hardware address that the interface identifier was made
// from, RFC 4291 §2.5.1.
func (x *Signs) ofHardware(b [16]byte) {
	if b[11] != 0xff || b[12] != 0xfe {
		return
	}
	mac := [...]byte{b[8] ^ 2, b[9], b[10], b[13], b[14], b[15]}
	if p, n := hexRun(x.c.s, mac[:], 12); n == 12 {
		x.add(someGroups, p)
	}
}

// decimal reads a group as if its digits were decimal, as in 2001:db8::203:0:113:9.
func decimal(b []byte) byte {
	v := 0
	for _, d := range [...]byte{b[0] >> 4, b[0] & 15, b[1] >> 4, b[1] & 15} {
		v = 10*v + int(d)
	}
	if v > 255 {
		return 0
	}
	return byte(v)
}

func longer(a, b span) span {
	if a.end-a.start >= b.end-b.start {
		return a
	}
	return b
}

// longestHex returns the length of the longest run of hexadecimal digits,
// single separators not counted.
func longestHex(s string) int {
	best, n := 0, 0
	for i := range len(s) {
		switch {
		case nibble(s[i]) >= 0:
			n++
			best = max(best, n)
		case !separator(s[i]) || i > 0 && separator(s[i-1]):
			n = 0
		}
	}
	return best
}
