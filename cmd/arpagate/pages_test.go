package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestUnits reads the units of contrib/systemd: what they call must be a
// command, and the names of their sockets those of the documents.
func TestUnits(t *testing.T) {
	paths, err := filepath.Glob("../../contrib/systemd/*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no units: %v", err)
	}
	form := regexp.MustCompile(`^(#.*|\[[A-Z][a-z]+\]|[A-Z][A-Za-z]+=.*)?$`)
	calls := regexp.MustCompile(`(?m)^Exec[A-Za-z]+=/usr/bin/arpagate (.*)$`)
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(body), "\n") {
			if !form.MatchString(line) {
				t.Errorf("%s:%d: %q is no line of a unit", path, i+1, line)
			}
		}
		for _, call := range calls.FindAllStringSubmatch(string(body), -1) {
			root := newRootCommand(&app{env: nothing})
			cmd, args, err := root.Find(strings.Fields(call[1]))
			if err == nil && cmd == root {
				err = fmt.Errorf("no such command")
			}
			if err == nil {
				err = cmd.ParseFlags(args)
			}
			if err != nil {
				t.Errorf("%s: arpagate %s: %v", path, call[1], err)
			}
		}
	}
}

// link is a link to a file, or a part of one.
var link = regexp.MustCompile(`\]\(([^)#:]+)?(#[a-z0-9-]+)?\)`)

// TestLinks follows the links between the documents, and wants each document
// in the index.
func TestLinks(t *testing.T) {
	pages := map[string]string{}
	for _, d := range documentsOf(t) {
		pages[d.path] = d.body
	}
	for path, body := range pages {
		for _, m := range link.FindAllStringSubmatch(body, -1) {
			to := path
			if m[1] != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(path), m[1]))
			}
			if _, err := os.Stat(filepath.Join("../..", to)); err != nil {
				t.Errorf("%s: the link %s leads nowhere", path, m[0])
			}
			if m[2] != "" && !slices.Contains(anchors(pages[to]), m[2]) {
				t.Errorf("%s: the link %s leads to no heading of %s", path, m[0], to)
			}
		}
		if name, ok := strings.CutPrefix(path, "docs/"); ok && name != "README.md" && !strings.Contains(pages["docs/README.md"], "]("+name+")") {
			t.Errorf("docs/README.md does not name %s", name)
		}
	}
}

var heading = regexp.MustCompile(`(?m)^#+ (.*)$`)

// anchors returns the headings of a page as GitHub makes links of them.
func anchors(body string) []string {
	var out []string
	for _, m := range heading.FindAllStringSubmatch(body, -1) {
		text := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		out = append(out, "#"+strings.ReplaceAll(text, " ", "-"))
	}
	return out
}
