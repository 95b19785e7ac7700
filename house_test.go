package arpagate_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestCommands holds .ci/run and README to one test command, and the Makefile
// to the targets that both promise.
func TestCommands(t *testing.T) {
	var commands []string
	for line := range strings.Lines(readFile(t, ".ci/run")) {
		line = strings.TrimSpace(line)
		word, _, _ := strings.Cut(line, " ")
		if line != "" && !slices.Contains([]string{"#", "#!/usr/bin/env", "set", "cd"}, word) {
			commands = append(commands, line)
		}
	}
	if !slices.Equal(commands, []string{"make test"}) {
		t.Errorf(".ci/run runs %q, want make test alone", commands)
	}
	readme, makefile := readFile(t, "README.md"), readFile(t, "Makefile")
	for _, want := range append(commands, "make run") {
		if !regexp.MustCompile(`(?m)^\s*(\$ )?` + want + `$`).MatchString(readme) {
			t.Errorf("README.md: no line %q", want)
		}
	}
	for _, target := range []string{"run", "test", "check", "fuzz", "bench", "docs"} {
		if !regexp.MustCompile(`(?m)^` + target + `:`).MatchString(makefile) {
			t.Errorf("Makefile: no target %s", target)
		}
	}
}

// TestToolsStayOut keeps the tools' modules out of the program's list.
func TestToolsStayOut(t *testing.T) {
	block := regexp.MustCompile(`(?s)\ntool \((.*?)\n\)`).FindStringSubmatch(readFile(t, "tools.mod"))
	if block == nil {
		t.Fatal("tools.mod: no tool block")
	}
	gomod := readFile(t, "go.mod")
	for _, tool := range strings.Fields(block[1]) {
		module, _, _ := strings.Cut(tool, "/cmd/")
		if strings.Contains(gomod, module+" ") {
			t.Errorf("go.mod: requires %s, a tool", module)
		}
	}
}

// changelogTitle is the first line of an entry.
var changelogTitle = regexp.MustCompile(`^(Security|Change|Bugfix|Enhancement): \S.*[^.]$`)

// TestChangelog checks the form that changelog/README.md describes.
func TestChangelog(t *testing.T) {
	entries, err := filepath.Glob("changelog/*/*")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) == 0 {
		t.Error("changelog: no entries")
	}
	for _, name := range entries {
		lines := strings.Split(strings.TrimRight(readFile(t, name), "\n"), "\n")
		if filepath.Ext(name) != ".md" || !changelogTitle.MatchString(lines[0]) {
			t.Errorf("%s: wants a .md file whose first line is like %q", name, "Enhancement: Refuse what is bad")
		}
		if len(lines) < 3 || lines[1] != "" || lines[2] == "" {
			t.Errorf("%s: wants a blank line after the title, and a text", name)
		}
		for i, line := range lines {
			if utf8.RuneCountInString(line) > 80 && !strings.HasPrefix(line, "https://") {
				t.Errorf("%s:%d: %d characters, at most 80", name, i+1, utf8.RuneCountInString(line))
			}
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
