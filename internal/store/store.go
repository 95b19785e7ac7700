// Package store keeps what must outlive the process: cases, the allow and
// block lists, and when an address was first seen and how often it failed. It
// is SQLite in WAL mode with synchronous=FULL; decisions are answered from
// memory alone and never wait for the disk.
package store

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// Defaults of Options.
const (
	DefaultRetention = 30 * 24 * time.Hour
	DefaultQueueLen  = 4096
	DefaultMaxCases  = 1_000_000
	DefaultMaxTraces = 500_000
)

// Options of Open; the zero value is that of a command beside the daemon.
type Options struct {
	// Daemon says that this process serves mail: it holds the database until
	// Close against other daemons, sets a damaged file aside, and remembers
	// addresses in memory. Without it the store is for one command, beside a
	// daemon or not.
	Daemon bool
	// KeepMail stores sender, recipient and login of cases; without it they
	// never reach the disk.
	KeepMail bool
	// Retention is the age at which cases and unseen addresses are deleted; 0
	// means DefaultRetention.
	Retention time.Duration
	// QueueLen is the number of cases that wait for the disk before they are
	// dropped, MaxCases the number kept on disk, MaxTraces the number of
	// addresses remembered; 0 means the default.
	QueueLen, MaxCases, MaxTraces int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is told of trouble; nil means nobody.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Retention <= 0 {
		o.Retention = DefaultRetention
	}
	if o.QueueLen <= 0 {
		o.QueueLen = DefaultQueueLen
	}
	if o.MaxCases <= 0 {
		o.MaxCases = DefaultMaxCases
	}
	if o.MaxTraces <= 0 {
		o.MaxTraces = DefaultMaxTraces
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return o
}

// Store is an open database with its lists in memory. Its methods may be
// called at the same time.
type Store struct {
	opts Options
	path string
	lock *fileLock // nil but in the daemon

	write *sql.DB // one connection
	read  *sql.DB

	memory *memory
	lists  lists

	queue    chan job
	closing  chan struct{} // closed by Close: drain the queue and end
	ended    chan struct{} // closed when the writer has ended
	stop     context.CancelFunc
	closed   atomic.Bool
	closeOne sync.Once

	dropped, cases, batches, failures atomic.Uint64
	sinceSweep                        atomic.Int64 // cases written since the last Purge
	sweep                             chan struct{}
	trouble                           trouble
}

var _ decision.Recorder = (*Store)(nil)

// Open opens the database that url names ("sqlite:/path"), makes or migrates
// it, and reads the lists. A damaged file is set aside by the daemon, with its
// list entries carried over as far as they can be read; see Health. The errors
// say what the operator can do.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	path, err := pathOf(url)
	if err != nil {
		return nil, err
	}
	s := &Store{opts: opts.withDefaults(), path: path}
	s.memory = newMemory(s.opts.MaxTraces)
	s.lists.init()
	s.queue = make(chan job, s.opts.QueueLen)
	s.closing, s.ended = make(chan struct{}), make(chan struct{})
	s.sweep = make(chan struct{}, 1)
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go s.writer(run)
	return s, nil
}

// Recall returns what is remembered of an address, and the list entry that
// counts for it: Allow or Block or neither, never both. It asks memory alone.
// The Listing must not be changed.
//
// Negatives counts complete negative results of one kind (fail or permerror),
// those within five minutes of a counted one left out; another kind starts
// anew, a pass forgives, and trouble, or a result that came while our DNS was
// sick or the source masked, changes nothing.
//
// Of the networks in force the longest counts, of the domains (matched by
// whole labels against the confirmed names only) the one with the most labels;
// at equal length, and between a network and a domain, allow beats block.
func (s *Store) Recall(addr netip.Addr, confirmed []dnsname.Name, now time.Time) evidence.Memory {
	var mem evidence.Memory
	if !addr.IsValid() {
		return mem
	}
	addr = addr.Unmap().WithZone("")
	s.memory.recall(keyOf(addr), now, &mem)
	if r := s.lists.table.Load().match(addr, confirmed, micros(now)); r != nil {
		s.lists.hit(r, now)
		if r.allow {
			mem.Allow = r.listing()
		} else {
			mem.Block = r.listing()
		}
	}
	return mem
}

// Flush waits until everything recorded before is on disk.
func (s *Store) Flush(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case s.queue <- job{done: done}:
	case <-s.ended:
		return errClosed
	case <-ctx.Done():
		return fmt.Errorf("store: flush: %w", ctx.Err())
	}
	select {
	case <-done:
		return nil
	case <-s.ended:
		return errClosed
	case <-ctx.Done():
		return fmt.Errorf("store: flush: %w", ctx.Err())
	}
}

// Close writes what is queued, and the daemon what makes its next start quick,
// as long as ctx lasts, and releases the database. What could not be written is
// counted as dropped.
func (s *Store) Close(ctx context.Context) error {
	var err error
	s.closeOne.Do(func() {
		s.closed.Store(true)
		close(s.closing)
		select {
		case <-s.ended:
		case <-ctx.Done():
			err = fmt.Errorf("store: close: %w", ctx.Err())
		}
		s.stop()
		<-s.ended
		if s.opts.Daemon {
			s.tidy(ctx, s.pack)
		}
		s.closeFiles()
	})
	return err
}

// Health says whether the store does its work.
type Health struct {
	OK bool
	// Why says what is wrong and, where it helps, what to do.
	Why string
	// Since is the time at which it went wrong.
	Since time.Time
	// SetAside is the path of a damaged file that was replaced at the start.
	SetAside string
	// Queue of QueueCap cases wait for the disk; Dropped were lost because the
	// queue was full or the disk refused them.
	Queue, QueueCap int
	Dropped         uint64
}

// Health returns the state of the store.
func (s *Store) Health() Health {
	h := s.trouble.health()
	h.Queue, h.QueueCap, h.Dropped = len(s.queue), cap(s.queue), s.dropped.Load()
	return h
}

// Stats are counters since Open, for metrics.
type Stats struct {
	Cases    uint64 // cases written
	Batches  uint64 // transactions committed by the writer
	Failures uint64 // transactions that failed and were tried again
	Dropped  uint64 // see Health
	Queue    int
	Traces   int // addresses remembered
	Entries  int // entries of both lists
	// Spoiled counts the readings of the lists that found damage in their packs
	// and took the rows instead.
	Spoiled uint64
}

// Stats returns the counters.
func (s *Store) Stats() Stats {
	return Stats{
		Cases:    s.cases.Load(),
		Batches:  s.batches.Load(),
		Failures: s.failures.Load(),
		Dropped:  s.dropped.Load(),
		Queue:    len(s.queue),
		Traces:   s.memory.len(),
		Entries:  int(s.lists.count.Load()),
		Spoiled:  s.lists.ignored.Load(),
	}
}

// trouble is what Health knows.
type trouble struct {
	sync.Mutex
	failing, damage, setAside string
	since                     time.Time
}

// fail notes that the writer can't write, and reports whether that is news.
func (t *trouble) fail(why string, now time.Time) bool {
	t.Lock()
	defer t.Unlock()
	news := t.failing == ""
	if t.since.IsZero() {
		t.since = now
	}
	t.failing = why
	return news
}

// heal notes that the writer has written, and reports whether that is news.
func (t *trouble) heal() bool {
	t.Lock()
	defer t.Unlock()
	news := t.failing != ""
	if t.failing = ""; t.damage == "" {
		t.since = time.Time{}
	}
	return news
}

// damaged notes what stays true until the next start.
func (t *trouble) damaged(why, setAside string, now time.Time) {
	t.Lock()
	defer t.Unlock()
	t.damage, t.since = why, now
	if setAside != "" {
		t.setAside = setAside
	}
}

func (t *trouble) health() Health {
	t.Lock()
	defer t.Unlock()
	h := Health{OK: t.failing == "" && t.damage == "", Since: t.since, SetAside: t.setAside}
	switch {
	case t.failing == "":
		h.Why = t.damage
	case t.damage == "":
		h.Why = t.failing
	default:
		h.Why = t.damage + "; " + t.failing
	}
	return h
}
