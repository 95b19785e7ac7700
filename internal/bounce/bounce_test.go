package bounce_test

import (
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/bounce"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/untrusted"
)

func open(t testing.TB) *bounce.Reader {
	t.Helper()
	r, err := bounce.Open()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sample is a row of testdata/samples.tsv.
type sample struct {
	rule, code, enhanced, address, text string
}

func samples(t testing.TB) []sample {
	t.Helper()
	body, err := os.ReadFile("testdata/samples.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var out []sample
	for line := range strings.Lines(string(body)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if len(f) != 5 {
			t.Fatalf("%q has %d fields", line, len(f))
		}
		out = append(out, sample{f[0], f[1], f[2], f[3], strings.ReplaceAll(f[4], `\n`, "\n")})
	}
	return out
}

func (s sample) check(t *testing.T, got bounce.Reading, err error) {
	t.Helper()
	want := s.rule
	if want == "-" {
		want = ""
	}
	address := ""
	if got.Address.IsValid() {
		address = got.Address.String()
	}
	if err != nil || got.Rule != want || (got.Class == bounce.Other) != (want == "") {
		t.Errorf("%q: rule %q, class %q, %v; want rule %q", s.text, got.Rule, got.Class, err, want)
	}
	if strconv.Itoa(got.Code) != s.code || got.Enhanced != s.enhanced || address != s.address {
		t.Errorf("%q: code %d, enhanced %q, address %q; want %s, %q, %q", s.text, got.Code, got.Enhanced, address, s.code, s.enhanced, s.address)
	}
	if got.Temporary != (s.code[0] == '4') {
		t.Errorf("%q: temporary %v", s.text, got.Temporary)
	}
}

// TestSamples holds each text against the rules, as a reply that was pasted and
// as what other servers make of it.
func TestSamples(t *testing.T) {
	r := open(t)
	seen := map[string]bool{}
	for _, s := range samples(t) {
		seen[s.rule] = true
		got, err := r.Read(s.text)
		s.check(t, got, err)
		if got.Format != "reply" {
			t.Errorf("%q: format %q", s.text, got.Format)
		}
		folded := strings.ReplaceAll(s.text, "\n", " ")
		for how, text := range map[string]string{
			"Postfix's log":    "Jan  2 03:04:05 mail postfix/smtp[1]: 4F1A2B3C4D: host mx.example.org[198.51.100.9] said: " + folded + " (in reply to RCPT TO command)",
			"Postfix's report": "<b@example.org>: host mx.example.org[198.51.100.9] said: " + strings.ReplaceAll(s.text, "\n", "\n    ") + " (in reply to RCPT TO command)\n",
			"Exim's log":       "2026-01-02 03:04:08 1tABCD-000000012Xy-3ZzZ ** b@example.org R=dnslookup T=remote_smtp H=mx.example.org [198.51.100.9]: SMTP error from remote mail server after RCPT TO:<b@example.org>: " + strings.ReplaceAll(s.text, "\n", `\n`),
			"a quotation":      "> " + strings.ReplaceAll(s.text, "\n", "\n> "),
			"upper case":       strings.ToUpper(s.text),
			"DOS lines":        strings.ReplaceAll(s.text, "\n", "\r\n"),
		} {
			t.Run(how, func(t *testing.T) {
				got, err := r.Read(text)
				s.check(t, got, err)
			})
		}
	}
	for _, rule := range r.Rules() {
		if !seen[rule.ID] {
			t.Errorf("rule %s has no sample", rule.ID)
		}
	}
}

// How a reply is told to people, and who is known by it.
func TestQuotes(t *testing.T) {
	r := open(t)
	for _, tt := range []struct{ name, text, quote, operator, recipient, note string }{
		{
			"the codes of a reply of several lines once",
			"550-5.7.25 [192.0.2.25] The IP address sending this message does not have a\n550-5.7.25 PTR record setup.\n550 5.7.25 x1si1 - gsmtp",
			"550 5.7.25 [192.0.2.25] The IP address sending this message does not have a PTR record setup. x1si1 - gsmtp", "Gmail", "", "",
		},
		{"a number that is no code", "550 5.7.1 no reverse dns entry, rule 550 of 600", "550 5.7.1 no reverse dns entry, rule 550 of 600", "", "", "does not say which address"},
		{
			"Sendmail's own line is none of the reply",
			"... while talking to mx.example.org.:\n<<< 550 5.7.1 Fix reverse DNS for 192.0.2.25\n550 5.1.1 <b@example.org>... User unknown",
			"550 5.7.1 Fix reverse DNS for 192.0.2.25", "", "example.org", "",
		},
		{
			"the same on one line", "while talking to mx.example.org.: <<< 550 5.7.1 Fix reverse DNS for 192.0.2.25 550 5.1.1 <b@example.org>... User unknown",
			"550 5.7.1 Fix reverse DNS for 192.0.2.25", "", "example.org", "",
		},
		{
			"two refusals, of two addresses", "550 5.7.1 Fix reverse DNS for 192.0.2.25\n550 5.7.1 Fix reverse DNS for 192.0.2.26\n",
			"550 5.7.1 Fix reverse DNS for 192.0.2.25", "", "", "other addresses too, which are not examined: 192.0.2.26",
		},
		{
			"an address to complain to is no recipient", "554 IP=192.0.2.25 - A problem occurred. Ask your postmaster for help or to contact info@mx.example.org to clarify. (DIAL)",
			"554 IP=192.0.2.25 - A problem occurred. Ask your postmaster for help or to contact info@mx.example.org to clarify. (DIAL)", "T-Online", "", "",
		},
		{
			"without its code", "Client host rejected: cannot find your hostname, [192.0.2.25]",
			"Client host rejected: cannot find your hostname, [192.0.2.25]", "", "", "",
		},
		{
			"GMX", "554-Bad DNS PTR resource record.\n554 For explanation visit the postmaster page",
			"554 Bad DNS PTR resource record. For explanation visit the postmaster page", "GMX, WEB.DE or a server of IONOS", "", "does not say which address",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := r.Read(tt.text)
			if err != nil || got.Quote.Raw() != tt.quote || bounce.Operator(got.Rule) != tt.operator || got.Recipient.String() != tt.recipient {
				t.Errorf("%v, quote %q, operator %q, recipient %v", err, got.Quote.Raw(), bounce.Operator(got.Rule), got.Recipient)
			}
			if notes := strings.Join(got.Notes, "; "); !strings.Contains(notes, tt.note) || (notes == "") != (tt.note == "") {
				t.Errorf("notes %q", notes)
			}
		})
	}
	known := map[string]bool{}
	for _, rule := range r.Rules() {
		known[rule.ID] = true
	}
	for _, rule := range bounce.OperatorRules() {
		if !known[rule] {
			t.Errorf("there is no rule %q", rule)
		}
	}
}

// What our own gate says is read for what it means.
func TestOurOwnReplies(t *testing.T) {
	r := open(t)
	args := finding.Args{
		Address: netip.MustParseAddr("192.0.2.25"), Name: dnsname.MustParse("mail.example.net"), Names: []dnsname.Name{dnsname.MustParse("mail.example.net")},
		Others: []netip.Addr{netip.MustParseAddr("198.51.100.1")}, Said: untrusted.New("pc009"), Count: 3, Why: "numeric",
	}
	for _, code := range []finding.Code{
		finding.PTRMissing, finding.PTRUnusable, finding.PTRUnconfirmed, finding.PTRSeveral, finding.PTRTooMany, finding.PTRGeneric, finding.DNSTrouble,
		finding.HeloMissing, finding.HeloNotFQDN, finding.HeloBareIP, finding.HeloUnresolvable, finding.HeloNotClient, finding.HeloNotPTR,
	} {
		f := finding.Finding{Code: code, Args: args}
		prefix := ""
		if strings.HasPrefix(string(code), "ptr-") {
			prefix = "Reverse DNS validation failed: "
		}
		got, err := r.Read("550 5." + f.Entry().Detail + " " + prefix + f.Fact())
		if err != nil || !slices.Contains(got.Class.Explains(), string(code)) {
			t.Errorf("%s: %q is read as %s by %s, which does not explain it (%v)", code, f.Fact(), got.Class, got.Rule, err)
		}
	}
	for _, c := range bounce.Classes() {
		for _, code := range c.Explains() {
			if !finding.Known(finding.Code(code)) {
				t.Errorf("class %s names %q, which is no finding", c, code)
			}
		}
	}
}
