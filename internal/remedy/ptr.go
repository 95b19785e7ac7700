package remedy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// setPTR has the PTR record set to the wanted name, by whoever can.
func (j *job) setPTR() {
	if p, w := j.provided(); w.refuses(j.Address) {
		j.onlyIPv4(p, w)
		return
	}
	r := j.out
	r.Party, r.Who, r.Contact = AddressHolder, j.holder.who, j.holder.contact
	r.Wanted = &j.choice
	j.addForward()
	j.addPTR()
	r.Ready = j.forwardReady()
	j.forwardStep()
	w := j.providerSteps()
	r.Do = j.task(w)
	j.describeClassless()
	r.Cautions = append(r.Cautions, j.holder.doubts...)
	if _, total := j.reverse().names(); total > 1 {
		j.caution("Keep this one PTR record and take out all others (there are %d in all): many receivers look at one only, and which one is chance.", total)
	}
	j.followHelo()
	r.Texts = texts(r.Records, j.replaced())
	if !j.holder.sure {
		r.Ticket = j.ticket()
	}
	r.Visible = j.ptrVisible(w)
}

// onlyIPv4 is the way out where the provider has no PTR records for IPv6.
func (j *job) onlyIPv4(p *provider, w *way) {
	j.out.Party = MailAdmin
	j.out.Do = fmt.Sprintf("Let the mail server send over IPv4 only: as far as is known (%s) %s sets no PTR records for IPv6.", w.Date, p.Title)
	j.ipv4Address()
	j.configure("bind", j.out.Do)
	j.caution("If %s sets them by now, send the ready message instead.", p.Title)
	j.out.Ticket = j.ticket()
	j.out.Visible = j.atOnce("the next message leaves over IPv4")
}

// ipv4Address fills in the host's IPv4 address where the finding names it.
func (j *job) ipv4Address() {
	if i := slices.IndexFunc(j.Finding.Args.Others, netip.Addr.Is4); i >= 0 {
		j.fill = newFiller(j.Address, j.choice.Name, "IPV4-ADDRESS", j.Finding.Args.Others[i].String())
	}
}

// task says in a sentence who sets the record, and how.
func (j *job) task(w *way) string {
	switch {
	case j.holder.own:
		return fmt.Sprintf("Set the PTR record of %s to %s in the zone %s, on its own name servers.", j.address(), j.name(), zoneText(j.Reverse))
	case w == nil:
		return fmt.Sprintf("Have the holder of the address set the PTR record of %s to %s; nobody else can.", j.address(), j.name())
	case w.By == "customer":
		return fmt.Sprintf("Set the PTR record of %s to %s at %s, as its customer.", j.address(), j.name(), j.holder.provider.Title)
	case w.By == "support":
		return fmt.Sprintf("Ask the support of %s to set the PTR record of %s to %s.", j.holder.provider.Title, j.address(), j.name())
	default:
		return fmt.Sprintf("Send through a smarthost: as far as is known %s sets no PTR record of your own for %s.", j.holder.provider.Title, j.address())
	}
}

// forwardStep puts the address record first: several providers refuse the name
// before it leads back.
func (j *job) forwardStep() {
	k, at := j.forward(), j.seat()
	if j.noName || k.holds(j.Address) {
		return
	}
	say := fmt.Sprintf("First publish the address record of {name} in your own zone, and wait until every name server of the zone has it%s.", j.otherAddresses())
	switch {
	case !at.instead.IsZero():
		say = fmt.Sprintf("First take the alias (CNAME to %s) of {name} out%s, put an address record in its place, and wait until every name server of the zone has it. If the alias serves something else, choose another name for the mail server.", at.instead, ofZone(at.zone))
	case len(k.answers()) == 0:
		say = "First see that {name} has its address record on every name server of its zone; publish it where it is missing."
	}
	j.step(Step{
		Say:   say,
		Lines: fmt.Sprintf("%s. %d IN %s %s", master(at.owner), k.ttl(), family(j.Address), j.address()),
	})
}

func ofZone(zone dnsname.Name) string {
	if zone.IsZero() {
		return ""
	}
	return " of the zone " + zone.String()
}

func (j *job) otherAddresses() string {
	if !j.seat().instead.IsZero() {
		return ""
	}
	for _, a := range j.forward().addrs() {
		if a != j.Address {
			return fmt.Sprintf(" (beside %s, or in its place if the server has moved)", a)
		}
	}
	return ""
}

// providerSteps adds the recipe of the provider, and returns it.
func (j *job) providerSteps() *way {
	if j.holder.own {
		j.say("Put the PTR record below into the zone %s, raise its serial and reload it.", zoneText(j.Reverse))
		if !j.holder.sure {
			j.caution("If you don't run %s yourself, send the ready message to whoever does (%s).", listNames(serverNames(j.Reverse)), orMailbox(j.holder.contact, "your provider"))
		}
		return nil
	}
	p, first := j.provided()
	if p == nil {
		j.say("Look in your provider's control panel for \"reverse DNS\", \"rDNS\" or \"PTR\" beside the address; where there is none, send the ready message.")
		j.caution("A PTR record in the zone of your own domain, or at its registrar, does nothing: the record belongs into the reverse zone of the address.")
		return nil
	}
	w := j.wayText(p, first)
	j.out.Recipe = &w.Recipe
	j.out.Steps = append(j.out.Steps, w.Steps...)
	j.out.Cautions = append(j.out.Cautions, w.Cautions...)
	var others []string
	for i := range p.Ways {
		if other := &p.Ways[i]; other != first {
			j.out.Others = append(j.out.Others, j.wayText(p, other))
			others = append(others, other.Title)
		}
	}
	if len(others) > 0 {
		j.caution("These steps are for %s. The address may belong to %s instead: there the steps are others (--verbose shows them).", first.Title, strings.Join(others, ", or "))
	}
	if first.By == "nobody" {
		j.relay()
	}
	return first
}

// provided returns the provider and the recipe of its product.
func (j *job) provided() (*provider, *way) {
	if j.holder.own || j.holder.provider == nil {
		return nil, nil
	}
	return j.holder.provider, j.holder.provider.wayOf(j.Input)
}

func (j *job) wayText(p *provider, w *way) Way {
	out := Way{
		Recipe: Recipe{ID: p.ID + "/" + w.ID, Title: w.Title, Date: w.Date, Source: w.Source, Confirmed: w.Confirmed},
		Steps:  j.fill.steps(w.Steps, w.Fill, j.Address),
	}
	out.Cautions = out.Recipe.note()
	if w.ForwardFirst {
		out.Cautions = append(out.Cautions, "The provider looks the name up first, and refuses it before it leads to the address.")
	}
	if j.Address.Is6() {
		if w.IPv6 == "unknown" {
			out.Cautions = append(out.Cautions, "Whether this provider sets PTR records for IPv6 is not known; if not, send over IPv4 instead.")
		}
	}
	for _, c := range w.Cautions {
		out.Cautions = append(out.Cautions, j.fill.r.Replace(c))
	}
	return out
}

// refuses reports whether the product has no PTR records for such addresses.
func (w *way) refuses(addr netip.Addr) bool { return w != nil && addr.Is6() && w.IPv6 == "no" }

// describeClassless explains the RFC 2317 delegation, or that there is none.
func (j *job) describeClassless() {
	j.out.Classless = classless(j.Input, j.choice.Name)
	if j.out.Classless != nil {
		return
	}
	if o := j.Origin; o != nil && j.Address.Is4() && o.Prefix.IsValid() && o.Prefix.Bits() > 24 && !j.holder.own {
		j.caution("If the block %s is yours, its holder can delegate the reverse zone to your own name servers (RFC 2317): an NS record for your zone and a CNAME for each address, in the holder's zone. A zone on your servers alone does nothing.", o.Prefix)
	}
}

// followHelo has EHLO say the name that the PTR record will hold, if another.
func (j *job) followHelo() {
	if j.noName || j.View == nil || j.View.Helo.Kind == evidence.HeloUnknown || j.View.Helo.Kind == "" {
		return
	}
	if h := &j.View.Helo; h.Kind != evidence.HeloName || h.Name != j.choice.Name {
		j.caution("The mail server says %q in EHLO. Let it say %s as well; the same name in PTR, EHLO and address record leaves no question open.", h.Said, j.choice.Name)
	}
}

// ptrVisible says when the change of the PTR record shows, with that of the
// address record where it is missing.
func (j *job) ptrVisible(w *way) *Visible {
	k := j.reverse()
	ptr := Change{What: "PTR record", Zone: k.zone, Ours: k.ours}
	if !j.holder.own {
		var known bool
		ptr.Least, ptr.Most, known = w.delay()
		ptr.Assumed = !known
	}
	if j.noName || j.forward().holds(j.Address) {
		return When(j.Now, false, ptr)
	}
	forward := j.forwardChange()
	return When(j.Now, w != nil && w.ForwardFirst, forward, ptr)
}

// several has one PTR record kept.
func (j *job) several() {
	j.setPTR()
	if j.out.Party != AddressHolder {
		return
	}
	j.out.Do = fmt.Sprintf("Have one PTR record of %s kept, %s, and the others taken out.", j.address(), j.name())
}

// generic has a name of the customer's own set, or the mail relayed.
func (j *job) generic() {
	j.setPTR()
	if string(j.Finding.Code) == "ptr-generic" && j.holder.provider == nil && !j.holder.own {
		j.caution("If this is a line with a changing address, no PTR record will help: send through your provider's or another smarthost.")
		j.relay()
	}
}

// relay adds the steps for a smarthost.
func (j *job) relay() {
	if t, _ := j.book.task(j.server, "relay"); t != nil {
		j.say("Or, where no PTR record of your own can be had, send all mail through a smarthost:")
	}
	j.configure("relay", "If no PTR record of your own can be had: send all mail through a smarthost (port 587 with a user name and password), your provider's or another.")
}

// unconfirmed either gives the PTR name its address record, where the name is
// one's own, or has another name set.
func (j *job) unconfirmed() {
	ptr := j.Finding.Args.Name
	if v := j.View; v != nil && v.Helo.Kind == evidence.HeloName && slices.ContainsFunc(v.IPRev.Names, func(n evidence.PTRName) bool { return n.Name == v.Helo.Name }) {
		ptr = v.Helo.Name // of several PTR names the one that the mail server says
	}
	if !safe(ptr) || j.foreign(ptr) {
		j.setPTR()
		return
	}
	j.choice = Choice{Name: ptr, Change: "forward", Why: "it is the present PTR name; only its address record is missing"}
	j.noName, j.fill = false, newFiller(j.Address, ptr)
	j.publish()
	j.caution("If %s is not a name of yours, have the holder of the address set the PTR record to a name that is.", ptr)
}

// foreign reports whether the PTR name is none of the names that the operator
// uses, while there is one that would do.
func (j *job) foreign(ptr dnsname.Name) bool {
	return !j.noName && j.choice.Name != ptr && j.choice.Name.Org() != ptr.Org()
}

// publish has the address record of the chosen name published.
func (j *job) publish() {
	r := j.out
	name := j.choice.Name
	z := forwardZone(j.Input, name)
	r.Party, r.Wanted = ZoneOperator, &j.choice
	r.Who, r.Contact = zoneWho(z, name), contactOf(z)
	r.Do = fmt.Sprintf("Add an %s record with %s to %s.", family(j.Address), j.address(), name)
	j.addForward()
	switch at := j.seat(); {
	case !at.instead.IsZero():
		j.say("Take the alias (CNAME to %s) of %s out%s, put the record below in its place, raise the serial and reload the zone.", at.instead, name, ofZone(at.zone))
		j.caution("If the alias serves something else, use a name of its own for the mail server instead.")
	case j.forward().holds(j.Address):
		r.Do = fmt.Sprintf("Wait until the old answer is forgotten: %s has the address %s by now.", name, j.address())
	default:
		j.say("Add the record below to the zone of %s, raise its serial and reload it%s.", at.owner, j.otherAddresses())
		if at.owner != name {
			j.caution("%s is an alias of %s: the address record belongs there.", name, at.owner)
		}
	}
	j.caution("If the name stands for a web site behind a CDN or proxy, use a name of its own for the mail server instead.")
	r.Texts = texts(r.Records, replaced{})
	r.Visible = When(j.Now, false, j.forwardChange())
}

// forwardChange is the change of the wanted name's address record.
func (j *job) forwardChange() Change {
	k := j.forward()
	return Change{What: family(j.Address).String() + " record", Zone: k.zone, Ours: k.ours}
}

func zoneWho(z *evidence.Zone, name dnsname.Name) string {
	switch {
	case z != nil && !z.Apex.IsZero() && z.Apex != root && len(serverNames(z)) == 0:
		return fmt.Sprintf("whoever runs the zone %s", z.Apex)
	case z != nil && !z.Apex.IsZero() && z.Apex != root:
		return fmt.Sprintf("whoever runs the zone %s on %s", z.Apex, listNames(serverNames(z)))
	case !name.IsZero():
		return "whoever runs the DNS zone of " + name.String()
	default:
		return whoOf[ZoneOperator]
	}
}

// longChain has the aliases before the PTR record shortened.
func (j *job) longChain() {
	name := j.Finding.Args.Name
	if arpa := dnsname.MustParse("arpa"); name.IsZero() || name.Under(arpa) {
		if j.Finding.Args.Why == string(evidence.ChainLoop) || j.Reverse != nil && j.Reverse.ChainFault == evidence.ChainLoop {
			j.breakRing()
			return
		}
		if j.setPTR(); j.out.Party == AddressHolder {
			j.out.Do = fmt.Sprintf("Have the PTR record of %s reached by one alias at most (RFC 2317).", j.address())
			j.straighten()
		}
		return
	}
	z := forwardZone(j.Input, name)
	j.out.Party, j.out.Who, j.out.Contact = ZoneOperator, zoneWho(z, name), contactOf(z)
	j.out.Do = fmt.Sprintf("Give %s an address record of its own in the place of the alias.", name)
	j.out.Visible = When(j.Now, false, Change{What: "record", Zone: z})
}

// breakRing has the first of the aliases that lead in a circle taken out, and the
// PTR record put in its place.
func (j *job) breakRing() {
	first := evidence.Alias{Owner: dnsname.Reverse(j.Address)}
	if z := j.Reverse; z != nil && len(z.Chain) > 0 {
		first = z.Chain[0]
		straight := evidence.Zone{Question: z.Question, Name: first.Owner, Apex: first.Zone}
		if z.Apex == first.Zone {
			straight.SOA, straight.Published, straight.Delegated = z.SOA, z.Published, z.Delegated
		}
		j.Reverse = &straight
		j.holder = j.book.holderOf(j.Input, j.choice.Name)
	}
	j.instead = first
	j.setPTR()
	if j.out.Party != AddressHolder {
		return
	}
	j.out.Do = fmt.Sprintf("Have the alias (CNAME) of %s taken out%s, for it leads in a circle, and the PTR record put in its place.", first.Owner, ofZone(first.Zone))
	j.out.Steps = append([]Step{{Say: fmt.Sprintf("The CNAME record of %s has to be deleted first: no other record can stand beside it (RFC 1034 §3.6.2).", first.Owner)}}, j.out.Steps...)
}

// straighten puts the PTR record, which is there already behind the aliases, in
// the place of the first of them.
func (j *job) straighten() {
	names, _ := j.reverse().names()
	if j.Reverse == nil || len(j.Reverse.Chain) == 0 || len(names) == 0 || !safe(names[0]) {
		return
	}
	first := j.Reverse.Chain[0]
	r := j.out
	r.Records, r.Texts, r.Ready, r.Classless, r.Wanted, r.Cautions = nil, nil, nil, nil, nil, nil
	r.Who, r.Contact = fmt.Sprintf("whoever runs the zone %s", first.Zone), ""
	j.noName, j.choice, j.instead = false, Choice{Name: names[0]}, first
	j.Reverse = &evidence.Zone{Name: first.Owner, Apex: first.Zone}
	r.Ticket = j.ticket()
	r.Steps = []Step{{
		Say:   fmt.Sprintf("Delete the alias (CNAME) of %s in the zone %s, and put the PTR record itself in its place:", first.Owner, first.Zone),
		Lines: fmt.Sprintf("%s. %d IN PTR %s.", first.Owner, usualTTL, names[0]),
	}}
}

// ipv6 has two ways out: a PTR record for the IPv6 address, or sending over IPv4.
func (j *job) ipv6() {
	j.setPTR()
	if j.out.Party != AddressHolder {
		return
	}
	recipe := j.out.Recipe
	j.ipv4Address()
	j.out.Do = fmt.Sprintf("Either have a PTR record set for %s, or let the mail server send over IPv4 only; one of the two is enough.", j.address())
	j.out.Steps = append(j.out.Steps, Step{Say: "Or, instead of all that, bind the mail server to its IPv4 address:"})
	j.configure("bind", "Let the mail server send over IPv4 only, or from the one IPv6 address that has a PTR record.")
	if recipe != nil {
		j.out.Recipe = recipe
	}
}

func (j *job) special() {
	j.out.Party = MailAdmin
	j.out.Do = fmt.Sprintf("Find the address with which the mail server appears on the Internet; %s has no reverse DNS there.", j.address())
	j.say("Behind NAT ask a host outside, or read the address in a bounce or in a Received field of a mail that arrived.")
	j.caution("If strangers' mail arrives from this address, a proxy, NAT or container hides the client: hand the real address through (PROXY protocol, XCLIENT, host networking).")
}
