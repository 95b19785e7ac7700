package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/bounce"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
)

// ofBounce takes up the address that the receiver saw. Where the text names
// none, the sender's domain is examined in its place.
func (w *walk) ofBounce() {
	b := w.target.Bounce
	addr := saw(b)
	switch {
	case addr.IsValid():
		w.add(AsBounce, dnsname.Name{}, addr)
		if !b.Domain.IsZero() && b.Domain.HostFault() == dnsname.Usable {
			d := w.ask(b.Domain)
			d.SPF = d.senders.wait()
			w.domain = &d.MailDomain
		}
	case len(b.Addresses) > 0:
		for _, candidate := range b.Addresses[:min(len(b.Addresses), maxCandidates)] {
			w.add(AsBounce, dnsname.Name{}, candidate)
		}
		w.missing(Pass, "the text names several addresses, and does not tell which of them the receiver saw")
	case !b.Domain.IsZero() && b.Domain.HostFault() == dnsname.Usable:
		w.missing(Unknown, "the text does not tell the address that the receiver saw, so the servers of %s are examined", b.Domain)
		w.x.Target = b.Domain.String()
		w.target.Mailbox = true
		w.ofName(b.Domain)
	default:
		w.x.Error = "the text does not tell the address that the receiver saw: name it, as in check --bounce FILE ADDRESS"
		if strings.HasPrefix(string(b.Class), "helo_") && b.Helo.IsZero() {
			w.x.Error = "the text tells neither the address that the receiver saw nor the HELO name: name both, as in check --bounce FILE --helo NAME ADDRESS"
		}
		w.floor = worse(w.floor, Unknown)
	}
}

// maxCandidates is the number of addresses that are examined where a text does
// not tell which of its addresses the receiver saw.
const maxCandidates = 4

// saw returns the address that the receiver saw.
func saw(b *bounce.Reading) netip.Addr {
	if !b.Address.IsValid() && len(b.Addresses) == 1 {
		return b.Addresses[0].Unmap()
	}
	return b.Address.Unmap()
}

// The states of a comparison.
const (
	stillWrong = "still-wrong"
	fineNow    = "fine-now"
	otherFault = "other-fault"
	notKnown   = "unknown"
)

// compare holds the bounce against what was found now.
func (w *walk) compare() {
	b := w.target.Bounce
	if b == nil || len(w.x.Addresses) == 0 {
		return
	}
	w.x.Now = &Comparison{}
	w.x.Now.State, w.x.Now.Say = w.stateNow(b)
	if more := w.elsewhere(b); more != "" {
		w.x.Now.Say += " " + more
	}
}

func (w *walk) stateNow(b *bounce.Reading) (state, say string) {
	if where := w.notThere(b); where != "" {
		return notKnown, where
	}
	codes := explaining(b.Class)
	if len(codes) == 0 {
		return w.otherwise(b)
	}
	found, faults, trouble := w.weigh(codes)
	asksHelo := strings.HasPrefix(string(b.Class), "helo_")
	switch {
	case len(found) > 0:
		return stillWrong, fmt.Sprintf("What the receiver complained of is still so (%s).", join(found))
	case trouble, asksHelo && w.heloTrouble():
		return notKnown, "The DNS gives no complete answer now, so that it can't be told whether what the receiver complained of is still so."
	case asksHelo && !w.heloTold():
		return notKnown, "The refusal is about the HELO name, which the text does not tell: name it to have it examined (--helo)."
	case w.many(b):
		return notKnown, "None of these addresses shows what the receiver complained of; it may have seen another one."
	case len(faults) > 0:
		return otherFault, fmt.Sprintf("What the receiver complained of is mended, but now there is another fault (%s): put that right, and then send the mail again.", join(faults))
	case b.Beyond() != "":
		return notKnown, b.Beyond()
	default:
		return fineNow, "What the receiver complained of is not so any more. " + w.until(b)
	}
}

// weigh sorts what was found: what explains the refusal, and faults for which mail
// may be refused as well. Trouble says that not all answers were to be had.
func (w *walk) weigh(codes []finding.Code) (found, faults []finding.Code, trouble bool) {
	trouble = slices.ContainsFunc(w.subjects, w.unanswered)
	for _, f := range w.all() {
		explains := slices.Contains(codes, f.Code)
		switch {
		case f.Severity == finding.Unknown:
			trouble = trouble || explains || f.Code == finding.DNSTrouble || f.Code == finding.ResolverDiffers
		case explains:
			found = append(found, f.Code)
		case f.Severity == finding.Failure, f.Code == finding.Listed:
			faults = append(faults, f.Code)
		}
	}
	return found, faults, trouble
}

// unanswered reports whether DNS answers about the address are missing. That the
// time ran out before port 25 spoke, or a list, says nothing of them.
func (w *walk) unanswered(s *subject) bool {
	if evidence.SourceOf(s.addr).Special() {
		return false
	}
	return s.iprev().Result == evidence.Unjudged || w.Authority != nil && w.x.Partial && (s.reverse == nil || s.reverse.Partial)
}

// heloTrouble reports whether the HELO name could not be looked up.
func (w *walk) heloTrouble() bool {
	return slices.ContainsFunc(w.subjects[0].view().Helo.Answers, func(a evidence.Answer) bool { return a.State.Trouble() })
}

// notThere says why nothing that was examined can be what the receiver saw; empty
// where it may be.
func (w *walk) notThere(b *bounce.Reading) string {
	private := !slices.ContainsFunc(w.subjects, func(s *subject) bool { return !evidence.SourceOf(s.addr).Special() })
	switch addr := saw(b); {
	case private:
		return "No receiver can have seen a private address: find out by which public one the mail left, and examine that, as in check --bounce FILE ADDRESS."
	case w.named() && addr.IsValid() && !b.Private && !slices.ContainsFunc(w.subjects, func(s *subject) bool { return s.addr == addr }):
		return fmt.Sprintf("The receiver saw %s, and that is none of what was examined: leave the target out to have it examined.", addr)
	}
	return ""
}

// named reports whether somebody said what to examine in place of what the text
// tells.
func (w *walk) named() bool { return w.target.Address.IsValid() || !w.target.Name.IsZero() }

// many reports whether the address that was refused may be another one than those
// that were examined.
func (w *walk) many(b *bounce.Reading) bool {
	switch addr := saw(b); {
	case addr.IsValid() && !b.Private:
		return false
	case w.target.Address.IsValid():
		return false
	default:
		return w.target.Name.IsZero() || len(w.subjects) > 1
	}
}

// heloTold reports whether the HELO name that was examined is one that was told.
func (w *walk) heloTold() bool {
	s := w.subjects[0]
	return s.judged.Conn.HeloKnown && !s.assumed
}

// otherwise compares a refusal that is not about the name of the address: a list
// that it names can be asked.
func (w *walk) otherwise(b *bounce.Reading) (state, say string) {
	quote := strings.ToLower(b.Quote.String())
	asked := ""
	for _, s := range w.subjects {
		for i := range s.lists {
			zone := s.lists[i].Zone.String()
			switch {
			case !strings.Contains(quote, zone):
			case s.lists[i].State == evidence.Listed && !s.lists[i].Allow:
				return stillWrong, fmt.Sprintf("%s stands on the list that the refusal names, %s: see below.", s.addr, zone)
			case s.lists[i].State == evidence.NotListed:
				asked = zone
			}
		}
	}
	if asked != "" && !w.many(b) {
		return notKnown, fmt.Sprintf("%s, which the refusal names, has the address no more, as far as we are told: send the mail again.", asked)
	}
	return notKnown, "The refusal is not about the name of the address, as far as can be told, so that its DNS says nothing of it. What to do about it stands in the receiver's own words."
}

// explaining are the findings that explain a class of refusal. What makes a
// zone's answers chance explains each complaint about the DNS.
func explaining(c bounce.Class) []finding.Code {
	var codes []finding.Code
	for _, code := range c.Explains() {
		codes = append(codes, finding.Code(code))
	}
	switch {
	case slices.Contains(codes, finding.PTRGeneric):
		codes = append(codes, finding.PTRGenericStatic)
	case slices.Contains(codes, finding.DNSTrouble):
		codes = append(codes, finding.ZoneLame, finding.ZoneSilent, finding.ZoneBogus, finding.ZoneLag, finding.ZoneDisagrees, finding.PTRLongChain)
	}
	return codes
}

// all lists every finding, causes and effects. What rests on an answer that
// nobody else may get explains nothing.
func (w *walk) all() []finding.Finding {
	var out []finding.Finding
	take := func(problems []Problem) {
		for i := range problems {
			out = append(out, problems[i].Cause)
			if problems[i].Cause.Code != finding.ResolverDiffers {
				out = append(out, problems[i].Effects...)
			}
		}
	}
	take(w.x.Problems)
	for i := range w.x.Addresses {
		take(w.x.Addresses[i].Problems)
	}
	return out
}

// until says how long a receiver may go on refusing if the repair was just now:
// for as long as it may remember the old answer.
func (w *walk) until(b *bounce.Reading) string {
	var longest time.Duration
	known := false // how long an absence is remembered, that is
	for _, s := range w.subjects {
		for _, z := range s.zones() {
			if z.SOA != nil {
				known = true
				longest = max(longest, z.SOA.NegativeTTL())
			}
			for i := range z.Servers {
				longest = max(longest, z.Servers[i].Answer.TTL)
			}
		}
		longest = max(longest, s.iprev().PTR.TTL)
	}
	remembers := "remembers the old answer, for some hours if the repair was made just now."
	if known {
		remembers = fmt.Sprintf("remembers the old answer: if the repair was made just now, until about %s, or longer where the old record had a longer TTL than those of today.", clock(w.x.At.Add(longest)))
	}
	if b.Temporary {
		return "The mail will go out with the next try, unless the receiver still " + remembers
	}
	return "Send the mail again; a receiver that still refuses " + remembers
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// elsewhere says what the address in the bounce tells of the way the mail took:
// over IPv6, or from an address that the domain does not name.
func (w *walk) elsewhere(b *bounce.Reading) string {
	addr := saw(b)
	if !addr.IsValid() || w.named() {
		return ""
	}
	var say []string
	if addr.Is6() {
		say = append(say, "The mail left over IPv6: a mail server prefers it where it has it, and each IPv6 address needs a name of its own.")
	}
	if d := w.domain; d != nil && w.x.Domain == nil && !names(d, addr) {
		say = append(say, fmt.Sprintf("%s is neither an address of a mail server of %s nor among the senders of its SPF record: if you took another address for the one you send from, a gateway, another interface or another server sent this mail.", addr, d.Name))
	}
	return strings.Join(say, " ")
}

// names reports whether a domain names the address as its own; where its answers
// are not complete it may.
func names(d *evidence.MailDomain, addr netip.Addr) bool {
	for i := range d.Hosts {
		h := &d.Hosts[i]
		if h.A.State.Trouble() || h.AAAA.State.Trouble() || slices.Contains(h.A.Addrs, addr) || slices.Contains(h.AAAA.Addrs, addr) {
			return true
		}
	}
	if d.MX.State.Trouble() || d.SPF == nil || len(d.SPF.Faults) > 0 {
		return true
	}
	return slices.ContainsFunc(d.SPF.Senders, func(s evidence.SPFSender) bool { return s.Network.Contains(addr) })
}

func join(codes []finding.Code) string {
	var words []string
	for _, c := range codes {
		words = append(words, string(c))
	}
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(words))), ", ")
}
