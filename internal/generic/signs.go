package generic

import "net/netip"

// Sign is something in a name that speaks for a template or against one.
type Sign uint8

// The signs of the address in the name, of the shape of the name, and of
// combinations; those of words and providers follow.
const (
	base Sign = iota
	family6
	fourOctets
	threeOctets
	networkOctets
	twoOctets
	twoShort
	twoOther
	lastOctet3
	lastOctet2
	lastOctet1
	otherOctet
	zeroPadded
	numberEndsIn
	hexAddress
	hexPart
	allGroups
	someGroups
	fewGroups
	hardware
	addressMail
	partMail
	lastMail
	lastNamed
	addressPlain
	noDigits
	oneNumber
	twoNumbers
	moreNumbers
	number1
	number2
	number3
	number4
	number5
	number7
	hashLabel
	uuidLabel
	mixedLabel
	firstDigits
	firstNumbered
	noHost
	oneLabel
	twoLabels
	threeLabels
	moreLabels
	rentedNumber
	servedNumber
	dynamicNumbered
	beforeMail
	orgOctets
	placeholder
	severalMail
	wholeAddress
	lineNumbered
	linePlain
	lineMail
	hostingNumbered
	hostingPlain
	customerNumbered
	staticNumbered
	zone6
	staticMail
	providerDynamic
	providerStatic
	providerOwn
	firstWord // and the classes that follow
	restWord  = firstWord + Sign(classCount)
	orgWord   = restWord + Sign(classCount)
	signCount = orgWord + Sign(classCount)
)

// Signs are those of one name.
type Signs struct {
	set   [(signCount + 63) / 64]uint64
	where [signCount]span
	c     cut
	// taken is the part of the name that is an address in hexadecimal: its
	// letters and digits are neither words nor numbers.
	taken span
}

// Has reports whether the name has the sign.
func (x *Signs) Has(s Sign) bool { return x.set[s/64]>>(s%64)&1 != 0 }

func (x *Signs) add(s Sign, at span) {
	if !x.Has(s) {
		x.set[s/64] |= 1 << (s % 64)
		x.where[s] = at
	}
}

func (x *Signs) when(s Sign, yes bool) {
	if yes {
		x.add(s, span{})
	}
}

func (x *Signs) at(s Sign, at span, yes bool) {
	if yes {
		x.add(s, at)
	}
}

func (x *Signs) any(list ...Sign) bool {
	for _, s := range list {
		if x.Has(s) {
			return true
		}
	}
	return false
}

// examine finds the signs in a name.
func (x *Signs) examine(name string, addr netip.Addr) {
	x.c = cutUp(name)
	x.add(base, span{})
	var buf [maxNumbers]number
	nums := numbers(buf[:0], x.c.s)
	if addr = addr.Unmap(); addr.Is4() {
		x.ofOctets(nums, addr.As4())
	} else if addr.Is6() {
		x.add(family6, span{})
		x.ofGroups(nums, addr.As16())
	}
	if x.any(allGroups, someGroups, hexAddress, hexPart) {
		x.taken = x.address()
	}
	x.ofWords()
	x.ofShape(nums)
	x.ofProvider(name)
	x.together()
}

// SignCount is the number of signs.
const SignCount = int(signCount)
