package report

import (
	"fmt"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// shownLines is the number of lines of one SMTP reply that a report lists.
const shownLines = 8

// smtpDetails lists the dialogue with a mail server, and how long each step took.
func smtpDetails(m *evidence.SMTP) []detail {
	entries := []entry{{Head: "outcome", Said: joinNonEmpty(" at ", string(m.Outcome), m.Step), Note: m.Why.String()}}
	for _, step := range m.Steps {
		entries = append(entries, entry{Head: "step " + step.Name, Said: milliseconds(step.Took)})
	}
	for _, note := range m.Notes {
		entries = append(entries, entry{Head: "note", Said: note})
	}
	for _, r := range []struct {
		name  string
		reply *evidence.SMTPReply
	}{
		{"greeting", m.Greeting},
		{"EHLO", m.EHLO},
		{"VRFY", m.VRFY},
		{"EXPN", m.EXPN},
		{"RCPT postmaster", m.Postmaster},
		{"RCPT abuse", m.Abuse},
		{"RCPT stranger", m.Relay},
	} {
		if r.reply != nil {
			entries = append(entries, entry{Head: r.name, Said: replyText(r.reply)})
		}
	}
	return []detail{{"SMTP", append(entries, tlsEntries(m.Host, m.TLS)...)}}
}

func replyText(r *evidence.SMTPReply) string {
	lines := r.Lines
	more := ""
	if len(lines) > shownLines {
		lines, more = lines[:shownLines], fmt.Sprintf(" / and %d lines more", len(r.Lines)-shownLines)
	}
	return fmt.Sprintf("%d %s%s", r.Code, joinTexts(lines, " / "), more)
}

func joinTexts(list []untrusted.Text, between string) string {
	texts := make([]string, len(list))
	for i, t := range list {
		texts[i] = t.String()
	}
	return strings.Join(texts, between)
}

func tlsEntries(host dnsname.Name, t *evidence.TLS) []entry {
	switch {
	case t == nil:
		return nil
	case !t.Offered:
		return []entry{{Head: "STARTTLS", Said: "not offered"}}
	}
	out := []entry{{Head: "STARTTLS", Said: joinNonEmpty(" ", t.Version, t.Cipher), Note: t.Error.String()}}
	if t.Injected {
		out = append(out, entry{Head: "STARTTLS", Said: "a command sent in the clear was carried over into the session"})
	}
	if t.Total > 0 || len(t.Names) > 0 {
		note := fmt.Sprintf("from %s to %s, issued by %s", day(t.NotBefore), day(t.NotAfter), t.Issuer)
		out = append(out, entry{Head: "certificate", Said: joinTexts(t.Names, ", "), Note: note})
		out = append(out, entry{Head: "certificate", Said: matching(host, t) + "trusted: " + yes(t.Trusted)})
	}
	return out
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// domainDetails lists what a mail domain says about itself.
func domainDetails(d *evidence.MailDomain) []detail {
	if d == nil {
		return nil
	}
	answers := []evidence.Answer{d.MX}
	for i := range d.Hosts {
		answers = append(answers, d.Hosts[i].A, d.Hosts[i].AAAA)
	}
	out := nonEmpty("DNS", answerEntries(answers))
	if d.SPF == nil {
		return out
	}
	entries := []entry{{Head: "SPF " + d.SPF.Domain.String(), Said: d.SPF.Record.String(), Note: plural(d.SPF.Lookups, "term") + " with a look-up"}}
	for _, s := range d.SPF.Senders {
		entries = append(entries, entry{Head: "  sender", Said: s.Network.String(), Note: joinNonEmpty(", ", s.Term.String(), s.Host.String())})
	}
	for _, fault := range d.SPF.Faults {
		entries = append(entries, entry{Note: fault})
	}
	return append(out, nonEmpty("Senders", append(entries, answerEntries(d.SPF.Answers)...))...)
}

// matching says whether a certificate is for the host, where one is known.
func matching(host dnsname.Name, t *evidence.TLS) string {
	if host.IsZero() {
		return ""
	}
	return "matches the host: " + yes(t.Matches) + ", "
}
