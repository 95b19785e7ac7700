package generic

// shapes names the signs that are no words.
var shapes = [firstWord]string{
	base: "any name", family6: "IPv6",
	fourOctets: "octets", threeOctets: "three octets", networkOctets: "network's octets", twoOctets: "last two octets",
	twoShort: "last two octets, short", twoOther: "two octets", lastOctet3: "last octet of 3 digits",
	lastOctet2: "last octet of 2 digits", lastOctet1: "last octet of 1 digit", otherOctet: "one octet",
	zeroPadded: "octet with zeros", numberEndsIn: "number that ends in the last octet",
	hexAddress: "hex", hexPart: "hex of the last octets",
	allGroups: "groups", someGroups: "some groups", fewGroups: "one group", hardware: "hardware address",
	orgOctets: "octets in the domain", wholeAddress: "whole address",
	addressMail: "address beside mail", partMail: "part of the address beside mail", lastMail: "last octet beside mail",
	lastNamed:    "last octet beside a word",
	addressPlain: "address without words",
	noDigits:     "no digits", oneNumber: "one other number", twoNumbers: "two other numbers", moreNumbers: "more numbers",
	number1: "number of 1 digit", number2: "number of 2 digits", number3: "number of 3 digits",
	number4: "number of 4 digits", number5: "number of 5 digits", number7: "number of 7 digits",
	hashLabel: "hash", uuidLabel: "UUID", mixedLabel: "letters and digits mixed", firstDigits: "first label of digits",
	firstNumbered: "first label with one number",
	noHost:        "the domain itself", oneLabel: "one label", twoLabels: "two labels", threeLabels: "three labels",
	moreLabels:   "more labels",
	lineNumbered: "line with number", linePlain: "line without number", lineMail: "line beside mail",
	hostingNumbered: "machine with number", hostingPlain: "machine without number", rentedNumber: "long number of a machine", servedNumber: "long number at a hoster",
	dynamicNumbered: "dynamic with number", beforeMail: "address before a mail word",
	customerNumbered: "customer with number", staticNumbered: "static with number", zone6: "zone of IPv6 with number", staticMail: "static beside mail", severalMail: "another mail word",
	placeholder:     "placeholder",
	providerDynamic: "lines of a provider", providerStatic: "machines of a provider", providerOwn: "pool of a sender",
}

// zones names the places of words.
var zones = [...]string{"first label", "other labels", "domain"}

// String names the sign, as "octets" or "mail word in the first label".
func (s Sign) String() string {
	if s < firstWord {
		return shapes[s]
	}
	w := s - firstWord
	return classNames[w%Sign(classCount)] + " word in the " + zones[w/Sign(classCount)]
}

// Weight returns what the sign adds to the logit of the score.
func (s Sign) Weight() float64 { return float64(weights[s]) / hundred }
