package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/gate"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/resolver"
)

// checked examines one target of a world as check does.
func checked(t *testing.T, dns evidence.DNS, what string, helo *string) checkResult {
	t.Helper()
	target, err := parseTarget(what)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := decision.Preset("careful")
	if err != nil {
		t.Fatal(err)
	}
	x := examiner{dns: dns, gate: gate.New(gate.Config{
		DNS: dns, Policy: gate.Policy{Rules: rules}, Now: time.Now, Rand: randomBits, Thorough: true,
	})}
	result := x.examine(t.Context(), target, helo)
	result.preset = rules.Preset
	return result
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

// asking returns a resolver without a memory of other tests.
func asking(t *testing.T, server netip.AddrPort) *resolver.Resolver {
	t.Helper()
	dns, err := resolver.New(resolver.Config{Servers: []netip.AddrPort{server}, Now: time.Now, CacheBytes: 1 << 20, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dns.Close() })
	return dns
}

// labTargets are the hosts of the lab world with their HELO arguments, and the
// names that lead to several of them or to none.
func labTargets() map[string]*string {
	targets := map[string]*string{"example.org": nil, "example.net": nil, "nothere.example.org": nil, "nameless.example.org": nil, "10.0.0.1": nil}
	for _, h := range lab.Default().Hosts() {
		targets[h.Address.String()] = &h.Helo
	}
	return targets
}

// TestReportOfEachHost compares the report of every host of the lab world with
// testdata/golden; go test -update writes it anew.
func TestReportOfEachHost(t *testing.T) {
	address := serving(t, lab.Default())
	for what, helo := range labTargets() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			result := checked(t, asking(t, address), what, helo)
			still(&result)
			var out bytes.Buffer
			if err := (&app{stdout: &out, terminal: &out, env: nothing}).printCheck(&result, false); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(out.String()) {
				if utf8.RuneCountInString(line) > usualColumns+1 {
					t.Errorf("wider than %d columns: %s", usualColumns, line)
				}
			}
			golden(t, strings.NewReplacer(":", "-", "/", "-").Replace(what), out.String())
		})
	}
}

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

// still takes out of a result what differs from run to run: who answered, and
// how fast.
func still(result *checkResult) {
	for i := range result.Lookups {
		calm(&result.Lookups[i])
	}
	for i := range result.Addresses {
		for j := range result.Addresses[i].judged.Findings {
			if f := &result.Addresses[i].judged.Findings[j]; f.Args.Server.IsValid() {
				f.Args.Server = somebody
			}
		}
		v := result.Addresses[i].judged.Evidence.View
		calm(&v.IPRev.PTR)
		for j := range v.IPRev.Names {
			for k := range v.IPRev.Names[j].Forward {
				calm(&v.IPRev.Names[j].Forward[k])
			}
		}
		for j := range v.Helo.Answers {
			calm(&v.Helo.Answers[j])
		}
	}
}

var somebody = netip.MustParseAddrPort("127.0.0.1:53")

func calm(a *evidence.Answer) { a.Took, a.Server = time.Millisecond, somebody }

// TestSchema holds the documents about all hosts of the lab world to the
// published schema.
func TestSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../docs/schema/check-1.json")
	if err != nil {
		t.Fatal(err)
	}
	address := serving(t, lab.Default())
	for what, helo := range labTargets() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			result := checked(t, asking(t, address), what, helo)
			var out bytes.Buffer
			if err := (&app{stdout: &out}).printCheck(&result, true); err != nil {
				t.Fatal(err)
			}
			document, err := jsonschema.UnmarshalJSON(&out)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(document); err != nil {
				t.Errorf("%#v", err)
			}
		})
	}
}

// TestSchemaRefuses proves that the schema can say no.
func TestSchemaRefuses(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../docs/schema/check-1.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`{}`,
		`{"schema":2,"target":"x","verdict":"unknown","error":"x","findings":[],"lookups":[],"addresses":[]}`,
		`{"schema":1,"target":"x","verdict":"pass","error":"x","findings":[],"lookups":[],"addresses":[]}`,
		`{"schema":1,"target":"x","verdict":"unknown","error":"x","findings":[{"code":"new"}],"lookups":[],"addresses":[]}`,
		`{"schema":1,"target":"x","verdict":"pass","findings":[],"addresses":[{}]}`,
	} {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(document) == nil {
			t.Errorf("the schema takes %s", text)
		}
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

// TestHostileNames wants names of strangers in printable ASCII in the report
// and in JSON; there is no CSV.
func TestHostileNames(t *testing.T) {
	for i, test := range hostileNames {
		t.Run(test.covers, func(t *testing.T) {
			world, err := lab.Parse(fmt.Sprintf("ptr 203.0.113.%d %s\n", i+1, test.zone))
			if err != nil {
				t.Fatal(err)
			}
			result := checked(t, asking(t, serving(t, world)), fmt.Sprintf("203.0.113.%d", i+1), nil)
			for _, asJSON := range []bool{false, true} {
				var out bytes.Buffer
				if err := (&app{stdout: &out, terminal: &out, env: nothing}).printCheck(&result, asJSON); err != nil {
					t.Fatal(err)
				}
				for _, c := range out.String() {
					if c != '\n' && c != '§' && (c < ' ' || c > '~') {
						t.Errorf("JSON %v: character %U came through:\n%s", asJSON, c, &out)
					}
				}
				switch {
				case asJSON && strings.ContainsAny(out.String(), "<>"):
					t.Errorf("markup in\n%s", &out)
				case !asJSON && !strings.Contains(out.String(), "        "+test.shown+"  ("):
					t.Errorf("no %s in\n%s", test.shown, &out)
				}
			}
		})
	}
}
