package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// classified runs the command and returns its lines, cut into columns.
func classified(t *testing.T, input string) (rows [][]string, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	code = run([]string{"classify"}, nothing, strings.NewReader(input), &out, &err)
	for line := range strings.Lines(out.String()) {
		row := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(row) != 4 {
			t.Fatalf("%d columns in %q", len(row), line)
		}
		rows = append(rows, row)
	}
	return rows, err.String(), code
}

func TestClassify(t *testing.T) {
	rows, stderr, code := classified(t, strings.Join([]string{
		"#address\tname",
		"203.0.113.9\t203-0-113-9.dsl.example.net",
		"",
		"203.0.113.9\tVPS-203-0-113-9.Example.NET.\r",
		"203.0.113.9\tmail.example.org\tmail\t1.0",
		"2001:db8::9\t2001-db8--9.dyn.example.net",
		"::ffff:203.0.113.9\tadsl-113-9.example.net", // no line end
	}, "\n"))
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d, said %q", code, stderr)
	}
	want := [][2]string{
		{"203-0-113-9.dsl.example.net", "generic-dynamic"},
		{"VPS-203-0-113-9.Example.NET.", "generic-static"},
		{"mail.example.org", "own"},
		{"2001-db8--9.dyn.example.net", "generic-dynamic"},
		{"adsl-113-9.example.net", "generic-dynamic"},
	}
	if len(rows) != len(want) {
		t.Fatalf("%d lines, want %d: %q", len(rows), len(want), rows)
	}
	for i, w := range want {
		score, err := strconv.ParseFloat(rows[i][2], 64)
		if rows[i][0] != w[0] || rows[i][1] != w[1] || err != nil || (score > 0.5) != (w[1] != "own") {
			t.Errorf("%q, want %q", rows[i], w)
		}
		if !regexp.MustCompile(`^[a-z][^,]* [+-][0-9]+\.[0-9](, .* [+-][0-9]+\.[0-9])*$`).MatchString(rows[i][3]) {
			t.Errorf("why is %q", rows[i][3])
		}
	}
	if !strings.HasPrefix(rows[0][3], "octets 203-0-113-9 +") {
		t.Errorf("the heaviest part is not the first: %q", rows[0][3])
	}
}

func TestClassifyBadLines(t *testing.T) {
	long := strings.Repeat("a", 100_000)
	for _, tt := range []struct{ line, name, why string }{
		{"203.0.113.9", "203.0.113.9", "no tab between address and name"},
		{"mail.example.org\t203.0.113.9", "203.0.113.9", `"mail.example.org" is no address`},
		{"203.0.113.9\t", "", `"" is no name: label empty or of more than 63 octets`},
		{"203.0.113.9\ta..example.org", "a..example.org", "label empty"},
		{"203.0.113.9\t" + long, "aaa", "longer than"},
		{long, "aaa", "longer than"},
		{"203.0.113.9\x1b[2J\tmail\x07.example.org\xff", `mail\007.example.org\255`, "is no address"},
		{"203.0.113.256\tmail.example.org", "mail.example.org", "is no address"},
	} {
		input := "203.0.113.9\tbefore.example.org\n" + tt.line + "\n203.0.113.9\tafter.example.org\n"
		rows, stderr, code := classified(t, input)
		if code != int(exitFindings) || !strings.HasPrefix(stderr, "error: classify: line 2: ") || strings.Contains(stderr, "\x1b") {
			t.Errorf("%.40q: exit code %d, said %.200q", tt.line, code, stderr)
		}
		if len(rows) != 3 || rows[0][0] != "before.example.org" || rows[2][0] != "after.example.org" {
			t.Fatalf("%.40q: %.300q", tt.line, rows)
		}
		row := rows[1]
		if !strings.HasPrefix(row[0], tt.name) || row[1] != "own" || row[2] != "0.000" ||
			!strings.HasPrefix(row[3], "error: ") || !strings.Contains(row[3], tt.why) {
			t.Errorf("%.40q: %.200q", tt.line, row)
		}
	}
	if _, stderr, _ := classified(t, strings.Repeat("x\n", 1000)); !strings.HasSuffix(stderr, "980 more lines like these\n") ||
		strings.Count(stderr, "\n") != 21 {
		t.Errorf("a thousand bad lines: said\n%s", stderr)
	}
}

// TestClassifyAnswersAtOnce holds the end of the input back until the answer to
// its beginning is there.
func TestClassifyAnswersAtOnce(t *testing.T) {
	in, question := io.Pipe()
	answer, out := io.Pipe()
	done := make(chan int)
	go func() { done <- run([]string{"classify"}, nothing, in, out, io.Discard) }()
	for i := range 3 {
		if _, err := fmt.Fprintf(question, "203.0.113.9\thost%d.example.org\n", i); err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 4096)
		n, err := answer.Read(line)
		if err != nil || !strings.HasPrefix(string(line[:n]), fmt.Sprintf("host%d.example.org\town\t", i)) {
			t.Fatalf("%q, %v", line[:n], err)
		}
	}
	question.Close()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestClassifyManyLines(t *testing.T) {
	var input strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&input, "203.0.113.%d\thost%d.example.org\n", i%256, i)
	}
	rows, stderr, code := classified(t, input.String())
	if code != 0 || stderr != "" || len(rows) != 20_000 {
		t.Fatalf("exit code %d, %d lines, said %q", code, len(rows), stderr)
	}
	for i, row := range rows {
		if row[0] != fmt.Sprintf("host%d.example.org", i) {
			t.Fatalf("line %d is %q", i, row)
		}
	}
}
