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

// found is one examination: the codes of its causes, each "code" or
// "code!unknown" or "code!info", with the time at which a repair shows.
type found struct {
	codes   string // of the address
	target  string // of the target itself
	server  string // of the mail server
	err     string // why there was nothing to examine
	partial bool
	visible time.Duration
}

func (f found) examination(at time.Time) *doctor.Examination {
	x := &doctor.Examination{Target: target, At: at, Partial: f.partial, Error: f.err, Problems: f.problems(f.target, at)}
	if f.err == "" {
		x.Addresses = []doctor.Address{{Address: addr, Problems: f.problems(f.codes, at)}}
		peer := &evidence.SMTP{Peer: netip.AddrPortFrom(addr, 25)}
		x.Servers = []doctor.Server{{SMTP: peer, Problems: f.problems(f.server, at)}}
	}
	return x
}

func (f found) problems(codes string, at time.Time) []doctor.Problem {
	var out []doctor.Problem
	for _, word := range strings.Fields(codes) {
		code, severity, ok := strings.Cut(word, "!")
		if !ok {
			severity = string(finding.Failure)
		}
		p := doctor.Problem{Cause: finding.Finding{
			Code: finding.Code(code), Severity: finding.Severity(severity), Args: finding.Args{Address: addr},
		}}
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
	// broken makes every examination panic.
	broken bool
	kept   map[string][]byte
}

func (b *bench) Name() string { return "test" }

func (b *bench) Notify(_ context.Context, c watch.Change) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail {
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
			[]found{{codes: "ptr-missing"}, {codes: "dns-trouble!unknown"}, {codes: "dns-trouble!unknown"}, {codes: "dns-trouble!unknown"}, {codes: "ptr-missing"}, {codes: "ptr-missing"}, {codes: "ptr-missing"}},
			[]string{">fail +ptr-missing", "", "", "fail>fail +dns-trouble", "", "", "fail>fail -dns-trouble"},
		},
		{
			"trouble with the target hides the problems of its addresses",
			[]found{{codes: "ptr-missing"}, {target: "dns-trouble!unknown"}, {target: "dns-trouble!unknown"}, {target: "dns-trouble!unknown"}},
			[]string{">fail +ptr-missing", "", "", "fail>fail +dns-trouble"},
		},
		{
			"a list that never answers hides no repair",
			[]found{{codes: "ptr-missing", target: "list-refused!unknown"}, {target: "list-refused!unknown"}, {target: "list-refused!unknown"}},
			[]string{">fail +ptr-missing +list-refused", "", "fail>unknown -ptr-missing"},
		},
		{
			"but what lists say",
			[]found{{codes: "listed!warn"}, {codes: "list-refused!unknown"}, {codes: "list-refused!unknown"}, {codes: "list-refused!unknown"}},
			[]string{">warn +listed", "", "", "warn>unknown +list-refused"},
		},
		{
			"a port 25 that is shut here hides what servers said, and no repair of the DNS",
			[]found{
				{codes: "ptr-missing", server: "tls-expired!warn"},
				{target: "port25-blocked!unknown"},
				{target: "port25-blocked!unknown"},
				{target: "port25-blocked!unknown"},
			},
			[]string{">fail +ptr-missing +tls-expired", "", "fail>warn -ptr-missing", "warn>unknown +port25-blocked"},
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
			"half an examination proves no absence",
			[]found{{codes: "ptr-missing"}, {partial: true}, {partial: true}, {}, {}},
			[]string{">fail +ptr-missing", "", "", "", "fail>pass -ptr-missing"},
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
