package report_test

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/receivers"
	"github.com/arpagate/arpagate/internal/report"
	"github.com/arpagate/arpagate/internal/untrusted"
)

var update = flag.Bool("update", false, "write the golden files anew")

// examinations are those of fixture_test.go.
func examinations(t *testing.T) map[string]*doctor.Examination {
	return map[string]*doctor.Examination{
		"nameless": nameless(t), "healthy": healthy(t), "domain": domain(t), "bounced": bounced(t), "nothing": nothing(),
	}
}

func TestText(t *testing.T) {
	for what, x := range examinations(t) {
		for _, form := range []struct {
			name    string
			options report.Options
		}{
			{"usual", report.Options{Preset: "careful", Site: true}},
			{"verbose", report.Options{Verbose: true, Ticket: true, Format: "all"}},
			{"narrow", report.Options{Width: 40}},
			{"color", report.Options{Color: true}},
		} {
			t.Run(what+"/"+form.name, func(t *testing.T) {
				got := report.Text(x, form.options)
				width := max(form.options.Width, 40)
				if form.options.Width == 0 {
					width = 80
				}
				checkShape(t, got, width)
				golden(t, what+"-"+form.name+".txt", got)
			})
		}
	}
}

var painted = regexp.MustCompile("\x1b\\[[0-9;]*m")

// checkShape looks for lines that are too wide, though a text to copy and a word
// that can't be broken may be, for blanks at their ends, and for holes.
func checkShape(t *testing.T, got string, width int) {
	t.Helper()
	got = painted.ReplaceAllString(got, "")
	for line := range strings.Lines(got) {
		line = strings.TrimSuffix(line, "\n")
		words := strings.Fields(line)
		if utf8.RuneCountInString(line) > width && len(words) > 2 && strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "      ") {
			t.Errorf("wider than %d: %q", width, line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Errorf("blanks at the end of %q", line)
		}
	}
	if strings.Contains(got, "\n\n\n") || strings.HasSuffix(got, "\n\n") || strings.HasPrefix(got, "\n") {
		t.Errorf("blank lines too many in\n%s", got)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// TestFormat wants the records in the format asked for and in no other.
func TestFormat(t *testing.T) {
	for format, want := range map[string]string{
		"":         "9.113.0.203.in-addr.arpa. 3600 IN PTR nameless.example.org.",
		"bind":     "9.113.0.203.in-addr.arpa. 3600 IN PTR nameless.example.org.",
		"nsupdate": "update add 9.113.0.203.in-addr.arpa. 3600 PTR nameless.example.org.",
		"tinydns":  "^9.113.0.203.in-addr.arpa:nameless.example.org:3600",
	} {
		got := report.Text(nameless(t), report.Options{Format: format, Width: 40})
		// From the first column: a blank there has a meaning in zone files.
		if strings.Count(got, "\n"+want+"\n") != 1 || strings.Count(got, "To paste") != 1 {
			t.Errorf("format %q: got\n%s", format, got)
		}
	}
	if got := report.Text(nameless(t), report.Options{Format: "all"}); strings.Count(got, "To paste") != 3 {
		t.Errorf("format all: got\n%s", got)
	}
}

// TestClockTimes wants the hours in the reader's zone, rounded up, with the day
// where it is another one.
func TestClockTimes(t *testing.T) {
	east := time.FixedZone("EST", 11*3600+1800)
	for _, test := range []struct {
		zone        *time.Location
		first, last time.Duration
		want        string
	}{
		{nil, time.Minute, 5*time.Minute + time.Second, "from 12:01 to 12:06 UTC"},
		{east, time.Minute, time.Hour, "from 23:31 to tomorrow 00:30 EST"},
		{nil, 0, 72 * time.Hour, "from 12:00 to 2026-11-26 12:00 UTC"},
		{nil, time.Hour, time.Hour, "from 13:00 UTC on"},
	} {
		x := nameless(t)
		v := x.Addresses[0].Problems[0].Remedy.Visible
		v.First, v.Last = noon.Add(test.first), noon.Add(test.last)
		if got := report.Text(x, report.Options{Zone: test.zone}); !strings.Contains(got, "Visible  "+test.want+", if it is done now") {
			t.Errorf("want %q in\n%s", test.want, got)
		}
	}
}

// TestUnforeseen: where it can't be told what receivers do, none of them is held
// against the address, and the reason is given.
func TestUnforeseen(t *testing.T) {
	x := nameless(t)
	x.Addresses[0].Receivers, x.Addresses[0].Unforeseen = nil, "nobody knows"
	got := report.Text(x, report.Options{})
	if strings.Contains(got, "refuse its mail") || !strings.Contains(got, "\nReceivers  can't be told: nobody knows\n") {
		t.Errorf("got\n%s", got)
	}
}

// TestFineIsNoFault: what a finding complains of is not praised in the same
// report, and neither is agreement that there is no record.
func TestFineIsNoFault(t *testing.T) {
	problem := func(code finding.Code, covers ...netip.Addr) doctor.Problem {
		return doctor.Problem{Cause: finding.Finding{Code: code, Severity: finding.Warn, Args: finding.Args{Covers: covers}}}
	}
	server := netip.MustParseAddr("203.0.113.1")
	for what, test := range map[string]struct {
		examination *doctor.Examination
		change      func(*doctor.Examination)
		praise      string
	}{
		"expired":   {domain(t), func(x *doctor.Examination) { x.Servers[0].Problems = []doctor.Problem{problem(finding.TLSExpired)} }, "certificate good"},
		"injection": {domain(t), func(x *doctor.Examination) { x.Servers[0].Problems = []doctor.Problem{problem(finding.TLSInjection)} }, "STARTTLS with"},
		"banner":    {domain(t), func(x *doctor.Examination) { x.Servers[0].Problems = []doctor.Problem{problem(finding.BannerName)} }, "greets as"},
		"common":    {domain(t), func(x *doctor.Examination) { x.Problems = []doctor.Problem{problem(finding.BannerNotPTR, server)} }, "greets as"},
		"disagreement": {healthy(t), func(x *doctor.Examination) {
			x.Addresses[0].Problems = []doctor.Problem{problem(finding.ZoneDisagrees)}
		}, "leads back"},
		"absence": {healthy(t), func(x *doctor.Examination) {
			for i := range x.Addresses[0].Reverse.Servers {
				a := &x.Addresses[0].Reverse.Servers[i].Answer
				a.State, a.Names = evidence.NXDomain, nil
			}
		}, "name servers of"},
	} {
		if got := fines(report.Text(test.examination, report.Options{})); !strings.Contains(got, test.praise) {
			t.Errorf("%s: %q is not there from the beginning:\n%s", what, test.praise, got)
		}
		test.change(test.examination)
		if got := fines(report.Text(test.examination, report.Options{})); strings.Contains(got, test.praise) {
			t.Errorf("%s: %q is called fine:\n%s", what, test.praise, got)
		}
	}
}

// fines returns the parts of a report that begin with Fine, without their breaks.
func fines(text string) string {
	var out []string
	for _, part := range strings.Split(text, "\n\n") {
		if strings.HasPrefix(part, "Fine") {
			out = append(out, strings.Join(strings.Fields(part), " "))
		}
	}
	return strings.Join(out, "\n")
}

// TestATurnedAwayExaminationIsTold of a host as of an address, with what the
// server said.
func TestATurnedAwayExaminationIsTold(t *testing.T) {
	x := domain(t)
	m := x.Servers[0].SMTP
	m.Outcome, m.Step = evidence.Turned, "greeting"
	x.Servers[0].Problems = []doctor.Problem{{Cause: finding.Finding{
		Code: finding.SMTPTurnedAway, Severity: finding.Info,
		Args: finding.Args{Peer: m.Peer, Host: m.Host, Why: "554 at the step greeting", Said: untrusted.New("no mail from you")},
	}}}
	got := strings.Join(strings.Fields(report.Text(x, report.Options{})), " ")
	if !strings.Contains(got, "info The mail server turned the examination away.") || !strings.Contains(got, "no mail from you") {
		t.Errorf("got\n%s", got)
	}
}

// TestInterrupted: time did not run out where somebody interrupted, and either is
// said once, in text and on the page.
func TestInterrupted(t *testing.T) {
	x := nameless(t)
	x.Partial, x.Missing = true, []string{"it was interrupted"}
	var page bytes.Buffer
	if err := report.HTML(&page, x, report.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{report.Text(x, report.Options{}), page.String()} {
		if strings.Contains(strings.ToLower(got), "time ran out") || strings.Count(strings.ToLower(got), "it was interrupted") != 1 {
			t.Errorf("got\n%s", got)
		}
	}
}

// TestWhoseRules: where nobody set up a gate, the report does not speak of rules of
// this site, and leaves out what their patience has come to.
func TestWhoseRules(t *testing.T) {
	for site, want := range map[bool]string{true: "This site's rules  ", false: "A gate with Arpagate's defaults  "} {
		var page bytes.Buffer
		o := report.Options{Preset: "careful", Site: site}
		if err := report.HTML(&page, nameless(t), o); err != nil {
			t.Fatal(err)
		}
		text := report.Text(nameless(t), o)
		if !strings.Contains(text, want) || strings.Contains(text, "(preset careful)") != site || strings.Contains(text, "patience") != site {
			t.Errorf("got\n%s", text)
		}
		if got := strings.ReplaceAll(page.String(), "&#39;", "'"); !strings.Contains(got, "<h3>"+strings.TrimSpace(want)+"</h3>") {
			t.Errorf("got\n%s", got)
		}
	}
}

// TestTwoAddressesWithOneCause: what is the same for the second one is not told
// again, but the record to paste is its own; and the end of a report that is
// longer than a screen repeats what is to be done.
func TestTwoAddressesWithOneCause(t *testing.T) {
	x := nameless(t)
	x.Target = "nameless.example.org"
	second := nameless(t).Addresses[0]
	second.Address = netip.MustParseAddr("2001:db8::9")
	r := second.Problems[0].Remedy
	r.Do, r.Texts = "Set the PTR record of 2001:db8::9.", map[string]string{"bind": "the record of 2001:db8::9\n"}
	second.Receivers[5].Effect = receivers.Reject // "Example Far", of which nobody knew
	x.Addresses = append(x.Addresses, second)
	got := report.Text(x, report.Options{})
	for part, want := range map[string]int{
		"Network > Public IP addresses": 1, "Contact  ": 1, "Example Online": 1, "To paste": 2, "the record of 2001:db8::9\n": 1, "Example Far": 2,
		"   As for 203.0.113.9, above: name, who, contact, steps, cautions, hours\n": 0,
		"   As for 203.0.113.9, above: who, contact, steps, cautions, hours\n":       1,
		"Receivers  as for 203.0.113.9, but\n   refuse  Example Far\n":               1,
	} {
		if n := strings.Count(got, part); n != want {
			t.Errorf("%q is there %d times, want %d, in\n%s", part, n, want, got)
		}
	}
	end := got[strings.LastIndex(got, "To do, as above\n"):]
	for _, want := range []string{"   fail     Set the PTR record of 203.0.113.9 to nameless.example.org.\n", "   fail     Set the PTR record of 2001:db8::9.\n"} {
		if strings.Count(end, want) != 1 {
			t.Errorf("%q is not at the end of\n%s", want, got)
		}
	}
	if got := report.Text(x, report.Options{Verbose: true}); strings.Contains(got, "As for ") || strings.Count(got, "Contact  ") != 2 {
		t.Errorf("verbose: got\n%s", got)
	}
	if got := report.Text(healthy(t), report.Options{}); strings.Contains(got, "To do, as above") {
		t.Errorf("a short report: got\n%s", got)
	}
}

// TestLine wants one line for each target of a list.
func TestLine(t *testing.T) {
	for what, want := range map[string]string{
		"nameless": "203.0.113.9  fail  The address has no PTR record",
		"healthy":  "203.0.113.1  pass  nothing to put right",
		"domain":   "example.org  fail  The address has no PTR record, and 1 more",
		"nothing":  "nothere.example.org  unknown  the name does not exist: NXDOMAIN",
	} {
		if got := report.Line(examinations(t)[what], report.Options{}); got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
}

// TestNothingMovesTheCursor puts what strangers can say into every place that
// holds text. covers: K067-K075
func TestNothingMovesTheCursor(t *testing.T) {
	const evil = "\x1b[2J\x1b]52;c;aGk=\x07\u202e\u009b2J\r\n<script>alert(1)</script>"
	x := domain(t)
	b := bounced(t)
	x.Bounce, x.Now = b.Bounce, b.Now
	x.Bounce.Quote = untrusted.New(evil)
	x.Now.Say, x.Target, x.Missing = evil, evil, []string{evil}
	r := x.Addresses[1].Problems[0].Remedy
	r.Who, r.Contact, r.Do, r.Ticket, r.Cautions = evil, evil, evil, evil, []string{evil}
	for i := range r.Steps {
		r.Steps[i].Say, r.Steps[i].Command, r.Steps[i].Console, r.Steps[i].Lines, r.Steps[i].File = evil, evil, evil, evil, evil
	}
	for format := range r.Texts {
		r.Texts[format] = evil
	}
	x.Addresses[0].Host = dnsname.MustParse(`\027[2J.example.org`)
	x.Servers[0].SMTP.Greeting.Lines[0], x.Servers[0].SMTP.BannerName = untrusted.Long(evil), untrusted.New(evil)
	got := report.Text(x, report.Options{Verbose: true, Ticket: true, Format: "all"})
	for _, c := range got {
		if c != '\n' && c != '§' && (c < ' ' || c > '~') {
			t.Errorf("character %U came through", c)
		}
	}
	var page, document bytes.Buffer
	if err := report.HTML(&page, x, report.Options{}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(page.String(), "<script") {
		t.Error("markup came through into the page")
	}
	if err := report.JSON(&document, x, report.Options{}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(document.String(), "<>\x1b") {
		t.Error("the document holds more than plain text")
	}
}

// TestPageStandsAlone wants a page that loads nothing and runs nothing.
func TestPageStandsAlone(t *testing.T) {
	for what, x := range examinations(t) {
		var page bytes.Buffer
		if err := report.HTML(&page, x, report.Options{Preset: "careful"}); err != nil {
			t.Fatal(err)
		}
		text := page.String()
		for _, forbidden := range []string{"<script", " src=", " style=", "<link", "@import", "url(", "<img", "<iframe", "<form", " onclick", "http-equiv=\"refresh"} {
			if strings.Contains(text, forbidden) {
				t.Errorf("%s: the page holds %q", what, forbidden)
			}
		}
		for _, wanted := range []string{
			"<html lang=\"en\">", "default-src 'none'; style-src 'sha256-", "prefers-color-scheme", "@media print", "name=\"viewport\"",
			"<h1>" + x.Target + "</h1>", "<main>",
		} {
			if !strings.Contains(strings.ReplaceAll(text, "&#39;", "'"), wanted) {
				t.Errorf("%s: the page lacks %q", what, wanted)
			}
		}
		if strings.Contains(text, "ZgotmplZ") || strings.Contains(text, "<no value>") {
			t.Errorf("%s: the template met a value that it can't show", what)
		}
	}
}

// TestSmallWords holds words that once misled their readers.
func TestSmallWords(t *testing.T) {
	nobody := domain(t)
	nobody.Servers[0].SMTP.Host = dnsname.Name{}
	address := nameless(t)
	address.Missing = []string{"fd00::2 was not examined"}
	later := nameless(t)
	later.Addresses[0].Problems = []doctor.Problem{
		{Cause: finding.Finding{Code: finding.ListRewritten, Severity: finding.Unknown}},
		{Cause: finding.Finding{Code: finding.Listed, Severity: finding.Warn}},
	}
	later.Addresses[0].Verdict, later.Verdict = doctor.Unknown, doctor.Unknown
	whole := func(x *doctor.Examination) string { return report.Text(x, report.Options{Verbose: true}) }
	for what, test := range map[string]struct{ text, want, never string }{
		"a certificate where no host was named": {whole(nobody), "trusted: yes", "matches the host"},
		"a certificate where one was":           {whole(domain(t)), "matches the host: yes", ""},
		"an address begins no sentence":         {whole(address), "\n   fd00::2 was not examined\n", ""},
		"one heading for one thing":             {report.Text(domain(t), report.Options{}), "\nFine altogether\n", "\nFine\n"},
		"a line is the worst cause":             {report.Line(later, report.Options{}), finding.Finding{Code: finding.Listed}.Title() + ", and 1 more", ""},
		"receivers are filters too":             {whole(nameless(t)), "known receivers and filters", ""},
	} {
		if !strings.Contains(test.text, test.want) || test.never != "" && strings.Contains(test.text, test.never) {
			t.Errorf("%s: want %q and not %q in\n%s", what, test.want, test.never, test.text)
		}
	}
	if got := whole(later); strings.Index(got, "list-rewritten") < strings.Index(got, "\n   listed") {
		t.Errorf("what a list's answer became on its way comes before the causes:\n%s", got)
	}
	var page bytes.Buffer
	if err := report.HTML(&page, nameless(t), report.Options{}); err != nil {
		t.Fatal(err)
	}
	if at := strings.Index(page.String(), "Examined at 2026-11-23 12:00:00 UTC"); at < 0 || at > strings.Index(page.String(), "<section>") {
		t.Errorf("the date is not at the top of\n%s", &page)
	}
}
