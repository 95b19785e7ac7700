package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/config"
	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/finding"
)

// TestBad walks testdata/bad: every file is refused with exactly the messages
// in its own comments.
func TestBad(t *testing.T) {
	for _, path := range files(t, "testdata/bad/*.toml") {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			data := read(t, path)
			c, _, err := config.Parse(name, data)
			var problems config.Problems
			if !errors.As(err, &problems) || c != nil {
				t.Fatalf("got %v, %v; want Problems and no configuration", c, err)
			}
			var got []string
			for _, p := range problems {
				got = append(got, strings.TrimPrefix(p.String(), name+":"))
			}
			compare(t, got, remarks(data, "error"))
		})
	}
}

// TestGood walks testdata/good: every file is read with exactly the warnings in
// its comments, and what Show prints of it is the same configuration.
func TestGood(t *testing.T) {
	for _, path := range files(t, "testdata/good/*.toml") {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			data := read(t, path)
			c, warnings, err := config.Parse(name, data)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range warnings {
				got = append(got, strings.TrimPrefix(w.String(), name+":"))
			}
			compare(t, got, remarks(data, "warning"))
			again, _, err := config.Parse("show", []byte(c.Show()))
			if err != nil {
				t.Fatalf("Show prints what Parse refuses: %v\n%s", err, c.Show())
			}
			if again.Show() != c.Show() {
				t.Errorf("Show changed:\n%s\nafter reading:\n%s", c.Show(), again.Show())
			}
			if _, err := c.Rules(); err != nil {
				t.Errorf("Rules: %v", err)
			}
		})
	}
}

func files(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files like %s: %v", pattern, err)
	}
	return paths
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// remarks returns what stands behind "# word: " in the lines of a file.
func remarks(data []byte, word string) []string {
	var out []string
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, "# "+word+": "); ok {
			out = append(out, strings.TrimRight(text, "\r\n"))
		}
	}
	return out
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestDefaultIsComplete(t *testing.T) {
	empty, warnings, err := config.Parse("empty.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(empty, config.Default()) {
		t.Errorf("an empty file gives\n%s\nnot the default", empty.Show())
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0].String(), "sets nothing") {
		t.Errorf("warnings %v: want one that the file sets nothing", warnings) // C002
	}
	if show := config.Default().Show(); strings.Contains(show, "# default") || strings.Contains(show, "not the default") {
		t.Errorf("Show marks defaults as changed:\n%s", show)
	}
}

func TestShowMarksChanges(t *testing.T) {
	c := parse(t, `
[site]
url = "https://gate.example.org/"
[dns]
timeout = "90s"
canary = []
[policy]
preset = "strict"
reject_at = 12
[[policy.rule]]
code = "helo-missing"
action = "defer"
`, "dns.timeout")
	if c != nil {
		t.Fatal("a timeout of 90s was taken")
	}
	c = parse(t, `
[site]
url = "https://gate.example.org/"
[dns]
timeout = "1500ms"
stress_timeout = "1s"
canary = []
[policy]
preset = "strict"
reject_at = 12
[[policy.rule]]
code = "helo-missing"
action = "defer"
`, "")
	for _, line := range []string{
		`url = "https://gate.example.org" # default: none`,
		`timeout = "1500ms" # default: "5s"`,
		`canary = [] # default: 2 of them`,
		`preset = "strict" # default: "careful"`,
		`defer_at = 10`,
		`reject_at = 12 # default: 0`,
		`[[policy.rule]] # not the default`,
	} {
		if !strings.Contains(c.Show(), line+"\n") {
			t.Errorf("Show lacks %q:\n%s", line, c.Show())
		}
	}
}

// parse reads a file that is right, or wrong at the key.
func parse(t *testing.T, text, wrong string) *config.Config {
	t.Helper()
	c, _, err := config.Parse("x.toml", []byte(text))
	switch {
	case wrong == "" && err != nil:
		t.Fatal(err)
	case wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)):
		t.Fatalf("got %v, want trouble with %s", err, wrong)
	}
	return c
}

func TestRules(t *testing.T) {
	for _, preset := range decision.Presets() {
		want, err := decision.Preset(preset)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parse(t, "policy.preset = '"+preset+"'", "").Rules()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", preset, got, err, want)
		}
	}
	c := parse(t, `
[[policy.rule]]
code = "ptr-generic"
action = "reject"
patient = true
points = 7
[policy]
preset = "monitor"
tag_at = 1
defer_at = 2
reject_at = 3
patience_times = 4
patience_over = "2h"
`, "")
	got, err := c.Rules()
	if err != nil {
		t.Fatal(err)
	}
	if !got.Monitor || got.TagAt != 1 || got.DeferAt != 2 || got.RejectAt != 3 || got.Patience.Times != 4 || got.Patience.Over.Hours() != 2 {
		t.Errorf("got %+v", got)
	}
	rule := decision.Rule{Code: finding.PTRGeneric, Action: decision.Reject, Patient: true, Points: 7}
	if !slices.Contains(got.Rules, rule) {
		t.Errorf("no %+v in %+v", rule, got.Rules)
	}
	if c.Policy.OnError != config.OnErrorAccept {
		t.Errorf("monitor's on_error is %q: it must refuse nothing", c.Policy.OnError)
	}
}

func TestComplete(t *testing.T) {
	for _, test := range []struct {
		hostname, file string
		name, id       string
		warnings       int
		covers         string
	}{
		{hostname: "MX.Example.ORG.", name: "mx.example.org", id: "mx.example.org"},
		{hostname: "", warnings: 2, covers: "C173"},
		{hostname: "localhost", warnings: 2, covers: "C174"},
		{hostname: "mx_1.example.org", warnings: 2, covers: "C175"},
		{hostname: strings.Repeat("a", 60) + strings.Repeat(".abcdefghi", 24), warnings: 2, covers: "C176"},
		{hostname: "3b5c2f6d1a90", warnings: 2},
		{hostname: "3b5c2f6d1a90", file: `site.authserv_id = "example.org"`, id: "example.org", warnings: 1},
		{hostname: "other.example.net", file: `site.name = "mx.example.org"`, name: "mx.example.org", id: "mx.example.org"},
	} {
		t.Run(test.hostname+test.covers, func(t *testing.T) {
			c := parse(t, test.file, "")
			warnings := c.Complete(test.hostname)
			if c.Site.Name != test.name || c.Site.AuthservID != test.id || len(warnings) != test.warnings {
				t.Errorf("got name %q, authserv-id %q, %d warnings %v", c.Site.Name, c.Site.AuthservID, len(warnings), warnings)
			}
		})
	}
}
