package config

import (
	"fmt"
	"strings"
)

// Show returns the effective configuration as a file that Parse reads, with a
// comment behind every value that is not the default. It hides nothing, not
// even the URL of a webhook: it can be used in place of the file.
func (c *Config) Show() string {
	standard := Default()
	usualPreset := standard.Policy.Preset
	standard.Policy = presetPolicy(c.Policy.Preset)
	standard.Policy.Preset = usualPreset
	usual := sections(standard)
	var b strings.Builder
	for i, s := range sections(c.clone()) {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "[%s]\n", s.name)
		for j, setting := range s.settings {
			if setting.write != nil {
				b.WriteString(setting.line(usual[i].settings[j]))
			}
		}
		for j, setting := range s.settings {
			if setting.rows != nil {
				b.WriteString(setting.tables(s.name, usual[i].settings[j]))
			}
		}
	}
	return b.String()
}

// line returns "name = value", and the default where that is another one. A
// value that the machine completes is left out while it is empty.
func (s setting) line(usual setting) string {
	value, standard := s.write(), usual.write()
	switch {
	case value == `""` && standard == value:
		return ""
	case value == standard:
		return fmt.Sprintf("%s = %s\n", s.name, value)
	case standard == `""`:
		return fmt.Sprintf("%s = %s # default: none\n", s.name, value)
	default:
		return fmt.Sprintf("%s = %s # default: %s\n", s.name, value, standard)
	}
}

// tables returns the rows, each as a [[table]]; a list emptied by the file as
// the empty list, which means another thing than no list.
func (s setting) tables(section string, usual setting) string {
	rows, standard := s.rows(), usual.rows()
	if len(rows) == 0 && len(standard) > 0 {
		return fmt.Sprintf("%s = [] # default: %d of them\n", s.name, len(standard))
	}
	note := ""
	if s.body(rows) != s.body(standard) {
		note = " # not the default"
	}
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, "\n[[%s.%s]]%s\n%s", section, s.name, note, s.body([][]setting{row}))
	}
	return b.String()
}

func (s setting) body(rows [][]setting) string {
	var b strings.Builder
	for _, row := range rows {
		for _, field := range row {
			fmt.Fprintf(&b, "%s = %s\n", field.name, field.write())
		}
	}
	return b.String()
}
