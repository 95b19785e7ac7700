package remedy

import (
	"fmt"
	"slices"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
)

var zoneWriters = map[string]func(*job){
	"zone-lame":      zoneFault("Take the server out of the delegation, or let it serve the zone."),
	"zone-silent":    zoneFault("Make the server answer on port 53 over UDP and TCP, or take it out of the delegation."),
	"zone-disagrees": zoneFault("Find out which server has the right answer, and let the others transfer the zone from it."),
	"zone-lag":       zoneFault("Have the secondary servers transfer the zone from the primary: check the transfer's address list, key and firewall, and raise the serial with each change."),
	"zone-soa":       zoneFault("Put the numbers of the SOA record into the usual ranges: refresh 1200 to 43200, retry below refresh, expire 1209600 to 2419200, minimum 300 to 86400 (RFC 1912 §2.2)."),
	"zone-bogus":     zoneFault("Sign the zone anew, or take the DS record out of the parent zone until it is; validating resolvers refuse every answer from the zone until then."),
	"zone-island":    zoneFault("Have the DS record of the zone's key published in the parent zone, or leave the zone unsigned. Mail is not hindered by this."),
	"zone-unfound":   zoneFault("If other zones can be found from here, have the name servers above this one put right: they must name servers for it, and these must answer. If none can, the fault lies with the DNS server that was asked."),
}

// zoneFault names the zone of the finding, its servers at fault, and what to do.
func zoneFault(do string) func(*job) {
	return func(j *job) {
		z := j.zoneOfFinding()
		r := j.out
		r.Party = ZoneOperator
		r.Who, r.Contact = zoneWho(z, j.Finding.Args.Name), contactOf(z)
		if z != nil && z == j.Reverse {
			r.Who = j.holder.who
		}
		r.Do = do
		for _, s := range faultyServers(z) {
			j.say("%s", s)
		}
		switch string(j.Finding.Code) {
		case "zone-lag", "zone-disagrees":
			j.serials(z)
		case "zone-bogus":
			j.say("Have the cause looked up first: an expired signature, a changed key whose DS record was forgotten, or a server with an old copy of the zone.")
		case "zone-unfound":
			if z == nil || z == j.Reverse {
				j.describeClassless()
			}
		}
		if z != nil && z == j.Reverse && !j.holder.own {
			j.caution("This is not your zone unless you run the servers named: forward this finding to %s.", orMailbox(r.Contact, "the holder of the address"))
		}
		r.Visible = When(j.Now, false, Change{What: "zone", Zone: z, Most: 24 * time.Hour, Assumed: true})
	}
}

func orMailbox(box, other string) string {
	if box == "" {
		return other
	}
	return box
}

// zoneOfFinding is the zone that the finding is about: the one whose apex or
// name it names, or else that of the address.
func (j *job) zoneOfFinding() *evidence.Zone {
	zones := append([]*evidence.Zone{j.Reverse}, j.Forward...)
	if apex := j.Finding.Args.Zone; !apex.IsZero() {
		if i := slices.IndexFunc(zones, func(z *evidence.Zone) bool { return z != nil && z.Apex == apex }); i >= 0 {
			return zones[i]
		}
	}
	if name := j.Finding.Args.Name; !name.IsZero() {
		for _, z := range zones {
			if z != nil && (z.Name == name || z.Question.Name == name || name.Under(z.Apex)) {
				return z
			}
		}
	}
	return j.Reverse
}

// faultyServers has a sentence for each server that does not do its duty.
func faultyServers(z *evidence.Zone) []string {
	if z == nil {
		return nil
	}
	var out []string
	for i := range z.Servers {
		s := &z.Servers[i]
		why := ""
		switch s.State {
		case evidence.Lame:
			why = "answers, but not for this zone: set the zone up there, or take the server out of the delegation"
		case evidence.Silent:
			why = "does not answer in time: check that it runs and that its firewall lets port 53 through, UDP and TCP"
		case evidence.Unreachable:
			why = "can't be reached: check its address and route"
		case evidence.Addressless:
			why = "has no address: give its name an address record, or name another server"
		case evidence.Garbled:
			why = "sends answers that can't be read"
		case evidence.Authoritative, evidence.Barred, evidence.Unasked:
			if s.State == evidence.Authoritative && s.Answer.State.Trouble() {
				why = "fails with " + s.Answer.State.Mnemonic() + ": look into its log"
			}
		}
		if why != "" {
			out = append(out, fmt.Sprintf("%s %s.", serverText(s), why))
		}
	}
	return out
}

// serials lists what each server has.
func (j *job) serials(z *evidence.Zone) {
	if z == nil {
		return
	}
	if string(j.Finding.Code) == "zone-disagrees" && !serialsDiffer(z) {
		j.say("All servers have the same serial, and yet not the same records: they don't get the zone from each other. Feed them from one source, and raise the serial with each change.")
		return
	}
	for i := range z.Servers {
		if s := &z.Servers[i]; s.SOA != nil && len(j.out.Steps) < 12 {
			j.say("%s has serial %d.", serverText(s), s.SOA.Serial)
		}
	}
}
