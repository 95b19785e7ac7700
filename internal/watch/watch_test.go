package watch_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/remedy"
	"github.com/arpagate/arpagate/internal/watch"
)

const target = "mail.example.org"

var (
	start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	addr  = netip.MustParseAddr("203.0.113.9")
)

// found is one examination of a host with one address and a mail server: the
// codes of its causes, each "code" or "code!severity", at their places; and what
// could not be looked at.
type found struct {
	codes   string // of the address
	shared  string // of the address, told at the target as several share it
	target  string // of the target itself
	server  string // of the mail server
	err     string // why there was nothing to examine
	partial bool
	dark    bool // the DNS gave no complete answer about the address
	shut    bool // the mail server could not be reached
	unseen  bool // the mail server was not tried
	unasked bool // the list gave no answer
	moved   bool // the address is not one of the target's any more
	lost    bool // and whether it is could not be looked up
	visible time.Duration
}

func (f found) examination(at time.Time) *doctor.Examination {
	x := &doctor.Examination{Target: target, At: at, Partial: f.partial, Error: f.err, Problems: f.problems(f.target, at, false)}
	x.Problems = append(x.Problems, f.problems(f.shared, at, true)...)
	lookup := evidence.Answer{State: evidence.Found}
	if f.lost {
		lookup.State = evidence.ServFail
	}
	x.Lookups = []evidence.Answer{lookup}
	if f.err != "" || f.moved || f.lost {
		return x
	}
	x.Addresses = []doctor.Address{f.address(at)}
	if !f.unseen {
		smtp := &evidence.SMTP{Peer: netip.AddrPortFrom(addr, 25), Outcome: evidence.Spoke, TLS: &evidence.TLS{Offered: true}}
		if f.shut {
			smtp.Outcome, smtp.TLS = evidence.Slow, nil
		}
		x.Servers = []doctor.Server{{SMTP: smtp, Problems: f.problems(f.server, at, false)}}
	}
	return x
}

func (f found) address(at time.Time) doctor.Address {
	view := &evidence.View{IPRev: evidence.IPRev{Address: addr, Result: evidence.Pass}}
	zone := &evidence.Zone{Servers: []evidence.NameServer{{State: evidence.Authoritative}}}
	list := evidence.ListAnswer{State: evidence.NotListed}
	if f.dark {
		view.IPRev.Result, zone.Servers[0].State, list.State = evidence.TempError, evidence.Silent, evidence.ListTrouble
	}
	if f.unasked {
		list.State = evidence.ListRefused
	}
	// Another list has nothing against the address, whatever this one says.
	other := evidence.ListAnswer{List: evidence.List{Zone: dnsname.MustParse("other.example.org")}, State: evidence.NotListed}
	return doctor.Address{
		Address: addr, Case: &decision.Case{Evidence: evidence.Evidence{View: view}},
		Reverse: zone, Problems: f.problems(f.codes, at, false),
		Lists: []evidence.ListAnswer{list, other},
	}
}

func (f found) problems(codes string, at time.Time, shared bool) []doctor.Problem {
	var out []doctor.Problem
	for _, word := range strings.Fields(codes) {
		code, severity, ok := strings.Cut(word, "!")
		if !ok {
			severity = string(finding.Failure)
		}
		p := doctor.Problem{Cause: finding.Finding{
			Code: finding.Code(code), Severity: finding.Severity(severity), Args: finding.Args{Address: addr},
		}}
		if shared {
			p.Cause.Args.Covers = []netip.Addr{addr}
		}
		if f.visible > 0 {
			p.Remedy = &remedy.Remedy{Visible: &remedy.Visible{First: at.Add(f.visible), Last: at.Add(10 * f.visible)}}
		}
		out = append(out, p)
	}
	return out
}

// bench is a watcher of one target, whose examinations are played.
type bench struct {
	*watch.Watcher
	mu    sync.Mutex
	clock time.Time
	play  found
	told  []string
	fail  bool
	// refuse is to fail for good.
	refuse bool
	// broken makes every examination panic.
	broken bool
	kept   map[string][]byte
}

func (b *bench) Name() string { return "test" }

func (b *bench) Notify(_ context.Context, c watch.Change) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.refuse:
		return &watch.Refused{Err: errors.New("not here")}
	case b.fail:
		return errors.New("no way to tell")
	}
	said := string(c.From) + ">" + string(c.To)
	for _, p := range c.Appeared {
		said += " +" + string(p.Code)
	}
	for _, p := range c.Vanished {
		said += " -" + string(p.Code)
	}
	b.told = append(b.told, said)
	return nil
}

func (b *bench) Save(_ context.Context, target string, state []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept[target] = state
	return nil
}

func (b *bench) Load(context.Context) (map[string][]byte, error) { return b.kept, nil }

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.clock
}

// start makes a new watcher over what is kept.
func (b *bench) start(t *testing.T) {
	t.Helper()
	w, err := watch.New(t.Context(), watch.Config{
		Targets: []string{target}, Every: time.Hour, Patience: watch.Patience{Times: 2, Unknown: 3},
		Examine: func(context.Context, string) *doctor.Examination {
			if b.broken {
				panic("planted")
			}
			return b.play.examination(b.now())
		},
		Keeper:    b,
		Notifiers: []watch.Notifier{b},
		Now:       b.now,
		Log:       slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Watcher = w
}

func newBench(t *testing.T) *bench {
	b := &bench{clock: start, kept: map[string][]byte{}}
	b.start(t)
	return b
}

// see plays one examination at its time, and returns what was told of it.
func (b *bench) see(t *testing.T, f found) string {
	t.Helper()
	b.play, b.told = f, nil
	next := b.Tick(t.Context())
	b.clock = next
	return strings.Join(b.told, "; ")
}

func TestHysteresis(t *testing.T) {
	tests := []struct {
		name string
		seen []found
		told []string
	}{
		{
			"the first examination counts at once",
			[]found{{codes: "ptr-missing"}},
			[]string{">fail +ptr-missing"},
		},
		{
			"a first examination without problems is told to nobody",
			[]found{{}},
			[]string{""},
		},
		{
			"a difference is told when it is seen twice in a row",
			[]found{{}, {codes: "ptr-missing"}, {codes: "ptr-missing"}, {codes: "ptr-missing"}},
			[]string{"", "", "pass>fail +ptr-missing", ""},
		},
		{
			"what comes and goes is told to nobody",
			[]found{{}, {codes: "ptr-missing"}, {}, {codes: "ptr-missing"}, {}},
			[]string{"", "", "", "", ""},
		},
		{
			"a repair is told when it is seen twice in a row",
			[]found{{codes: "ptr-missing"}, {}, {}},
			[]string{">fail +ptr-missing", "", "fail>pass -ptr-missing"},
		},
		{
			"one problem in place of another",
			[]found{{codes: "ptr-missing"}, {codes: "ptr-unconfirmed"}, {codes: "ptr-unconfirmed"}},
			[]string{">fail +ptr-missing", "", "fail>fail +ptr-unconfirmed -ptr-missing"},
		},
		{
			"each difference has its own count",
			[]found{{}, {codes: "ptr-missing"}, {codes: "ptr-missing helo-missing"}, {codes: "ptr-missing helo-missing"}},
			[]string{"", "", "pass>fail +ptr-missing", "fail>fail +helo-missing"},
		},
		{
			"what could not be found out needs more patience",
			[]found{{}, {codes: "dns-trouble!unknown"}, {codes: "dns-trouble!unknown"}, {codes: "dns-trouble!unknown"}},
			[]string{"", "", "", "pass>unknown +dns-trouble"},
		},
		{
			"trouble does not make another problem vanish",
			[]found{
				{codes: "ptr-missing"},
				{codes: "dns-trouble!unknown", dark: true},
				{codes: "dns-trouble!unknown", dark: true},
				{codes: "dns-trouble!unknown", dark: true},
				{codes: "ptr-missing"},
				{codes: "ptr-missing"},
				{codes: "ptr-missing"},
			},
			[]string{">fail +ptr-missing", "", "", "fail>fail +dns-trouble", "", "", "fail>fail -dns-trouble"},
		},
		{
			"nor does trouble that is told with the target",
			[]found{{codes: "ptr-missing zone-lame!warn listed!warn"}, {shared: "dns-trouble!unknown", dark: true}, {shared: "dns-trouble!unknown", dark: true}},
			[]string{">fail +listed +ptr-missing +zone-lame", "", ""},
		},
		{
			"a cause that several share is the same when one has it alone",
			[]found{{shared: "zone-lame!warn"}, {codes: "zone-lame!warn"}, {shared: "zone-lame!warn"}},
			[]string{">warn +zone-lame", "", ""},
		},
		{
			"a list that never answers hides no repair",
			[]found{{codes: "ptr-missing list-refused!unknown", unasked: true}, {codes: "list-refused!unknown", unasked: true}, {codes: "list-refused!unknown", unasked: true}},
			[]string{">fail +list-refused +ptr-missing", "", "fail>unknown -ptr-missing"},
		},
		{
			"but what it says",
			[]found{{codes: "listed!warn"}, {unasked: true}, {unasked: true}, {}, {}},
			[]string{">warn +listed", "", "", "", "warn>pass -listed"},
		},
		{
			"a server that can't be reached hides what it said, and no repair of the DNS",
			[]found{
				{codes: "ptr-missing", server: "tls-expired!warn"},
				{server: "smtp-closed!unknown", shut: true},
				{server: "smtp-closed!unknown", shut: true},
				{server: "smtp-closed!unknown", shut: true},
				{},
				{},
				{},
			},
			[]string{">fail +ptr-missing +tls-expired", "", "fail>warn -ptr-missing", "warn>unknown +smtp-closed", "", "unknown>unknown -tls-expired", "unknown>pass -smtp-closed"},
		},
		{
			"a server that was not tried is not well",
			[]found{{server: "tls-expired!warn"}, {unseen: true}, {unseen: true}, {unseen: true}},
			[]string{">warn +tls-expired", "", "", ""},
		},
		{
			"an address that is the target's no more takes its problems along",
			[]found{{codes: "ptr-missing", server: "tls-expired!warn"}, {moved: true}, {moved: true}},
			[]string{">fail +ptr-missing +tls-expired", "", "fail>pass -ptr-missing -tls-expired"},
		},
		{
			"unless its addresses could not be looked up",
			[]found{{codes: "ptr-missing"}, {lost: true}, {lost: true}, {lost: true}},
			[]string{">fail +ptr-missing", "", "", ""},
		},
		{
			"a part that is late for ever hides no repair of another",
			[]found{{codes: "ptr-missing", partial: true, shut: true}, {partial: true, shut: true}, {partial: true, shut: true}},
			[]string{">fail +ptr-missing", "", "fail>pass -ptr-missing"},
		},
		{
			"a name that is gone",
			[]found{{}, {err: "the name does not exist: NXDOMAIN"}, {err: "the name does not exist: NXDOMAIN"}, {}, {}},
			[]string{"", "", "pass>unknown +nothing-to-examine", "", "unknown>pass -nothing-to-examine"},
		},
		{
			"a name that was never there",
			[]found{{err: "the name does not exist: NXDOMAIN"}},
			[]string{">unknown +nothing-to-examine"},
		},
		{
			"half an examination without a problem is no first one",
			[]found{{partial: true}, {codes: "ptr-missing"}},
			[]string{"", ">fail +ptr-missing"},
		},
		{
			"information is no problem",
			[]found{{}, {codes: "helo-not-ptr!info"}, {codes: "helo-not-ptr!info"}},
			[]string{"", "", ""},
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			for i, f := range tc.seen {
				if got := b.see(t, f); got != tc.told[i] {
					t.Errorf("examination %d: told %q, want %q", i+1, got, tc.told[i])
				}
			}
		})
	}
}

func TestSchedule(t *testing.T) {
	tests := []struct {
		name string
		seen []found
		next []time.Duration // from each examination to the next
	}{
		{"the regular one", []found{{}, {}}, []time.Duration{time.Hour, time.Hour}},
		{"a difference is looked at again soon", []found{{}, {codes: "ptr-missing"}, {codes: "ptr-missing"}}, []time.Duration{time.Hour, 5 * time.Minute, time.Hour}},
		{"when a repair could be seen", []found{{codes: "ptr-missing", visible: 20 * time.Minute}}, []time.Duration{20 * time.Minute}},
		{"not sooner than in five minutes", []found{{codes: "ptr-missing", visible: time.Minute}}, []time.Duration{5 * time.Minute}},
		{"not later than the regular one", []found{{codes: "ptr-missing", visible: 3 * time.Hour}}, []time.Duration{time.Hour}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			for i, f := range tc.seen {
				before := b.clock
				b.see(t, f)
				if got := b.clock.Sub(before); got != tc.next[i] {
					t.Errorf("examination %d: the next comes after %s, want %s", i+1, got, tc.next[i])
				}
			}
		})
	}
	t.Run("nobody repairs it within a day", func(t *testing.T) {
		b := newBench(t)
		for range 73 {
			b.see(t, found{codes: "ptr-missing", visible: 20 * time.Minute})
		}
		before := b.clock
		b.see(t, found{codes: "ptr-missing", visible: 20 * time.Minute})
		if got := b.clock.Sub(before); got != time.Hour {
			t.Errorf("a day later the next examination comes after %s, want 1h", got)
		}
	})
}

// TestRestart: the state outlives the process, and what is owed is still told.
func TestRestart(t *testing.T) {
	b := newBench(t)
	b.fail = true
	if got := b.see(t, found{codes: "ptr-missing"}); got != "" {
		t.Fatalf("told %q by a notifier that fails", got)
	}
	if got := b.clock.Sub(start); got != time.Minute {
		t.Errorf("tried again after %s, want 1m", got)
	}
	b.fail = false
	b.start(t)
	b.told = nil
	b.Tick(t.Context())
	if diff := cmp.Diff([]string{">fail +ptr-missing"}, b.told); diff != "" {
		t.Errorf("after a restart: %s", diff)
	}
	b.clock = start.Add(2 * time.Hour)
	b.start(t)
	if got := b.see(t, found{codes: "ptr-missing"}); got != "" {
		t.Errorf("told %q of a problem known before the restart", got)
	}
}

// TestSpoiledState: what can't be read starts anew, with a warning.
func TestSpoiledState(t *testing.T) {
	b := newBench(t)
	b.kept[target] = []byte("{")
	b.start(t)
	if got := b.see(t, found{codes: "ptr-missing"}); got != ">fail +ptr-missing" {
		t.Errorf("told %q", got)
	}
}

// TestCutShort: an examination that the end of the program cut short is no result.
func TestCutShort(t *testing.T) {
	b := newBench(t)
	b.see(t, found{codes: "ptr-missing"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.play = found{}
	b.Once(ctx)
	b.Once(ctx)
	if s := b.States()[0]; s.Verdict != doctor.Fail || len(s.Waiting) != 0 {
		t.Errorf("state after two interrupted examinations: %+v", s)
	}
}

// TestFault: a fault of ours in an examination is logged, and ends nothing else.
func TestFault(t *testing.T) {
	b := newBench(t)
	b.broken = true
	if next := b.Tick(t.Context()); next.Sub(start) != time.Hour {
		t.Errorf("the next examination comes after %s, want 1h", next.Sub(start))
	}
}

// TestRefused: what is refused for good is not told again and again, and does
// not stand in the way of what comes later.
func TestRefused(t *testing.T) {
	b := newBench(t)
	b.refuse = true
	b.see(t, found{codes: "ptr-missing"})
	if got := b.clock.Sub(start); got != time.Hour {
		t.Errorf("the next try comes after %s, want 1h", got)
	}
	b.refuse = false
	b.see(t, found{codes: "helo-missing"})
	if got := b.see(t, found{codes: "helo-missing"}); got != "fail>fail +helo-missing -ptr-missing" {
		t.Errorf("told %q", got)
	}
}

// TestOldestGoFirst: of changes that nobody can be told a hundred are kept.
func TestOldestGoFirst(t *testing.T) {
	b := newBench(t)
	b.fail = true
	for i := range 120 {
		f := found{}
		if i%2 == 0 {
			f.codes = "ptr-missing"
		}
		b.see(t, f)
		b.clock = b.clock.Add(time.Hour)
		b.see(t, f)
		b.clock = b.clock.Add(time.Hour)
	}
	if n := len(b.States()[0].Owed["test"]); n != 100 {
		t.Errorf("%d changes kept, want 100", n)
	}
}
