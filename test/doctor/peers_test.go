package doctor_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/test/netlab"
)

// peer is another tool that looks at mail servers or their zones.
type peer struct {
	name  string // of the Debian package
	what  string // one sentence: what it is made for
	shape string // the command, with words in capitals for what differs
	// scope are the kinds of fault that it claims to look for.
	scope []kind
	// command is what is run in a world, nil where it has no such command.
	command func(s *site, w *world) *exec.Cmd
	// says has patterns of its output, by the name of the world; without one it
	// is silent about the fault.
	says map[string]words
}

// words are patterns of a tool's output about one fault.
type words struct {
	names string // it calls the fault a fault
	shows string // somebody who knows what to look for can see it
	wrong string // it says something that is not so
}

// cell is what a tool's output comes to.
func (w words) cell(output string) string {
	for _, c := range []struct{ pattern, cell string }{{w.wrong, "**wrong**"}, {w.names, "names"}, {w.shows, "shows"}} {
		if c.pattern != "" && regexp.MustCompile(c.pattern).MatchString(output) {
			return c.cell
		}
	}
	return silence
}

// silence is the cell of a tool that says nothing about the fault.
const silence = "–"

// zoneOf is the zone in which the records lie that the world is about.
func (s *site) zoneOf(w *world) string {
	name := w.target + "."
	if a, err := netip.ParseAddr(w.target); err == nil {
		name = netlab.Reverse(a)
	} else if w.host.addr.IsValid() && strings.HasPrefix(w.target, "mail.") {
		name = netlab.Reverse(w.host.addr)
	}
	return strings.TrimSuffix(s.universe.find(name).origin, ".")
}

func (s *site) zonemaster(w *world) *exec.Cmd {
	return s.Server.Command("zonemaster-cli", "--hints", s.Path("unbound", "hints"), "--no-ipv6", "--level", "NOTICE",
		"--no-progress", "--no-time", s.zoneOf(w))
}

// deaf is where the world's own DNS server is said to be, and nobody listens.
const deaf = "127.0.0.99"

func (s *site) nmap(w *world) *exec.Cmd {
	if !w.host.addr.IsValid() {
		return nil
	}
	server := "127.0.0.1"
	if w.name == "own-dns" {
		server = deaf
	}
	args := []string{
		"-n", "-Pn", "-p25", "--dns-servers", server, "--script", "smtp-commands,smtp-open-relay,ssl-cert,fcrdns",
		w.host.addr.String(),
	}
	if w.host.addr.Is6() {
		args = append([]string{"-6"}, args...)
	}
	return s.Server.Command("nmap", args...)
}

func (s *site) swaks(w *world) *exec.Cmd {
	to := "postmaster@" + w.name + ".example.net"
	if w.name == "relay" {
		to = "probe@example.com"
	}
	args := []string{
		"--to", to, "--from", "probe@example.org", "--ehlo", "probe.example.org", "--tls-optional", "--tls-verify",
		"--tls-ca-path", s.ca.file, "--quit-after", "RCPT",
	}
	if w.target != w.name+".example.net" { // else it looks up the MX itself
		args = append(args, "--server", w.host.addr.String())
	}
	return s.Server.Command("swaks", args...)
}

// dnsvizStart gives dnsviz the world's root, by a mount that it alone can see.
const dnsvizStart = `mount --bind "$1" /usr/share/dnsviz/hints/named.root
anchor=$2 out=$3
shift 3
dnsviz probe -d 0 -4 -A -a . -o "$out" "$@" && dnsviz print -t "$anchor" <"$out"`

func (s *site) dnsviz(w *world) *exec.Cmd {
	keys, err := filepath.Glob(filepath.Join(s.keyDir("."), "K*.key"))
	if err != nil || len(keys) == 0 {
		return nil
	}
	names := []string{w.target}
	if w.host.addr.IsValid() && !strings.HasSuffix(w.target, w.name+".example.net") || w.name == "six" {
		names = []string{netlab.Reverse(w.host.addr), w.host.name}
	}
	return s.Server.Command("sh", append([]string{"-c", dnsvizStart, "sh", s.Path("unbound", "hints"), keys[0], s.Path("dnsviz.json")}, names...)...)
}

// TestComparison writes docs/comparison.md anew, when it is asked to: it takes
// minutes, and the other tools.
func TestComparison(t *testing.T) {
	if *comparison == "" {
		return
	}
	all := worlds()
	s := newSite(t, all)
	if err := os.MkdirAll(*comparison, 0o755); err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for i := range all {
		if w := &all[i]; w.fault != "" {
			fmt.Fprintf(&rows, "| %s | %s |", w.fault, s.own(t, w))
			for _, p := range peers() {
				fmt.Fprintf(&rows, " %s |", s.ask(t, p, w))
			}
			rows.WriteByte('\n')
		}
	}
	writeFile(t, page, comparisonPage(t, rows.String()))
}

// own is our own cell: the fault, the party, and nothing else, or not.
func (s *site) own(t *testing.T, w *world) string {
	t.Helper()
	if r := s.check(t, w); !w.holds(r) {
		t.Errorf("%s:\n%s", w.name, r.describe())
		return silence
	}
	return "names"
}

// ask runs a tool in a world, keeps what it says, and returns the cell. That a
// tool ends with an error is no error here.
func (s *site) ask(t *testing.T, p peer, w *world) string {
	t.Helper()
	cmd := p.command(s, w)
	if cmd == nil {
		return ""
	}
	out, err := cmd.CombinedOutput()
	t.Logf("%s, %s: %v", w.name, p.name, err)
	writeFile(t, filepath.Join(*comparison, w.name+"."+p.name), string(out))
	cell := p.says[w.name].cell(string(out))
	if cell == silence && !slices.Contains(p.scope, w.kind()) {
		return ""
	}
	return cell
}

// TestComparisonPage sees to it that the page has a row for every fault.
func TestComparisonPage(t *testing.T) {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range worlds() {
		if w.fault != "" && !strings.Contains(string(b), "\n| "+w.fault+" | names |") {
			t.Errorf("docs/comparison.md has no row for %q: make comparison", w.fault)
		}
	}
}
