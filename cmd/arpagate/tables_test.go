package main

import (
	"fmt"
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
	"github.com/arpagate/arpagate/internal/report"
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
		"metrics": metricTable, "labels": labelTable, "fields": logTable, "json": jsonFields, "checks": checkTable,
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
			return fmt.Sprintf("%d times over %s", r.Patience.Times, report.Span(r.Patience.Over))
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

// jsonFields is what the schema says of each field of check's document, shape by
// shape.
func jsonFields(t *testing.T) string {
	body, err := os.ReadFile("../../docs/schema/check-1.json")
	if err != nil {
		t.Fatal(err)
	}
	schema := readSchema(t, body)
	var b strings.Builder
	b.WriteString("\n### The document\n")
	schema.table(&b)
	for _, def := range schema.defs.named {
		if len(def.fields.named) > 0 {
			fmt.Fprintf(&b, "\n### %s\n", def.name)
			def.table(&b)
		}
	}
	return b.String() + "\n"
}
