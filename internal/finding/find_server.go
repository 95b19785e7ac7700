package finding

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// Server is one mail server with what is known beside its own words.
type Server struct {
	SMTP *evidence.SMTP
	// IPRev is that of its address, nil where it is not known.
	IPRev *evidence.IPRev
	// Names are the A and AAAA answers for the names it calls itself.
	Names []evidence.Answer
	// Needed says that mail is to reach it (an MX host): only then is it worth a
	// word that nobody answers.
	Needed bool
}

// OfServer returns what a mail server shows on port 25. What stops the dialogue
// is told alone: nothing is made up about the steps that were not reached.
func OfServer(s Server) []Finding {
	p := s.SMTP
	if p == nil {
		return nil
	}
	w := &serverWalk{Server: s, base: Args{Address: p.Peer.Addr(), Host: p.Host, Peer: p.Peer}}
	w.delayed()
	if !w.dialogue() {
		return w.found
	}
	w.slow()
	w.names()
	w.tls()
	w.own()
	return w.found
}

type serverWalk struct {
	Server
	base  Args
	found []Finding
}

func (w *serverWalk) add(code Code, severity Severity, change func(*Args)) {
	f := Finding{Code: code, Severity: severity, Complete: severity != Unknown, Args: w.base}
	if change != nil {
		change(&f.Args)
	}
	w.found = append(w.found, f)
}

// dialogue reports whether the server spoke to the end, and says what stopped
// it where it did not.
func (w *serverWalk) dialogue() bool {
	p := w.SMTP
	why := func(a *Args) { a.Why, a.Said = p.Step, p.Why }
	missed := Unknown
	if !w.Needed {
		missed = Info
	}
	switch p.Outcome {
	case evidence.Spoke:
		return true
	case evidence.Turned:
		w.add(SMTPTurnedAway, missed, func(a *Args) { a.Why, a.Said = turned(p), p.Why })
	case evidence.Closed:
		w.add(SMTPTurnedAway, missed, func(a *Args) { a.Why, a.Said = "it hung up at the step "+p.Step, p.Why })
	case evidence.Declined, evidence.NoRoute, evidence.Slow:
		how, unreached := Unreached(p)
		switch {
		case !unreached:
			w.add(SMTPSlow, missed, why)
		case w.Needed: // a host that only sends need not listen
			w.add(SMTPClosed, Unknown, func(a *Args) { a.Why, a.Said = how, p.Why })
		}
	case evidence.Babble:
		w.add(SMTPGarbled, Warn, why)
	}
	return false
}

var outcomeText = map[evidence.SMTPOutcome]string{
	evidence.Declined: "connection refused",
	evidence.NoRoute:  "the network can't reach it",
	evidence.Slow:     "no answer in time",
}

// turned says with which reply the server refused.
func turned(p *evidence.SMTP) string {
	for _, r := range []*evidence.SMTPReply{p.EHLO, p.Greeting} {
		if r != nil && r.Code >= 400 {
			return fmt.Sprintf("%d at the step %s", r.Code, p.Step)
		}
	}
	return "at the step " + p.Step
}

// Unreached reports whether nobody answered the connection, and by what.
func Unreached(p *evidence.SMTP) (how string, unreached bool) {
	switch {
	case p.Outcome == evidence.Declined, p.Outcome == evidence.NoRoute, p.Outcome == evidence.Slow && p.Step == "connect":
		return outcomeText[p.Outcome], true
	default:
		return "", false
	}
}

// OfPort25 returns the one finding for all servers where none of several could
// be connected to: then our own way out is the likely cause. It needs two
// different hosts to say so.
func OfPort25(servers []*evidence.SMTP) []Finding {
	f := Finding{Code: Port25Blocked, Severity: Unknown}
	hosts := map[string]bool{}
	for _, p := range servers {
		switch p.Outcome {
		case evidence.NotAllowed, evidence.OverBudget, evidence.Unconnected:
			continue
		}
		how, unreached := Unreached(p)
		if !unreached {
			return nil
		}
		host := p.Host.String()
		if p.Host.IsZero() {
			host = p.Peer.String()
		}
		hosts[host] = true
		f.Args.Others = append(f.Args.Others, p.Peer.Addr())
		f.Args.Parts = append(f.Args.Parts, fmt.Sprintf("%s: %s", p.Peer, how))
	}
	if f.Args.Count = len(f.Args.Parts); len(hosts) < 2 {
		return nil
	}
	return []Finding{f}
}

// delayed tells of a greeting that came late on purpose (never a fault).
func (w *serverWalk) delayed() {
	if w.SMTP.Delayed {
		w.add(SMTPDelayed, Info, func(a *Args) { a.Count = seconds(w.step("greeting")) })
	}
}

func (w *serverWalk) step(name string) time.Duration {
	for _, s := range w.SMTP.Steps {
		if s.Name == name {
			return s.Took
		}
	}
	return 0
}

func seconds(d time.Duration) int { return int(d.Round(time.Second) / time.Second) }

// slowStep is the time above which a step is worth a word. Senders wait for
// minutes (RFC 5321 §4.5.3.2), so that it is information only.
const slowStep = 10 * time.Second

func (w *serverWalk) slow() {
	// A session that did not come about in time may do so another time: nothing is
	// known of it.
	if t := w.SMTP.TLS; t != nil && t.Late {
		w.add(SMTPSlow, Unknown, func(a *Args) { a.Why = w.SMTP.Step })
		return
	}
	for _, s := range w.SMTP.Steps {
		if s.Took >= slowStep {
			w.add(SMTPSlow, Info, func(a *Args) { a.Why, a.Count = s.Name, seconds(s.Took) })
			return
		}
	}
}

// names looks at the two names by which the server calls itself.
func (w *serverWalk) names() {
	p := w.SMTP
	banner, ehlo := evidence.ReadHelo(p.BannerName), evidence.ReadHelo(p.EHLOName)
	w.wellFormed(BannerName, banner)
	w.wellFormed(EHLOName, ehlo)
	var seen []dnsname.Name
	for _, h := range []evidence.Helo{ehlo, banner} {
		if h.Kind == evidence.HeloName && !slices.Contains(seen, h.Name) {
			seen = append(seen, h.Name)
			w.leadsHere(h.Name)
		}
	}
	if banner.Kind == evidence.HeloName && w.IPRev != nil && w.IPRev.Result == evidence.Pass && !sameOrganization(banner.Name, w.IPRev.Names) {
		w.add(BannerNotPTR, Info, func(a *Args) { a.Name, a.Names = banner.Name, []dnsname.Name{w.IPRev.Confirmed} })
	}
}

// wellFormed wants a name, or an address in brackets (RFC 5321 §4.1.3).
func (w *serverWalk) wellFormed(code Code, h evidence.Helo) {
	switch h.Kind {
	case evidence.HeloName, evidence.HeloLiteral:
		return
	}
	fault := h.Fault
	if h.Kind == evidence.HeloBareIP {
		fault = dnsname.Numeric
	}
	w.add(code, Warn, func(a *Args) { a.Said, a.Why = h.Said, string(fault) })
}

// leadsHere compares the addresses of a name with that of the server, where the
// answers are complete.
func (w *serverWalk) leadsHere(name dnsname.Name) {
	var addrs []netip.Addr
	asked := 0
	for i := range w.Names {
		a := &w.Names[i]
		if a.Name != name {
			continue
		}
		if !a.State.Complete() {
			return
		}
		asked++
		addrs = append(addrs, a.Addrs...)
	}
	if asked > 0 && !slices.Contains(addrs, w.base.Address) {
		w.add(EHLONotAddress, Info, func(a *Args) { a.Name, a.Others = name, few(addrs) })
	}
}

// tls judges the encryption as senders do, most of whom check no certificate.
func (w *serverWalk) tls() {
	t := w.SMTP.TLS
	switch {
	case t == nil:
		return
	case !t.Offered:
		w.add(TLSMissing, Warn, nil)
		return
	}
	if t.Injected {
		w.add(TLSInjection, Failure, nil)
	}
	if t.Version == "" {
		if !t.Error.IsZero() && !t.Late {
			w.add(TLSFailed, Warn, func(a *Args) { a.Said = t.Error })
		}
		return
	}
	w.validity(t)
	switch {
	case t.SelfSigned:
		w.add(TLSUntrusted, Info, func(a *Args) { a.Why = "is signed by itself" })
	case !t.Trusted:
		w.add(TLSUntrusted, Info, func(a *Args) { a.Why = "does not lead to an authority that this machine knows" })
	}
	if !t.Matches && !w.base.Host.IsZero() {
		w.add(TLSName, Info, func(a *Args) { a.Parts = texts(t.Names) })
	}
}

// validity holds the certificate against our clock. A certificate from the
// future says more of the clock than of the certificate.
func (w *serverWalk) validity(t *evidence.TLS) {
	now := w.SMTP.At
	switch {
	case t.NotAfter.IsZero():
	case now.After(t.NotAfter):
		w.add(TLSExpired, Warn, func(a *Args) { a.Why, a.When, a.Clock = "late", t.NotAfter, now })
	case now.Before(t.NotBefore):
		w.add(TLSExpired, Unknown, func(a *Args) { a.Why, a.When, a.Clock = "early", t.NotBefore, now })
	}
}

// own judges what is tried with the operator's own servers only.
func (w *serverWalk) own() {
	p := w.SMTP
	said := func(r *evidence.SMTPReply) func(*Args) {
		return func(a *Args) {
			a.Count = r.Code
			if len(r.Lines) > 0 {
				a.Said = r.Lines[0]
			}
		}
	}
	// RFC 5321 §3.5.3: 252 tells nothing, as it should.
	if p.VRFY.Positive() && p.VRFY.Code != 252 {
		w.add(VRFYOpen, Warn, said(p.VRFY))
	}
	if p.EXPN.Positive() && p.EXPN.Code != 252 {
		w.add(EXPNOpen, Warn, said(p.EXPN))
	}
	w.roles(said)
	if p.Relay.Positive() {
		w.add(RelayOpen, Failure, said(p.Relay))
	}
}

// roles judges the replies to the role mailboxes. One that refuses us says
// nothing of them.
func (w *serverWalk) roles(said func(*evidence.SMTPReply) func(*Args)) {
	p := w.SMTP
	for _, r := range []*evidence.SMTPReply{p.Postmaster, p.Abuse} {
		if refused(r) && w.ofClient(r) {
			w.add(SMTPTurnedAway, Unknown, func(a *Args) {
				said(r)(a)
				a.Why, a.Count = fmt.Sprintf("%d to the recipient", r.Code), 0
			})
			break
		}
	}
	if refused(p.Postmaster) && !w.ofClient(p.Postmaster) {
		w.add(PostmasterRefused, Warn, said(p.Postmaster))
	}
	if refused(p.Abuse) && !w.ofClient(p.Abuse) {
		w.add(AbuseRefused, Info, said(p.Abuse))
	}
}

func refused(r *evidence.SMTPReply) bool { return r != nil && r.Code >= 500 }

// clientWords are those of refusals that look at who asks, not at the recipient.
var clientWords = []string{
	"blocklist", "block list", "blacklist", "black list", "dnsbl", " rbl", "blocked using", "listed", "banned",
	"reverse dns", "rdns", "reverse hostname", " ptr ", "helo", "reputation", "client host", "your ip", "your host",
}

// ofClient reports whether a reply speaks of the address that asked: by its code
// (RFC 7372 §3.2, §3.3), by its words, or by an address that is not
// the server's own. What speaks of the mailbox (RFC 3463 §3.2) does not.
func (w *serverWalk) ofClient(r *evidence.SMTPReply) bool {
	text := " "
	for _, line := range r.Lines {
		text += strings.ToLower(line.String()) + " "
	}
	switch {
	case strings.HasPrefix(text, " 5.1."):
		return false
	case strings.HasPrefix(text, " 5.7.25 "), strings.HasPrefix(text, " 5.7.23 "):
		return true
	}
	return slices.ContainsFunc(clientWords, func(word string) bool { return strings.Contains(text, word) }) ||
		slices.ContainsFunc(strings.FieldsFunc(text, func(c rune) bool {
			return !strings.ContainsRune("0123456789abcdef:.", c)
		}), func(word string) bool {
			addr, err := netip.ParseAddr(strings.Trim(word, "."))
			return err == nil && addr.Unmap() != w.base.Address
		})
}

func texts(all []untrusted.Text) []string {
	var out []string
	for _, t := range all {
		out = append(out, strings.ToLower(t.String()))
	}
	return out
}
