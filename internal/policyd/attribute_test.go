package policyd

import (
	"bytes"
	"os"
	"regexp"
	"testing"
)

// The table, the dialogue with all attributes and the manual name the same
// attributes, and the manual the same versions.
func TestAttributes(t *testing.T) {
	dialogue, err := os.ReadFile("testdata/dialogues/all-attributes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile("../../docs/postfix-policy.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[field]string)
	for _, a := range attributes {
		if !bytes.Contains(dialogue, []byte("\n"+a.name+"=")) {
			t.Errorf("all-attributes.txtar lacks %s", a.name)
		}
		row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(a.since) + ` \|.*\b` + a.name + `\b`)
		if !row.Match(manual) {
			t.Errorf("docs/postfix-policy.md has no row of Postfix %s with %s", a.since, a.name)
		}
		if a.keep != ignored && seen[a.keep] != "" {
			t.Errorf("%s and %s share a place", a.name, seen[a.keep])
		}
		seen[a.keep] = a.name
	}
	if want := int(fields); len(seen) != want {
		t.Errorf("%d places are filled, want %d", len(seen), want)
	}
	request, _, _ := bytes.Cut(dialogue, []byte("\n\n"))
	if lines := regexp.MustCompile(`(?m)^\w+=`).FindAll(request, -1); len(lines) != len(attributes) {
		t.Errorf("all-attributes.txtar has %d attributes, the table %d", len(lines), len(attributes))
	}
}
