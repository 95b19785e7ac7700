package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
)

// The bounds of one examination.
const (
	maxHosts   = 10 // MX hosts
	maxAddrs   = 32 // addresses of hosts
	maxSenders = 32 // single hosts of an SPF record
)

// walk is one examination under way.
type walk struct {
	Config
	target Target
	bench  *bench
	x      *Examination
	floor  Verdict // the verdict is no better than that

	subjects []*subject
	underway sync.WaitGroup
	domain   *evidence.MailDomain // of the target, or of a bounce's sender
	unheard  map[*evidence.Zone]bool
}

// missing notes what was not examined, and the best verdict that it allows.
func (w *walk) missing(floor Verdict, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(w.x.Missing, text) {
		w.x.Missing = append(w.x.Missing, text)
	}
	w.floor = worse(w.floor, floor)
}

// gather asks everybody about the target, and returns when all answers are in or
// the time is over.
func (w *walk) gather() {
	t := w.target
	w.x.Bounce = t.Bounce
	switch {
	case t.Bounce != nil && !w.named():
		w.ofBounce()
	case t.Address.IsValid():
		w.add(AsTarget, dnsname.Name{}, t.Address)
	case len(t.Egress) > 0:
		w.ofMachine()
	case t.Name.IsZero():
		w.x.Error = "there is nothing to examine"
		w.floor = Unknown
	default:
		w.ofName(t.Name)
	}
	w.underway.Wait()
}

// add takes an address up, once, and begins with it at once. It returns nil for
// one that is under way already.
func (w *walk) add(role Role, host dnsname.Name, addr netip.Addr) *subject {
	addr = addr.Unmap().WithZone("")
	if slices.ContainsFunc(w.subjects, func(s *subject) bool { return s.addr == addr }) {
		return nil
	}
	s := &subject{addr: addr, host: host, role: role, judged: blank(addr)}
	w.subjects = append(w.subjects, s)
	w.underway.Go(func() { w.examine(s) })
	return s
}

// ofMachine takes up the addresses that this machine sends from. A private one
// is not what others see, as long as a public one is known.
func (w *walk) ofMachine() {
	var hidden []string
	for _, addr := range w.target.Egress {
		if evidence.SourceOf(addr).Special() {
			hidden = append(hidden, addr.String())
			continue
		}
		w.add(AsEgress, dnsname.Name{}, addr)
	}
	switch {
	case len(hidden) > 0 && len(w.subjects) == 0:
		w.missing(Unknown, "this machine sends from %s only, which others don't see: a gateway puts its own address there; name that address", strings.Join(hidden, ", "))
		w.x.Error = "the address that others see is not known"
	case len(hidden) > 0:
		w.missing(Pass, "%s was not examined: others don't see it", strings.Join(hidden, ", "))
	}
}

// ofName finds the addresses of a domain's MX hosts, or of the host itself, and
// of the single hosts in a domain's SPF record.
func (w *walk) ofName(name dnsname.Name) {
	d := w.ask(name)
	w.x.Lookups = d.lookups
	w.domain = &d.MailDomain
	mail := d.MX.State == evidence.Found || w.target.Mailbox
	if mail {
		w.x.Domain = w.domain
	}
	role := AsMX
	if d.MX.State != evidence.Found {
		role = AsHost
	}
	if !mail && d.MX.State.Trouble() {
		w.missing(Unknown, "its MX record could not be looked up (%s), so it is examined as a host", d.MX.State.Mnemonic())
	}
	leftOut := 0
	for i := range d.Hosts {
		leftOut += w.ofHost(&d.Hosts[i], role)
	}
	if more := d.MX.Total - len(d.Hosts); more > 0 && role == AsMX && !d.Null {
		w.missing(Unknown, "%d more MX hosts were not examined", more)
	}
	if leftOut > 0 {
		w.missing(Unknown, "%d more addresses were not examined", leftOut)
	}
	if d.SPF = d.senders.wait(); mail {
		w.ofSenders(d.SPF)
	}
	if len(w.subjects) == 0 {
		w.nothing(d)
	}
}

// nothing says why a name led to no address.
func (w *walk) nothing(d *lookedUp) {
	switch {
	case d.Null:
		w.x.Error = "it says that it takes no mail (null MX, RFC 7505): name a host that sends"
	case d.MX.State == evidence.Found:
		w.x.Error = "no address was found to examine"
	case d.MX.State.Trouble(), d.Hosts[0].A.State.Trouble(), d.Hosts[0].AAAA.State.Trouble():
		w.x.Error = "no address was found to examine"
	case d.Hosts[0].A.State == evidence.NXDomain:
		w.x.Error = "the name does not exist: NXDOMAIN"
	default:
		w.x.Error = "the name has no MX record and no address: NODATA"
	}
	w.floor = worse(w.floor, Unknown)
}

// ofHost takes up the addresses of one host, and returns how many were too many.
// Those that can't be reached from the Internet are left to the finding, where
// it is an MX host.
func (w *walk) ofHost(h *evidence.MailHost, role Role) (leftOut int) {
	for _, addr := range slices.Concat(h.A.Addrs, h.AAAA.Addrs) {
		switch {
		case role == AsMX && evidence.SourceOf(addr).Special():
		case len(w.subjects) >= maxAddrs:
			leftOut++
		default:
			w.add(role, h.Name, addr)
		}
	}
	if role == AsMX || w.x.Domain != nil {
		return leftOut // the domain's findings tell
	}
	var trouble []string
	for _, a := range []*evidence.Answer{&h.A, &h.AAAA} {
		if a.State.Trouble() {
			trouble = append(trouble, fmt.Sprintf("%s: %s", a.Type, a.State.Mnemonic()))
		}
	}
	if len(trouble) > 0 {
		w.missing(Unknown, "its addresses could not be looked up (%s)", strings.Join(trouble, ", "))
	}
	return leftOut
}

// ofSenders takes up the single hosts of an SPF record; its networks are listed
// with the record.
func (w *walk) ofSenders(s *evidence.SPF) {
	if s == nil {
		return
	}
	had, more := len(w.subjects), 0
	for i := range s.Senders {
		sender := &s.Senders[i]
		if !sender.Network.IsSingleIP() || evidence.SourceOf(sender.Network.Addr()).Special() {
			continue
		}
		if len(w.subjects)-had == maxSenders {
			more++
			continue
		}
		if taken := w.add(AsSender, sender.Host, sender.Network.Addr()); taken != nil {
			taken.foreign = slices.ContainsFunc(sender.Via, func(n dnsname.Name) bool { return n.Org() != s.Domain.Org() })
		}
	}
	if more > 0 {
		w.missing(Unknown, "%d more senders of the SPF record were not examined", more)
	}
}

// lookedUp is a mail domain with the answers that led to its addresses.
type lookedUp struct {
	evidence.MailDomain
	lookups []evidence.Answer
	senders *part[*evidence.SPF] // goes into SPF when it is there
}

// ask looks the domain up: MX records and the addresses of their hosts, or its own
// addresses where it has none. The look-up of its senders is left under way.
func (w *walk) ask(name dnsname.Name) *lookedUp {
	d := &lookedUp{MailDomain: evidence.MailDomain{Name: name}}
	questions := []evidence.Question{{Name: name, Type: evidence.MX}, {Name: name, Type: evidence.A}, {Name: name, Type: evidence.AAAA}}
	own := w.answers("the mail servers of "+name.String(), questions)
	d.MX = own[0]
	d.lookups = append(d.lookups, d.MX)
	if w.SPF != nil && (d.MX.State == evidence.Found || w.target.Mailbox || w.target.Bounce != nil) {
		d.senders = start(w.bench, "the SPF record of "+name.String(), func(ctx context.Context) *evidence.SPF { return w.SPF(ctx, w.DNS, name) })
	}
	switch {
	// RFC 7505 §3: a single MX record with the root as its host.
	case d.MX.State == evidence.Found && len(d.MX.Names) == 1 && d.MX.Names[0].HostFault() == dnsname.Root:
		d.Null = true
	case d.MX.State == evidence.Found:
		w.hosts(d)
	default:
		// RFC 5321 §5.1: without an MX record the domain itself is the host.
		d.Hosts = []evidence.MailHost{{Name: name, A: own[1], AAAA: own[2]}}
		d.lookups = append(d.lookups, own[1:]...)
	}
	return d
}

// hosts looks the MX hosts up.
func (w *walk) hosts(d *lookedUp) {
	var questions []evidence.Question
	for _, host := range d.MX.Names[:min(len(d.MX.Names), maxHosts)] {
		h := evidence.MailHost{Name: host, Fault: mxFault(host)}
		if h.Fault == "" {
			questions = append(questions, evidence.Question{Name: host, Type: evidence.A}, evidence.Question{Name: host, Type: evidence.AAAA})
		}
		d.Hosts = append(d.Hosts, h)
	}
	answers := w.answers("the addresses of the mail servers", questions)
	d.lookups = append(d.lookups, answers...)
	for i := range d.Hosts {
		if d.Hosts[i].Fault == "" {
			d.Hosts[i].A, d.Hosts[i].AAAA = answers[0], answers[1]
			answers = answers[2:]
		}
	}
}

// mxFault says why no addresses are looked up for an MX host.
func mxFault(host dnsname.Name) string {
	if _, err := netip.ParseAddr(strings.Trim(host.String(), "[]")); err == nil {
		return finding.AddressLiteral
	}
	return string(host.HostFault())
}

// answers asks the DNS as one part. What is not there in time has timed out.
func (w *walk) answers(what string, questions []evidence.Question) []evidence.Answer {
	if len(questions) == 0 {
		return nil
	}
	got := start(w.bench, what, func(ctx context.Context) []evidence.Answer { return w.DNS.Ask(ctx, questions...).Wait() }).wait()
	if len(got) == len(questions) {
		return got
	}
	got = nil
	for _, q := range questions {
		got = append(got, evidence.Answer{Question: q, State: evidence.Timeout, Rcode: -1, At: w.Now()})
	}
	return got
}
