package arpagate_test

import (
	"cmp"
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// prose is a piece of text that a person reads: a comment, a string of the
// program, a line of a document. Its blanks are single.
type prose struct {
	where string
	text  string
}

var blanks = regexp.MustCompile(`\s+`)

// comments returns every comment, each group as one piece.
func (tr *tree) comments(sources []source) []prose {
	var out []prose
	for _, s := range sources {
		for _, group := range s.file.Comments {
			out = append(out, prose{tr.at(group.Pos()), blanks.ReplaceAllString(group.Text(), " ")})
		}
	}
	return out
}

// strings returns every string literal but import paths.
func (tr *tree) strings(sources []source) []prose {
	var out []prose
	for _, s := range sources {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if _, ok := n.(*ast.ImportSpec); ok {
				return false
			}
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			if v, err := strconv.Unquote(lit.Value); err == nil {
				out = append(out, prose{tr.at(lit.Pos()), v})
			}
			return true
		})
	}
	return out
}

// documents returns the lines of the documents: docs, README, changelog.
func (tr *tree) documents() []prose {
	var out []prose
	for _, f := range tr.texts {
		switch path.Ext(f.path) {
		case ".md", ".txtar":
			for i, line := range strings.Split(f.body, "\n") {
				out = append(out, prose{f.path + ":" + strconv.Itoa(i+1), line})
			}
		}
	}
	return out
}

var (
	urls    = regexp.MustCompile(`https?://\S+`)
	anyRFC  = regexp.MustCompile(`(?i)\brfcs?[\s:#_-]*[0-9]{2,}`)
	goodRFC = regexp.MustCompile(`^RFC ([0-9]{2,})$`)
	// badSection finds sections that are not written as §N.N.
	badSection = regexp.MustCompile(`^,? ?(\(?[Ss]ect(ion|\.)|[Ss]ec\.|s[0-9]|#|:[0-9]|§ |§§|,? ?[Aa]ppendix)`)
)

// TestRFCSpelling holds references to one spelling, which grep finds: "RFC
// 8601 §2.7.3", or "RFC 8601" alone. An appendix is §A.1.
func TestRFCSpelling(t *testing.T) {
	tr := loadTree(t)
	pieces := slices.Concat(tr.comments(tr.sources), tr.strings(tr.product()), tr.documents())
	for _, p := range pieces {
		plain := urls.ReplaceAllString(p.text, "")
		for _, at := range anyRFC.FindAllStringIndex(plain, -1) {
			ref, rest := plain[at[0]:at[1]], plain[at[1]:]
			if !goodRFC.MatchString(ref) || badSection.MatchString(rest) {
				t.Errorf("%s: %q: write RFC NNNN §N.N", p.where, ref+cut(rest, 12))
			}
		}
	}
}

// standardsRow matches a row of docs/standards.md: number, title, status, what.
var standardsRow = regexp.MustCompile(`(?m)^\| RFC ([0-9]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$`)

// TestStandards compares docs/standards.md with the references in the program.
func TestStandards(t *testing.T) {
	body, err := os.ReadFile("docs/standards.md")
	if err != nil {
		t.Fatal(err)
	}
	cited := citedRFCs(loadTree(t))
	listed := map[int]bool{}
	last := 0
	for _, row := range standardsRow.FindAllStringSubmatch(string(body), -1) {
		n, _ := strconv.Atoi(row[1])
		if n <= last {
			t.Errorf("docs/standards.md: RFC %d stands after RFC %d", n, last)
		}
		last, listed[n] = n, true
		switch status := row[3]; status {
		case "Yes", "Partial":
			if cited[n] == "" {
				t.Errorf("docs/standards.md: RFC %d is %s, but no file of the program refers to it", n, status)
			}
		case "No", "Planned":
		default:
			t.Errorf("docs/standards.md: RFC %d has status %q, none of Yes, Partial, No, Planned", n, status)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(cited)) {
		if !listed[n] {
			t.Errorf("%s: RFC %d has no row in docs/standards.md", cited[n], n)
		}
	}
}

// citedRFCs maps each RFC that the program names to the first place.
func citedRFCs(tr *tree) map[int]string {
	cited := map[int]string{}
	pieces := slices.Concat(tr.comments(tr.product()), tr.strings(tr.product()))
	slices.SortStableFunc(pieces, func(a, b prose) int { return cmp.Compare(a.where, b.where) })
	for _, p := range pieces {
		for _, ref := range anyRFC.FindAllString(p.text, -1) {
			m := goodRFC.FindStringSubmatch(ref)
			if m == nil {
				continue
			}
			if n, _ := strconv.Atoi(m[1]); cited[n] == "" {
				cited[n] = p.where
			}
		}
	}
	return cited
}

func cut(s string, n int) string { return s[:min(n, len(s))] }
