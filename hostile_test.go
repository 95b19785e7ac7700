package arpagate_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rows of testdata/hostile_inputs.tsv are inputs that somebody hostile or
// broken will send: D answers of the DNS, M milter frames, P policy requests,
// C configuration, K arguments of the command line, H what a probe is sent to
// and what it is answered. A row is covered where its
// id stands in a string of a test (a subtest's name, a field of its table), in
// a comment of a test that begins with "covers:", or in a file of testdata.
// "D034-D037" stands for four rows.

// hostileFloors are the numbers of covered rows that must not be undercut;
// raise them with the coverage.
var hostileFloors = map[string]int{"D": 180, "M": 139, "P": 116, "C": 149, "K": 96, "H": 42}

const (
	hostileRows   = "testdata/hostile_inputs.tsv"
	hostileExempt = "testdata/hostile_exempt.tsv"
)

var hostileID = regexp.MustCompile(`\b([DMPCKH])([0-9]{3})(?:-[DMPCKH]?([0-9]{3}))?\b`)

func TestHostileRows(t *testing.T) {
	required := column(t, hostileRows)
	exempt := exemptRows(t, required)
	covered := map[string]bool{}
	for _, p := range hostileMentions(loadTree(t)) {
		for _, id := range expandIDs(p.text) {
			if required[id] == "" {
				t.Errorf("%s: there is no row %s in %s", p.where, id, hostileRows)
			}
			covered[id] = true
		}
	}
	got, total := map[string]int{}, map[string]int{}
	var missing []string
	for _, id := range slices.Sorted(maps.Keys(required)) {
		kind := id[:1]
		switch {
		case covered[id]:
			got[kind]++
			total[kind]++
		case !exempt[id]:
			total[kind]++
			missing = append(missing, id)
		}
	}
	t.Run("missing", func(t *testing.T) { // for go test -v
		for _, id := range missing {
			t.Logf("no test for %s: %s", id, required[id])
		}
	})
	for _, kind := range slices.Sorted(maps.Keys(hostileFloors)) {
		t.Logf("hostile inputs %s: %d of %d covered", kind, got[kind], total[kind])
		if got[kind] < hostileFloors[kind] {
			t.Errorf("hostile inputs %s: %d of %d covered, the floor is %d", kind, got[kind], total[kind], hostileFloors[kind])
		}
	}
}

// exemptRows returns the rows that nothing has to cover: inputs of features
// that don't exist, and rows that the plan overrules.
func exemptRows(t *testing.T, required map[string]string) map[string]bool {
	exempt := map[string]bool{}
	for ids, reason := range column(t, hostileExempt) {
		if reason == "" {
			t.Errorf("%s: %s has no reason", hostileExempt, ids)
		}
		for _, id := range expandIDs(ids) {
			if required[id] == "" {
				t.Errorf("%s: there is no row %s in %s", hostileExempt, id, hostileRows)
			}
			exempt[id] = true
		}
	}
	return exempt
}

// hostileMentions returns the pieces of text in which ids count.
func hostileMentions(tr *tree) []prose {
	tests := slices.DeleteFunc(slices.Clone(tr.sources), func(s source) bool {
		return !strings.HasSuffix(s.path, "_test.go") || s.room == "."
	})
	out := tr.strings(tests)
	for _, c := range tr.comments(tests) {
		if strings.HasPrefix(c.text, "covers:") {
			out = append(out, c)
		}
	}
	for _, f := range tr.texts {
		if strings.Contains(f.path, "/testdata/") && !strings.Contains(f.path, "/testdata/fuzz/") {
			out = append(out, prose{f.path, f.body})
		}
	}
	return out
}

// expandIDs returns the ids in a text, with the rows of ranges one by one.
func expandIDs(s string) []string {
	var out []string
	for _, m := range hostileID.FindAllStringSubmatch(s, -1) {
		from, _ := strconv.Atoi(m[2])
		to := from
		if m[3] != "" {
			to, _ = strconv.Atoi(m[3])
		}
		for n := from; n <= to; n++ {
			out = append(out, fmt.Sprintf("%s%03d", m[1], n))
		}
	}
	return out
}

// column reads a table with tabs and a heading: id to the rest of the row.
func column(t *testing.T, name string) map[string]string {
	t.Helper()
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(body)) {
		id, rest, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "\t")
		switch {
		case id == "id" || id == "":
		case !ok:
			t.Errorf("%s: row without a tab: %q", name, line)
		case rows[id] != "":
			t.Errorf("%s: row %s stands twice", name, id)
		default:
			rows[id] = strings.ReplaceAll(strings.TrimSpace(rest), "\t", " | ")
		}
	}
	return rows
}
