package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/generic"
)

var update = flag.Bool("update", false, "write the table of signs into docs/classifier.md")

// corpus makes up names of both kinds, in as many domains.
func corpus() string {
	var b strings.Builder
	b.WriteString("#address\tname\tlabel\tweight\tdomain\n")
	for i := range 40 {
		fmt.Fprintf(&b, "203.0.113.%d\t203-0-113-%d.dsl.isp%d.example\tgeneric\t0.5000\tisp%d.example\n", i, i, i, i)
		fmt.Fprintf(&b, "203.0.113.%d\tpool-%d.dyn.isp%d.example\tgeneric\t0.5000\tisp%d.example\n", i, 1000+i, i, i)
		fmt.Fprintf(&b, "2001:db8::%d\tmail%d.own%d.example\tmail\t1.0000\town%d.example\n", i, i%3, i, i)
		fmt.Fprintf(&b, "198.51.100.%d\tvpn.office%d.example\tother-static\t1.0000\toffice%d.example\n", i, i, i)
	}
	return b.String()
}

func corpusFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "corpus.tsv")
	if err := os.WriteFile(path, []byte(corpus()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSameWeights trains twice: the file must not depend on the run, nor on the
// order of the corpus.
func TestSameWeights(t *testing.T) {
	examples, err := read(strings.NewReader(corpus()))
	if err != nil {
		t.Fatal(err)
	}
	first := weightsFile(examples)
	for i, j := 0, len(examples)-1; i < j; i, j = i+1, j-1 {
		examples[i], examples[j] = examples[j], examples[i]
	}
	if second := weightsFile(examples); !bytes.Equal(first, second) {
		t.Errorf("two trainings differ:\n%s\n%s", first, second)
	}
}

// TestWeightsFitTheSigns fails when a sign was added or renamed and the weights
// were not trained since.
func TestWeightsFitTheSigns(t *testing.T) {
	body, err := os.ReadFile("../../internal/generic/weights.go")
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for line := range strings.Lines(string(body)) {
		if _, name, found := strings.Cut(line, "// "); found && line[0] == '\t' {
			have = append(have, strings.TrimSpace(name))
		}
	}
	for s := range max(len(have), generic.SignCount) {
		if s >= len(have) || s >= generic.SignCount || have[s] != generic.Sign(s).String() {
			t.Fatalf("sign %d: the weights are of other signs: run make classifier", s)
		}
	}
}

func TestPriorsNameSigns(t *testing.T) {
	names := map[string]bool{}
	for s := range generic.SignCount {
		name := generic.Sign(s).String()
		if names[name] || name == "" {
			t.Errorf("sign %d: the name %q is taken", s, name)
		}
		names[name] = true
	}
	for name := range priors {
		if !names[name] {
			t.Errorf("no sign is called %q", name)
		}
	}
}

func TestReport(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"-corpus", corpusFile(t), "-report", "-errors", "3"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| **arpagate**, cross-validated | 1.000 | 1.000 | 1.000 | 0 | 0 |", "| without the providers |", "| the five folds |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestBadCorpus(t *testing.T) {
	if err := run([]string{"-corpus", "/nonexistent", "-report"}, &bytes.Buffer{}); err == nil ||
		!strings.Contains(err.Error(), "CORPUS=FILE") {
		t.Errorf("no corpus: %v", err)
	}
	for _, line := range []string{
		"203.0.113.9\tmail.example.org", "x\tmail.example.org\tmail\t1\texample.org", "203.0.113.9\ta..b\tmail\t1\tb",
		"203.0.113.9\tmail.example.org\tspam\t1\texample.org", "203.0.113.9\tmail.example.org\tmail\tone\texample.org",
	} {
		if _, err := read(strings.NewReader("#\n" + line + "\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// TestFoldsKeepDomainsTogether holds the rule that makes the figures honest: no
// name is judged by weights that saw its domain.
func TestFoldsKeepDomainsTogether(t *testing.T) {
	examples, err := read(strings.NewReader(corpus()))
	if err != nil {
		t.Fatal(err)
	}
	deal(examples, 1)
	fold, size := map[string]int{}, map[int]int{}
	for _, e := range examples {
		if f, seen := fold[e.domain]; seen && f != e.fold {
			t.Errorf("%s is in folds %d and %d", e.domain, f, e.fold)
		}
		fold[e.domain] = e.fold
		size[e.fold]++
	}
	if len(size) != folds {
		t.Errorf("folds of %v", size)
	}
}

// page is the page of the classifier; between the marks stands the table.
const page, begin, end = "../../docs/classifier.md", "<!-- signs: made by go test ./test/classifier -update -->\n", "\n<!-- end -->"

func TestPage(t *testing.T) {
	body, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(body), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the signs", page)
	}
	text := before + begin + signTable() + end + after
	if text == string(body) {
		return
	}
	if !*update {
		t.Fatalf("%s does not show the weights: run go test ./test/classifier -update", page)
	}
	if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// signTable lists what each sign weighs.
func signTable() string {
	var b strings.Builder
	b.WriteString("\n| sign | weight |\n|---|---|\n")
	words := generic.SignCount
	for s := range generic.Sign(generic.SignCount) {
		if strings.Contains(s.String(), " word in the ") {
			words = min(words, int(s))
			continue
		}
		fmt.Fprintf(&b, "| %s | %+.1f |\n", s, s.Weight())
	}
	b.WriteString("\n| words of the class | first label | other labels | domain |\n|---|---|---|---|\n")
	classes := (generic.SignCount - words) / 3
	for c := range classes {
		name, _, _ := strings.Cut(generic.Sign(words+c).String(), " word")
		fmt.Fprintf(&b, "| %s |", name)
		for zone := range 3 {
			fmt.Fprintf(&b, " %+.1f |", generic.Sign(words+zone*classes+c).Weight())
		}
		b.WriteString("\n")
	}
	return b.String()
}
