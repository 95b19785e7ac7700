package doctor_test

// What a mail server says on port 25. Names and addresses are in order, but
// for the one thing:
//
//	port 25 ──> 220 banner ──> EHLO ──> STARTTLS ──> RCPT
//	  │           │              │         │           │
//	  closed      late, wrong    wrong     missing,    postmaster refused,
//	              name           name      expired     relays for strangers
var mtaWorlds = []world{
	{
		name: "postfix", fault: "Postfix calls itself localhost.localdomain", addr: "203.0.113.25", host: host{mta: "postfix", says: "localhost.localdomain"},
		want: []fault{{"banner-name", "mail-admin"}},
		mend: (*mender).postfix,
	},
	{
		name: "exim", fault: "Exim with a single label as its name", addr: "203.0.113.26", host: host{mta: "exim", says: "mailhost"},
		want: []fault{{"banner-name", "mail-admin"}},
		mend: (*mender).exim,
	},
	{
		name: "opensmtpd", fault: "OpenSMTPD with a single label as its name", addr: "203.0.113.27", host: host{mta: "opensmtpd", says: "mailhost"},
		want: []fault{{"banner-name", "mail-admin"}, {"tls-missing", "mail-admin"}},
		mend: (*mender).smtpd,
	},
	{
		name: "cleartext", fault: "no STARTTLS", addr: "203.0.113.28", host: host{cert: noCert, options: []string{"smtpd_tls_security_level = none"}},
		want: []fault{{"tls-missing", "mail-admin"}},
	},
	{
		name: "expired", fault: "certificate expired", addr: "203.0.113.29", host: host{cert: expiredCert},
		want: []fault{{"tls-expired", "mail-admin"}},
	},
	{
		name: "delay", fault: "greeting delayed on purpose (information)", addr: "203.0.113.31",
		host: host{options: []string{"smtpd_delay_reject = no", "smtpd_client_restrictions = sleep 6"}},
		info: []string{"smtp-delayed"},
	},
	{
		name: "closed", fault: "port 25 of the MX host closed", addr: "203.0.113.32", host: host{mta: "none"}, target: "closed.example.net", dns: mx("HOST"),
		want: []fault{{"smtp-closed", "nobody"}},
	},
	{
		name: "relay", fault: "open relay", addr: "203.0.113.33", args: []string{"--relay-test"},
		host: host{options: []string{"mynetworks = 0.0.0.0/0"}},
		want: []fault{{"relay-open", "mail-admin"}},
	},
	{
		name: "postmaster", fault: "postmaster refused", addr: "203.0.113.34", args: []string{"--own"}, target: "postmaster.example.net", dns: mx("HOST"),
		host: host{options: []string{"smtpd_recipient_restrictions = check_recipient_access inline:{postmaster@=reject}, permit"}},
		want: []fault{{"postmaster-refused", "mail-admin"}},
	},
}

// DNS lists, and our own DNS server:
//
//	203.0.113.x ──> bl.example.org: 127.0.0.2 for the address
//	            ──> no.example.org: 127.255.255.254 for everybody
//	            ──> 127.0.0.99: nobody
var dnsWorlds = []world{
	{
		name: "listed", fault: "listed on a DNSBL", addr: "203.0.113.35",
		dns: func(u *universe, h host) {
			forwardAndReverse(u, h)
			u.add("35.113.0.203.bl.example.org.", "A", "127.0.0.2")
			u.add("35.113.0.203.bl.example.org.", "TXT", `"listed for a test"`)
		},
		want: []fault{{"listed", "list-operator"}},
	},
	{
		name: "refused", fault: "a DNSBL refuses the resolver (127.255.255.254)", addr: "203.0.113.36", list: "no.example.org",
		dns: func(u *universe, h host) {
			forwardAndReverse(u, h)
			u.add("*.no.example.org.", "A", "127.255.255.254")
		},
		want: []fault{{"list-refused", "own-dns"}},
	},
	{
		name: "own-dns", fault: "our own DNS server is down", addr: "203.0.113.37", args: []string{"--dns", deaf + ":53"},
		want: []fault{{"dns-trouble", "own-dns"}},
	},
}
