package config

import (
	"fmt"
	"strings"
)

// about says what holds for the whole file, in the reference and in the manual
// page.
const about = "The file is TOML 1.0 in UTF-8, by default at " + DefaultPath + ". Every setting is optional. " +
	"A setting or table that is not listed here is an error, and a file with an error is not used at all: " +
	"`arpagate config check` tells everything that is wrong with it, by line. " +
	"The environment has no influence. The only setting that may hold a secret is watch.webhook. " +
	"A file that every user may write to is refused."

// units says how quantities are written.
const units = "Durations are whole numbers with a unit: ms, s, m, h or d (\"90s\", \"30d\"). Sizes are written with KiB, MiB or GiB."

// Reference returns the page about every setting, in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Configuration reference\n\n")
	b.WriteString("<!-- Made by `make docs` from internal/config/schema.go. -->\n\n")
	b.WriteString(wrap(about, "") + "\n" + wrap(units, ""))
	for _, s := range sections(Default()) {
		fmt.Fprintf(&b, "\n## [%s]\n\n%s", s.name, wrap(s.doc, ""))
		for _, setting := range s.settings {
			fmt.Fprintf(&b, "\n### %s.%s\n\n%s\n", s.name, setting.name, wrap(setting.doc, ""))
			b.WriteString(setting.facts())
		}
	}
	b.WriteString("\n## Example\n\nA file with every setting at its default, or with an example where there is none:\n\n```toml\n")
	b.WriteString(Example())
	b.WriteString("```\n")
	return b.String()
}

// facts returns what is allowed and usual, as a Markdown list.
func (s setting) facts() string {
	if s.rows == nil {
		return fmt.Sprintf("- Allowed: %s\n- Default: %s\n", s.form, s.standard("`"))
	}
	var b strings.Builder
	for _, field := range s.blank() {
		fmt.Fprintf(&b, "- `%s`: %s %s%s.\n", field.name, field.doc, strings.ToUpper(field.form[:1]), field.form[1:])
	}
	return b.String()
}

// standard returns the default between marks, or a word for none.
func (s setting) standard(mark string) string {
	value := s.write()
	if value == `""` || value == "[]" {
		return "none"
	}
	return mark + value + mark
}

// Example returns a file that says what every setting is for, with each at its
// default behind a #, to start one's own file from.
func Example() string {
	var b strings.Builder
	b.WriteString("# Every setting below is optional. What stands behind a # is the default, or an\n# example where there is none.\n")
	for _, s := range sections(Default()) {
		fmt.Fprintf(&b, "\n%s[%s]\n", wrap(s.doc, "# "), s.name)
		for _, setting := range s.settings {
			b.WriteString("\n" + wrap(setting.doc, "# "))
			b.WriteString(setting.sample(s.name))
		}
	}
	return b.String()
}

// sample returns the setting with its default or example, behind a #.
func (s setting) sample(section string) string {
	if s.rows == nil {
		return fmt.Sprintf("#%s = %s\n", s.name, s.value())
	}
	rows := s.rows()
	if len(rows) == 0 {
		rows = [][]setting{s.blank()}
	}
	var b strings.Builder
	for i, row := range rows {
		if i > 0 {
			b.WriteString("#\n")
		}
		fmt.Fprintf(&b, "#[[%s.%s]]\n", section, s.name)
		for _, field := range row {
			value := field.write()
			if len(s.rows()) == 0 {
				value = field.value()
			}
			fmt.Fprintf(&b, "#%s = %s\n", field.name, value)
		}
	}
	return b.String()
}

// value returns the example, or the default where there is none.
func (s setting) value() string {
	if s.example != "" {
		return s.example
	}
	return s.write()
}

// width is that of generated text.
const width = 78

// wrap breaks text into lines, each behind the prefix.
func wrap(text, prefix string) string {
	var b strings.Builder
	line := prefix
	for _, word := range strings.Fields(text) {
		if len(line)+len(word) > width && line != prefix {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = prefix
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	return b.String()
}
