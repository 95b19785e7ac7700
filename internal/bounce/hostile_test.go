package bounce_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/arpagate/arpagate/internal/bounce"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// What holds no refusal says so, and nothing is made up.
func TestNothing(t *testing.T) {
	r := open(t)
	for _, text := range []string{
		"", "\n\n", "hello", "\x00\xff\xfe", ">", strings.Repeat(">", 1000), "From: a@example.net\nTo: b@example.org\nSubject: hello\n\nhello, the year 2026 has 365 days.\n",
		"Jan  2 03:04:05 mail postfix/smtpd[9]: connect from unknown[192.0.2.25]", "250 2.0.0 OK", "220 mx.example.org ESMTP",
		"Content-Type: multipart/mixed; boundary=x\nFrom: a\nTo: b\nSubject: c\n\n--x\n--x--\n",
	} {
		got, err := r.Read(text)
		if !errors.Is(err, bounce.ErrNothing) || got.Class != bounce.Other || got.Address.IsValid() {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// The log of mail that was taken is no bounce, and says so; one refusal in it is.
func TestDelivered(t *testing.T) {
	r := open(t)
	refused := "\n2026-01-02 03:04:08 1tABCD-000000012Xy-3ZzZ ** b@example.org R=dnslookup T=remote_smtp H=mx.example.org [198.51.100.9]: SMTP error from remote mail server after RCPT TO:<b@example.org>: 550 no reverse dns entry"
	for _, text := range []string{
		"Jan  2 03:04:05 mail postfix/smtp[9]: 4F1A2B3C4D: to=<b@example.org>, relay=mx.example.org[198.51.100.9]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4X)",
		"2026-01-02 03:04:08 1tABCD-000000012Xy-3ZzZ => b@example.org R=dnslookup T=remote_smtp H=mx.example.org [198.51.100.9] C=\"250 OK\"",
		"Jan  2 03:04:05 mail sendmail[9]: 4A1B2C3D4E5F6G: to=<b@example.org>, delay=00:00:01, xdelay=00:00:01, mailer=esmtp, pri=1, relay=mx.example.org. [198.51.100.9], dsn=2.0.0, stat=Sent (Ok: queued)",
		`Jan  2 03:04:05 mail smtpd[9]: 0123456789abcdef mta delivery evpid=0123456789abcdef from=<a@example.net> to=<b@example.org> rcpt=<-> source="192.0.2.25" relay="198.51.100.9 (mx.example.org)" delay=1s result="Ok" stat="250 Ok"`,
	} {
		if got, err := r.Read(text); !errors.Is(err, bounce.ErrDelivered) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
		if got, err := r.Read(text + refused); err != nil || got.Class == bounce.Other {
			t.Errorf("%q: %+v, %v", text+refused, got, err)
		}
	}
}

func TestAddressThatTheySaw(t *testing.T) {
	r := open(t)
	for _, tt := range []struct {
		name, text, want string
		private          bool
		all              int
	}{
		{"a public one before a private one", "550 5.7.1 10.0.0.5 [192.0.2.25] no reverse dns entry", "192.0.2.25", false, 2},
		{"a private one alone", "550 5.7.1 [10.0.0.5] no reverse dns entry", "10.0.0.5", true, 1},
		{"carrier-grade NAT is private", "550 5.7.1 [100.64.0.5] no reverse dns entry", "100.64.0.5", true, 1},
		{"with the tag of RFC 5321", "550 5.7.1 [IPv6:2001:db8::25] no reverse dns entry", "2001:db8::25", false, 1},
		{"IPv4-mapped", "550 5.7.1 [::ffff:192.0.2.25] no reverse dns entry", "192.0.2.25", false, 1},
		{"never the receiver's", "<b@example.org>: host mx.example.org[198.51.100.9] said: 550 no reverse dns entry (198.51.100.9)", "", false, 0},
		{"never the receiver's, connected to in vain", "550 5.4.316 Message expired, connection refused - Server at mx.example.org (198.51.100.9) returned no reply", "", false, 0},
		{"none in a name", "550 5.7.1 dsl-192.0.2.25.example.net has no reverse dns entry", "", false, 0},
		{"none in a version", "550 5.7.1 no reverse dns entry (Example 10.3.2.1-5)", "", false, 0},
		{"with a full stop", "550 no reverse dns entry for 192.0.2.25.", "192.0.2.25", false, 1},
		{"in a link", "550 no reverse dns entry, see https://www.example.org/why?ip=192.0.2.25&c=rdns", "192.0.2.25", false, 1},
		{"no time of day", "550 5.7.1 no reverse dns entry at 03:04:05", "", false, 0},
		{"too many", "550 5.7.1 no reverse dns entry" + many(40), "192.0.2.0", false, 16},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := r.Read(tt.text)
			if err != nil || valid(got.Address) != tt.want || got.Private != tt.private || len(got.Addresses) != tt.all {
				t.Errorf("%v of %v, private %v, %v", got.Address, got.Addresses, got.Private, err)
			}
		})
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " 192.0.2.%d", i)
	}
	return b.String()
}

// hostile makes texts that want to cost much.
func hostile() map[string]string {
	header := "From: a\nTo: b\nSubject: c\nContent-Type: "
	nest := "550 5.7.25 x"
	for i := range 200 {
		nest = fmt.Sprintf("%smultipart/report; boundary=b%d\n\n--b%d\nContent-Type: message/rfc822\n\n%s\n--b%d--\n", header, i, i, nest, i)
	}
	parts := header + "multipart/mixed; boundary=x\n\n" + strings.Repeat("--x\n\n550 5.7.1 a\n", 15_000)
	return map[string]string{
		"messages in messages":  nest,
		"many parts":            parts,
		"one long line":         strings.Repeat("550 ", 1<<16),
		"many codes":            strings.Repeat("550 5.7.1 x\n\n", 1<<14),
		"many log lines":        strings.Repeat("Jan  2 03:04:05 mx postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[192.0.2.25]: 450 4.7.25 x; from=<a@example.net>\n", 1<<13),
		"many quotation marks":  strings.Repeat(strings.Repeat(">", 200)+" 550 x\n", 1000),
		"many tags":             header + "text/html\n\n" + strings.Repeat("<a<b", 1<<15) + "550 x",
		"unclosed style":        header + "text/html\n\n" + strings.Repeat("<style>", 1<<14) + "550 x",
		"many addresses":        "550 " + many(12_000),
		"colons":                "550 " + strings.Repeat(":", 1<<17),
		"folded for ever":       "From: a\nTo: b\nSubject:\n" + strings.Repeat(" x\n", 1<<16) + "\n550 x",
		"base64 that is none":   header + "text/plain\nContent-Transfer-Encoding: base64\n\n" + strings.Repeat("%", 1<<16),
		"base64 of codes":       header + "text/plain\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("550 5.7.25 x\n", 1<<13))),
		"host said, for ever":   strings.Repeat("host a[192.0.2.1] said: ", 1<<13),
		"while talking to":      strings.Repeat("while talking to x.:\n<<< 550 x\n", 1<<13),
		"more than a MiB":       "550 5.7.25 x " + strings.Repeat("x", 3<<20),
		"control characters":    "550 5.7.25 \x1b[2J\x07 [192.0.2.25]\x00 \u202e x",
		"nothing but dots":      "550 " + strings.Repeat("1.", 1<<17),
		"a header without end":  "Received: x\nFrom: y\nTo: z\n" + strings.Repeat("X-A: b\n", 1<<15),
		"Exchange, no last one": strings.Repeat("2026-01-02T03:04:06.456Z,Internet,08D1234567890ABD,8,10.0.0.5:49200,198.51.100.9:25,<,550-x,\n", 6000),
	}
}

// A report in a message in a message is read, but not for ever.
func TestDepth(t *testing.T) {
	r := open(t)
	for depth, read := range map[int]bool{1: true, 3: true, 8: false} {
		text := "From: MAILER-DAEMON@example.org\nTo: b\nSubject: c\nContent-Type: text/plain\n\n550 5.7.1 no reverse dns entry for 192.0.2.25\n"
		for i := range depth {
			text = fmt.Sprintf("From: MAILER-DAEMON@example.org\nTo: b\nSubject: c\nContent-Type: multipart/report; boundary=b%d\n\n--b%d\nContent-Type: message/rfc822\n\n%s\n--b%d--\n", i, i, text, i)
		}
		rep := bounce.Words(text)
		if (rep > 0) != read {
			t.Errorf("depth %d: %d parts for people", depth, rep)
		}
	}
	if got, err := r.Read("Reporting-MTA: dns; mx.example.org\nFinal-Recipient: rfc822; b@example.org\nStatus: 4.7.25\n"); err != nil || !got.Temporary || got.Code != 0 {
		t.Errorf("the report's status alone: temporary %v, code %d, %v", got.Temporary, got.Code, err)
	}
	if got, err := r.Read("Reporting-MTA: dns; mx.example.org\nFinal-Recipient: rfc822; b@example.org\nStatus: 5.7.25\n"); err != nil || got.Temporary {
		t.Errorf("the report's status alone: temporary %v, %v", got.Temporary, err)
	}
}

// Whoever sends a bounce must not be able to keep us busy, nor to write to the
// terminal.
func TestHostileTexts(t *testing.T) {
	r := open(t)
	for name, text := range hostile() {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			got, err := r.Read(text)
			if err != nil && !errors.Is(err, bounce.ErrNothing) {
				t.Error(err)
			}
			sound(t, got)
			if took := time.Since(start); took > time.Minute { // a tenth of a second on an idle machine
				t.Errorf("took %v", took)
			}
			if cut := strings.Contains(strings.Join(got.Notes, " "), "first MiB"); cut != (len(text) > 1<<20) {
				t.Errorf("%d octets, notes %q", len(text), got.Notes)
			}
		})
	}
}

// sound checks what holds for every reading.
func sound(t *testing.T, got bounce.Reading) {
	t.Helper()
	if len(got.Addresses) > 16 || len(got.Quote.Raw()) > untrusted.MaxLong || len(got.Notes) > 10 {
		t.Errorf("%d addresses, a quote of %d octets, notes %q", len(got.Addresses), len(got.Quote.Raw()), got.Notes)
	}
	if got.Class == "" || (got.Class == bounce.Other) != (got.Rule == "") || bounce.Explain(got.Class) == "" {
		t.Errorf("class %q by rule %q", got.Class, got.Rule)
	}
	if got.Code != 0 && (got.Code < 200 || got.Code > 599) || got.Address.IsValid() && got.Address == got.ReceiverAddress {
		t.Errorf("code %d, address %v of receiver %v", got.Code, got.Address, got.ReceiverAddress)
	}
	if got.Address.Is4In6() || got.Address.Zone() != "" || got.Address.IsValid() == (got.Found == "") {
		t.Errorf("address %v, found %q", got.Address, got.Found)
	}
	for _, note := range got.Notes {
		if !utf8.ValidString(note) || strings.ContainsFunc(note, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("note %q", note)
		}
	}
}

func TestClasses(t *testing.T) {
	known := map[bounce.Class]bool{}
	for _, c := range bounce.Classes() {
		known[c] = true
		if says := bounce.Explain(c); !strings.HasSuffix(says, ".") || (len(c.Explains()) == 0) != (c == bounce.Other) {
			t.Errorf("%s: %q, %v", c, says, c.Explains())
		}
	}
	for _, rule := range open(t).Rules() {
		if !known[rule.Class] {
			t.Errorf("rule %s: class %q has no meaning", rule.ID, rule.Class)
		}
	}
	if bounce.Explain("no such class") != bounce.Explain(bounce.Other) {
		t.Error("an unknown class is not like other")
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.text)
	}
	reports, err := filepath.Glob("testdata/reports/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range reports {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(body))
	}
	r := open(f)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := r.Read(text)
		if err != nil && !errors.Is(err, bounce.ErrNothing) && !errors.Is(err, bounce.ErrDelivered) {
			t.Fatal(err)
		}
		sound(t, got)
	})
}
