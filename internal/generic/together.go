package generic

import "strings"

// address returns where the most of the address was found.
func (x *Signs) address() (at span) {
	for s := fourOctets; s <= fewGroups; s++ {
		if s != zeroPadded && s != numberEndsIn && x.Has(s) {
			at = longer(at, x.where[s])
		}
	}
	return at
}

// together adds the signs that others make together.
func (x *Signs) together() {
	word := func(c class) bool { return x.Has(firstWord+Sign(c)) || x.Has(restWord+Sign(c)) }
	whole := x.any(fourOctets, threeOctets, hexAddress, allGroups, someGroups)
	part := x.any(twoOctets, twoShort, twoOther, networkOctets, hexPart, fewGroups)
	last := x.any(lastOctet1, lastOctet2, lastOctet3)
	numbered := x.any(oneNumber, twoNumbers, moreNumbers, hashLabel, mixedLabel)
	post := word(mail)
	line := word(dynamic) || word(access) || word(unassigned) || word(nat) || word(guest)
	rent := word(hosting)
	address := x.address()
	x.at(addressMail, address, whole && post)
	x.at(partMail, address, part && post)
	x.at(lastMail, address, last && post)
	x.at(addressPlain, address, (whole || part) && !post && !line && !rent && !word(customer) && !word(static))
	x.at(wholeAddress, address, x.any(fourOctets, hexAddress, allGroups))
	x.when(rentedNumber, x.any(number5, number7, hashLabel, uuidLabel) && (x.Has(orgWord+Sign(hosting)) || x.Has(orgWord+Sign(server)) || rent || x.Has(restWord+Sign(server))))
	x.when(placeholder, x.Has(noDigits) && !post && (strings.HasPrefix(x.c.s, "hosted-by") || x.Has(firstWord+Sign(unassigned)) || x.Has(firstWord+Sign(reverse)) || x.Has(firstWord+Sign(customer))))
	x.when(lineNumbered, line && numbered)
	x.when(linePlain, line && !numbered && !whole && !part && !last)
	x.when(lineMail, line && post)
	x.when(hostingNumbered, rent && numbered)
	x.when(hostingPlain, rent && !numbered && !whole && !part)
	x.when(customerNumbered, word(customer) && numbered)
	x.when(staticNumbered, word(static) && numbered)
	x.when(zone6, x.Has(family6) && numbered && !post && x.Has(restWord+Sign(reverse)))
	x.when(staticMail, word(static) && post)
}
