package config

import (
	"errors"
	"net/netip"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/listen"
)

// sections declares every setting once, bound to the fields of c: what is read,
// checked, shown and documented comes from here.
func sections(c *Config) []section {
	return []section{
		{"site", "Who is gated.", siteSettings(&c.Site)},
		{"listen", "Where the doors are. A change of this section needs a restart.", listenSettings(&c.Listen)},
		{"dns", "Whom the gate asks, and how long it waits.", dnsSettings(&c.DNS)},
		{"store", "Where cases and lists are kept.", storeSettings(&c.Store)},
		{"policy", "What findings earn. The preset sets everything here; the other settings change it.", policySettings(&c.Policy)},
		{"log", "What is logged, to standard error.", logSettings(&c.Log)},
		{"doctor", "How check, and the watch, examine a host beyond what the gate asks.", doctorSettings(&c.Doctor)},
		{"watch", "What is examined on a schedule, and who is told of changes. A change of this section needs a restart.", watchSettings(&c.Watch)},
	}
}

func siteSettings(s *Site) []setting {
	return []setting{
		text("name", &s.Name, "a fully qualified host name",
			"Name of this host. Without it the machine's own name is taken, if that is fully qualified.",
			parseFQDN).like(`"mx.example.org"`),
		text("url", &s.URL, "an http:// or https:// URL of at most 200 octets",
			"Base of the links in SMTP replies, where senders read what is wrong and how to put it right. Without it replies carry the reference alone.",
			parseURL).like(`"https://gate.example.org"`),
		text("authserv_id", &s.AuthservID, "a domain name",
			"Names this site in Authentication-Results fields (RFC 8601 §2.5); fields of that name from outside are removed. Without it site.name is taken.",
			parseAuthservID).like(`"example.org"`),
		list("own_networks", &s.OwnNetworks, "a list of networks in CIDR notation",
			"Networks that are never refused, whatever their DNS says. Loopback and private networks need no entry.",
			parsePrefix, netip.Prefix.String).like(`["192.0.2.0/24", "2001:db8::/32"]`),
	}
}

// like sets the example of a setting.
func (s setting) like(example string) setting {
	s.example = example
	return s
}

func listenSettings(l *Listen) []setting {
	const form = `a list of "tcp:ADDRESS:PORT", "unix:/PATH" and "systemd:NAME"; one may stand alone`
	door := func(name string, field *[]listen.Address, doc string) setting {
		return list(name, field, form, doc, parseListen, listen.Address.String)
	}
	return []setting{
		door("policy", &l.Policy, "Doors for the Postfix policy protocol (check_policy_service). An empty list closes them."),
		door("milter", &l.Milter, "Doors for the milter protocol (smtpd_milters). An empty list closes them."),
		door("http", &l.HTTP, "Doors for the pages, /metrics, /healthz and /readyz. An empty list closes them."),
		integer("max_connections", &l.MaxConnections, 1, 100_000,
			"Most open connections of each door. One more is closed at once, and the MTA takes its default action. The limit on open files (ulimit -n) must leave room for it."),
		choice("policy_stage", &l.PolicyStage, []string{"CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE"},
			"Stage of the SMTP dialogue (Postfix: protocol_state) at which the policy doors decide; at the others they have no opinion. "+
				"Before RCPT the recipient is not known, nor always the login, so that their exemptions don't hold."),
		mode("unix_mode", &l.UnixMode, "Permissions of the UNIX sockets: who may write to one may ask."),
	}
}

func dnsSettings(d *DNS) []setting {
	return []setting{
		list("servers", &d.Servers, `a list of addresses such as "127.0.0.1" or "[::1]:53"; one may stand alone`,
			"Recursive DNS servers to ask. Without it those of /etc/resolv.conf are asked. A validating resolver on this machine serves best.",
			parseServer, netip.AddrPort.String).like(`["127.0.0.1", "[::1]:53"]`),
		measured("timeout", &d.Timeout, durations("5s", 100*time.Millisecond, 20*time.Second),
			"Time for all questions of one decision together. Whatever is open then counts as trouble, never as absence."),
		measured("stress_timeout", &d.StressTimeout, durations("2s", 100*time.Millisecond, 20*time.Second),
			"The same while the MTA is under stress (stress=yes)."),
		measured("cache_size", &d.CacheSize, sizes("64MiB", 1<<20, 64<<30), "Memory for DNS answers."),
		table("canary", &d.Canaries,
			"Questions whose answers are known, to tell a broken resolver from a broken sender: while one is answered wrongly, nothing is refused for good. "+
				"Tables in the file replace the default ones; canary = [] switches them off.",
			canarySettings, checkCanary),
	}
}

func canarySettings(c *Canary) []setting {
	return []setting{
		scalar("name", &c.Name, "a domain name", "Name to ask for. A label * is a new random one each time, which no resolver has in memory.", ofText(parseName),
			func(n dnsname.Name) string { return tomlString(n.String()) }).like(`"a.root-servers.net"`),
		choice("type", &c.Type, []string{"A", "AAAA", "MX", "NS", "PTR", "TXT"}, "Type of record to ask for.").like(`"A"`),
		choice("expect", &c.Expect, []string{Found, NXDomain}, "Right answer: there is such a record, or no such name.").like(`"found"`),
	}
}

func checkCanary(c Canary) error {
	if c.Name.IsZero() || c.Type == "" || c.Expect == "" {
		return errors.New("a canary needs name, type and expect")
	}
	return nil
}

func storeSettings(s *Store) []setting {
	return []setting{
		text("url", &s.URL, `"sqlite:" and an absolute path`, "File of the store, on a local disk.", parseStore),
		measured("retention", &s.Retention, durations("30d", time.Hour, 3650*day),
			"Time after which the details of a case are deleted."),
		boolean("keep_mail_addresses", &s.KeepMailAddresses,
			"Store the sender and recipient of each case. They are personal data; the gate does not need them."),
	}
}

func policySettings(p *Policy) []setting {
	threshold := func(name string, field *int, what string) setting {
		return integer(name, field, 0, 1000, "Sum of points from which a client is "+what+"; 0 is never. The default is the preset's.")
	}
	return []setting{
		choice("preset", &p.Preset, decision.Presets(),
			"monitor refuses nothing and records what it would have done. careful defers a missing or unconfirmed PTR record, and refuses it once it was seen "+
				"patience_times over patience_over. strict refuses at once, generic names too."),
		threshold("tag_at", &p.TagAt, "tagged"),
		threshold("defer_at", &p.DeferAt, "deferred"),
		threshold("reject_at", &p.RejectAt, "refused"),
		integer("patience_times", &p.PatienceTimes, 1, 1000,
			"How many times a patient rule must see the same complete negative answer before it refuses; it defers until then."),
		measured("patience_over", &p.PatienceOver, durations("1h", time.Second, 30*day),
			"Time that must lie between the first and the last of them."),
		text("on_error", &p.OnError, alternatives([]string{OnErrorAccept, OnErrorTempfail}),
			"What a client gets while the gate itself is in trouble: no opinion, or a request to come back. The monitor preset's default is accept.", parseOnError),
		table("rule", &p.Rule,
			"Rules of the site, each in place of the preset's rule for the same finding. The first law holds for them too: trouble in the DNS never refuses for good.",
			ruleSettings, checkRule),
	}
}

func parseOnError(s string) (string, error) {
	switch s {
	case OnErrorAccept, OnErrorTempfail:
		return s, nil
	case "reject":
		return "", errors.New(`"reject" would lose mail for good because of trouble that is ours, not the sender's: write "tempfail" or "accept"`)
	}
	return "", errors.New(quote(s) + " is not " + alternatives([]string{OnErrorAccept, OnErrorTempfail}))
}

func ruleSettings(r *decision.Rule) []setting {
	action := choiceOf("action", &r.Action, []decision.Action{decision.Accept, decision.Tag, decision.Defer, decision.Reject},
		"What the finding earns at once; the default is accept, for rules of points alone.")
	return []setting{
		choice("code", &r.Code, codes(), "Code of the finding.").like(`"` + string(finding.PTRGeneric) + `"`),
		action.like(`"defer"`),
		integer("points", &r.Points, 0, 100, "Points that the finding adds."),
		boolean("patient", &r.Patient, "Defer instead of refusing until patience_times and patience_over are reached."),
	}
}

// choiceOf makes a choice of values that print themselves.
func choiceOf[T interface{ String() string }](name string, field *T, values []T, doc string) setting {
	words := make([]string, len(values))
	word := (*field).String()
	for i, v := range values {
		words[i] = v.String()
	}
	s := choice(name, &word, words, doc)
	read := s.read
	s.read = func(r *reader, path string, v any) {
		read(r, path, v)
		for i, w := range words {
			if w == word {
				*field = values[i]
			}
		}
	}
	s.write = func() string { return tomlString((*field).String()) }
	return s
}

// checkRule asks decision whether the rule may stand.
func checkRule(rule decision.Rule) error {
	if rule.Code == "" {
		return errors.New("a rule needs a code: one of " + alternatives(codes()))
	}
	if err := new(decision.Rules).Override(rule); err != nil {
		return errors.New(trimRoom(err))
	}
	return nil
}

func logSettings(l *Log) []setting {
	return []setting{
		choice("format", &l.Format, []string{"logfmt", "json"}, "How lines are written."),
		choice("level", &l.Level, []string{"debug", "info", "warn", "error"}, "Mildest lines to write."),
		choice("cases", &l.Cases, []string{"all", "refused", "none"}, "Which decisions get a line: all, those that are not plain acceptance, or none."),
	}
}
