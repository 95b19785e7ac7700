package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDocsAreCurrent compares the generated files with those in docs.
func TestDocsAreCurrent(t *testing.T) {
	root := newRootCommand(&app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, terminal: io.Discard, env: nothing})
	pages, err := generated(root)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, p := range pages {
		path := filepath.Join("../../docs", filepath.FromSlash(p.path))
		paths = append(paths, path)
		committed, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%v: run make docs", err)
			continue
		}
		if !bytes.Equal(committed, p.body) {
			t.Errorf("docs/%s is not what the commands and settings say now: run make docs", p.path)
		}
	}
	for _, pattern := range []string{"man", "completion"} {
		old, err := filepath.Glob(filepath.Join("../../docs", pattern, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range old {
			if !slices.Contains(paths, path) {
				t.Errorf("%s belongs to no command any more: remove it", path)
			}
		}
	}
}

// TestManPagesAreSafe looks for lines of text that roff would read as requests.
func TestManPagesAreSafe(t *testing.T) {
	macros := []string{`.\"`, ".TH", ".SH", ".TP", ".PP", ".B", ".BR", ".I", ".nf", ".fi", ".nh", ".ad"}
	root := newRootCommand(&app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, terminal: io.Discard, env: nothing})
	for _, cmd := range documented(root) {
		body := string(manPage(cmd))
		for line := range strings.Lines(body) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !slices.Contains(macros, word) {
				t.Errorf("%s: roff reads %q as a request", manName(cmd), line)
			}
		}
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "FILES", "SEE ALSO"} {
			if strings.Count(body, ".SH "+section+"\n") != 1 {
				t.Errorf("%s lacks the section %s", manName(cmd), section)
			}
		}
	}
}

func TestRoff(t *testing.T) {
	in := ".TH is a macro\n'quoted'\nback\\slash --flag\n"
	want := "\\&.TH is a macro\n\\&'quoted'\nback\\eslash \\-\\-flag\n"
	if got := roff(in); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
