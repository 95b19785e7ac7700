package lab_test

import (
	"context"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/lab"
)

func TestParseErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"mail.example.org A 203.0.113", `lab: line 1: bad A A: "203.0.113"`},
		{"\n\nmail.example.org BAD 203.0.113.1\n", `lab: line 3: `},
		{"$INCLUDE /etc/hostname\n", "lab: line 1: "},
		{"ptr 203.0.113.1", "lab: line 1: want ptr ADDRESS [TTL] NAME"},
		{"\nptr 203.0.113 mail.example.org", `lab: line 2: bad address "203.0.113"`},
		{"ptr fe80::1%eth0 mail.example.org", `lab: line 1: bad address "fe80::1%eth0"`},
		{"ptr 203.0.113.1 x mail.example.org", "lab: line 1: "},
		{"!explode mail.example.org", `lab: line 1: unknown fault "!explode"`},
		{"!servfail", "lab: line 1: want !servfail NAME [TYPE]"},
		{"!servfail a.example.org A B", "lab: line 1: want !servfail NAME [TYPE]"},
		{"!servfail a..example.org", `lab: line 1: bad name "a..example.org"`},
		{"!servfail a.example.org LETTER", `lab: line 1: unknown type "LETTER"`},
		{"!delay", "lab: line 1: want !delay DURATION NAME [TYPE]"},
		{"!delay fast a.example.org", `lab: line 1: bad delay "fast"`},
		{"!delay -1s a.example.org", `lab: line 1: bad delay "-1s"`},
		{"a.example.org CH TXT x\n", `lab: line 1: class CH of "a.example.org." is not IN`},
		{"\n*.example.org A 203.0.113.1\n\n", "lab: line 2: "},
		{"a.example.org DNAME b.example.org\n", "lab: line 1: "},
		{"a.example.org A 203.0.113.1\na.example.org CNAME b.example.org\n", `lab: line 2: "a.example.org." has a CNAME`},
		{"a.example.org CNAME b.example.org\na.example.org A 203.0.113.1\n", `lab: line 2: "a.example.org." has a CNAME`},
		{"a.example.org SOA ( ns. host.\n 1 2 3 4 x )\n", "lab: line 2: "},
		{strings.Repeat("$GENERATE 0-65535 a$.example.org A 203.0.113.1\n", 2), "more than 70000 records"},
		{"smtp 203.0.113.1 tls=maybe", `lab: line 1: bad word "tls=maybe" of a mail server: want valid, none, `},
		{"smtp 203.0.113.1 reject=220", `want a code from 400 to 599`},
		{"smtp 203.0.113.1 delay=2h", `want a duration`},
		{"smtp 203.0.113.1 name=", `want a name`},
		{"smtp 203.0.113.1 relay=yes", `want open`},
		{"smtp 203.0.113.1 loud", `unknown word "loud" of a mail server`},
		{"smtp 203.0.113.1,mail.example.org", `lab: line 1: bad address "mail.example.org"`},
		{"smtp 203.0.113.1\nsmtp 192.0.2.1,203.0.113.1 silent", `lab: line 2: a second smtp line for 203.0.113.1`},
		{";= 203.0.113.1 mail.example.org pass", "lab: line 1: want ;= ADDRESS HELO RESULT TITLE"},
		{";= 203.0.113 mail.example.org pass a host", `lab: line 1: bad address "203.0.113"`},
		{";= 203.0.113.1 mail.example.org good a host", `unknown iprev result "good"`},
	}
	for _, tt := range tests {
		w, err := lab.Parse(tt.text)
		if err == nil || w != nil {
			t.Errorf("%q: no error", tt.text)
		} else if !strings.HasPrefix(err.Error(), "lab: line ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60q: got %q, want %q", tt.text, err, tt.want)
		}
	}
}

func TestParseHosts(t *testing.T) {
	hosts := parse(t, "; a remark\n;= 203.0.113.7 - fail  says nothing  at all\n").Hosts()
	if len(hosts) != 1 || hosts[0].Helo != "" || hosts[0].Expect != "fail" || hosts[0].Title != "says nothing at all" {
		t.Errorf("got %+v", hosts)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(smallWorld)
	f.Add("$ORIGIN example.org.\n@ IN A 203.0.113.1\n ( AAAA\n 2001:db8::1 )\n$GENERATE 1-3 a$ A 203.0.113.$\n")
	f.Add("smtp 203.0.113.1,2001:db8::1 name=mail.example.org delay=1s tls=none relay=open silent\n")
	f.Add(serverWorld)
	f.Add("!delay 1s \\000.example.org TYPE65280\nptr ::ffff:203.0.113.1 .\n")
	f.Fuzz(func(t *testing.T, text string) {
		w, err := lab.Parse(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "lab: line ") {
				t.Errorf("error without a line: %q", err)
			}
			return
		}
		names := w.Names()
		for _, name := range names[:min(len(names), 50)] {
			for _, kind := range []evidence.Type{evidence.A, evidence.PTR, evidence.MX, evidence.TXT} {
				if err := w.Packs(evidence.Question{Name: name, Type: kind}); err != nil {
					t.Errorf("%s %s: %v", name, kind, err)
				}
				a := w.Ask(context.Background(), evidence.Question{Name: name, Type: kind}).Wait()[0]
				if a.State == evidence.NotAsked || a.State == evidence.NXDomain && len(a.Aliases) == 0 {
					t.Errorf("%s %s exists, and answers %s", name, kind, a.State)
				}
				if (a.State == evidence.Found) != (a.Total > 0) || len(a.Names)+len(a.Addrs) > a.Total {
					t.Errorf("%s %s: %s", name, kind, said(a))
				}
			}
		}
	})
}
