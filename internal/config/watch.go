package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
)

// Watch says what is examined on a schedule, and who is told of changes.
type Watch struct {
	// Targets are addresses, hosts and mail domains, as for check.
	Targets []string
	Every   time.Duration
	// Confirm is how often in a row a change must be seen.
	Confirm int
	// Webhook is posted each change; empty for none.
	Webhook string
	// Relay takes messages to MailTo over, as host:port; empty for none.
	Relay    string
	MailFrom string
	MailTo   []string
}

// maxWatched bounds the targets: many are the audit's business.
const maxWatched = 100

func watchSettings(w *Watch) []setting {
	same := func(s string) string { return s }
	return []setting{
		list("targets", &w.Targets, "a list of addresses, host names and mail domains",
			"What serve (and arpagate watch) examine on a schedule, as arpagate check does.",
			parseWatched, same).like(`["mail.example.org", "203.0.113.9"]`),
		measured("every", &w.Every, durations("1h", 5*time.Minute, 7*day),
			"Time from one examination of a target to the next. A change is looked at again after five minutes, and a problem when its repair could be seen."),
		integer("confirm", &w.Confirm, 1, 20,
			"How often in a row a change must be seen before anybody is told. What could not be found out must be seen three times as often."),
		text("webhook", &w.Webhook, "an http:// or https:// URL",
			"Posted a JSON document for each change. The URL may hold a secret: keep this file from other users' eyes then.",
			parseWebhook).like(`"https://chat.example.org/hook"`),
		text("relay", &w.Relay, "host:port of a mail server",
			"Relays messages about changes, without login; STARTTLS is used where it is offered.", parseRelay).like(`"127.0.0.1:25"`),
		text("mail_from", &w.MailFrom, "a mail address", "Sender of these messages.", parseMailbox).like(`"arpagate@example.org"`),
		list("mail_to", &w.MailTo, "a list of mail addresses", "Recipients of these messages.",
			parseMailbox, same).like(`["postmaster@example.org"]`),
	}
}

// parseWatched reads an address, or a name of two labels at least.
func parseWatched(s string) (string, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return addr.Unmap().String(), nil
	}
	name, err := dnsname.Parse(s)
	if err != nil || name.HostFault() != dnsname.Usable {
		return "", fmt.Errorf(`%s is neither an address nor a fully qualified name such as "mail.example.org"`, quote(s))
	}
	return name.String(), nil
}

func parseWebhook(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return "", errors.New(`it is not a URL such as "https://chat.example.org/hook"`)
	case u.User != nil:
		return "", errors.New("user names in a URL are not sent: put the key into its path or query")
	}
	return s, nil
}

func parseRelay(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	host, port, err := net.SplitHostPort(s)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" {
		return "", fmt.Errorf(`%s is not a host and a port, such as "127.0.0.1:25" or "relay.example.org:25"`, quote(s))
	}
	if _, err := netip.ParseAddr(host); err != nil {
		if _, err := fqdn(host); err != nil {
			return "", fmt.Errorf("the host of %s is neither a fully qualified name nor an address", quote(s))
		}
	}
	return s, nil
}

// parseMailbox reads an addr-spec (RFC 5322 §3.4.1) in plain ASCII.
func parseMailbox(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' }) {
		return "", fmt.Errorf(`%s is not a mail address such as "postmaster@example.org"`, quote(s))
	}
	return s, nil
}

// checkWatch tells what is missing between the settings of the watch.
func (r *reader) checkWatch(w *Watch) {
	for i, target := range w.Targets {
		for _, other := range w.Targets[:i] {
			if other == target {
				r.problem(element("watch.targets", i), quote(target)+" is listed twice")
			}
		}
	}
	if len(w.Targets) > maxWatched {
		r.problem("watch.targets", fmt.Sprintf("lists %d targets; %d are the most", len(w.Targets), maxWatched))
	}
	mails := w.Relay != "" && w.MailFrom != "" && len(w.MailTo) > 0
	if !mails && (w.Relay != "" || w.MailFrom != "" || len(w.MailTo) > 0) {
		r.problem("watch", "mail needs relay, mail_from and mail_to, all three")
	}
	if len(w.Targets) == 0 && (mails || w.Webhook != "") {
		r.warn("watch.targets", "nothing is watched, so nobody will be told of anything")
	}
}
