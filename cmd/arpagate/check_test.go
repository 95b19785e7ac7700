package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/arpagate/arpagate/internal/lab"
)

// checked runs check in a zone where it is noon, so that no hour in the report
// falls on another day than elsewhere.
func checked(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	now := time.Now().UTC()
	noon := time.Date(now.Year(), now.Month(), now.Day(), 12, 0, 0, 0, time.UTC)
	var out, errs bytes.Buffer
	a := &app{
		stdin: strings.NewReader(""), stdout: &out, stderr: &errs, env: nothing, now: time.Now, terminal: &out,
		zone: time.FixedZone("LAB", int(noon.Sub(now).Seconds())),
	}
	root := newRootCommand(a)
	root.SetArgs(append([]string{"check"}, args...))
	code = int(a.fail(root.ExecuteContext(t.Context())))
	return out.String(), errs.String(), code
}

// serving serves the world's DNS.
func serving(t *testing.T, world *lab.World) netip.AddrPort {
	t.Helper()
	server, err := lab.Listen(context.Background(), world, "127.0.0.1:0", lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server.Addr()
}

// labTargets are the hosts of the lab world with the arguments for check, and the
// names that lead to several of them or to none.
func labTargets() map[string][]string {
	targets := map[string][]string{}
	for _, name := range []string{"example.org", "example.net", "nothere.example.org", "nameless.example.org", "10.0.0.1"} {
		targets[name] = nil
	}
	for _, h := range lab.Default().Hosts() {
		targets[h.Address.String()] = []string{"--helo", h.Helo}
	}
	return targets
}

// TestReportOfEachHost compares the report of every host of the lab world with
// testdata/golden; go test -update writes it anew.
func TestReportOfEachHost(t *testing.T) {
	for what, args := range labTargets() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			got, errs, code := checked(t, append(args, "--lab", "--timeout", "60s", what)...)
			if errs != "" || code > int(exitUnknown) {
				t.Errorf("exit code %d, %s", code, errs)
			}
			for line := range strings.Lines(got) {
				// What is to be copied stands in the first column, or deep inside.
				if utf8.RuneCountInString(line) > usualColumns+1 && strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "      ") {
					t.Errorf("wider than %d columns: %s", usualColumns, line)
				}
			}
			golden(t, strings.NewReplacer(":", "-", "/", "-").Replace(what), somebody.ReplaceAllString(settled(got), "127.0.0.1:53"))
		})
	}
}

// somebody is the DNS of the lab, on a port of its own each time.
var somebody = regexp.MustCompile(`127\.0\.0\.1:\d{5}`)

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// TestSchema holds the documents about all hosts of the lab world to the
// published schema.
func TestSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../docs/schema/check-1.json")
	if err != nil {
		t.Fatal(err)
	}
	for what, args := range labTargets() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			out, _, _ := checked(t, append(args, "--lab", "--own", "--relay-test", "--json", what)...)
			document, err := jsonschema.UnmarshalJSON(strings.NewReader(out))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(document); err != nil {
				t.Errorf("%#v", err)
			}
		})
	}
}

// hostileNames are PTR names that would do harm where they are printed as they
// came, in the escapes of RFC 1035 §5.1, with what is shown of them.
var hostileNames = []struct{ covers, zone, shown string }{
	{"K067 ESC[2J", `\027[2J.example.org`, `\027[2j.example.org`},
	{"K068 OSC 52 clipboard", `\027]52\059c\059aGk=\007.example.org`, `\027]52;c;agk=\007.example.org`},
	{"K069 OSC 8 link", `\027]8\059\059http:x\027\092x.example.org`, `\027]8;;http:x\027\\x.example.org`},
	{"K070 LF", `a\010b.example.org`, `a\010b.example.org`},
	{"K071 TAB", `a\009b.example.org`, `a\009b.example.org`},
	{"K072 RTL", `a\226\128\174b.example.org`, `a\226\128\174b.example.org`},
	{"K073 =1+1", `=1+1.example.org`, `=1+1.example.org`},
	{"K074 <script>", `<script>.example.org`, `<script>.example.org`},
	{"K075 NUL", `a\000b.example.org`, `a\000b.example.org`},
	{"C1 control", `a\155b.example.org`, `a\155b.example.org`},
}

// TestHostileNames wants names of strangers in printable ASCII in the report, on
// the page and in JSON; there is no CSV.
func TestHostileNames(t *testing.T) {
	for i, test := range hostileNames {
		t.Run(test.covers, func(t *testing.T) {
			world, err := lab.Parse(fmt.Sprintf("ptr 203.0.113.%d %s\n", i+1, test.zone))
			if err != nil {
				t.Fatal(err)
			}
			dns := serving(t, world).String()
			for _, form := range []string{"--verbose", "--json", "--html=-"} {
				out, _, _ := checked(t, "--dns", dns, form, fmt.Sprintf("203.0.113.%d", i+1))
				for _, c := range out {
					if c != '\n' && c != '§' && (c < ' ' || c > '~') && form != "--html=-" {
						t.Errorf("%s: character %U came through:\n%s", form, c, out)
					}
				}
				switch {
				case form == "--json" && strings.ContainsAny(out, "<>"), form == "--html=-" && strings.Contains(out, "<script"):
					t.Errorf("%s: markup in\n%s", form, out)
				case form == "--verbose" && !strings.Contains(out, "\n        "+test.shown):
					t.Errorf("no %s in\n%s", test.shown, out)
				}
			}
		})
	}
}
