package bounce

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// maxText is the number of octets that are looked at.
const maxText = 1 << 20

// maxAddresses is the number of candidates that a Reading keeps.
const maxAddresses = 16

// Read reads a text with rules compiled for this once; whoever reads many keeps
// a Reader.
func Read(text string) (Reading, error) {
	r, err := Open()
	if err != nil {
		return Reading{}, err
	}
	return r.Read(text)
}

// refusal is one reply that stands in the text, with what stood around it.
type refusal struct {
	text     string // from the code on
	receiver string
	at       netip.Addr // the receiver's address
	client   netip.Addr // the sender's, where the receiver's own log tells
	helo     string
	ptr      string
	from, to string
	class    Class // set where a log line says it without words of the receiver
	rule     string
}

// report is what the different forms of text are brought to.
type report struct {
	format string
	known  bool // it is a report, whatever it says
	// delivered says that lines of a log tell of mail that was taken.
	delivered bool
	refusals  []refusal
	clients   []netip.Addr // from the report's fields
	received  []netip.Addr // from the returned message
	status    string       // the report's Status field
	receiver  string       // its Remote-MTA
	at        netip.Addr
	from, to  string
	notes     []string
}

// add keeps refusals, up to the number that is looked at.
func (rep *report) add(found ...refusal) {
	rep.refusals = append(rep.refusals, found[:min(len(found), maxRefusals-len(rep.refusals))]...)
}

// Read says what a text says. The text may be a whole message with its MIME
// parts, the text of a report with or without the marks of a forwarded mail, one
// SMTP reply, or lines of a mail log. More than 1 MiB is cut.
func (r *Reader) Read(text string) (Reading, error) {
	rep, err := r.take(text)
	if err != nil {
		return Reading{Class: Other, Notes: rep.notes}, err
	}
	return r.conclude(rep), nil
}

// take brings a text of any form to a report.
func (r *Reader) take(text string) (*report, error) {
	var notes []string
	if len(text) > maxText {
		text = text[:maxText]
		notes = append(notes, "only the first MiB of the text was read")
	}
	text = unquote(plainText(text))
	var rep *report
	switch {
	case looksLikeMessage(text):
		rep = readMessage(text)
	default:
		if rep = r.readLog(text); rep == nil {
			rep = readText(text)
		}
		if len(rep.refusals) == 0 {
			rep.add(r.fragments(text)...)
		}
	}
	if len(rep.refusals) == 0 && rep.status == "" {
		switch {
		case rep.delivered:
			return &report{notes: notes}, ErrDelivered
		case !rep.known:
			return &report{notes: notes}, ErrNothing
		}
		notes = append(notes, "the report quotes no refusal")
	}
	rep.notes = append(notes, rep.notes...)
	rep.bound()
	return rep, nil
}

// bound cuts what is held against the rules.
func (rep *report) bound() {
	left := maxReplies
	for i := range rep.refusals {
		f := &rep.refusals[i]
		f.text = f.text[:min(len(f.text), maxReply)]
		if left -= len(f.text); left < 0 {
			rep.refusals = rep.refusals[:i]
			rep.notes = append(rep.notes, "only the first of the refusals were looked at")
			return
		}
	}
}

// conclude chooses the refusal that speaks of the identity, or else the first.
func (r *Reader) conclude(rep *report) Reading {
	out := Reading{Format: rep.format, Class: Other, Notes: rep.notes}
	var chosen refusal
	for i, f := range rep.refusals {
		class, rule := f.class, f.rule
		if class == "" {
			class, rule = r.classify(f.text)
		}
		if i == 0 || out.Class == Other && class != Other {
			chosen, out.Class, out.Rule = f, class, rule
		}
	}
	if out.Class == Other {
		out.Class, out.Rule = r.classify(rep.status) // RFC 7372 §3.3: the code alone tells
	}
	out.Quote = untrusted.Long(uncoded(oneLine(chosen.text), true))
	out.Code, out.Enhanced = codes(chosen.text)
	if out.Enhanced == "" {
		out.Enhanced = rep.status
	}
	out.Temporary = out.Code/100 == 4 || out.Code == 0 && strings.HasPrefix(out.Enhanced, "4.")
	if m := ofReceiver.FindStringSubmatch(oneLine(chosen.text)); m != nil && !chosen.at.IsValid() {
		chosen.at, chosen.receiver = addr(m[2]), first(chosen.receiver, m[1])
	}
	out.Receiver = nameOf(first(chosen.receiver, rep.receiver))
	out.ReceiverAddress = rep.addressOf(chosen)
	out.Helo = untrusted.New(first(chosen.helo, heloIn(chosen.text)))
	out.PTR = untrusted.New(first(chosen.ptr, ptrIn(chosen.text)))
	out.Recipient = domainOf(first(chosen.to, rep.to))
	out.Domain = domainOf(first(chosen.from, rep.from))
	out.setAddress(rep, chosen)
	r.others(&out, rep)
	return out
}

// fragments finds refusals without their codes, as people paste them, by the texts
// that one receiver or program is known by; common words are not enough.
func (r *Reader) fragments(text string) []refusal {
	var out []refusal
	left := maxReplies
	for _, p := range paragraphs(text) {
		p = p[:min(len(p), maxReply)]
		if left -= len(p); left < 0 {
			break
		}
		if _, rule := r.classify(p); rule != "" && !general[rule] {
			out = append(out, refusal{text: p})
		}
	}
	return out
}

// others notes the addresses of which further refusals in the text complain.
func (r *Reader) others(out *Reading, rep *report) {
	var more []string
	for _, f := range rep.refusals {
		clients := addressesIn(f.text)
		if f.client.IsValid() {
			clients = []netip.Addr{f.client}
		}
		if len(clients) == 0 || len(more) == 4 {
			continue
		}
		client := clients[0]
		if client == out.Address || private(client) || slices.Contains(out.Addresses, client) || client == rep.addressOf(f) || slices.Contains(more, client.String()) {
			continue
		}
		if class, _ := r.classify(f.text); class != Other || f.class != "" {
			more = append(more, client.String())
		}
	}
	if len(more) > 0 {
		out.Notes = append(out.Notes, "the text holds refusals of other addresses too, which are not examined: "+strings.Join(more, ", "))
	}
}

// addressOf returns the address of the receiver: reports name it in one of
// several places.
func (rep *report) addressOf(chosen refusal) netip.Addr {
	if chosen.at.IsValid() {
		return chosen.at
	}
	for _, f := range rep.refusals {
		if f.at.IsValid() && (strings.EqualFold(f.receiver, chosen.receiver) || chosen.receiver == "") {
			return f.at
		}
	}
	return rep.at
}

// setAddress chooses the sending address: that of the refusal before that of the
// report's fields and those of the returned message, a public one before a
// private one, and never the receiver's own.
func (out *Reading) setAddress(rep *report, chosen refusal) {
	receivers := []netip.Addr{out.ReceiverAddress, rep.at}
	for _, f := range rep.refusals {
		receivers = append(receivers, f.at)
	}
	for _, place := range []struct {
		found Found
		addrs []netip.Addr
	}{
		{InLog, []netip.Addr{chosen.client}},
		{InRefusal, addressesIn(chosen.text)},
		{InReport, rep.clients},
		{InReceived, rep.received},
	} {
		for _, a := range place.addrs {
			if !a.IsValid() || slices.Contains(receivers, a) || slices.Contains(out.Addresses, a) || len(out.Addresses) >= maxAddresses {
				continue
			}
			out.Addresses = append(out.Addresses, a)
			if better := out.Private && !private(a); better || !out.Address.IsValid() {
				out.Address, out.Found, out.Private = a, place.found, private(a)
			}
		}
	}
	switch {
	case !out.Address.IsValid():
		out.Notes = append(out.Notes, "the text does not say which address the receiver saw")
	case out.Private:
		out.Notes = append(out.Notes, "the only address in the text is a private one: what the receiver saw is not in it")
	case out.Found == InReceived:
		out.Notes = append(out.Notes, "the address stands in a Received field only: it may be that of a host before the one that was refused")
	}
}

// shared is the address space of carrier-grade NAT (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

func private(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() || a.IsMulticast() || shared.Contains(a)
}

var (
	codeAt     = regexp.MustCompile(`^(?:smtp; ?)?([245][0-9]{2})(?:[ -]|$)`)
	enhancedIn = regexp.MustCompile(`(?:^|[ #(-])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[^0-9.]|$)`)
)

// codes reads the reply code and the enhanced code after it (RFC 2034 §4).
func codes(text string) (code int, enhanced string) {
	text = oneLine(text)
	m := codeAt.FindStringSubmatch(text)
	if m != nil {
		code, _ = strconv.Atoi(m[1])
	}
	if m := enhancedIn.FindStringSubmatch(text[:min(len(text), 600)]); m != nil {
		enhanced = m[1]
	}
	return code, enhanced
}

// address finds what may be an address of either family, in brackets or not.
var address = regexp.MustCompile(`(?i)(?:ipv6:)?([0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\.[0-9]{1,3}){0,3}|[0-9]{1,3}(?:\.[0-9]{1,3}){3})`)

// section finds that the number before which the text ends is one of a document.
var section = regexp.MustCompile(`(?i)(\brfc ?[0-9]{3,4}[,:]?|\bsec(tion|\.)?|§) ?$`)

// addressesIn returns the addresses in a text, each once, in their order. What
// is joined to more digits, as in a name or a version, is none.
func addressesIn(text string) []netip.Addr {
	var out []netip.Addr
	for _, at := range address.FindAllStringSubmatchIndex(text, 64) {
		a, err := netip.ParseAddr(text[at[2]:at[3]])
		if err != nil || joined(text, at[0]-1, -1) || joined(text, at[3], 1) || section.MatchString(text[max(0, at[0]-16):at[0]]) {
			continue
		}
		if a = a.Unmap(); !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// joined reports whether the octet at i belongs to a longer word. A dot or a
// hyphen does so only where the word goes on behind it.
func joined(text string, i, step int) bool {
	word := func(i int) bool {
		return i >= 0 && i < len(text) && (text[i] == '_' || text[i]|0x20 >= 'a' && text[i]|0x20 <= 'z' || text[i] >= '0' && text[i] <= '9')
	}
	if i < 0 || i >= len(text) {
		return false
	}
	return word(i) || (text[i] == '.' || text[i] == '-') && word(i+step)
}

var (
	heloBefore = regexp.MustCompile(`<([^<>\s]{1,255})>: helo command rejected`)
	notIs      = regexp.MustCompile(`\b([a-z0-9_.-]+\.[a-z0-9-]+) is not \[?[0-9a-f.:]+`)
	ofName     = regexp.MustCompile(`(?:possibly forged hostname|hostname) ([a-z0-9_.-]+\.[a-z0-9-]+)`)
)

// heloIn finds the HELO name that Postfix quotes.
func heloIn(text string) string { return group(heloBefore, strings.ToLower(text)) }

// ptrIn finds the name that the receiver found for the address.
func ptrIn(text string) string {
	text = normalise(text)
	return first(group(notIs, text), group(ofName, text))
}

func group(re *regexp.Regexp, text string) string {
	if m := re.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// first returns the first string that is not empty.
func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// nameOf reads a host name, the zero Name where it is none.
func nameOf(s string) dnsname.Name {
	n, err := dnsname.Parse(strings.Trim(s, " .[]();,"))
	if err != nil || n.HostFault() != dnsname.Usable {
		return dnsname.Name{}
	}
	return n
}

// domainOf reads the domain of a mail address.
func domainOf(s string) dnsname.Name {
	i := strings.LastIndexByte(s, '@')
	if i < 0 {
		return dnsname.Name{}
	}
	return nameOf(strings.Trim(s[i+1:], "<> "))
}
