package generic_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/generic"
)

// lines returns the fields of each line that is no comment.
func lines(file string) [][]string {
	var out [][]string
	for line := range strings.Lines(file) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] != "#" {
			out = append(out, fields)
		}
	}
	return out
}

// pattern is a glob for the host part, and a registered domain without one.
var pattern = regexp.MustCompile(`^[a-z0-9*#%.-]*[a-z0-9*#%]\.[a-z0-9-]+\.[a-z]{2,}(\.[a-z]{2})?$`)

func TestProvidersFile(t *testing.T) {
	kinds := map[string]string{"dynamic": "lines of a provider", "static": "machines of a provider", "own": "pool of a sender"}
	seen := map[string]bool{}
	for _, fields := range lines(generic.Patterns()) {
		kind := kinds[fields[0]]
		if kind == "" {
			t.Errorf("%s is no kind of names", fields[0])
		}
		for _, p := range fields[1:] {
			if !pattern.MatchString(p) || seen[p] {
				t.Errorf("%s %s: not a pattern, or not the first time", fields[0], p)
			}
			seen[p] = true
			// A name made from the pattern must be found by it, or by an earlier one.
			name := strings.NewReplacer("*", "x", "#", "1", "%", "cb007").Replace(p)
			if got := generic.Provider(generic.Patterns(), name); got == "" {
				t.Errorf("%s: %s does not fit", p, name)
			}
		}
	}
	if len(seen) < 500 {
		t.Errorf("%d patterns", len(seen))
	}
}

func TestWordsFile(t *testing.T) {
	word := regexp.MustCompile(`^-?[a-z]+-?$`)
	seen := map[string]bool{}
	for _, fields := range lines(generic.Words()) {
		for _, w := range fields[1:] {
			if !word.MatchString(w) || seen[fields[0]+" "+w] {
				t.Errorf("%s %s: not a word, or not the first time", fields[0], w)
			}
			seen[fields[0]+" "+w] = true
		}
	}
}
