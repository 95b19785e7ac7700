package doctor

import (
	"cmp"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
)

// What our own network lacks is noted as missing, and never held against
// anybody. A domain whose MX host was not examined has not passed all the same.

// barred notes the servers that we would not, or could not, connect to.
func (w *walk) barred() {
	why := map[evidence.SMTPOutcome]string{
		evidence.NotAllowed:  "no connection is made to such an address",
		evidence.OverBudget:  "too many connections were made already",
		evidence.Unconnected: "there was no time left",
	}
	left := map[evidence.SMTPOutcome][]string{}
	floor := map[evidence.SMTPOutcome]Verdict{}
	for _, s := range w.subjects {
		if s.smtp != nil && why[s.smtp.Outcome] != "" {
			left[s.smtp.Outcome] = append(left[s.smtp.Outcome], s.addr.String())
			if s.role == AsMX {
				floor[s.smtp.Outcome] = Unknown
			}
			s.smtp = nil
		}
	}
	for _, outcome := range []evidence.SMTPOutcome{evidence.NotAllowed, evidence.OverBudget, evidence.Unconnected} {
		if len(left[outcome]) > 0 {
			w.missing(cmp.Or(floor[outcome], Pass), "port 25 of %s was not examined: %s", strings.Join(left[outcome], ", "), why[outcome])
		}
	}
}

// holderless notes the addresses of which no registry told in its time who holds
// them. Nothing is judged by that.
func (w *walk) holderless() {
	var late []string
	for _, s := range w.subjects {
		if s.origin != nil && s.origin.Late {
			late = append(late, s.addr.String())
			if *s.origin == (evidence.Origin{Late: true}) {
				s.origin = nil
			}
		}
	}
	if len(late) > 0 {
		w.missing(Pass, "who holds %s is not known: the registry (RDAP) did not answer in time", strings.Join(late, ", "))
	}
}

// familyless notes the servers that can't be reached for want of an address
// family here, as servers of the other one can.
func (w *walk) familyless() {
	for _, is4 := range []bool{true, false} {
		var lost []string
		for _, s := range w.subjects {
			if s.smtp != nil && s.addr.Is4() == is4 && s.smtp.Outcome == evidence.NoRoute {
				lost = append(lost, s.addr.String())
			}
		}
		if len(lost) == 0 || w.reached(is4) || !w.reached(!is4) {
			continue
		}
		for _, s := range w.subjects {
			if s.smtp != nil && s.addr.Is4() == is4 {
				s.smtp = nil
			}
		}
		family := map[bool]string{true: "IPv4", false: "IPv6"}[is4]
		w.missing(Pass, "port 25 of %s was not examined: there is no way to %s from here", strings.Join(lost, ", "), family)
	}
}

// reached reports whether some server of the family could be tried.
func (w *walk) reached(is4 bool) bool {
	return slices.ContainsFunc(w.subjects, func(s *subject) bool {
		return s.smtp != nil && s.addr.Is4() == is4 && s.smtp.Outcome != evidence.NoRoute
	})
}

// unasked notes the zones of which no server answers us as it must, while our
// resolver has its answers from them: then it is our own way to them that is
// shut, or led elsewhere, which says nothing about the zones. Where servers
// answer, but none with authority, it takes two zones to believe that.
func (w *walk) unasked() {
	w.unheard = map[*evidence.Zone]bool{}
	var unfound, silent, led, barred []*evidence.Zone
	good := false
	for _, s := range w.subjects {
		for _, z := range s.zones() {
			has := states(z)
			good = good || has[evidence.Authoritative]
			answer := s.answer(z.Question)
			switch {
			case answer == nil: // examined for the remedy only
				w.unheard[z] = true
			case !answer.State.Complete(), has[evidence.Authoritative]:
			case !finding.Found(z):
				unfound = append(unfound, z)
			case has[evidence.Lame], has[evidence.Garbled], has[evidence.Addressless]:
				led = append(led, z)
			case has[evidence.Silent], has[evidence.Unreachable]:
				silent = append(silent, z)
			case has[evidence.Barred]:
				barred = append(barred, z)
			}
		}
	}
	w.note(unfound, "which zone it is could not be found out, though our DNS server has its answers from it")
	w.note(barred, "no connection is made to such addresses")
	w.note(silent, "none answers us, though our DNS server has its answers from them; UDP and TCP port 53 may be shut on our way out")
	if !good && len(apexes(led)) > 1 {
		w.note(led, "none answers us with authority, though our DNS server has its answers from them; something on our way out may answer in their place")
	}
	w.halfHeard()
}

// halfHeard notes the reverse zones that were not examined to the end.
func (w *walk) halfHeard() {
	var zones []*evidence.Zone
	for _, s := range w.subjects {
		if w.halfAsked(s) {
			zones = append(zones, s.reverse)
		}
	}
	if len(zones) > 0 {
		w.missing(Unknown, "the name servers of %s were not all heard: the time or the number of questions for them was used up", strings.Join(apexes(zones), ", "))
	}
}

func states(z *evidence.Zone) map[evidence.ServerState]bool {
	has := map[evidence.ServerState]bool{}
	for i := range z.Servers {
		has[z.Servers[i].State] = true
	}
	return has
}

func apexes(zones []*evidence.Zone) []string {
	var names []string
	for _, z := range zones {
		name := z.Apex.String()
		if !finding.Found(z) {
			name = z.Question.Name.String()
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (w *walk) note(zones []*evidence.Zone, why string) {
	if len(zones) == 0 {
		return
	}
	for _, z := range zones {
		w.unheard[z] = true
	}
	w.missing(Pass, "the name servers of %s could not be asked one by one: %s", strings.Join(apexes(zones), ", "), why)
}
