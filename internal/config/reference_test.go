package config_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/config"
)

// TestExample takes the # off every line of the example that holds a setting:
// the result must be a right file, and say the same as the defaults wherever
// there are some.
func TestExample(t *testing.T) {
	var b strings.Builder
	for line := range strings.Lines(config.Example()) {
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") {
			line = line[1:]
		}
		b.WriteString(line)
	}
	c, warnings, err := config.Parse("example.toml", []byte(b.String()))
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, %v in\n%s", err, warnings, b.String())
	}
	c.Site = config.Site{}
	c.DNS.Servers = nil
	c.Policy.Rule = nil
	c.Watch = config.Default().Watch
	c.Doctor = config.Default().Doctor
	if !reflect.DeepEqual(c, config.Default()) {
		t.Errorf("the example sets\n%s\nand the default is\n%s", c.Show(), config.Default().Show())
	}
	if c, _, err := config.Parse("example.toml", []byte(config.Example())); err != nil || !reflect.DeepEqual(c, config.Default()) {
		t.Errorf("the example as it stands is not the default: %v", err)
	}
}

// TestReferenceIsComplete looks for every line of Show in the pages.
func TestReferenceIsComplete(t *testing.T) {
	reference, man := config.Reference(), string(config.Man())
	section := ""
	for line := range strings.Lines(config.Default().Show()) {
		line = strings.TrimSpace(line)
		name, _, isSetting := strings.Cut(line, " = ")
		switch {
		case strings.HasPrefix(line, "[["):
			section = strings.Trim(line, "[]")
			name, isSetting = "", false
			if !strings.Contains(reference, "### "+section+"\n") {
				t.Errorf("the reference lacks %s", section)
			}
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
			if !strings.Contains(reference, "## ["+section+"]\n") || !strings.Contains(man, ".SH ["+section+"]\n") {
				t.Errorf("the pages lack [%s]", section)
			}
		case isSetting && !strings.Contains(section, "."):
			if !strings.Contains(reference, "### "+section+"."+name+"\n") {
				t.Errorf("the reference lacks %s.%s", section, name)
			}
		}
		if isSetting && !strings.Contains(man, ".B "+name+"\n") {
			t.Errorf("the manual page lacks %s of %s", name, section)
		}
	}
}

// TestManIsSafe looks for lines of text that roff would read as requests.
func TestManIsSafe(t *testing.T) {
	macros := []string{`.\"`, ".TH", ".SH", ".TP", ".PP", ".IP", ".RS", ".RE", ".B", ".BR", ".I", ".nf", ".fi", ".nh", ".ad"}
	for line := range strings.Lines(string(config.Man())) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !slices.Contains(macros, word) {
			t.Errorf("roff reads %q as a request", line)
		}
		if strings.Contains(strings.ReplaceAll(line, `\-`, ""), "-") {
			t.Errorf("a hyphen in %q may become a typographic one", line)
		}
	}
}
