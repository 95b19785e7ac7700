package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrPending is wrapped by the error of Remove where the entry is out of force
// but could not yet be deleted on disk; the daemon tries again until it is.
var ErrPending = errors.New("store: removed in memory, not yet on disk")

type entryKey struct {
	list List
	text string
}

// lists are both lists in memory, and the order in which memory and disk
// change: an entry counts when it is on disk, and stops counting before it is
// deleted there.
type lists struct {
	table atomic.Pointer[table]
	count atomic.Int64

	spoiled atomic.Bool   // some packs are damaged: none must stay
	ignored atomic.Uint64 // readings that came upon damaged packs

	disk    chan struct{} // one token: held across a change on disk and its echo in memory
	version int64         // PRAGMA data_version of the connection that writes; the writer's own

	mu      sync.Mutex
	pending map[entryKey]Entry // removed in memory only
	dirty   []*rule            // with hits not yet stored
}

func (l *lists) init() {
	l.table.Store(newTable())
	l.disk = make(chan struct{}, 1)
	l.pending = make(map[entryKey]Entry)
}

func (l *lists) lockDisk(ctx context.Context) error {
	select {
	case l.disk <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *lists) unlockDisk() { <-l.disk }

// hit counts a use of the rule; whoever makes the count positive enters it
// among those to be stored.
func (l *lists) hit(r *rule, now time.Time) {
	r.lastUse.Store(micros(now))
	if r.hits.Add(1) == 1 {
		l.mu.Lock()
		l.dirty = append(l.dirty, r)
		l.mu.Unlock()
	}
}

// set makes r the rule of e in memory, nil removes it. It reports whether
// there was one.
func (l *lists) set(e Entry, r *rule) bool {
	t := l.table.Load()
	had := t.get(e.target(), e.List) != nil
	if had || r != nil {
		l.table.Store(t.with(e.target(), e.List, r))
	}
	if had != (r != nil) {
		l.count.Add(map[bool]int64{true: -1, false: 1}[had])
	}
	return had
}

// Add puts an entry into its list, or replaces the one with the same network
// or domain, keeping its hits. When it returns nil the entry is on disk and in
// force; otherwise nothing has changed.
func (s *Store) Add(ctx context.Context, e Entry) error {
	e, err := e.canonical()
	if err != nil {
		return err
	}
	if e.Created.IsZero() {
		e.Created = s.opts.Now()
	}
	e.Created, e.Expiry = fromMicros(micros(e.Created)), fromMicros(micros(e.Expiry))
	if err := s.lists.lockDisk(ctx); err != nil {
		return fmt.Errorf("store: add to the %s list: %w", e.List, err)
	}
	defer s.lists.unlockDisk()
	_, err = s.write.ExecContext(ctx,
		`INSERT INTO entries (list, entry, reason, owner, created, expiry, hits, last_use) VALUES ($1, $2, $3, $4, $5, $6, 0, 0)
		 ON CONFLICT (list, entry) DO UPDATE SET reason = excluded.reason, owner = excluded.owner,
		 created = excluded.created, expiry = excluded.expiry`,
		string(e.List), e.Text(), e.Reason, e.Owner, micros(e.Created), micros(e.Expiry))
	if err != nil {
		return s.explain("add to the "+string(e.List)+" list", err)
	}
	s.lists.mu.Lock()
	delete(s.lists.pending, entryKey{e.List, e.Text()})
	s.lists.set(e, new(rule).set(e.record()))
	s.lists.mu.Unlock()
	return nil
}

// Remove takes an entry, written as ParseEntry reads it, out of its list, and
// reports whether it was there. It is out of force at once, whatever the disk
// says; see ErrPending.
func (s *Store) Remove(ctx context.Context, list List, entry string) (bool, error) {
	e, err := ParseEntry(list, entry)
	if err != nil {
		return false, err
	}
	k := entryKey{list, e.Text()}
	s.lists.mu.Lock()
	s.lists.pending[k] = e
	had := s.lists.set(e, nil)
	s.lists.mu.Unlock()
	if err = s.lists.lockDisk(ctx); err == nil {
		had2, err2 := s.removeOnDisk(ctx, k, e)
		s.lists.unlockDisk()
		had, err = had || had2, s.explain("remove from the "+string(list)+" list", err2)
	}
	if err != nil && s.opts.Daemon {
		err = fmt.Errorf("%w: %w", ErrPending, err)
	}
	return had, err
}

// removeOnDisk deletes the entry, while the caller holds the disk, and again
// from memory, for an Add may have come in between.
func (s *Store) removeOnDisk(ctx context.Context, k entryKey, e Entry) (bool, error) {
	res, err := s.write.ExecContext(ctx, `DELETE FROM entries WHERE list = $1 AND entry = $2`, string(k.list), k.text)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	s.lists.mu.Lock()
	delete(s.lists.pending, k)
	s.lists.set(e, nil)
	s.lists.mu.Unlock()
	return n > 0, err
}

// retryRemovals deletes on disk what could not be deleted before.
func (s *Store) retryRemovals(ctx context.Context) error {
	s.lists.mu.Lock()
	n := len(s.lists.pending)
	s.lists.mu.Unlock()
	if n == 0 || !s.opts.Daemon {
		return nil
	}
	if err := s.lists.lockDisk(ctx); err != nil {
		return err
	}
	defer s.lists.unlockDisk()
	for k, e := range s.lists.pendingNow() {
		if _, err := s.removeOnDisk(ctx, k, e); err != nil {
			return err
		}
	}
	return nil
}

func (l *lists) pendingNow() map[entryKey]Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[entryKey]Entry, len(l.pending))
	for k, e := range l.pending {
		out[k] = e
	}
	return out
}

// Entries returns the entries of a list as they are on disk, expired ones
// included, in the order of their text.
func (s *Store) Entries(ctx context.Context, list List) ([]Entry, error) {
	pending := s.lists.pendingNow()
	var out []Entry
	err := readEntries(ctx, s.read, list, func(e Entry) {
		if _, gone := pending[entryKey{e.List, e.Text()}]; !gone {
			out = append(out, e)
		}
	})
	slices.SortFunc(out, func(a, b Entry) int {
		if a.Network.IsValid() && b.Network.IsValid() {
			return a.Network.Compare(b.Network)
		}
		return compareText(a, b)
	})
	return out, s.explain("read the "+string(list)+" list", err)
}

// reload reads the lists anew and keeps the counters of the rules that stay.
// The caller holds the disk, or is alone.
func (l *lists) reload(ctx context.Context, db *sql.DB) error {
	fresh, n, err := readTable(ctx, db, l.table.Load())
	if errors.Is(err, errSpoiled) {
		l.spoiled.Store(true)
		l.ignored.Add(1)
	} else if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.table.Store(fresh)
	l.count.Store(n)
	for _, e := range l.pending {
		l.set(e, nil)
	}
	return nil
}

// follow reloads the lists where another process has written to the file.
func (s *Store) follow(ctx context.Context) error {
	v, err := dataVersion(ctx, s.write)
	if err != nil || v == s.lists.version {
		return err
	}
	if err := s.lists.lockDisk(ctx); err != nil {
		return err
	}
	defer s.lists.unlockDisk()
	if err := s.lists.reload(ctx, s.read); err != nil {
		return err
	}
	s.lists.version = v
	return nil
}

// storeHits adds the hits counted in memory to those on disk.
func (s *Store) storeHits(ctx context.Context) error {
	s.lists.mu.Lock()
	dirty := s.lists.dirty
	s.lists.dirty = nil
	s.lists.mu.Unlock()
	for len(dirty) > 0 {
		n := min(len(dirty), maxBatch)
		if err := s.storeHitsOf(ctx, dirty[:n]); err != nil {
			s.lists.mu.Lock()
			s.lists.dirty = append(s.lists.dirty, dirty...)
			s.lists.mu.Unlock()
			return err
		}
		dirty = dirty[n:]
	}
	return nil
}

func (s *Store) storeHitsOf(ctx context.Context, rules []*rule) error {
	counts := make([]int64, len(rules))
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		st, err := tx.PrepareContext(ctx, `UPDATE entries SET last_use = $1,
			hits = CASE WHEN hits > 9223372036854775807 - $2 THEN 9223372036854775807 ELSE hits + $2 END
			WHERE list = $3 AND entry = $4`)
		if err != nil {
			return err
		}
		defer st.Close()
		for i, r := range rules {
			counts[i] = r.hits.Load()
			if _, err := st.ExecContext(ctx, r.lastUse.Load(), counts[i], string(r.list()), r.text); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, r := range rules {
		// Hits that came meanwhile keep the rule among those to be stored.
		if r.hits.Add(-counts[i]) > 0 {
			s.lists.mu.Lock()
			s.lists.dirty = append(s.lists.dirty, r)
			s.lists.mu.Unlock()
		}
	}
	return nil
}
