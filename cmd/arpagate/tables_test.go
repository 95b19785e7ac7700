package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/config"
	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// Parts of the documents are made from the code. They stand between
// "<!-- NAME: made by make docs -->" and "<!-- end -->".
var madePart = regexp.MustCompile(`(?s)<!-- ([a-z]+): made by make docs -->\n(.*?)<!-- end -->`)

// TestMadeParts compares what is made from the code with what the documents
// hold.
func TestMadeParts(t *testing.T) {
	parts := map[string]func(*testing.T) string{
		"presets": presetTable, "findings": findingSections, "hosts": hostTable, "tryit": tryIt,
		"metrics": metricTable, "labels": labelTable, "fields": logTable,
	}
	seen := map[string]bool{}
	for _, d := range documentsOf(t) {
		body := replaceGroups(madePart, d.body, func(m []string) string {
			name, old := m[1], m[2]
			made, ok := parts[name]
			if !ok {
				t.Errorf("%s: nothing makes a part %q", d.path, name)
				return m[0]
			}
			seen[name] = true
			text := made(t)
			if text != old && !*update {
				t.Errorf("%s: the part %s is not what the code says now: run make docs", d.path, name)
			}
			return fmt.Sprintf("<!-- %s: made by make docs -->\n%s<!-- end -->", name, text)
		})
		if *update {
			d.write(t, body)
		}
	}
	for name := range parts {
		if !seen[name] {
			t.Errorf("no document has the part %q", name)
		}
	}
}

// presetTable is what each finding earns in each preset.
func presetTable(t *testing.T) string {
	careful, strict := preset(t, "careful"), preset(t, "strict")
	var b strings.Builder
	b.WriteString("\n| finding | `careful` | `strict` |\n|---|---|---|\n")
	for _, e := range finding.Catalogue() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", e.Code, e.Code, earns(careful, e.Code), earns(strict, e.Code))
	}
	for _, row := range []struct {
		name string
		of   func(decision.Rules) string
	}{
		{"tag from (`tag_at`)", func(r decision.Rules) string { return threshold(r.TagAt) }},
		{"defer from (`defer_at`)", func(r decision.Rules) string { return threshold(r.DeferAt) }},
		{"reject from (`reject_at`)", func(r decision.Rules) string { return threshold(r.RejectAt) }},
		{"patience (`patience_times`, `patience_over`)", func(r decision.Rules) string {
			return fmt.Sprintf("%d times over %s", r.Patience.Times, span(r.Patience.Over))
		}},
	} {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", row.name, row.of(careful), row.of(strict))
	}
	return b.String() + "\n"
}

func preset(t *testing.T, name string) decision.Rules {
	t.Helper()
	rules, err := decision.Preset(name)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// TestMonitorIsCareful holds the sentence of docs/policy.md that monitor has
// the rules of careful.
func TestMonitorIsCareful(t *testing.T) {
	monitor, careful := preset(t, "monitor"), preset(t, "careful")
	if !monitor.Monitor || !slices.Equal(monitor.Rules, careful.Rules) || monitor.TagAt != careful.TagAt ||
		monitor.DeferAt != careful.DeferAt || monitor.RejectAt != careful.RejectAt || monitor.Patience != careful.Patience {
		t.Errorf("monitor is %+v, careful %+v", monitor, careful)
	}
}

// earns says what a finding earns: "reject, patiently", "4 points".
func earns(r decision.Rules, code finding.Code) string {
	at := slices.IndexFunc(r.Rules, func(rule decision.Rule) bool { return rule.Code == code })
	if at < 0 {
		return "nothing"
	}
	rule := r.Rules[at]
	var words []string
	if rule.Action != decision.Accept {
		words = append(words, rule.Action.String())
	}
	if rule.Patient {
		words = append(words, "patiently")
	}
	switch {
	case rule.Points == 1:
		words = append(words, "1 point")
	case rule.Points > 1:
		words = append(words, fmt.Sprintf("%d points", rule.Points))
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}

func threshold(points int) string {
	if points == 0 {
		return "never"
	}
	return fmt.Sprintf("%d points", points)
}

// findingSections is the catalogue, each finding with a host of the lab world
// that shows it.
func findingSections(t *testing.T) string {
	shown := labFindings(t)
	var b strings.Builder
	for _, e := range finding.Catalogue() {
		hosts := shown[e.Code]
		if len(hosts) == 0 {
			t.Errorf("no host of the lab world shows %s", e.Code)
			continue
		}
		severities := map[finding.Severity]bool{}
		for _, h := range hosts {
			severities[h.found.Severity] = true
		}
		if len(severities) != 1 {
			t.Errorf("%s is found with severities %v: the text says one", e.Code, severities)
		}
		first := hosts[0]
		fmt.Fprintf(&b, "\n### %s\n\n", e.Code)
		b.WriteString(filled("", "", fmt.Sprintf("%s. Severity %s, status code X.%s, %s.", e.Title, first.found.Severity, e.Detail, e.RFC)) + "\n")
		b.WriteString(filled("> "+first.address.String()+": ", "> ", first.found.Text()) + "\n")
		b.WriteString(filled("", "", "To do: "+e.Remedy))
		if e.HeloOnly {
			b.WriteString("\nIt never refuses alone (RFC 5321 §4.1.4), whatever the rule says.\n")
		}
	}
	return b.String() + "\n"
}

// sighting is a finding at a host.
type sighting struct {
	address netip.Addr
	found   finding.Finding
}

// labFindings examines every host of the lab world, and a private address.
func labFindings(t *testing.T) map[finding.Code][]sighting {
	t.Helper()
	hosts := append(lab.Default().Hosts(), lab.Host{Address: netip.MustParseAddr("10.0.0.1")})
	out := map[finding.Code][]sighting{}
	for _, h := range hosts {
		for _, f := range examine(t, h) {
			out[f.Code] = append(out[f.Code], sighting{h.Address, f})
		}
	}
	return out
}

// examine returns what is found at a host of the lab world that says its HELO.
func examine(t *testing.T, h lab.Host) []finding.Finding {
	t.Helper()
	conn := facts.Conn{Door: facts.Check, Stage: facts.Rcpt, Client: h.Address, Helo: untrusted.New(h.Helo), HeloKnown: true}
	gatherer := evidence.Gatherer{DNS: lab.Default(), Now: time.Now, Thorough: true}
	return finding.Of(conn, gatherer.View(t.Context(), conn))
}

// filled breaks a text into lines of at most 80 columns.
func filled(first, next, text string) string {
	var b strings.Builder
	line := first
	for i, word := range strings.Fields(text) {
		switch {
		case i > 0 && len(line)+1+len(word) > 80:
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = next + word
		case i > 0:
			line += " " + word
		default:
			line += word
		}
	}
	return b.String() + line + "\n"
}

// hostTable is the hosts of the lab world.
func hostTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("\n| address | HELO | iprev | what it shows | findings |\n|---|---|---|---|---|\n")
	for _, h := range lab.Default().Hosts() {
		var codes []string
		for _, f := range examine(t, h) {
			codes = append(codes, string(f.Code))
		}
		helo := "`" + h.Helo + "`"
		if h.Helo == "" {
			helo = ""
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", h.Address, helo, h.Expect, h.Title, strings.Join(codes, ", "))
	}
	return b.String() + "\n"
}

// tryIt is what "make run" prints besides its commands and the log.
func tryIt(t *testing.T) string {
	world := lab.Default()
	server, err := lab.Listen(t.Context(), world, "127.0.0.1:0", lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	lines := (&labServer{world: world, server: server}).lines(config.Default())
	return "\n```text\n" + strings.Trim(strings.ReplaceAll(lines, server.Addr().String(), labAddress), "\n") + "\n```\n\n"
}

// fieldRow is a row of the table of fields in docs/check.md.
var fieldRow = regexp.MustCompile("(?m)^\\| `([a-z_.\\[\\]]+)`")

// TestFieldsOfJSON compares the table of fields with what check --json prints
// about the lab world.
func TestFieldsOfJSON(t *testing.T) {
	page, err := os.ReadFile("../../docs/check.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	common, answers, _ := strings.Cut(string(page), "| field of an answer |")
	for prefix, table := range map[string]string{"": common, "answer.": answers} {
		for _, m := range fieldRow.FindAllStringSubmatch(table, -1) {
			listed[prefix+m[1]] = true
		}
	}
	printed := map[string]bool{}
	server, err := lab.Listen(t.Context(), lab.Default(), "127.0.0.1:0", lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	// One target for each shape; those that make us wait for an answer are left
	// out.
	for _, arguments := range []string{
		"example.org", "nothere.example.org", "10.0.0.1", "192.0.2.33", "203.0.113.9", "203.0.113.11", "203.0.113.21", "203.0.113.22",
		"198.51.100.7", "203.0.113.46", "203.0.113.61", "--helo 203.0.113.73 203.0.113.73", "--helo localhost 203.0.113.76",
	} {
		var stdout, stderr bytes.Buffer
		args := append([]string{"check", "--json", "--dns", server.Addr().String()}, strings.Fields(arguments)...)
		run(args, nothing, strings.NewReader(""), &stdout, &stderr)
		var value any
		if err := json.Unmarshal(stdout.Bytes(), &value); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, &stderr)
		}
		walkFields("", value, printed)
	}
	for _, field := range slices.Sorted(maps.Keys(printed)) {
		if !listed[field] && !strings.HasPrefix(field, "[") {
			t.Errorf("docs/check.md does not tell of the field %q", field)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(listed)) {
		if !printed[field] && !printed["["+field+"]"] {
			t.Errorf("docs/check.md tells of a field %q, which no host of the lab world has", field)
		}
	}
}

// sameShapes are the places whose values have a shape told elsewhere.
var sameShapes = []struct {
	at *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`^addresses\[\]\.(iprev|findings|decision|helo|source)`), "$1"},
	{regexp.MustCompile(`^(iprev\.ptr|iprev\.names\[\]\.forward\[\]|helo\.answers\[\]|lookups\[\])\.`), "answer."},
}

// walkFields collects the paths of all values that are no objects, and in
// brackets those of objects that are told of as a whole.
func walkFields(path string, value any, into map[string]bool) {
	into["["+path+"]"] = true
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			walkFields(strings.TrimPrefix(path+"."+key, "."), inner, into)
		}
	case []any:
		for _, inner := range v {
			walkFields(path+"[]", inner, into)
		}
	default:
		for _, s := range sameShapes {
			path = s.at.ReplaceAllString(path, s.as)
		}
		into[path] = true
	}
}
