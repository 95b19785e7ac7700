package main

import "github.com/arpagate/arpagate/internal/generic"

// priors are what is believed of a sign before any name is looked at, in
// logits. They are pulled to what the names say, and hold where these are few.
var priors = map[string]float64{
	"octets": 2, "whole address": 2, "hex": 1, "hex of the last octets": 4, "groups": 1, "some groups": 2,
	"three octets": 3, "last two octets": 2, "network's octets": 1, "octets in the domain": 2, "hardware address": 3,
	"octet with zeros": 1, "last octet beside a word": 2,
	"UUID": 4, "number of 1 digit": -0.5, "number of 2 digits": -0.5, "number of 5 digits": 0.5, "number of 7 digits": 1,
	"the domain itself": -2, "no digits": -2, "placeholder": 7.5,
	"lines of a provider": 2.5, "machines of a provider": 2.5, "pool of a sender": -3.5,
	"long number at a hoster": 1.5, "long number of a machine": 2.5, "line with number": 1.5, "dynamic with number": 2, "address before a mail word": -2, "zone of IPv6 with number": 3, "letters and digits mixed": 0.5, "another mail word": -1,

	"mail word in the first label": -3, "mail word in the other labels": -2.5, "mail word in the domain": -1.5,
	"dynamic word in the first label": 2, "dynamic word in the other labels": 2,
	"unassigned word in the first label": 2.5, "unassigned word in the other labels": 2,
	"access word in the first label": 1.5, "access word in the other labels": 1.5,
	"nat word in the first label": 0.5, "nat word in the other labels": 1,
	"guest word in the first label": 1, "guest word in the other labels": 1,
	"customer word in the first label": 1, "customer word in the other labels": 1,
	"static word in the other labels": 1,
}

func prior() []float64 {
	p := make([]float64, generic.SignCount)
	for s := range p {
		p[s] = priors[generic.Sign(s).String()]
	}
	return p
}
