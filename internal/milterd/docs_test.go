package milterd_test

import (
	"os"
	"strings"
	"testing"
)

// TestDocs plays the dialogue that docs/milter.md shows.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/milter.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	frames := 0
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "    > ") || strings.HasPrefix(line, "    < ") {
			script.WriteString(line)
			frames++
		}
	}
	if frames < 10 {
		t.Fatalf("%d frames in docs/milter.md", frames)
	}
	p := dial(t, cannedGate(t, "* pass "+resultHeader+"\n"+
		"nobody@example.org 550 5.7.25 Reverse DNS validation failed: 203.0.113.9 has no PTR record.\n"))
	play(p, script.String())
}
