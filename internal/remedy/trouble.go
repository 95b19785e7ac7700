package remedy

import (
	"fmt"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// dnsTrouble tells the zone's servers from our own DNS server: by those that were
// asked one by one, and by the way in which the question ended.
func (j *job) dnsTrouble() {
	z := j.askedZone()
	if bad := faultyServers(z); len(bad) > 0 {
		j.zoneTrouble(z, fmt.Sprintf("Have the name servers of %s put right.", zoneText(z)))
		for _, s := range bad {
			j.say("%s", s)
		}
		return
	}
	if j.Finding.Args.State == evidence.Bogus {
		j.zoneTrouble(z, fmt.Sprintf("Have the DNSSEC signatures of %s put right: the DNS server that was asked validates them, and refuses the answer.", zoneText(z)))
		j.say("Have the zone signed anew, or the DS record taken out of the parent zone until it is: an expired signature, or a changed key whose DS record was forgotten, are the usual causes.")
		j.caution("If names of other signed zones can't be looked up either, the clock or the trust anchor of the DNS server that was asked is wrong.")
		return
	}
	j.ourTrouble(z)
}

func (j *job) zoneTrouble(z *evidence.Zone, do string) {
	r := j.out
	r.Party, r.Who, r.Contact, r.Do = ZoneOperator, zoneWho(z, j.Finding.Args.Name), contactOf(z), do
	if z != nil && z == j.Reverse {
		r.Who, r.Contact = j.holder.who, j.holder.contact
	}
}

// ourTrouble says what is to be done at the DNS server that was asked.
func (j *job) ourTrouble(z *evidence.Zone) {
	r, args := j.out, &j.Finding.Args
	r.Party = OurDNS
	server := "the DNS server that was asked"
	if args.Server.IsValid() {
		server = "the DNS server " + args.Server.String()
		r.Who = "whoever runs " + server
	}
	heard := known{zone: z}.heard()
	switch {
	case args.State == evidence.Failed && strings.Contains(args.Why, "connection refused"):
		r.Do = fmt.Sprintf("Start %s, or name another one (--dns): none runs there (connection refused).", server)
	case args.State == evidence.Filtered:
		r.Do = fmt.Sprintf("Ask through another DNS server (--dns): %s says that it withholds or rewrites this answer.", server)
	case len(heard) > 0:
		r.Do = fmt.Sprintf("Look at %s: the fault is there, for the zone's own servers answer (%s).", server, saidBy(heard[0], z))
		j.say("Ask once more through another DNS server (--dns). If that one answers, see the log of the first: it may not reach the servers of %s, or remember an old failure.", zoneText(z))
	default:
		r.Do = "Look up other addresses with the same DNS server: if none can be found, the fault is there; if all others can, it lies with the servers of this zone."
	}
	j.caution("A question that was not answered says nothing about the address: nothing has to be changed there yet.")
	if v := When(j.Now, false, Change{What: "answer", Zone: z}); v != nil && z != nil {
		v.First, v.Last = j.Now, j.Now.Add(time.Hour)
		v.Because = []string{"a failure is remembered for minutes at most, once the servers answer again"}
		r.Visible = v
	}
}

// askedZone is the zone that the unanswered question was for, as its servers gave
// it; nil where they were not asked.
func (j *job) askedZone() *evidence.Zone {
	name := j.Finding.Args.Name
	if name.IsZero() || j.Reverse != nil && (j.Reverse.Question.Name == name || j.Reverse.Name == name) {
		return j.Reverse
	}
	for _, z := range j.Forward {
		if z != nil && (z.Question.Name == name || z.Name == name) {
			return z
		}
	}
	return nil
}

// saidBy is what a server of the zone answered, for a sentence.
func saidBy(a *evidence.Answer, z *evidence.Zone) string {
	switch {
	case a.State.Negative():
		return fmt.Sprintf("that %s has no such record, %s", z.Name, a.State.Mnemonic())
	case len(a.Names) > 0:
		return "with " + listNames(a.Names)
	case len(a.Addrs) > 0:
		return "with " + a.Addrs[0].String()
	default:
		return "with a record"
	}
}

// root is no zone that anybody looks after for one host: a resolver that finds no
// closer one has not found it.
var root = dnsname.MustParse(".")
