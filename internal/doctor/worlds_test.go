package doctor_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/bounce"
	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dialer"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/gate"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/receivers"
	"github.com/arpagate/arpagate/internal/remedy"
	"github.com/arpagate/arpagate/internal/resolver/authority"
	"github.com/arpagate/arpagate/internal/spf"
	"github.com/arpagate/arpagate/internal/untrusted"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what is found into the worlds")

// now is the time of every examination here.
var now = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

// TestWorlds examines worlds that are broken in one known way each: the doctor
// must name the planted cause, and nothing else. The files of testdata/worlds
// are archives: what to examine, how the world differs from testdata/base.zone,
// what mail servers say, and what is to be found.
func TestWorlds(t *testing.T) {
	files, err := filepath.Glob("testdata/worlds/*.txtar")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d worlds: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			world := open(t, section(archive, "world"))
			world.servers = parseServers(t, section(archive, "smtp"))
			x := doctor.New(world.config()).Examine(ctx, parseTarget(t, section(archive, "target")))
			got := summary(x)
			if *update {
				set(archive, "want", got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := section(archive, "want"); got != want {
				t.Errorf("found:\n%s\nwant:\n%s", got, want)
			}
			lawful(t, x)
		})
	}
}

// TestEveryCodeHasAWorld: a code that no world shows has not been thought
// through.
func TestEveryCodeHasAWorld(t *testing.T) {
	files, err := filepath.Glob("testdata/worlds/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, file := range append(files, "testdata/labhosts.txt") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			if problem, ok := strings.CutPrefix(line, "   "); ok {
				for _, word := range strings.FieldsFunc(problem, func(r rune) bool { return strings.ContainsRune(" ,:", r) }) {
					shown[word] = true
				}
			}
		}
	}
	for _, e := range finding.All() {
		if !shown[string(e.Code)] {
			t.Errorf("no world shows %s", e.Code)
		}
	}
}

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
	a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)})
}

// lawful holds the first law: what is no complete answer fails nobody.
func lawful(t *testing.T, x *doctor.Examination) {
	t.Helper()
	for _, p := range allProblems(x) {
		if p.Cause.Severity == "fail" && !p.Cause.Complete {
			t.Errorf("%s fails on incomplete answers", p.Cause.Code)
		}
		if text := p.Cause.Text(); strings.Contains(text, "%!") {
			t.Errorf("text %q", text)
		}
	}
}

func allProblems(x *doctor.Examination) []doctor.Problem {
	all := slices.Clone(x.Problems)
	for _, a := range x.Addresses {
		all = append(all, a.Problems...)
	}
	for _, s := range x.Servers {
		all = append(all, s.Problems...)
	}
	return all
}

// surroundings are a world with all who are asked about it.
type surroundings struct {
	dns       evidence.DNS
	authority evidence.Authority
	servers   prober
	lists     []evidence.List
	state     evidence.State // of every answer, where it is not NotAsked
	book      *remedy.Book
	judge     func(receivers.Identity) []receivers.Verdict
}

// open makes a world out of the base and its differences: lines that begin with
// "- " are taken away from the base, the others are added. "list ZONE" is a DNS
// list to ask.
func open(t *testing.T, text string) *surroundings {
	t.Helper()
	base, err := os.ReadFile("testdata/base.zone")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(base), "\n")
	s := &surroundings{}
	for _, line := range strings.Split(text, "\n") {
		gone, minus := strings.CutPrefix(line, "- ")
		zone, list := strings.CutPrefix(line, "list ")
		good, allow := strings.CutPrefix(line, "allow ")
		state, dead := strings.CutPrefix(line, "dns ")
		switch {
		case minus:
			at := slices.Index(lines, gone)
			if at < 0 {
				t.Fatalf("the base has no line %q", gone)
			}
			lines = slices.Delete(lines, at, at+1)
		case dead:
			if err := s.state.UnmarshalText([]byte(state)); err != nil {
				t.Fatal(err)
			}
		case allow:
			s.lists = append(s.lists, evidence.List{Zone: dnsname.MustParse(good), Allow: true})
		case list:
			s.lists = append(s.lists, evidence.List{Zone: dnsname.MustParse(zone)})
		default:
			lines = append(lines, line)
		}
	}
	w, err := lab.Parse(strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	w.Now = func() time.Time { return now }
	servers, err := w.ListenNameServers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	d, err := dialer.New(dialer.Config{Map: servers.Map()})
	if err != nil {
		t.Fatal(err)
	}
	s.dns = w
	if s.state != evidence.NotAsked {
		s.dns = sick(s.state)
	}
	s.authority, err = authority.New(authority.Config{DNS: s.dns, Dial: d.Dial, Try: 500 * time.Millisecond, Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	if s.book, err = remedy.Open(); err != nil {
		t.Fatal(err)
	}
	known, err := receivers.Open()
	if err != nil {
		t.Fatal(err)
	}
	s.judge = known.Judge
	return s
}

// sick answers every question with the same trouble.
type sick evidence.State

var _ evidence.DNS = sick(evidence.Timeout)

func (s sick) Ask(_ context.Context, questions ...evidence.Question) evidence.Pending {
	var p pending
	for _, q := range questions {
		p = append(p, evidence.Answer{Question: q, State: evidence.State(s), Rcode: -1, At: now, Server: netip.MustParseAddrPort("192.0.2.53:53")})
	}
	return p
}

type pending []evidence.Answer

func (p pending) Wait() []evidence.Answer { return p }

// config is a doctor's who asks the surroundings.
func (s *surroundings) config() doctor.Config {
	rules, err := decision.Preset("careful")
	if err != nil {
		panic(err)
	}
	clock := func() time.Time { return now }
	g := gate.New(gate.Config{
		DNS: s.dns, Policy: gate.Policy{Rules: rules}, Now: clock, Rand: func() uint64 { return 1 }, Budget: 20 * time.Second, Thorough: true,
	})
	c := doctor.Config{
		Gate: g, DNS: s.dns, Authority: s.authority, Now: clock, SPF: spf.Senders, Remedy: s.book.For, Judge: s.judge,
		Lists: func(ctx context.Context, addr netip.Addr) []evidence.ListAnswer {
			return evidence.Lists(ctx, s.dns, addr, s.lists)
		},
	}
	if s.servers != nil {
		c.Prober = s.servers
	}
	return c
}

// prober answers from a table; the servers it does not know are healthy.
type prober map[netip.Addr]func(*evidence.SMTP)

var _ evidence.Prober = prober(nil)

func (p prober) Probe(_ context.Context, t evidence.SMTPTarget) *evidence.SMTP {
	name := untrusted.New(t.Host.String())
	if t.Host.IsZero() {
		name = untrusted.New("mail.example.org")
	}
	out := &evidence.SMTP{
		Host: t.Host, Peer: netip.AddrPortFrom(t.Addr, 25), Outcome: evidence.Spoke, At: now, BannerName: name, EHLOName: name,
		TLS: &evidence.TLS{
			Offered: true, Version: "TLS 1.3", Names: []untrusted.Text{name}, NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(0, 1, 0),
			Matches: true, Trusted: true,
		},
	}
	if change := p[t.Addr]; change != nil {
		change(out)
	}
	return out
}

// parseServers reads lines of an address and what is wrong with its server.
func parseServers(t *testing.T, text string) prober {
	t.Helper()
	servers := prober{}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		servers[netip.MustParseAddr(words[0])] = func(p *evidence.SMTP) {
			for _, word := range words[1:] {
				key, value, _ := strings.Cut(word, "=")
				change(t, p, key, value)
			}
		}
	}
	return servers
}

func change(t *testing.T, p *evidence.SMTP, key, value string) {
	switch key {
	case "refused":
		p.Outcome, p.Step, p.TLS = evidence.Declined, "connect", nil
	case "noroute":
		p.Outcome, p.Step, p.TLS = evidence.NoRoute, "connect", nil
	case "timeout":
		p.Outcome, p.Step, p.TLS = evidence.Slow, "connect", nil
	case "barred":
		p.Outcome, p.Step, p.TLS = evidence.NotAllowed, "connect", nil
	case "turned":
		p.Outcome, p.Step, p.TLS, p.Greeting = evidence.Turned, "greeting", nil, &evidence.SMTPReply{Code: 554}
	case "delayed":
		p.Delayed, p.Steps = true, []evidence.SMTPStep{{Name: "greeting", Took: 15 * time.Second}}
	case "banner":
		p.BannerName = untrusted.New(value)
	case "ehlo":
		p.EHLOName = untrusted.New(value)
	case "tlsfailed":
		p.TLS = &evidence.TLS{Offered: true, Error: untrusted.New("handshake failure")}
	case "tlslate":
		p.Step, p.TLS = "handshake", &evidence.TLS{Offered: true, Error: untrusted.New("no handshake in time"), Late: true}
	case "noabuse":
		p.Abuse = &evidence.SMTPReply{Code: 550}
	case "notls":
		p.TLS = &evidence.TLS{}
	case "expired":
		p.TLS.NotAfter, p.TLS.Trusted = now.AddDate(0, 0, -1), false
	case "selfsigned":
		p.TLS.SelfSigned, p.TLS.Trusted, p.TLS.Matches = true, false, false
	case "relay":
		p.Relay = &evidence.SMTPReply{Code: 250}
	case "clock":
		p.At = now.AddDate(-1, 0, 0)
	default:
		t.Errorf("unknown word %q", key)
	}
}

// parseTarget reads what to examine: address, name, mailbox, egress or bounce,
// with the options helo, wanted and own, and for a bounce saw, private, names, from,
// said and quote; address and name may stand beside it.
func parseTarget(t *testing.T, text string) doctor.Target {
	t.Helper()
	var target doctor.Target
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "address":
			target.Address = netip.MustParseAddr(value)
		case "name":
			target.Name = dnsname.MustParse(value)
		case "mailbox":
			target.Name, target.Mailbox = dnsname.MustParse(value), true
		case "egress":
			for _, word := range strings.Fields(value) {
				target.Egress = append(target.Egress, netip.MustParseAddr(word))
			}
		case "bounce":
			target.Bounce = &bounce.Reading{Class: bounce.Class(value)}
		case "saw":
			target.Bounce.Address = netip.MustParseAddr(value)
		case "names":
			for _, word := range strings.Fields(value) {
				target.Bounce.Addresses = append(target.Bounce.Addresses, netip.MustParseAddr(word))
			}
		case "from":
			target.Bounce.Domain = dnsname.MustParse(value)
		case "private":
			target.Bounce.Private = true
		case "quote":
			target.Bounce.Quote = untrusted.Long(value)
		case "said":
			target.Bounce.Helo = untrusted.New(value)
		case "helo":
			target.Helo = &value
		case "wanted":
			target.Wanted = dnsname.MustParse(value)
		case "own":
			target.Own, target.Relay = true, true
		default:
			t.Fatalf("unknown word %q", key)
		}
	}
	return target
}

// summary writes an examination in lines: the verdict, what is missing, the
// problems of the target, and those of each address and server: severity, code,
// who can put it right, effects.
func summary(x *doctor.Examination) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\n", x.Target, x.Verdict)
	if x.Error != "" {
		fmt.Fprintf(&b, "error: %s\n", x.Error)
	}
	for _, m := range x.Missing {
		fmt.Fprintf(&b, "missing: %s\n", m)
	}
	if x.Now != nil {
		fmt.Fprintf(&b, "now: %s: %s\n", x.Now.State, x.Now.Say)
	}
	problems(&b, x.Problems)
	for _, a := range x.Addresses {
		fmt.Fprintf(&b, "%s %s %s", a.Address, a.Role, a.Verdict)
		if !a.Host.IsZero() {
			fmt.Fprintf(&b, " %s", a.Host)
		}
		fmt.Fprintln(&b)
		problems(&b, a.Problems)
	}
	for _, s := range x.Servers {
		fmt.Fprintf(&b, "port 25 of %s %s\n", s.SMTP.Peer.Addr(), s.Verdict)
		problems(&b, s.Problems)
	}
	return b.String()
}

func problems(b *bytes.Buffer, all []doctor.Problem) {
	for _, p := range all {
		fmt.Fprintf(b, "   %s %s", p.Cause.Severity, p.Cause.Code)
		if p.Remedy != nil {
			fmt.Fprintf(b, " (%s)", p.Remedy.Party)
		}
		for _, addr := range p.Cause.Args.Covers {
			fmt.Fprintf(b, " %s", addr)
		}
		for i, e := range p.Effects {
			sep := ","
			if i == 0 {
				sep = ":"
			}
			fmt.Fprintf(b, "%s %s", sep, e.Code)
		}
		fmt.Fprintln(b)
	}
}
