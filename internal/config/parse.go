package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxProblems bounds what is told of a file: a binary one would fill screens.
const maxProblems = 40

// Parse reads the file's content; name stands for the file in messages. The
// error is of type Problems and holds everything that is wrong.
func Parse(name string, data []byte) (*Config, []Warning, error) {
	doc, broken := parseDocument(name, data)
	if broken != nil {
		return nil, nil, Problems{*broken}
	}
	r := &reader{document: doc}
	if len(doc.tree) == 0 {
		r.warn("", "the file sets nothing: all defaults hold")
	}
	c := Default()
	c.applyPreset(doc)
	r.sections(sections(c))
	r.check(c)
	slices.SortFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), strings.Compare(a.Key, b.Key))
	})
	if n := len(r.problems); n > maxProblems {
		r.problems = append(r.problems[:maxProblems], Problem{File: name, Text: fmt.Sprintf("and %d problems more", n-maxProblems)})
	}
	if len(r.problems) > 0 {
		return nil, r.warnings, Problems(r.problems)
	}
	return c, r.warnings, nil
}

// applyPreset puts the preset in place before the other settings are read,
// wherever in the table it stands. A bad one is told when its turn comes.
func (c *Config) applyPreset(doc *document) {
	policy, _ := doc.tree["policy"].(map[string]any)
	name, _ := policy["preset"].(string)
	if p := presetPolicy(name); p.Preset != "" {
		c.Policy = p
	}
}

// sections reads the tables of the document.
func (r *reader) sections(known []section) {
	for _, s := range known {
		if v, ok := r.tree[s.name]; ok {
			r.table(s.name, v, s.settings)
		}
	}
	for key := range r.tree {
		if !slices.ContainsFunc(known, func(s section) bool { return s.name == key }) {
			r.problem(join("", key), unknownTable(key, known))
		}
	}
}

func unknownTable(key string, known []section) string {
	var names []string
	for _, s := range known {
		for _, setting := range s.settings {
			if setting.name == key {
				return "no such table: did you mean " + s.name + "." + key + ", in the table [" + s.name + "]?"
			}
		}
		names = append(names, "["+s.name+"]")
	}
	for _, s := range known {
		if nearest(key, []string{s.name}) != "" {
			return "no such table: did you mean [" + s.name + "]?"
		}
	}
	return "no such table: known are " + strings.Join(names, ", ")
}
