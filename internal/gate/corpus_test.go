package gate_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/gate"
	"github.com/arpagate/arpagate/internal/journal"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/reply"
	"github.com/arpagate/arpagate/internal/untrusted"
)

var update = flag.Bool("update", false, "write what the gate says into the corpus, for reading before a commit")

// noon is the clock of the corpus.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestCorpus walks the whole corridor with every file of testdata: facts and
// zone in, findings, decision, SMTP line, header and log line out.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			walk(t, archive)
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// walk compares each expected section of the archive with what the gate says,
// or replaces it.
func walk(t *testing.T, archive *txtar.Archive) {
	s := parseSetting(t, section(archive, "facts"))
	world, err := lab.Parse(section(archive, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	world.Now = func() time.Time { return noon }
	var told []*decision.Case
	g := gate.New(gate.Config{
		DNS: world, Memory: s.memory, DNSHealth: s.health, Mask: s.mask,
		Recorders: []decision.Recorder{record(func(c *decision.Case) { told = append(told, c) })},
		Policy: gate.Policy{
			Rules: s.rules, Site: decision.Site{OwnNetworks: s.own},
			Words: reply.Site{AuthservID: "mx.example.net", URL: "https://gate.example.net"},
		},
		Now: func() time.Time { return noon }, Rand: func() uint64 { return 0x0123456789abcdef },
	})
	r := g.Ask(context.Background(), s.conn)
	if len(told) != 1 {
		t.Fatalf("%d cases told, want 1", len(told))
	}
	got := sections(told[0], r, len(world.Log()))
	for _, name := range []string{"iprev", "findings", "decision", "reply", "log"} {
		if *update {
			set(archive, name, got[name])
		} else if diff := cmp.Diff(section(archive, name), got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func sections(c *decision.Case, r reply.Reply, queries int) map[string]string {
	var iprev, findings, dec, rep, log strings.Builder
	ip := &c.Evidence.IPRev
	fmt.Fprintf(&iprev, "%s, %d queries\n", ip.Result, queries)
	for _, n := range ip.Names {
		fmt.Fprintf(&iprev, "%s %s", n.Name, n.State)
		if n.Fault != "" {
			fmt.Fprintf(&iprev, " %s", n.Fault)
		}
		iprev.WriteString("\n")
	}
	for _, f := range c.Findings {
		fmt.Fprintf(&findings, "%s %s: %s\n", f.Code, f.Severity, f.Text())
	}
	fmt.Fprintf(&dec, "%s\n", c.Decision.Action)
	if c.Decision.Would != c.Decision.Action {
		fmt.Fprintf(&dec, "would %s\n", c.Decision.Would)
	}
	if c.Decision.Exempt != "" {
		fmt.Fprintf(&dec, "exempt %s\n", c.Decision.Exempt)
	}
	for _, b := range c.Decision.Because {
		fmt.Fprintf(&dec, "%s %s %d\n", b.Code, b.Action, b.Points)
	}
	for _, n := range c.Decision.Notes {
		fmt.Fprintf(&dec, "note %s\n", n)
	}
	switch r.Verb {
	case reply.Pass:
		rep.WriteString("pass\n")
	default:
		rep.WriteString(r.Line() + "\n")
	}
	if r.Header != "" {
		fmt.Fprintf(&rep, "Authentication-Results: %s\n", r.Header)
	}
	if r.Warning != "" {
		fmt.Fprintf(&rep, "warning %s\n", r.Warning)
	}
	journal.New(&log, false, journal.All).Record(c)
	return map[string]string{
		"iprev": iprev.String(), "findings": findings.String(), "decision": dec.String(),
		"reply": rep.String(), "log": log.String(),
	}
}

// setting is the facts section: what the listener says, what we remember, and
// what the site wants.
type setting struct {
	conn   facts.Conn
	rules  decision.Rules
	own    []netip.Prefix
	memory memory
	health func() (bool, string)
	mask   *gate.Mask
}

func parseSetting(t *testing.T, text string) setting {
	t.Helper()
	s := setting{conn: facts.Conn{Door: facts.Policy, Stage: facts.Rcpt, HeloKnown: true}}
	preset, failOpen := "careful", false
	s.memory.NegativeKind = evidence.PermError
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		key, value, _ := strings.Cut(line, "=")
		var err error
		switch key {
		case "client":
			s.conn.Client = facts.Address(value)
		case "helo":
			s.conn.Helo = untrusted.New(value)
		case "recipient":
			s.conn.Recipient = untrusted.New(value)
		case "auth":
			s.conn.AuthUser = untrusted.New(value)
		case "preset":
			preset = value
		case "open":
			failOpen = value == "yes"
		case "own":
			s.own = []netip.Prefix{netip.MustParsePrefix(value)}
		case "degraded":
			s.health = func() (bool, string) { return true, value }
		case "masked":
			s.mask = gate.NewMask(netip.Addr{})
			for range 60 {
				s.mask.Note(netip.MustParseAddr(value), evidence.SourceOf(netip.MustParseAddr(value)), noon.Add(-2*time.Minute))
			}
		case "seen":
			s.memory.Negatives, err = strconv.Atoi(value)
		case "seen-for":
			var d time.Duration
			d, err = time.ParseDuration(value)
			s.memory.NegativeSince = noon.Add(-d)
		case "seen-last":
			var d time.Duration
			d, err = time.ParseDuration(value)
			s.memory.NegativeLast = noon.Add(-d)
		case "seen-kind":
			err = s.memory.NegativeKind.UnmarshalText([]byte(value))
		case "allow":
			s.memory.Allow = &evidence.Listing{Entry: value, Reason: "a partner", Owner: "ops"}
		case "allow-domain":
			s.memory.domain = dnsname.MustParse(value)
		case "block":
			s.memory.Block = &evidence.Listing{Entry: value, Reason: "abuse", Owner: "ops"}
		default:
			t.Fatalf("facts: unknown key %q", key)
		}
		if err != nil {
			t.Fatalf("facts: %q: %v", line, err)
		}
	}
	rules, err := decision.Preset(preset)
	if err != nil {
		t.Fatal(err)
	}
	s.rules = rules
	s.rules.FailOpen = failOpen
	return s
}

// memory remembers what the facts section says.
type memory struct {
	evidence.Memory
	domain dnsname.Name
}

func (m memory) Recall(_ netip.Addr, confirmed []dnsname.Name, _ time.Time) evidence.Memory {
	for _, name := range confirmed {
		if !m.domain.IsZero() && name.Under(m.domain) {
			m.Allow = &evidence.Listing{Entry: m.domain.String(), Reason: "a partner", Owner: "ops"}
		}
	}
	return m.Memory
}

type record func(*decision.Case)

func (r record) Record(c *decision.Case) { r(c) }

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func set(a *txtar.Archive, name, text string) {
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = []byte(text)
			return
		}
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: bytes.Clone([]byte(text))})
}
