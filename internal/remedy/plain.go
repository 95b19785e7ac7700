package remedy

import "strings"

// advice is a remedy that is the same for everybody.
type advice struct {
	party    Party
	do       string
	steps    []string
	cautions []string
}

// plainAdvice has the advice for codes that depend on nothing but themselves.
var plainAdvice = map[string]advice{
	"mx-missing": {
		ZoneOperator, "Publish an MX record for {domain} that names the mail server.",
		[]string{"Without MX records mail goes to the address of the domain itself (RFC 5321 §5.1): that works only where a mail server listens there."},
		nil,
	},
	"mx-cname": {
		ZoneOperator, "Let the MX record of {domain} name a host with an address record; {host} is an alias (RFC 2181 §10.3).",
		[]string{"Put the name at the end of the alias into the MX record, or give the MX name an A or AAAA record of its own in the place of the CNAME."},
		nil,
	},
	"mx-literal": {
		ZoneOperator, "Put the name of the mail server into the MX record of {domain}, not its address (RFC 1035 §3.3.9).",
		[]string{"Make a name such as mail below the domain with an A record that holds the address, and let the MX record name it."},
		nil,
	},
	"mx-private": {
		ZoneOperator, "Give {host}, an MX host of {domain}, the address with which it can be reached from the Internet.",
		[]string{"If private addresses are there for your own network, serve them from a separate internal view of the zone."},
		nil,
	},
	"mx-null": {
		Nobody, "Nothing has to be done if the domain is to take no mail; else replace the null MX (\"0 .\") by one that names the mail server (RFC 7505 §3).",
		nil,
		[]string{"Mail from a domain with a null MX can't be answered; some receivers refuse it."},
	},
	"mx-no-address": {
		ZoneOperator, "Give {host}, an MX host of {domain}, an address record, or name another host.", nil, nil,
	},
	"ptr-some-unconfirmed": {
		Nobody, "Nothing has to be done where one name leads back; some filters look at the first name only, or want all of them to lead back.",
		[]string{"If mail is refused, have the holder of the address take out the PTR records of the other names, or give those names the address."},
		nil,
	},
	"spf-unreadable": {
		ZoneOperator, "Repair the SPF record of {domain}: one TXT record that begins with v=spf1, with ten look-ups at most (RFC 7208 §4.6.4).",
		[]string{"Have one SPF record only; join two into one.", "Replace includes that only lead to further includes by the networks themselves, if the look-ups are too many."},
		[]string{"SPF says who may send for the domain. It neither replaces a PTR record nor needs one."},
	},
	"smtp-closed": {
		Nobody, "Nothing can be said: port 25 could not be reached from here. Try from another network before you change anything.",
		[]string{
			"Many providers block outgoing port 25 for the one who looks; test with another host.",
			"Then see whether the mail server listens on port 25 of this address, and whether the provider's or its own firewall lets it through.",
		},
		[]string{"A server that only sends need not listen on port 25; receivers don't look there."},
	},
	"smtp-turned-away": {
		MailAdmin, "Look into the mail server's log why it turned us away at the greeting.",
		[]string{"A block list, a limit of connections or a missing DNS server are the usual causes."},
		[]string{"It may mean us alone: the server may refuse addresses like the one we came from."},
	},
	"smtp-garbled": {
		MailAdmin, "Look at what answers on port 25: it does not speak SMTP.",
		[]string{"A firewall that rewrites SMTP (\"fixup\", \"inspect esmtp\") shows as asterisks in the greeting: turn it off. A service for TLS from the start belongs on port 465."},
		nil,
	},
	"smtp-slow": {
		MailAdmin, "Find out what the mail server waits for before it answers.",
		[]string{"Most often it is its own DNS server, or a block list that no longer answers: look up the client's address by hand on the mail server."},
		[]string{"Senders wait five minutes for the greeting (RFC 5321 §4.5.3.2), so mail still arrives."},
	},
	"smtp-delayed": {
		Nobody, "Nothing has to be done: the greeting is delayed on purpose, to catch programs that don't wait for it.", nil,
		[]string{"Other checkers call this a slow server, a wrong banner and missing TLS at once; none of the three is so."},
	},
	"banner-not-ptr": {
		Nobody, "Nothing has to be done: a greeting with another name than the PTR record is usual where a host has several names.", nil, nil,
	},
	"allow-listed":     {Nobody, "Nothing has to be done: the list speaks for the address.", nil, nil},
	"domain-alignment": {Nobody, "Nothing has to be done: a PTR name in another domain than the mail's is usual wherever domains share a server.", nil, nil},
	"list-refused": {
		OurDNS, "Ask the list with a resolver of your own: it does not answer the one in use.",
		[]string{"Let a resolver run on this machine (unbound, for instance) that asks the authoritative servers itself, and put it into the configuration.", "Lists refuse public resolvers and heavy users; for many questions a contract or a data feed is needed."},
		[]string{"The answer is a refusal, not a listing: nothing is said about the address."},
	},
	"list-rewritten": {
		OurDNS, "Use a resolver that does not rewrite answers: this one gives addresses that no list gives.", nil,
		[]string{"The answer is no listing: nothing is said about the address."},
	},
	"resolver-differs": {
		OurDNS, "Wait until the old answer is forgotten, then look again; if it stays, examine through another DNS server.",
		[]string{"A record that was changed a short while ago is remembered by the resolver until its time is over.", "If nothing was changed, the resolver rewrites answers: use one of your own."},
		nil,
	},
	"list-silent": {
		Nobody, "Nothing can be said: the list did not answer. Ask again later.",
		[]string{"If it never answers, leave it out: mail servers that ask it wait in vain as well."},
		nil,
	},
	"port25-blocked": {
		MailAdmin, "Ask your own provider whether it shuts outgoing port 25, or examine from another network.",
		nil,
		[]string{"As long as no mail server at all can be reached from here, nothing is known about these."},
	},
	"mx-unusable": {
		ZoneOperator, "Let the MX record of {domain} name a host: letters, digits and hyphens, with at least one dot.", nil, nil,
	},
	"list-broken": {
		Nobody, "Leave the list out: it fails its own test points (RFC 5782 §5), so its answers mean nothing.",
		[]string{"If all lists look like this, the resolver in use rewrites answers: use another."},
		nil,
	},
}

func plainWriters() map[string]func(*job) {
	out := map[string]func(*job){}
	for code, a := range plainAdvice {
		out[code] = func(j *job) { j.plain(a) }
	}
	return out
}

func (j *job) plain(a advice) {
	r := j.out
	r.Party, r.Do = a.party, j.about(a.do)
	for _, s := range a.steps {
		j.say("%s", s)
	}
	for _, c := range a.cautions {
		j.caution("%s", c)
	}
	if a.party == ZoneOperator {
		z := j.zoneOfFinding()
		if z == j.Reverse {
			z = nil
		}
		r.Who, r.Contact = zoneWho(z, j.Finding.Args.Name), contactOf(z)
		j.mx()
		r.Visible = When(j.Now, false, j.mailChange())
	}
}

// about puts the names that the finding is about into a sentence.
func (j *job) about(s string) string {
	domain, host := "the domain", "the MX host"
	if n := j.Finding.Args.Name; !n.IsZero() {
		domain = n.String()
	}
	if n := j.Finding.Args.Host; !n.IsZero() {
		host = n.String()
	}
	return strings.NewReplacer("{domain}", domain, "{host}", host).Replace(s)
}
