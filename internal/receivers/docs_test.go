package receivers_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestPage holds the table of docs/receivers.md against the data.
func TestPage(t *testing.T) {
	const page = "../../docs/receivers.md"
	const mark = "<!-- receivers: made by go test ./internal/receivers -update -->\n"
	body, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(body), mark)
	_, after, closed := strings.Cut(rest, "<!-- end -->")
	if !ok || !closed {
		t.Fatalf("%s: no marks for the table", page)
	}
	var table strings.Builder
	table.WriteString("| receiver | rule | when | effect | reply or note | source | date | confirmed |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range open(t).Receivers() {
		name := r.Name
		for _, rule := range r.Rules {
			effect := string(rule.Effect)
			switch {
			case rule.Sets != nil:
				effect += " " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(rule.Sets)), " / "), "[]")
			case rule.Points != 0:
				effect += fmt.Sprintf(" %g", rule.Points)
			}
			words := strings.TrimSpace(strings.TrimSuffix(quoted(rule.Reply)+" "+rule.Note, " "))
			confirmed := "yes"
			if !rule.Confirmed {
				confirmed = "no"
			}
			fmt.Fprintf(&table, "| %s | %s | `%s` | %s | %s | %s | %s | %s |\n", name, rule.ID, rule.When, effect, words, rule.Source, rule.Date, confirmed)
			name = ""
		}
	}
	want := before + mark + table.String() + "<!-- end -->" + after
	switch {
	case want == string(body):
	case *update:
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s: the table is not that of the data: go test ./internal/receivers -update", page)
	}
}

func quoted(reply string) string {
	if reply == "" {
		return ""
	}
	return "`" + reply + "`"
}
