package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/arpagate/arpagate/internal/doctor"
)

// Notifier tells somebody of a change. A change that it could not tell is kept
// and tried again, in order.
type Notifier interface {
	// Name is the key of what is owed to it: "webhook", "mail".
	Name() string
	Notify(ctx context.Context, c Change) error
}

// Refused is the error of a Notifier that has been refused for good: telling the
// same again would change nothing.
type Refused struct{ Err error }

// Error returns the text of the error.
func (r *Refused) Error() string { return r.Err.Error() }

// Unwrap returns the error.
func (r *Refused) Unwrap() error { return r.Err }

// Keeper keeps the states, one opaque value for each target.
type Keeper interface {
	Save(ctx context.Context, target string, state []byte) error
	Load(ctx context.Context) (map[string][]byte, error)
}

// Config is what a Watcher is made of.
type Config struct {
	Targets  []string
	Every    time.Duration
	Patience Patience
	// Examine examines one target; it is bounded in time by itself.
	Examine   func(ctx context.Context, target string) *doctor.Examination
	Keeper    Keeper
	Notifiers []Notifier
	Now       func() time.Time
	Log       *slog.Logger
	// Parallel bounds the examinations at one time; 0 means 2.
	Parallel int
	// Quiet leaves the changes out of the log, for somebody is told anyhow.
	Quiet bool
}

// Watcher examines targets when they are due. Its methods may be called at the
// same time.
type Watcher struct {
	cfg    Config
	mu     sync.Mutex
	states map[string]*State
	retry  map[string]time.Time // when to tell again what could not be told
}

// retryAfter is how soon a notifier that failed is tried again.
const retryAfter = time.Minute

// maxOwed bounds the changes that wait for one notifier; the oldest go first.
const maxOwed = 100

// New reads what was kept of the targets. A target that was not kept is due at
// once; what was kept of others is left alone.
func New(ctx context.Context, cfg Config) (*Watcher, error) {
	if cfg.Parallel <= 0 {
		cfg.Parallel = 2
	}
	kept, err := cfg.Keeper.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	w := &Watcher{cfg: cfg, states: make(map[string]*State, len(cfg.Targets)), retry: map[string]time.Time{}}
	for _, target := range cfg.Targets {
		s := &State{Target: target, Verdict: doctor.Unknown}
		if text, ok := kept[target]; ok {
			if err := json.Unmarshal(text, s); err != nil {
				cfg.Log.Warn("what was kept of a watched target can't be read, so it starts anew", "target", target, "error", err)
				s = &State{Target: target, Verdict: doctor.Unknown}
			}
		}
		// A schedule that was made shorter holds at once.
		if latest := s.Last.Add(cfg.Every); s.Next.After(latest) {
			s.Next = latest
		}
		w.states[target] = s
		if len(s.Owed) > 0 {
			w.retry[target] = cfg.Now()
		}
	}
	return w, nil
}

// Run examines what is due until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	for ctx.Err() == nil {
		next := w.Tick(ctx)
		timer := time.NewTimer(next.Sub(w.cfg.Now()))
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// Tick examines the targets that are due, tells the notifiers, and returns when
// the next one will be due.
func (w *Watcher) Tick(ctx context.Context) time.Time {
	w.run(ctx, w.due())
	w.catchUp(ctx)
	next := w.cfg.Now().Add(w.cfg.Every)
	w.mu.Lock()
	for target, s := range w.states {
		if s.Next.Before(next) {
			next = s.Next
		}
		if at, ok := w.retry[target]; ok && at.Before(next) {
			next = at
		}
	}
	w.mu.Unlock()
	if soon := w.cfg.Now().Add(time.Second); next.Before(soon) {
		next = soon // a clock that jumps must not make it spin
	}
	return next
}

// Once examines all targets, due or not.
func (w *Watcher) Once(ctx context.Context) { w.run(ctx, w.cfg.Targets) }

func (w *Watcher) due() []string {
	now := w.cfg.Now()
	return slices.DeleteFunc(slices.Clone(w.cfg.Targets), func(t string) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.states[t].Next.After(now)
	})
}

func (w *Watcher) run(ctx context.Context, targets []string) {
	var group sync.WaitGroup
	slots := make(chan struct{}, w.cfg.Parallel)
	for _, target := range targets {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() == nil {
				w.guarded(ctx, target)
			}
		})
	}
	group.Wait()
}

// guarded keeps a fault of ours with one target from the others, and from the
// gate that may run beside.
func (w *Watcher) guarded(ctx context.Context, target string) {
	defer func() {
		if value := recover(); value != nil {
			w.cfg.Log.Error("an examination ended in a fault of arpagate", "target", target, "panic", value, "stack", string(debug.Stack()))
			w.mu.Lock()
			w.states[target].Next = w.cfg.Now().Add(w.cfg.Every)
			w.mu.Unlock()
		}
	}()
	w.examine(ctx, target)
}

// examine looks at one target, keeps what it found, and then tells: a change is
// owed on disk before anybody hears of it.
func (w *Watcher) examine(ctx context.Context, target string) {
	e := w.cfg.Examine(ctx, target)
	if ctx.Err() != nil {
		return // cut short by the end of the program: not a result
	}
	change := w.take(target, Of(e))
	if change != nil && !w.cfg.Quiet {
		w.log(change)
	}
	w.save(ctx, target)
	w.tell(ctx, target)
}

// catchUp tells what is owed and was not told before.
func (w *Watcher) catchUp(ctx context.Context) {
	now := w.cfg.Now()
	for _, target := range w.cfg.Targets {
		w.mu.Lock()
		at, waits := w.retry[target]
		w.mu.Unlock()
		if waits && !at.After(now) {
			w.tell(ctx, target)
		}
	}
}

// take makes the snapshot part of the state, and returns the change that it
// confirms. That a target was well from the start is news to nobody.
func (w *Watcher) take(target string, now Snapshot) *Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.states[target]
	change := s.step(now, w.cfg.Patience)
	s.schedule(now, w.cfg.Now(), w.cfg.Every)
	if change != nil && !(change.First && len(change.Appeared) == 0) {
		w.owe(s, *change)
	}
	return change
}

func (w *Watcher) owe(s *State, c Change) {
	if s.Owed == nil {
		s.Owed = map[string][]Change{}
	}
	for _, n := range w.cfg.Notifiers {
		owed := append(s.Owed[n.Name()], c)
		if drop := len(owed) - maxOwed; drop > 0 {
			w.cfg.Log.Error("changes are dropped that nobody could be told of", "target", s.Target, "notifier", n.Name(), "count", drop)
			owed = owed[drop:]
		}
		s.Owed[n.Name()] = owed
	}
}

// tell tries what is owed, in the order of the changes. What fails is tried again.
func (w *Watcher) tell(ctx context.Context, target string) {
	told, failed := false, false
	for _, n := range w.cfg.Notifiers {
		for {
			c, ok := w.owed(target, n.Name())
			if !ok {
				break
			}
			err := n.Notify(ctx, c)
			var refused *Refused
			if errors.As(err, &refused) {
				w.cfg.Log.Error("a change is refused for good, and not told again", "target", target, "notifier", n.Name(), "error", err)
				err = nil
			}
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					w.cfg.Log.Error("a change could not be told, it is tried again",
						"target", target, "notifier", n.Name(), "after", retryAfter, "error", err)
				}
				failed = true
				break
			}
			told = true
			w.mu.Lock()
			s := w.states[target]
			if s.Owed[n.Name()] = s.Owed[n.Name()][1:]; len(s.Owed[n.Name()]) == 0 {
				delete(s.Owed, n.Name())
			}
			w.mu.Unlock()
		}
	}
	w.mu.Lock()
	delete(w.retry, target)
	if failed {
		w.retry[target] = w.cfg.Now().Add(retryAfter)
	}
	w.mu.Unlock()
	if told {
		w.save(ctx, target)
	}
}

func (w *Watcher) owed(target, notifier string) (Change, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.states[target].Owed[notifier]
	if len(list) == 0 {
		return Change{}, false
	}
	return list[0], true
}

func (w *Watcher) save(ctx context.Context, target string) {
	w.mu.Lock()
	text, err := json.Marshal(w.states[target])
	w.mu.Unlock()
	if err == nil {
		err = w.cfg.Keeper.Save(context.WithoutCancel(ctx), target, text)
	}
	if err != nil {
		w.cfg.Log.Error("the state of a watched target could not be kept", "target", target, "error", err)
	}
}

// States returns copies of all states in the order of the targets.
func (w *Watcher) States() []State {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]State, 0, len(w.cfg.Targets))
	for _, target := range w.cfg.Targets {
		s := *w.states[target]
		s.Problems, s.Waiting, s.Owed = slices.Clone(s.Problems), slices.Clone(s.Waiting), maps.Clone(s.Owed)
		out = append(out, s)
	}
	return out
}

// log writes one line for a change.
func (w *Watcher) log(c *Change) {
	level := slog.LevelWarn
	if len(c.Appeared) == 0 {
		level = slog.LevelInfo
	}
	w.cfg.Log.Log(context.Background(), level, "watch", "target", c.Target, "verdict", string(c.To), "was", string(c.From),
		"appeared", labels(c.Appeared), "vanished", labels(c.Vanished))
}

// labels lists problems for a log line.
func labels(problems []Problem) string {
	out := make([]string, len(problems))
	for i, p := range problems {
		out[i] = string(p.Code) + "@" + p.Subject
	}
	return strings.Join(out, ",")
}
