package journal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/journal"
	"github.com/arpagate/arpagate/internal/untrusted"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// full is a case that has every field.
func full() *decision.Case {
	client := netip.MustParseAddr("203.0.113.9")
	return &decision.Case{
		Ref: "7K3QX9M2TB", At: noon, Took: 1234567 * time.Nanosecond,
		Conn: facts.Conn{
			Door: facts.Policy, Client: client, Helo: untrusted.New("mail example"), HeloKnown: true,
			Sender: untrusted.New("alice@example.org"), Recipient: untrusted.New("bob@example.net"), AuthUser: untrusted.New("carol"),
		},
		Evidence: evidence.Evidence{At: noon, View: &evidence.View{IPRev: evidence.IPRev{
			Result: evidence.Fail, Address: client,
			Names: []evidence.PTRName{{Name: dnsname.MustParse("a.example.org")}, {Name: dnsname.MustParse("b.example.org")}},
		}}, Memory: evidence.Memory{Allow: &evidence.Listing{Entry: "203.0.113.0/24", Reason: "a partner", Owner: "ops"}}},
		Findings: []finding.Finding{{Code: finding.PTRUnconfirmed}, {Code: finding.HeloNotFQDN}},
		Decision: decision.Decision{
			Action: decision.Accept, Would: decision.Reject, Exempt: decision.AllowListed, Points: 7,
			Notes: []string{"monitor", "dns degraded: canary failed"},
		},
	}
}

func line(c *decision.Case, asJSON bool) string {
	var b strings.Builder
	journal.New(&b, asJSON, journal.All).Record(c)
	return b.String()
}

func TestLine(t *testing.T) {
	bare := &decision.Case{At: noon, Evidence: evidence.Evidence{View: &evidence.View{}}}
	confirmed := full()
	confirmed.Evidence.IPRev.Confirmed = dnsname.MustParse("b.example.org")
	v6 := full()
	v6.Conn.Client = netip.MustParseAddr("2001:db8::9")
	for _, tt := range []struct {
		name   string
		c      *decision.Case
		logfmt string
		json   string
	}{
		{
			"every field", full(),
			`time=2026-03-01T12:00:00.123Z level=INFO msg=case ref=7K3QX9M2TB door=policy client=203.0.113.9 action=accept would=reject` +
				` exempt=allow-listed list="allow 203.0.113.0/24" iprev=fail ptr=a.example.org helo="mail example" codes=ptr-unconfirmed,helo-not-fqdn points=7` +
				` notes="monitor; dns degraded: canary failed" ms=1.234`,
			`{"time":"2026-03-01T12:00:00.123456789Z","level":"INFO","msg":"case","ref":"7K3QX9M2TB","door":"policy","client":"203.0.113.9",` +
				`"action":"accept","would":"reject","exempt":"allow-listed","list":"allow 203.0.113.0/24","iprev":"fail","ptr":"a.example.org","helo":"mail example",` +
				`"codes":"ptr-unconfirmed,helo-not-fqdn","points":7,"notes":"monitor; dns degraded: canary failed","ms":1.234}`,
		},
		{
			"no field that may be missing", bare,
			`time=2026-03-01T12:00:00.123Z level=INFO msg=case client=unknown action=accept iprev=unjudged ms=0.000`,
			`{"time":"2026-03-01T12:00:00.123456789Z","level":"INFO","msg":"case","client":"unknown","action":"accept","iprev":"unjudged","ms":0.000}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.logfmt+"\n", line(tt.c, false)); diff != "" {
				t.Errorf("logfmt (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.json+"\n", line(tt.c, true)); diff != "" {
				t.Errorf("JSON (-want +got):\n%s", diff)
			}
		})
	}
	if got := line(confirmed, false); !strings.Contains(got, " ptr=b.example.org ") {
		t.Errorf("the confirmed name doesn't come first: %s", got)
	}
	if got := line(v6, false); !strings.Contains(got, " client=2001:db8::9 ") {
		t.Errorf("IPv6 client: %s", got)
	}
}

// TestPrivacy: sender, recipient and login stay out of the log.
func TestPrivacy(t *testing.T) {
	// covers: L120
	for _, asJSON := range []bool{false, true} {
		for _, who := range []string{"alice", "bob", "carol", "@"} {
			if got := line(full(), asJSON); strings.Contains(got, who) {
				t.Errorf("the log tells %q: %s", who, got)
			}
		}
	}
}

func TestWhich(t *testing.T) {
	for _, tt := range []struct {
		which journal.Which
		would decision.Action
		lines int
	}{
		{journal.All, decision.Accept, 1},
		{journal.All, decision.Reject, 1},
		{journal.Refused, decision.Tag, 0},
		{journal.Refused, decision.Defer, 1},
		{journal.Refused, decision.Reject, 1},
		{journal.None, decision.Reject, 0},
	} {
		c := full()
		c.Decision.Would = tt.would
		var b strings.Builder
		journal.New(&b, false, tt.which).Record(c)
		if got := strings.Count(b.String(), "\n"); got != tt.lines {
			t.Errorf("%s, would %s: %d lines, want %d", tt.which, tt.would, got, tt.lines)
		}
	}
}

// hostile are values that try to be more than a value.
var hostile = []struct{ name, value string }{
	{"L103 LF", "a\nlevel=ERROR msg=forged"},
	{"L104 CR", "a\rb"},
	{"L105 ESC", "\x1b[2Jcleared"},
	{"L106 C1", "\u009b2J"},
	{"L106 C1, one octet", "\x9b2J"},
	{"L107 U+202E", "gro.elpmaxe\u202e.com"},
	{"L108 U+2028", "a\u2028b"},
	{"L109 NUL", "a\x00b"},
	{"L110 invalid UTF-8", "\xff\xfe\xc0\x80"},
	{"L111 100 KiB", strings.Repeat("A", 100<<10)},
	{"L111 100 KiB of quotes", strings.Repeat(`"\`, 50<<10)},
	{"L112 forged fields", "x level=ERROR msg=forged"},
	{"quotes", `" msg="forged`},
	{"backslashes", `\\\" \`},
	{"JSON", `","msg":"forged","x":"`},
	{"equals", "a=b"},
	{"blank", " "},
	{"emoji", "📬 caf\u00e9"},
	{"DEL", "a\x7fb"},
}

// inEveryString returns a case whose every text is the value: in those that
// come from the network, and in those that never should.
func inEveryString(value string) *decision.Case {
	c := full()
	c.Conn.Helo = untrusted.New(value)
	c.Ref, c.Conn.Door = value, facts.Door(value)
	c.Decision.Exempt = decision.Exemption(value)
	c.Decision.Notes = []string{value, value}
	c.Findings = []finding.Finding{{Code: finding.Code(value)}, {Code: finding.Code(value)}}
	return c
}

// TestHostileValues wants one record of printable ASCII for each case, with the
// fields that it should have and no other.
func TestHostileValues(t *testing.T) {
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			c := inEveryString(tt.value)
			text, fields := checkLine(t, c)
			if want := untrusted.New(tt.value).String(); fields["helo"] != want {
				t.Errorf("helo %q, want %q", fields["helo"], want)
			}
			if len(text) > 16<<10 {
				t.Errorf("a line of %d octets", len(text))
			}
		})
	}
}

// checkLine wants both forms of the line of a case printable, one line, and
// equal; it returns the logfmt one and its fields.
func checkLine(t *testing.T, c *decision.Case) (string, map[string]string) {
	t.Helper()
	text, object := line(c, false), line(c, true)
	for _, l := range []string{text, object} {
		if strings.Count(l, "\n") != 1 || !strings.HasSuffix(l, "\n") || strings.ContainsFunc(strings.TrimSuffix(l, "\n"), beyondASCII) {
			t.Fatalf("not one line of printable ASCII: %q", l)
		}
	}
	fields := parseLogfmt(t, text)
	decoded := parseJSON(t, object)
	delete(fields, "time") // of different precision
	delete(decoded, "time")
	if diff := cmp.Diff(fields, decoded); diff != "" {
		t.Errorf("logfmt and JSON differ (-logfmt +JSON):\n%s", diff)
	}
	if fields["msg"] != "case" || fields["level"] != "INFO" {
		t.Errorf("forged: %s", text)
	}
	return text, fields
}

func beyondASCII(r rune) bool { return r < ' ' || r > '~' }

// logfmtField is a bare or a quoted value, as slog writes them.
var logfmtField = regexp.MustCompile(`^([a-z]+)=("(?:[^"\\]|\\["\\])*"|[^ "=]+)(?: |\n$)`)

func parseLogfmt(t *testing.T, text string) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for rest := text; rest != ""; {
		m := logfmtField.FindStringSubmatch(rest)
		if m == nil {
			t.Fatalf("not logfmt at %q", rest)
		}
		if _, twice := fields[m[1]]; twice {
			t.Fatalf("field %s stands twice: %s", m[1], text)
		}
		value := m[2]
		if strings.HasPrefix(value, `"`) {
			value = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(value[1 : len(value)-1])
		}
		fields[m[1]] = value
		rest = rest[len(m[0]):]
	}
	return fields
}

func parseJSON(t *testing.T, object string) map[string]string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(object))
	decoder.UseNumber()
	var values map[string]any
	if err := decoder.Decode(&values); err != nil {
		t.Fatalf("%v: %s", err, object)
	}
	fields := map[string]string{}
	for key, value := range values {
		fields[key] = fmt.Sprint(value)
	}
	return fields
}

// TestLikeSlog compares the lines with those of slog's handlers for the same
// attributes: both stand in one log.
func TestLikeSlog(t *testing.T) {
	for _, value := range []string{"plain", "two words", `back\slash`, `"quoted"`, "a=b", "<html>&", `\000\010`, "~", "!"} {
		c := full()
		c.Ref = value
		c.Decision.Notes = []string{value}
		record := slog.NewRecord(c.At, slog.LevelInfo, "case", 0)
		record.AddAttrs(
			slog.String("ref", value), slog.String("door", "policy"), slog.String("client", "203.0.113.9"),
			slog.String("action", "accept"), slog.String("would", "reject"), slog.String("exempt", "allow-listed"),
			slog.String("list", "allow 203.0.113.0/24"),
			slog.String("iprev", "fail"), slog.String("ptr", "a.example.org"), slog.Any("helo", c.Conn.Helo),
			slog.String("codes", "ptr-unconfirmed,helo-not-fqdn"), slog.Int("points", 7), slog.String("notes", value), slog.Float64("ms", 1.234),
		)
		for _, asJSON := range []bool{false, true} {
			var b bytes.Buffer
			var handler slog.Handler = slog.NewTextHandler(&b, nil)
			if asJSON {
				handler = slog.NewJSONHandler(&b, nil)
			}
			if err := handler.Handle(context.Background(), record); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(b.String(), line(c, asJSON)); diff != "" {
				t.Errorf("JSON %v (-slog +journal):\n%s", asJSON, diff)
			}
		}
	}
}

// TestFields holds Fields to the lines.
func TestFields(t *testing.T) {
	quoted := regexp.MustCompile(`"[^"]*"`)
	var names, want []string
	for _, m := range regexp.MustCompile(`(?:^| )([a-z]+)=`).FindAllStringSubmatch(quoted.ReplaceAllString(line(full(), false), "x"), -1) {
		names = append(names, m[1])
	}
	for _, f := range journal.Fields() {
		want = append(want, f.Name)
	}
	if want = append([]string{"time", "level", "msg"}, want...); !slices.Equal(names, want) {
		t.Errorf("a line has the fields %q, documented are %q", names, want)
	}
}

func TestASCII(t *testing.T) {
	for _, tt := range hostile {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			slog.New(slog.NewJSONHandler(journal.ASCII(&b), nil)).Error("trouble", "error", tt.value)
			if strings.ContainsFunc(strings.TrimSuffix(b.String(), "\n"), beyondASCII) {
				t.Errorf("not printable ASCII: %q", &b)
			}
			if got, want := parseJSON(t, b.String())["error"], strings.ToValidUTF8(tt.value, "\ufffd"); len(want) < 100 && !sameText(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// sameText compares with one replacement character for any number of them.
func sameText(a, b string) bool {
	several := regexp.MustCompile("\ufffd+")
	return several.ReplaceAllString(a, "\ufffd") == several.ReplaceAllString(b, "\ufffd")
}

func FuzzLine(f *testing.F) {
	for _, tt := range hostile {
		f.Add(tt.value)
	}
	f.Add("")
	f.Fuzz(func(t *testing.T, value string) { checkLine(t, inEveryString(value)) })
}

func BenchmarkRecord(b *testing.B) {
	for _, asJSON := range []bool{false, true} {
		b.Run(fmt.Sprintf("json=%v", asJSON), func(b *testing.B) {
			j, c := journal.New(discard{}, asJSON, journal.All), full()
			b.ReportAllocs()
			for b.Loop() {
				j.Record(c)
			}
		})
	}
}

// discard is io.Discard without its pool.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
