package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/config"
)

// FuzzParse asks of every input: problems or a configuration, never both or
// neither; messages of one line in printable ASCII; and a configuration that
// survives being shown and read again.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.toml", "testdata/good/*.toml"} {
		for _, path := range files(f, pattern) {
			f.Add(read(f, path))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, warnings, err := config.Parse("x.toml", data)
		var problems config.Problems
		if (c == nil) != errors.As(err, &problems) || (c == nil) != (len(problems) > 0) {
			t.Fatalf("got %v and %v", c, err)
		}
		for _, p := range problems {
			checkLine(t, p.String())
		}
		for _, w := range warnings {
			checkLine(t, w.String())
		}
		if c == nil {
			return
		}
		if _, err := c.Rules(); err != nil {
			t.Errorf("Rules: %v", err)
		}
		again, _, err := config.Parse("show.toml", []byte(c.Show()))
		if err != nil {
			t.Fatalf("Show prints what Parse refuses: %v\n%s", err, c.Show())
		}
		if got, want := again.Show(), c.Show(); got != want {
			t.Errorf("Show changed:\n%s\nafter reading:\n%s", want, got)
		}
	})
}

func checkLine(t *testing.T, line string) {
	t.Helper()
	odd := func(r rune) bool { return (r < ' ' || r > '~') && r != '§' }
	if strings.ContainsFunc(line, odd) {
		t.Errorf("message %q holds more than a line of printable ASCII", line)
	}
	if len(line) > 1000 {
		t.Errorf("message of %d octets: %q", len(line), line)
	}
}
