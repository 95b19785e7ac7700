package main

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/config"
	"github.com/arpagate/arpagate/internal/lab"
)

// The examples of the documents, fenced blocks with the name of what they
// hold, are run:
//
//	console  commands behind "$ " (and "> " for what goes on in the next line)
//	         and all that they print; a line "..." stands for any lines
//	sh       commands that change a machine: read by bash, not run
//	toml     a configuration file without a fault
//	zone     a world for the lab

var update = flag.Bool("update", false, "write into the documents what the commands print and what is made from the code")

// document is a page for people, with its path from the root.
type document struct {
	path string
	body string
}

func documentsOf(t *testing.T) []document {
	t.Helper()
	paths, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []document
	for _, path := range append(paths, "../../README.md") {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, document{strings.TrimPrefix(filepath.ToSlash(path), "../../"), string(body)})
	}
	return out
}

func (d document) write(t *testing.T, body string) {
	t.Helper()
	if body == d.body {
		return
	}
	if err := os.WriteFile(filepath.Join("../..", d.path), []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
}

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// TestExamples runs what the documents show.
func TestExamples(t *testing.T) {
	for _, d := range documentsOf(t) {
		t.Run(d.path, func(t *testing.T) {
			var world *tryout
			body := replaceGroups(fence, d.body, func(block []string) string {
				kind, text := block[1], block[2]
				switch kind {
				case "console":
					if world == nil {
						world = newTryout(t)
					}
					text = world.play(t, text)
				case "sh":
					checkShell(t, text)
				case "toml":
					if _, _, err := config.Parse(d.path, []byte(text)); err != nil {
						t.Errorf("%v\nin\n%s", err, text)
					}
				case "zone":
					if _, err := lab.Parse(text); err != nil {
						t.Errorf("%v\nin\n%s", err, text)
					}
				case "text":
				default:
					t.Errorf("a block of kind %q, which no test knows", kind)
				}
				return "```" + kind + "\n" + text + "```"
			})
			if *update {
				d.write(t, body)
			}
		})
	}
}

// replaceGroups is ReplaceAllStringFunc with the groups of each match.
func replaceGroups(re *regexp.Regexp, s string, f func([]string) string) string {
	return re.ReplaceAllStringFunc(s, func(match string) string { return f(re.FindStringSubmatch(match)) })
}

func checkShell(t *testing.T, text string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-n")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("bash can't read this: %v\n%s\n%s", err, out, text)
	}
}

// tryout is "serve --lab" on free ports, and a configuration with which the
// other commands find its store and its DNS.
type tryout struct {
	dir    string
	real   *strings.Replacer // addresses as documented, to those in use
	shown  *strings.Replacer // and back
	refs   map[string]string // references as documented, to those given
	config string
}

// listening finds the open doors in the log.
var listening = regexp.MustCompile(`msg=listening door=(policy|milter|http) address=(\S+)`)

func newTryout(t *testing.T) *tryout {
	t.Helper()
	dir := t.TempDir()
	doors := filepath.Join(dir, "doors.toml")
	writeFile(t, doors, "[listen]\npolicy = \"tcp:127.0.0.1:0\"\nmilter = \"tcp:127.0.0.1:0\"\nhttp = \"tcp:127.0.0.1:0\"\n")
	cmd := exec.Command("arpagate", "serve", "--lab", "--config", doors)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	stdout, stderr := newWatched("Stop with Ctrl-C"), newWatched("msg=rules")
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := <-ended; err != nil {
			t.Errorf("serve --lab ended with %v\n%s", err, stderr)
		}
	})
	for _, w := range []*watched{stdout, stderr} {
		select {
		case <-w.seen:
		case err := <-ended:
			ended <- nil
			t.Fatalf("serve --lab ended at once: %v\n%s", err, stderr)
		}
	}
	dns := regexp.MustCompile(`DNS +(127\.0\.0\.1:\d+)`).FindStringSubmatch(stdout.String())
	stores, _ := filepath.Glob(filepath.Join(dir, "arpagate-lab-*", "arpagate.db"))
	if dns == nil || len(stores) != 1 {
		t.Fatalf("no address of the DNS, or no store (%q):\n%s", stores, stdout)
	}
	w := &tryout{dir: dir, refs: map[string]string{}, config: filepath.Join(dir, "client.toml")}
	writeFile(t, w.config, fmt.Sprintf("[site]\nname = \"mx.example.net\"\nurl = \"http://127.0.0.1:10042\"\n[dns]\nservers = %q\n[store]\nurl = %q\n", dns[1], "sqlite:"+stores[0]))
	addresses := map[string]string{labAddress: dns[1]}
	documented := map[string]string{"policy": "127.0.0.1:10040", "milter": "127.0.0.1:10041", "http": "127.0.0.1:10042"}
	for _, m := range listening.FindAllStringSubmatch(stderr.String(), -1) {
		addresses[documented[m[1]]] = m[2]
	}
	var there, back []string
	for doc, used := range addresses {
		there = append(there, doc, used, slashed(doc), slashed(used))
		back = append(back, used, doc)
	}
	// A link is made of the address in the configuration.
	w.real, w.shown = strings.NewReplacer(there...), strings.NewReplacer(append(back, "127.0.0.1:0/", "127.0.0.1:10042/")...)
	return w
}

// slashed writes an address as bash's /dev/tcp does.
func slashed(address string) string { return "/dev/tcp/" + strings.Replace(address, ":", "/", 1) }

func writeFile(t *testing.T, path, body string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
}

// play runs the commands of a block, compares what they print, and returns the
// block with what they print now.
func (w *tryout) play(t *testing.T, block string) string {
	t.Helper()
	var out strings.Builder
	for _, s := range steps(block) {
		out.WriteString(s.typed)
		got, ok := w.try(t, s)
		switch {
		case ok:
			out.WriteString(s.want)
		case *update && !slices.Contains(strings.Split(s.want, "\n"), "..."):
			out.WriteString(got)
		default:
			t.Errorf("$ %s\ndocumented:\n%s\nprinted:\n%s", s.command, s.want, got)
			out.WriteString(s.want)
		}
	}
	return out.String()
}

// patience is how long a command may take to print what is documented: the
// gate takes up what others do within a second, on an idle machine.
const patience = 15 * time.Second

// try runs a command until it prints what it should.
func (w *tryout) try(t *testing.T, s step) (got string, ok bool) {
	t.Helper()
	wait := patience
	if *update {
		wait = 2 * time.Second
	}
	for end := time.Now().Add(wait); ; time.Sleep(200 * time.Millisecond) {
		got = w.run(t, s.command)
		w.learn(s.want, got)
		if ok = matches(settled(s.want), settled(got)); ok || time.Now().After(end) {
			return got, ok
		}
	}
}

// step is one command with what it is to print.
type step struct{ typed, command, want string }

func steps(block string) []step {
	var out []step
	for line := range strings.Lines(block) {
		command, isCommand := strings.CutPrefix(line, "$ ")
		more, goesOn := strings.CutPrefix(line, "> ")
		switch last := len(out) - 1; {
		case isCommand:
			out = append(out, step{typed: line, command: command})
		case last < 0:
			out = append(out, step{command: "false", want: line})
		case goesOn && out[last].want == "":
			out[last].typed += line
			out[last].command += more
		default:
			out[last].want += line
		}
	}
	return out
}

// prelude names the configuration of the tryout in every call: the documents
// mean that at the usual place.
const prelude = `
arpagate() {
	case " $* " in
	*' --config '*) command arpagate "$@" ;;
	*) command arpagate "$@" --config "$CONFIG" ;;
	esac
}
bin/arpagate() { arpagate "$@"; }
`

// run returns what a command prints, with the documented addresses.
func (w *tryout) run(t *testing.T, command string) string {
	t.Helper()
	for doc, given := range w.refs {
		command = strings.ReplaceAll(command, doc, given)
	}
	command = strings.TrimSpace(w.real.Replace(command))
	if url, ok := strings.CutPrefix(command, "curl -s "); ok {
		return w.shown.Replace(fetch(t, url))
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", prelude+command)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "CONFIG="+w.config, "SUDO_USER=")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatalf("$ %s: %v", command, err)
	}
	return w.shown.Replace(string(out))
}

// fetch stands for curl, which not every machine has.
func fetch(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return body.String()
}

// reference finds the references of cases where they stand: in links, in the
// log, and at the top of a stored case.
var reference = regexp.MustCompile(`(?m)(/r/|\bref=|^)([0-9A-HJKMNP-TV-Z]{10})\b`)

// learn notes which reference was given for a documented one.
func (w *tryout) learn(documented, given string) {
	d, g := reference.FindAllStringSubmatch(documented, -1), reference.FindAllStringSubmatch(given, -1)
	for i := range min(len(d), len(g)) {
		w.refs[d[i][2]] = g[i][2]
	}
}

// volatile is what differs each time, and what stands for it when two outputs
// are compared.
var volatile = []struct {
	find *regexp.Regexp
	with string
}{
	{reference, "${1}REF"},
	{regexp.MustCompile(`Visible  from .*, if it is done now`), "Visible  from TIME, if it is done now"},
	{regexp.MustCompile(`\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?(Z| UTC)`), "TIME"},
	{regexp.MustCompile(`\b20\d{2}-\d{2}-\d{2}( \d{2}:\d{2})?\b`), "DATE"},
	{regexp.MustCompile(`\d+\.\d ms`), "N ms"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d UTC`), "CLOCK"},
	{regexp.MustCompile(`127\.0\.0\.1:\d{5}\b`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`\bms=[\d.]+`), "ms=N"},
	{regexp.MustCompile(`"took_ms": [\d.]+`), `"took_ms": N`},
}

func settled(s string) string {
	for _, v := range volatile {
		s = v.find.ReplaceAllString(s, v.with)
	}
	return s
}

// matches compares line by line; "..." stands for any lines.
func matches(want, got string) bool {
	var pattern strings.Builder
	for line := range strings.Lines(want) {
		if strings.TrimSpace(line) == "..." {
			pattern.WriteString(`(.*\n)*?`)
			continue
		}
		pattern.WriteString(regexp.QuoteMeta(line))
	}
	return regexp.MustCompile(`^` + pattern.String() + `$`).MatchString(got)
}
