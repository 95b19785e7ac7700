package finding

import (
	"fmt"
	"slices"
	"time"
)

// The codes of what a mail server shows on port 25.
const (
	Port25Blocked     Code = "port25-blocked"
	SMTPClosed        Code = "smtp-closed"
	SMTPTurnedAway    Code = "smtp-turned-away"
	SMTPGarbled       Code = "smtp-garbled"
	SMTPSlow          Code = "smtp-slow"
	SMTPDelayed       Code = "smtp-delayed"
	BannerName        Code = "banner-name"
	EHLOName          Code = "ehlo-name"
	EHLONotAddress    Code = "ehlo-not-address"
	BannerNotPTR      Code = "banner-not-ptr"
	TLSMissing        Code = "tls-missing"
	TLSFailed         Code = "tls-failed"
	TLSInjection      Code = "tls-injection"
	TLSExpired        Code = "tls-expired"
	TLSUntrusted      Code = "tls-untrusted"
	TLSName           Code = "tls-name"
	VRFYOpen          Code = "vrfy-open"
	EXPNOpen          Code = "expn-open"
	PostmasterRefused Code = "postmaster-refused"
	AbuseRefused      Code = "abuse-refused"
	RelayOpen         Code = "relay-open"
)

var serverEntries = slices.Concat(dialogueEntries, nameEntries, tlsEntries, ownEntries)

var dialogueEntries = []Entry{
	{
		Code: Port25Blocked, Title: "Port 25 can't be reached from here", RFC: "RFC 5321 §4.5.4",
		Remedy: "Ask your own provider whether it shuts outgoing port 25, or examine from another network: as long as no mail server at all can be reached from here, nothing is known about these.",
		text: func(a Args) string {
			return fmt.Sprintf("None of the %d mail servers tried could be connected to (%s). Providers often shut outgoing port 25, and then they all look like this.", a.Count, list(a.Parts))
		},
	},
	{
		Code: SMTPClosed, Title: "The mail server could not be connected to", RFC: "RFC 5321 §4.5.4",
		Remedy: "If other networks can't connect either, whoever runs the mail server must let port 25 through; a host that only sends need not listen.",
		text: func(a Args) string {
			return fmt.Sprintf("No connection to %s%s: %s%s. Whether it is down, or something on the way keeps us out, can't be told from here.", a.Peer, named(a), a.Why, because(a.Said.String()))
		},
	},
	{
		Code: SMTPTurnedAway, Title: "The mail server turned the examination away", RFC: "RFC 5321 §3.1",
		Remedy: "If it does so to everybody, whoever runs the mail server must see why; often it is the address from which the examination was made that is refused.",
		text: func(a Args) string {
			return fmt.Sprintf("%s%s did not let us in (%s)%s.", a.Peer, named(a), a.Why, because(a.Said.String()))
		},
	},
	{
		Code: SMTPGarbled, Title: "What the server says is not SMTP", RFC: "RFC 5321 §4.2",
		Remedy: "Whoever runs the server must see what listens on port 25: a proxy or firewall in front of the mail server, or another program.",
		text: func(a Args) string {
			return fmt.Sprintf("%s%s could not be understood at the step %s%s.", a.Peer, named(a), a.Why, because(a.Said.String()))
		},
	},
	{
		Code: SMTPDelayed, Title: "The server delays its greeting on purpose", RFC: "RFC 5321 §4.5.3.2",
		Remedy: "Nothing must be done: senders wait up to five minutes for a greeting, and those that do not are often no mail servers.",
		text: func(a Args) string {
			return fmt.Sprintf("%s%s greeted after %d s.", a.Peer, named(a), a.Count)
		},
	},
	{
		Code: SMTPSlow, Title: "The mail server is slow", RFC: "RFC 5321 §4.5.3.2",
		Remedy: "Whoever runs the mail server should look at its load, and at the look-ups it makes for each client: a name server that does not answer costs it seconds.",
		text: func(a Args) string {
			return fmt.Sprintf("%s%s: the step %s %s.", a.Peer, named(a), a.Why, took(a))
		},
	},
}

func took(a Args) string {
	if a.Count == 0 {
		return "did not end in time"
	}
	return fmt.Sprintf("took %d s", a.Count)
}

var nameEntries = []Entry{
	{
		Code: BannerName, Title: "The server greets without a fully qualified name", RFC: "RFC 5321 §4.2",
		Remedy: "Set the name in the mail server's greeting (Postfix: smtpd_banner, which takes it from myhostname) to its fully qualified name.",
		text: func(a Args) string {
			if a.Said.IsZero() {
				return fmt.Sprintf("The greeting of %s holds no name.", a.Peer)
			}
			return fmt.Sprintf("%s greets as %q: %s.", a.Peer, a.Said, fault(a.Why))
		},
	},
	{
		Code: EHLOName, Title: "The server answers EHLO without a fully qualified name", RFC: "RFC 5321 §4.1.1.1",
		Remedy: "Set the mail server's own name (Postfix: myhostname) to its fully qualified name; it often says the same in HELO when it sends.",
		text: func(a Args) string {
			if a.Said.IsZero() {
				return fmt.Sprintf("The answer of %s to EHLO holds no name.", a.Peer)
			}
			return fmt.Sprintf("%s answers EHLO as %q: %s.", a.Peer, a.Said, fault(a.Why))
		},
	},
	{
		Code: EHLONotAddress, Title: "The server's name does not lead to its address", RFC: "RFC 5321 §4.1.4",
		Remedy: "If the server also sends and says this name in HELO, give the name an address record that holds the address; behind a load balancer it is usual.",
		text: func(a Args) string {
			if len(a.Others) == 0 {
				return fmt.Sprintf("%s calls itself %s, which has no address.", a.Peer, a.Name)
			}
			return fmt.Sprintf("%s calls itself %s, which resolves to %s.", a.Peer, a.Name, join(a.Others))
		},
	},
	{
		Code: BannerNotPTR, Title: "Greeting and PTR name different organizations", RFC: "RFC 5321 §4.2",
		Remedy: "Nothing must be done; no receiver compares them. The same name in both looks tidier.",
		text: func(a Args) string {
			return fmt.Sprintf("%s greets as %s, its PTR record says %s.", a.Peer, a.Name, join(a.Names))
		},
	},
}

var tlsEntries = []Entry{
	{
		Code: TLSMissing, Title: "The server does not offer STARTTLS", RFC: "RFC 3207 §4",
		Remedy: "Give the mail server a certificate and turn TLS on (Postfix: smtpd_tls_security_level = may).",
		text: func(a Args) string {
			return fmt.Sprintf("%s%s does not offer STARTTLS, so that mail for it is sent in the clear, or not at all.", a.Peer, named(a))
		},
	},
	{
		Code: TLSFailed, Title: "The server offers STARTTLS, but no session comes about", RFC: "RFC 3207 §4",
		Remedy: "Whoever runs the mail server must look at its certificate, key and TLS versions.",
		text: func(a Args) string {
			return fmt.Sprintf("The handshake with %s%s failed%s.", a.Peer, named(a), because(a.Said.String()))
		},
	},
	{
		Code: TLSInjection, Title: "The server carries plain text over into the TLS session", RFC: "RFC 3207 §4.2",
		Remedy: "Update the mail server: with this fault somebody on the way can put commands before those of the sender.",
		text: func(a Args) string {
			return fmt.Sprintf("%s%s took commands that were sent in the clear behind STARTTLS as part of the session that TLS protects.", a.Peer, named(a))
		},
	},
	{
		Code: TLSExpired, Title: "The server's certificate is not valid at this time", RFC: "RFC 5280 §4.1.2.5",
		Remedy: "Renew the certificate and have the mail server read it again. If the date here is wrong, set the clock of this machine.",
		text: func(a Args) string {
			if a.Why == "early" {
				return fmt.Sprintf("The certificate of %s%s is valid from %s; the clock here says %s, and may be wrong.", a.Peer, named(a), day(a.When), day(a.Clock))
			}
			return fmt.Sprintf("The certificate of %s%s was valid until %s; the clock here says %s.", a.Peer, named(a), day(a.When), day(a.Clock))
		},
	},
	{
		Code: TLSUntrusted, Title: "Nobody vouches for the server's certificate", RFC: "RFC 3207 §4.1",
		Remedy: "Nothing must be done for mail to flow: most senders do not check. For MTA-STS a certificate of a public authority is needed.",
		text: func(a Args) string {
			return fmt.Sprintf("The certificate of %s%s %s.", a.Peer, named(a), a.Why)
		},
	},
	{
		Code: TLSName, Title: "The server's certificate is for another name", RFC: "RFC 3207 §4.1",
		Remedy: "Nothing must be done for mail to flow: most senders do not check. For MTA-STS and DANE the name of the MX host must be in the certificate.",
		text: func(a Args) string {
			return fmt.Sprintf("The certificate of %s%s names %s.", a.Peer, named(a), orNothing(list(a.Parts)))
		},
	},
}

var ownEntries = []Entry{
	{
		Code: RelayOpen, Title: "The server takes mail from strangers to strangers", RFC: "RFC 2505 §2.1",
		Remedy: "Close it at once: only own networks and authenticated clients may relay (Postfix: smtpd_relay_restrictions). If it refuses later, after the text of the mail, nothing was lost, but it will be listed all the same.",
		text: func(a Args) string {
			return fmt.Sprintf("%s%s accepted a recipient of another domain from us%s.", a.Peer, named(a), because(a.Said.String()))
		},
	},
	{
		Code: PostmasterRefused, Title: "The server refuses mail to postmaster", RFC: "RFC 5321 §4.5.1",
		Remedy: "Give the domain a mailbox postmaster, and let it pass every filter.",
		text: func(a Args) string {
			return fmt.Sprintf("%s%s refused the recipient postmaster%s.", a.Peer, named(a), because(a.Said.String()))
		},
	},
	{
		Code: AbuseRefused, Title: "The server refuses mail to abuse", RFC: "RFC 2142 §4",
		Remedy: "Give the domain a mailbox abuse: that is where people write who got unwanted mail from it.",
		text: func(a Args) string {
			return fmt.Sprintf("%s%s refused the recipient abuse%s.", a.Peer, named(a), because(a.Said.String()))
		},
	},
	{
		Code: VRFYOpen, Title: "The server tells which mailboxes exist", RFC: "RFC 5321 §7.3",
		Remedy: "Turn VRFY off (Postfix: disable_vrfy_command = yes); RFC 5321 lets it answer 252.",
		text: func(a Args) string {
			return fmt.Sprintf("%s%s answers VRFY%s.", a.Peer, named(a), because(a.Said.String()))
		},
	},
	{
		Code: EXPNOpen, Title: "The server tells who is on a mailing list", RFC: "RFC 5321 §7.3",
		Remedy: "Turn EXPN off (Sendmail: O PrivacyOptions=noexpn).",
		text: func(a Args) string {
			return fmt.Sprintf("%s%s answers EXPN%s.", a.Peer, named(a), because(a.Said.String()))
		},
	},
}

// named adds the host's name to its address.
func named(a Args) string {
	if a.Host.IsZero() {
		return ""
	}
	return " (" + a.Host.String() + ")"
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func orNothing(s string) string {
	if s == "" {
		return "no host"
	}
	return s
}
