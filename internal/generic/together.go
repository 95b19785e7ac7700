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
	whole := x.any(fourOctets, threeOctets, hexAddress, allGroups, someGroups)
	part := x.any(twoOctets, twoShort, twoOther, networkOctets, hexPart, fewGroups)
	last := x.any(lastOctet1, lastOctet2, lastOctet3)
	numbered := x.any(oneNumber, twoNumbers, moreNumbers, hashLabel, mixedLabel)
	post, rent := x.says(mail), x.says(hosting)
	line := x.says(dynamic) || x.says(access) || x.says(unassigned) || x.says(nat) || x.says(guest)
	named := line || rent || x.says(customer) || x.says(static)

	at := x.address()
	x.at(wholeAddress, at, x.any(fourOctets, hexAddress, allGroups))
	x.at(addressMail, at, whole && post)
	x.at(beforeMail, at, (whole || part) && x.Has(restWord+Sign(mail)))
	x.at(partMail, at, part && post)
	x.at(lastMail, at, last && post)
	x.at(addressPlain, at, (whole || part) && !post && !named)
	x.at(lastNamed, at, last && !post && (named || x.Has(firstWord+Sign(reverse))))

	x.when(lineNumbered, line && numbered)
	x.when(dynamicNumbered, numbered && (x.says(dynamic) || x.says(unassigned)))
	x.when(linePlain, line && !numbered && !whole && !part && !last)
	x.when(lineMail, line && post)
	x.when(hostingNumbered, rent && numbered)
	x.when(hostingPlain, rent && !numbered && !whole && !part)
	x.when(customerNumbered, x.says(customer) && numbered)
	x.when(staticNumbered, x.says(static) && numbered)
	x.when(staticMail, x.says(static) && post)
	x.when(zone6, x.Has(family6) && !post && x.Has(restWord+Sign(reverse)) &&
		x.any(mixedLabel, moreNumbers, number3, number4, number5, number7, hashLabel))
	long := x.any(number5, number7, hashLabel, uuidLabel)
	x.when(rentedNumber, long && rent)
	x.when(servedNumber, long && (x.says(server) || x.any(orgWord+Sign(hosting), orgWord+Sign(server))))
	x.when(placeholder, x.c.first > 0 && noName(x.c.s[:x.c.first]))
}

// noName reports whether the label says that there is no name.
func noName(label string) bool {
	switch label {
	case "customer", "customers", "client", "clients", "cliente", "cust", "reverse", "rev", "ptr", "rdns", "dynamic",
		"unassigned", "unknown", "unused", "unallocated", "unconfigured", "undefined", "unspecified", "unregistered",
		"generic", "default", "placeholder", "reserved", "noname", "noptr", "norev", "nodns", "norecord", "notset",
		"no-name", "no-ptr", "no-rev", "no-reverse", "no-rdns", "no-dns", "no-record", "not-set", "not-assigned":
		return true
	}
	return strings.HasPrefix(label, "hosted-by")
}
