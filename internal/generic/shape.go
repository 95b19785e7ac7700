package generic

import "strings"

// ofShape looks at labels and numbers.
func (x *Signs) ofShape(nums []number) {
	c := &x.c
	labels := 0
	for i := 0; i < c.host; {
		end := i
		for end < c.host && c.s[end] != '.' {
			end++
		}
		x.ofLabel(c.s[i:end], i)
		labels++
		i = end + 1
	}
	if labels == 0 {
		x.add(noHost, span{})
	} else {
		x.add(oneLabel+Sign(min(labels, 4))-1, span{})
	}
	x.ofNumbers(nums)
}

// ofNumbers looks at the numbers that are not of the address.
func (x *Signs) ofNumbers(nums []number) {
	c := &x.c
	free := 0
	for i, n := range nums {
		if int(n.start) >= c.host {
			break
		}
		at := int(n.start)
		if n.matched != 0 || x.taken.holds(at) || x.where[hashLabel].holds(at) || x.where[hardware].holds(at) ||
			x.where[uuidLabel].holds(at) || version(c.s, n.span) {
			continue
		}
		free++
		switch n := n.end - n.start; {
		case n >= 7:
			x.add(number7, nums[i].span)
		case n >= 5:
			x.add(number5, nums[i].span)
		default:
			x.add(number1+Sign(n)-1, nums[i].span)
		}
	}
	p := x.where[fourOctets]
	if x.Has(networkOctets) {
		p = x.where[networkOctets]
	}
	x.at(orgOctets, p, x.Has(fourOctets) && int(p.end) > c.org || x.Has(networkOctets) && int(p.start) >= c.org)
	x.when(noDigits, c.host > 0 && x.taken.empty() && (len(nums) == 0 || int(nums[0].start) >= c.host))
	x.when(oneNumber, free == 1)
	x.when(twoNumbers, free == 2)
	x.when(moreNumbers, free > 2)
}

// version reports whether the number is that of an IP version, as in "v6" or
// "ip4".
func version(s string, n span) bool {
	if n.start == 0 || n.end-n.start != 1 || s[n.start] != '4' && s[n.start] != '6' {
		return false
	}
	before := s[:n.start]
	if strings.HasSuffix(before, "ip") {
		return true
	}
	before, found := strings.CutSuffix(before, "v")
	return found && (before == "" || !letter(before[len(before)-1]) || strings.HasSuffix(before, "ip"))
}

// ofLabel looks at the shape of a label.
func (x *Signs) ofLabel(label string, start int) {
	digits, letters, turns, hex := 0, 0, 0, 0
	for i := range len(label) {
		d := digit(label[i])
		if d {
			digits++
		} else if letter(label[i]) {
			letters++
		}
		if nibble(label[i]) >= 0 {
			hex++
		}
		if i > 0 && d != digit(label[i-1]) && label[i] != '-' && label[i-1] != '-' {
			turns++
		}
	}
	at := span{int16(start), int16(start + len(label))}
	if len(label) >= 36 && !x.taken.holds(start) && uuid(label) {
		x.add(uuidLabel, at)
	}
	if hex >= 8 && digits > 1 && !x.taken.holds(start) {
		x.ofHash(label, start)
		x.ofPairs(label, start)
	}
	if turns >= 4 && letters >= 3 && !x.taken.holds(start) {
		x.add(mixedLabel, at)
	}
	if start == 0 {
		p := x.where[allGroups]
		bare := letters == 0 || p.start == 0 && !p.empty() && int(p.end) >= len(label)
		x.when(firstDigits, digits > 0 && bare)
		x.when(firstNumbered, digits > 0 && !bare && turns <= 1)
	}
}

// ofHash looks for a hash or a hardware address.
func (x *Signs) ofHash(label string, start int) {
	p, ok := hexWord(label, 8)
	if !ok {
		return
	}
	at := span{int16(start) + p.start, int16(start) + p.end}
	x.add(hashLabel, at)
	x.at(hardware, at, p.end-p.start == 12)
}

// ofPairs looks for a hardware address in pairs of digits, as
// 00-00-5e-00-53-01.
func (x *Signs) ofPairs(label string, start int) {
	const length = 6*3 - 1
	for i := 0; i+length <= len(label); i++ {
		if i > 0 && nibble(label[i-1]) >= 0 || i+length < len(label) && nibble(label[i+length]) >= 0 {
			continue
		}
		ok := true
		for k := 0; k < length && ok; k++ {
			ok = (label[i+k] == '-') == (k%3 == 2) && (k%3 == 2 || nibble(label[i+k]) >= 0)
		}
		if ok {
			x.add(hardware, span{int16(start + i), int16(start + i + length)})
			return
		}
	}
}

// hexWord finds a run of at least so many hexadecimal digits, with letters and
// digits mixed, as in vps-1a2b3c4d.
func hexWord(label string, least int) (span, bool) {
	for i := 0; i < len(label); i++ {
		start, digits, letters := i, 0, 0
		for i < len(label) && nibble(label[i]) >= 0 {
			if digit(label[i]) {
				digits++
			} else {
				letters++
			}
			i++
		}
		if i-start >= least && digits > 1 && letters > 0 {
			return span{int16(start), int16(i)}, true
		}
	}
	return span{}, false
}

// uuid reports whether the label ends with the form of RFC 9562 §4, or has it
// anywhere.
func uuid(label string) bool {
	for i := 0; i+36 <= len(label); i++ {
		ok := true
		for k := range 36 {
			if hyphen := k == 8 || k == 13 || k == 18 || k == 23; hyphen != (label[i+k] == '-') || !hyphen && nibble(label[i+k]) < 0 {
				ok = false
				break
			}
		}
		if ok {
			return true
		}
	}
	return false
}
