package bounce_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/bounce"
)

var update = flag.Bool("update", false, "write the tables into docs/bounce.md")

const page = "../../docs/bounce.md"

// TestPage holds the tables of docs/bounce.md against the data.
func TestPage(t *testing.T) {
	body, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var classes, rules strings.Builder
	classes.WriteString("| class | what it says | findings that explain it |\n|---|---|---|\n")
	for _, c := range bounce.Classes() {
		fmt.Fprintf(&classes, "| `%s` | %s | %s |\n", c, bounce.Explain(c), strings.Join(c.Explains(), ", "))
	}
	rules.WriteString("| rule | class | codes seen with it |\n|---|---|---|\n")
	for _, r := range open(t).Rules() {
		fmt.Fprintf(&rules, "| %s | `%s` | %s |\n", r.ID, r.Class, strings.ReplaceAll(r.Codes, "|", " or "))
	}
	want := between(t, string(body), "classes", classes.String())
	want = between(t, want, "rules", rules.String())
	if *update && want != string(body) {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !*update && want != string(body) {
		t.Errorf("%s: the tables are not those of the data: go test ./internal/bounce -update", page)
	}
}

// between replaces what stands between the marks of a table.
func between(t *testing.T, body, name, table string) string {
	t.Helper()
	mark := "<!-- " + name + ": made by go test ./internal/bounce -update -->\n"
	before, rest, ok := strings.Cut(body, mark)
	_, after, closed := strings.Cut(rest, "<!-- end -->")
	if !ok || !closed {
		t.Fatalf("%s: no marks for %s", page, name)
	}
	return before + mark + table + "<!-- end -->" + after
}
