package finding_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/finding"
)

var update = flag.Bool("update", false, "write docs/findings.md anew: read the difference")

// TestReference compares docs/findings.md with the catalogue: every code with
// what it means, shown on the evidence of its case.
func TestReference(t *testing.T) {
	const page = "../../docs/findings.md"
	made := reference(t)
	if *update {
		if err := os.WriteFile(page, []byte(made), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if held, err := os.ReadFile(page); err != nil || string(held) != made {
		t.Errorf("%s is not what the catalogue says now (%v): run go test ./internal/finding -update", page, err)
	}
}

const referenceHead = `# What an examination finds

` + "`arpagate check`" + ` names what it finds by a code. The codes of the gate stand in
[What earns what](policy.md#findings): rules can speak of them. Those on this page
need more than the gate asks for, the zones' own servers, DNS lists, the MX
records, or port 25, and no mail is refused for them here.

A finding has one of four severities, which are never mixed up:

- **fail**: complete answers show a reason to refuse mail;
- **warn**: something is wrong, or some receivers mind;
- **unknown**: it could not be found out, which says nothing good or bad;
- **info**: worth knowing, and no fault.

Trouble never fails: what rests on answers that did not come is unknown, and a
name server that answers wrongly is a warning.

`

func reference(t *testing.T) string {
	severities, samples := shownCases()
	var b strings.Builder
	b.WriteString(referenceHead + "| finding | severity | what it is |\n|---|---|---|\n")
	var entries []finding.Entry
	for _, e := range finding.All() {
		if e.Doctor {
			entries = append(entries, e)
			fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", e.Code, e.Code, strings.Join(severities[e.Code], ", "), e.Title)
		}
	}
	for _, e := range entries {
		if samples[e.Code] == "" {
			t.Errorf("%s has no case", e.Code)
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n%s\n\n%s\n", e.Code,
			filled("", fmt.Sprintf("%s. Severity %s, %s.", e.Title, strings.Join(severities[e.Code], " or "), e.RFC)),
			filled("> ", samples[e.Code]), filled("", "To do: "+e.Remedy))
	}
	return b.String()
}

// shownCases returns the severities of each code and a text of it, as the cases
// show them.
func shownCases() (map[finding.Code][]string, map[finding.Code]string) {
	severities, samples := map[finding.Code][]string{}, map[finding.Code]string{}
	for _, c := range doctorCases {
		for _, f := range c.of() {
			if s := string(f.Severity); !slices.Contains(severities[f.Code], s) {
				severities[f.Code] = append(severities[f.Code], s)
			}
			if samples[f.Code] == "" {
				samples[f.Code] = f.Text()
			}
		}
	}
	for _, s := range severities {
		slices.SortFunc(s, func(a, b string) int { return slices.Index(byWeight, a) - slices.Index(byWeight, b) })
	}
	return severities, samples
}

var byWeight = []string{"fail", "warn", "unknown", "info"}

// filled breaks a text into lines of at most 80 columns.
func filled(prefix, text string) string {
	var lines []string
	line := prefix
	for _, word := range strings.Fields(text) {
		if len(line) > len(prefix) && len(line)+1+len(word) > 80 {
			lines, line = append(lines, line), prefix
		}
		if len(line) > len(prefix) {
			line += " "
		}
		line += word
	}
	return strings.Join(append(lines, line), "\n")
}
