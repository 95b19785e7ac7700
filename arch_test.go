package arpagate_test

import (
	"go/ast"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms is the table of rooms and of the rooms that each may import, the same
// as in docs/hacking.md. Values flow from left to right and never back.
var rooms = map[string]string{
	"untrusted": "",
	"dnsname":   "",
	"listen":    "",
	"generic":   "dnsname",
	"facts":     "untrusted",
	"evidence":  "untrusted dnsname generic facts",
	"finding":   "untrusted dnsname generic facts evidence",
	// A case carries the values of every room before it, so whoever makes or
	// keeps a case must be able to name them.
	"decision": "untrusted dnsname facts evidence finding",
	"reply":    "untrusted dnsname facts evidence finding decision",
	"gate":     "untrusted dnsname generic facts evidence finding decision reply",
	"policyd":  "untrusted dnsname facts reply listen",
	"milterd":  "untrusted dnsname facts reply listen",
	// The page behind a rejection's link shows a stored case.
	"httpd": "untrusted dnsname facts evidence finding decision reply listen",
	// The resolver answers evidence's questions in evidence's words.
	"resolver": "untrusted dnsname evidence dialer",
	"store":    "untrusted dnsname facts evidence finding decision",
	"metrics":  "untrusted dnsname facts evidence finding decision reply",
	"journal":  "untrusted dnsname facts evidence finding decision reply",
	// The file's values are the rooms' own types, read by the rooms' own parsers.
	"config": "untrusted dnsname finding decision listen",
	"lab":    "untrusted dnsname evidence",
	// Whatever looks at other people's hosts goes through the dialer.
	"dialer":    "evidence",
	"smtpprobe": "untrusted dnsname evidence dialer",

	// The doctor's rooms: they look further than the gate does, and advise.
	"bounce":    "untrusted dnsname",
	"spf":       "untrusted dnsname evidence",
	"receivers": "untrusted dnsname evidence finding",
	"remedy":    "untrusted dnsname evidence finding",
	"watch":     "dnsname evidence finding remedy doctor",
	"doctor":    "untrusted dnsname generic facts evidence finding decision gate bounce spf receivers remedy",
	"report":    "untrusted dnsname evidence finding decision reply bounce receivers remedy doctor",
	"rdap":      "untrusted dnsname evidence dialer",
	"egress":    "evidence",

	"testneed": "",
	"cmd":      "*",
}

// testRooms hold nothing but help for tests.
var testRooms = map[string]bool{"testneed": true, "test": true}

// corridor lists the rooms that judge: the same values in, the same value out.
var corridor = []string{"untrusted", "dnsname", "generic", "facts", "evidence", "finding", "decision", "reply"}

// guard says which rooms may import a package from outside, and why no other.
type guard struct {
	pkg   string // import path; its subpackages too, unless they have a row
	rooms string
	why   string
}

// outside guards what reaches the world, and every module that is not ours: an
// import path with a dot and without a row here is refused.
var outside = []guard{
	{"net", "listen resolver policyd milterd httpd lab dialer smtpprobe watch config egress rdap cmd", "judging needs addresses (net/netip), never sockets"},
	{"net/netip", "*", "addresses are values"},
	{"net/url", "*", "addresses are values"},
	{"net/http", "httpd metrics watch rdap cmd", "HTTP is a door like any other"},
	{"net/mail", "bounce config watch", "the headers of a report, and addresses to write to"},
	{"net/smtp", "watch", "no room sends mail but who tells the admin of a change"},
	{"os", "listen resolver store config lab cmd", "files and the environment belong to the rooms that keep them"},
	{"os/exec", "cmd", "no room runs commands on what a stranger said"},
	{"os/signal", "cmd", "one place ends the program"},
	{"syscall", "listen resolver store config dialer smtpprobe egress cmd", "system calls belong to sockets and files"},
	{"unsafe", "resolver", "batched system calls need it, nothing else does"},
	{"log", "", "use log/slog, whose values untrusted.Text escapes"},
	{"log/slog", "*", "structured logs"},
	{"math/rand", "", "use math/rand/v2 or crypto/rand, injected"},
	{"database/sql", "store", "SQL lives in the store"},
	{"html/template", "httpd report", "pages live in httpd, the report as a page in report"},
	{"text/template", "config cmd", "generated docs only: it escapes nothing"},
	{"testing", "", "test code stays out of the program"},

	{"github.com/miekg/dns", "lab", "the program reads DNS with its own loop over dnsmessage"},
	{"golang.org/x/net/dns/dnsmessage", "resolver lab", "messages are packed and read in one room"},
	{"golang.org/x/net/publicsuffix", "dnsname", "organizational domains are found in one room"},
	{"golang.org/x/net/netutil", "cmd", "the pages must not starve the doors of file descriptors"},
	{"golang.org/x/net/ipv4", "resolver", "batched system calls for many questions on few sockets"},
	{"golang.org/x/net/ipv6", "resolver", "batched system calls for many questions on few sockets"},
	{"golang.org/x/sys", "listen resolver store egress cmd", "system calls belong to sockets and files"},
	{"golang.org/x/sync", "resolver gate store cmd", "concurrency stays out of the judging rooms"},
	{"golang.org/x/time", "resolver listen", "rates are limited where the work comes in or goes out"},
	{"github.com/pelletier/go-toml/v2", "config remedy", "config knows the file's format; the recipes are data files that people add to"},
	{"github.com/spf13", "cmd", "the command line lives in cmd"},
	{"github.com/mattn/go-isatty", "cmd", "the terminal is known to cmd alone"},
	{"github.com/prometheus/client_golang", "metrics", "counters are made in one room"},
	{"github.com/pressly/goose/v3", "store", "SQL lives in the store"},
	{"modernc.org/sqlite", "store", "SQL lives in the store"},
	{"github.com/gaissmai/bart", "store", "the lists are kept in one room"},
	{"github.com/coreos/go-systemd/v22", "listen cmd", "systemd hands over sockets and is told of the start"},

	{"github.com/emersion/go-milter", "", "for tests: our codec must agree with a foreign client"},
	{"github.com/emersion/go-message", "", "for tests"},
	{"github.com/emersion/go-msgauth", "", "for tests: a foreign reader of Authentication-Results"},
	{"github.com/google/go-cmp", "", "for tests"},
	{"github.com/rogpeppe/go-internal", "", "for tests"},
	{"github.com/santhosh-tekuri/jsonschema/v6", "", "for tests: what is printed must fit the published schema"},
	{"go.uber.org/goleak", "", "for tests"},
	{"pgregory.net/rapid", "", "for tests"},
}

func TestRooms(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range loadTree(t).sources {
		_, listed := rooms[s.room]
		switch {
		case s.room == ".":
			if s.path != "doc.go" && !s.test {
				t.Errorf("%s: no code at the root but doc.go", s.path)
			}
		case !listed && !testRooms[s.room]:
			t.Errorf("%s: room %q has no row in the table of arch_test.go and docs/hacking.md", s.path, s.room)
		}
		seen[s.room] = true
	}
	for room := range rooms {
		if !seen[room] {
			t.Errorf("room %q has a row in the table but no code", room)
		}
	}
}

func TestImportsBetweenRooms(t *testing.T) {
	tr := loadTree(t)
	for _, s := range tr.sources {
		for _, spec := range s.file.Imports {
			target, ours := strings.CutPrefix(importPath(spec), modulePath+"/")
			if !ours {
				continue
			}
			to := roomOf(target)
			switch {
			case to == s.room:
			case s.test && to != "cmd": // a test may set up whatever it likes
			case testRooms[to]:
				t.Errorf("%s: only tests import %s", tr.at(spec.Pos()), to)
			case to == "cmd":
				t.Errorf("%s: nothing imports cmd", tr.at(spec.Pos()))
			case !allows(rooms[s.room], to):
				t.Errorf("%s: room %s must not import room %s; it may import: %s",
					tr.at(spec.Pos()), s.room, to, orNothing(rooms[s.room]))
			}
		}
	}
}

func TestImportsFromOutside(t *testing.T) {
	tr := loadTree(t)
	for _, s := range tr.product() {
		for _, spec := range s.file.Imports {
			pkg := importPath(spec)
			if strings.HasPrefix(pkg, modulePath+"/") {
				continue
			}
			g, found := guardOf(pkg)
			switch {
			case !found && strings.Contains(strings.Split(pkg, "/")[0], "."):
				t.Errorf("%s: module of %s has no row in arch_test.go: say which room may use it and why",
					tr.at(spec.Pos()), pkg)
			case found && !allows(g.rooms, s.room):
				t.Errorf("%s: room %s must not import %s: %s (allowed in: %s)",
					tr.at(spec.Pos()), s.room, pkg, g.why, orNothing(g.rooms))
			}
		}
	}
}

// callGuards name functions that only some rooms may call outside tests.
var callGuards = []guard{
	{"net.Listen", "listen lab", "listen opens what we serve on, with its limits and systemd's sockets"},
	{"net.ListenPacket", "resolver lab", "see net.Listen"},
	{"net.ListenUDP", "resolver lab", "see net.Listen"},
	{"net.Dial", "resolver cmd", "only the resolver speaks to the world"},
	{"net.DialTimeout", "resolver cmd", "only the resolver speaks to the world"},
	{"net.DialUDP", "resolver", "only the resolver speaks to the world"},
	{"net.DialTCP", "", "only the resolver speaks to the world"},
	{"tls.Dial", "", "only the resolver speaks to the world"},
	{"net.LookupAddr", "", "the resolver is ours"},
	{"net.LookupHost", "", "the resolver is ours"},
	{"net.LookupIP", "", "the resolver is ours"},
	{"os.Exit", "cmd", "one place ends the program"},
	{"os.Getenv", "cmd config listen", "settings come from config"},
	{"fmt.Print", "", "print to a writer that was handed in"},
	{"fmt.Printf", "", "print to a writer that was handed in"},
	{"fmt.Println", "", "print to a writer that was handed in"},
	{"slog.SetDefault", "cmd", "loggers are handed in"},
}

// typeGuards name types that only some rooms may use outside tests.
var typeGuards = []guard{
	{"net.Dialer", "dialer resolver listen lab", "whatever looks at other people's hosts goes through the dialer"},
	{"tls.Dialer", "", "see net.Dialer"},
}

// clockCalls are forbidden in the corridor, which is handed the time.
var clockCalls = []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.NewTimer"}

func TestTypes(t *testing.T) {
	tr := loadTree(t)
	for _, s := range tr.product() {
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			for _, g := range typeGuards {
				if ok && g.pkg == x.Name+"."+sel.Sel.Name && !allows(g.rooms, s.room) {
					t.Errorf("%s: %s in room %s: %s", tr.at(sel.Pos()), g.pkg, s.room, g.why)
				}
			}
			return true
		})
	}
}

func TestCalls(t *testing.T) {
	tr := loadTree(t)
	for _, s := range tr.product() {
		judges := slices.Contains(corridor, s.room)
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := calledName(call)
			if judges && slices.Contains(clockCalls, name) {
				t.Errorf("%s: %s in room %s: the corridor is handed the time", tr.at(call.Pos()), name, s.room)
			}
			for _, g := range callGuards {
				if g.pkg == name && !allows(g.rooms, s.room) {
					t.Errorf("%s: %s in room %s: %s", tr.at(call.Pos()), name, s.room, g.why)
				}
			}
			return true
		})
	}
}

// rawRooms may take the octets out of an untrusted.Text: they parse, compare
// or keep them, and never print them.
var rawRooms = map[string]string{
	"untrusted": "its own",
	"facts":     "reads addresses",
	"resolver":  "keeps reasons in the cache, octet for octet",
	"evidence":  "parses the HELO argument",
	"decision":  "compares the recipient with the role mailboxes",
	"smtpprobe": "takes names and extensions out of replies",
	"spf":       "parses SPF records",
}

func TestRawCallers(t *testing.T) {
	tr := loadTree(t)
	for _, s := range tr.product() {
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) > 0 {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if ok && sel.Sel.Name == "Raw" && rawRooms[s.room] == "" {
				t.Errorf("%s: Raw in room %s, which has no row in rawRooms of arch_test.go: say what it parses",
					tr.at(call.Pos()), s.room)
			}
			return true
		})
	}
}

// hackingRow matches a row of the table of rooms: name, sentence, imports.
var hackingRow = regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| ([^|]+) \\| ([^|]+) \\|$")

func TestTableInHacking(t *testing.T) {
	body, err := os.ReadFile("docs/hacking.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, row := range hackingRow.FindAllStringSubmatch(string(body), -1) {
		name, want := row[1], orNothing(rooms[row[1]])
		seen[name] = true
		if got := strings.TrimSpace(row[3]); got != want {
			t.Errorf("docs/hacking.md: %s may import %q, arch_test.go says %q", name, got, want)
		}
	}
	for name := range rooms {
		if !seen[name] {
			t.Errorf("docs/hacking.md: no row for room %s", name)
		}
	}
}

// allows reports whether the blank-separated list holds the word, or "*".
func allows(list, word string) bool {
	words := strings.Fields(list)
	return slices.Contains(words, word) || slices.Contains(words, "*")
}

// orNothing makes an empty list readable.
func orNothing(list string) string {
	switch list {
	case "":
		return "-"
	case "*":
		return "all"
	}
	return list
}

// guardOf finds the row with the longest path that covers pkg.
func guardOf(pkg string) (guard, bool) {
	for p := pkg; p != "."; p = path.Dir(p) {
		for _, g := range outside {
			if g.pkg == p {
				return g, true
			}
		}
	}
	return guard{}, false
}

func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value
	}
	return p
}

// calledName returns "pkg.Func" of a call of that form, else "".
func calledName(call *ast.CallExpr) string {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return x.Name + "." + sel.Sel.Name
}
