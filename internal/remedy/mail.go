package remedy

import (
	"fmt"
	"strings"

	"github.com/arpagate/arpagate/internal/evidence"
)

var mailWriters = map[string]func(*job){
	"banner-name": mailTask("banner", "Let the greeting of the mail server begin with a full name that resolves (%s)."),
	"ehlo-name":   mailTask("banner", "Let the mail server answer EHLO with a full name that resolves (%s)."),
	"tls-missing": mailTask("tls", "Turn STARTTLS on, with a certificate for %s."),
	"tls-failed":  mailTask("tls", "Repair STARTTLS: certificate and key must belong together, and TLS 1.2 or newer must be allowed."),
	"tls-expired": mailTask("tls", "Renew the certificate, and let the mail server load it anew."),
	"tls-name":    mailTask("tls", "Get a certificate for %s."),
	"tls-untrusted": mailTask("tls",
		"Nothing has to be done for mail from strangers, who mostly don't look; use a certificate of a public authority, with its intermediate certificates, if partners insist."),
	"tls-injection": func(j *job) {
		mailTask("update", "Update the mail server: it takes commands that were sent before TLS began for commands inside of it (RFC 3207 §4.2).")(j)
		j.caution("Until then an attacker on the way can put commands into others' sessions; if a proxy in front ends TLS, update the proxy.")
	},
	"vrfy-open":          mailTask("vrfy", "Turn VRFY off: it tells anybody which mailboxes exist."),
	"expn-open":          mailTask("vrfy", "Turn EXPN off: it tells anybody who is on a list."),
	"postmaster-refused": mailTask("roles", "Accept mail for postmaster, as every domain that takes mail must (RFC 5321 §4.5.1)."),
	"abuse-refused":      mailTask("roles", "Accept mail for abuse, where complaints arrive that nobody else will send you (RFC 2142 §4)."),
	"relay-open": func(j *job) {
		mailTask("closed", "Close the open relay today: let only your own networks and users with a password send to other domains.")(j)
		j.caution("The test ended at RCPT; some servers refuse later, after DATA. Look into the log for the recipient before you change anything else.")
		j.caution("Listings follow within hours. Ask for their removal only after the relay is closed.")
	},
}

// mailTask has the mail server configured, with the name filled in.
func mailTask(task, do string) func(*job) {
	return func(j *job) {
		if strings.Contains(do, "%s") {
			name := j.name()
			if host := j.Finding.Args.Host; task == "tls" && safe(host) {
				name = host.String() // the name that senders look for is that of the MX host
			}
			j.mail(task, fmt.Sprintf(do, name))
			return
		}
		j.mail(task, do)
	}
}

func (j *job) mail(task, do string) {
	j.out.Party, j.out.Do = MailAdmin, do
	switch task {
	case "banner":
		j.out.Wanted = &j.choice
		j.out.Visible = j.atOnce("the next connection is greeted with the new name")
	case "tls":
		if j.server != nil && safe(j.Finding.Args.Host) {
			j.fill = newFiller(j.Address, j.Finding.Args.Host)
		}
		j.out.Visible = j.atOnce("the next connection sees it")
	}
	j.configure(task, do)
}

// listed has the cause ended first, then the removal asked for.
func (j *job) listed() {
	j.out.Party = ListOperator
	zone := j.Finding.Args.Zone
	j.out.Who = whoOf[ListOperator]
	if !zone.IsZero() {
		j.out.Who = "the operator of " + zone.String()
	}
	j.out.Do = fmt.Sprintf("End the cause of the listing first, then ask for the removal of %s on the list's own page.", j.address())
	if j.Page != "" {
		j.out.Contact = strings.ReplaceAll(j.Page, "%s", j.Address.String())
	}
	j.say("Read the reason: the TXT record and the page of the list say why the address is listed.")
	if j.View != nil && j.View.IPRev.Result != evidence.Pass {
		j.say("Put the reverse DNS right before you ask: many lists don't remove an address without it.")
	}
	j.say("Look for the cause: a login that was taken over, a form that sends mail to anybody, an infected computer behind the same address, or a line that the provider has declared dynamic.")
	j.say("Ask for the removal once. Who pays for it pays too much, and who asks again before the cause is gone is kept longer.")
}
