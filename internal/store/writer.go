package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/arpagate/arpagate/internal/decision"
)

const (
	maxBatch   = 1000
	batchDelay = 50 * time.Millisecond
	// pollEvery is how often the writer looks for changes of another process,
	// stores hits, and tries removals again.
	pollEvery            = time.Second
	minBackoff, maxRetry = 100 * time.Millisecond, 5 * time.Second
)

// job is one thing for the writer: a case, the trace of an address, or a
// barrier.
type job struct {
	key  key
	seen bool
	c    *decision.Case
	done chan struct{} // closed when all jobs before it are on disk
}

// writer is the goroutine that writes to the disk, until Close.
func (s *Store) writer(ctx context.Context) {
	defer close(s.ended)
	if s.opts.Daemon {
		s.persist(ctx, s.loadTraces)
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case j := <-s.queue:
			s.writeBatch(ctx, s.collect(j))
		case <-tick.C:
			s.chores(ctx)
		case <-s.closing:
			for len(s.queue) > 0 && ctx.Err() == nil {
				s.writeBatch(ctx, s.collect(<-s.queue))
			}
			s.chores(ctx)
			s.dropped.Add(uint64(len(s.queue)))
			return
		case <-ctx.Done():
			return
		}
	}
}

// collect gathers jobs for one transaction: at most maxBatch, or what comes
// within batchDelay, or up to a barrier.
func (s *Store) collect(first job) []job {
	batch := []job{first}
	timer := time.NewTimer(batchDelay)
	defer timer.Stop()
	for len(batch) < maxBatch && batch[len(batch)-1].done == nil {
		select {
		case j := <-s.queue:
			batch = append(batch, j)
			continue
		default:
		}
		select {
		case j := <-s.queue:
			batch = append(batch, j)
		case <-timer.C:
			return batch
		case <-s.closing:
			return batch
		}
	}
	return batch
}

// writeBatch writes the batch, however often it must try.
func (s *Store) writeBatch(ctx context.Context, batch []job) {
	rows, traces := s.rows(ctx, batch)
	ok := true
	if len(rows)+len(traces) > 0 {
		ok = s.persist(ctx, func(ctx context.Context) error { return s.writeRows(ctx, rows, traces) })
	}
	if ok {
		s.cases.Add(uint64(len(rows)))
		if s.sinceSweep.Add(int64(len(rows))) > int64(s.opts.MaxCases/10) {
			select {
			case s.sweep <- struct{}{}:
			default:
			}
		}
	} else {
		s.dropped.Add(uint64(len(rows)))
	}
	if last := batch[len(batch)-1]; ok && last.done != nil {
		close(last.done)
	}
}

func (s *Store) rows(ctx context.Context, batch []job) ([]row, map[key]trace) {
	rows := make([]row, 0, len(batch))
	traces := make(map[key]trace)
	for _, j := range batch {
		if j.seen {
			if t, ok := s.memory.get(j.key); ok {
				traces[j.key] = t
			}
		}
		if j.c == nil {
			continue
		}
		r, err := encode(j.c, s.opts.KeepMail)
		if err != nil {
			s.dropped.Add(1)
			s.opts.Log.ErrorContext(ctx, "store: case can't be encoded", "error", err)
			continue
		}
		rows = append(rows, r)
	}
	return rows, traces
}

// persist runs f until it succeeds, with longer and longer pauses, and keeps
// Health up to date. It gives up, and returns false, where f fails for a
// reason that time does not heal, or ctx ends.
func (s *Store) persist(ctx context.Context, f func(context.Context) error) bool {
	for pause := minBackoff; ; pause = min(2*pause, maxRetry) {
		err := f(ctx)
		if err == nil {
			s.healed(ctx)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		s.failed(ctx, err)
		if !transient(err) {
			return false
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false
		}
		// While the queue waits, an entry must still go and come.
		_ = s.retryRemovals(ctx)
	}
}

func (s *Store) failed(ctx context.Context, err error) {
	s.failures.Add(1)
	err = s.explain("write", err)
	if s.trouble.fail(err.Error(), s.opts.Now()) {
		s.opts.Log.ErrorContext(ctx, "store: can't write, trying again", "error", err)
	}
	// After an I/O error nobody knows what has reached the disk: the handle is
	// closed, and SQLite recovers from its log in a new one.
	if code := primary(err); code == sqlite3.SQLITE_IOERR || code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_READONLY {
		s.reopen(ctx)
	}
}

func (s *Store) healed(ctx context.Context) {
	if s.trouble.heal() {
		s.opts.Log.InfoContext(ctx, "store: writing again")
	}
}

// reopen makes the pool forget its connection.
func (s *Store) reopen(ctx context.Context) {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return
	}
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	// The new connection counts the changes of others anew.
	s.lists.version = -1
	_ = conn.Close()
}

// chores is what the writer does each second.
func (s *Store) chores(ctx context.Context) {
	for _, f := range []func(context.Context) error{s.retryRemovals, s.storeHits, s.follow} {
		if err := f(ctx); err != nil {
			if ctx.Err() == nil {
				s.failed(ctx, err)
			}
			return
		}
	}
	s.healed(ctx)
}

func (s *Store) inTx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

// writeRows writes cases and traces in one transaction. It may be repeated
// after a failure that left open whether it was committed.
func (s *Store) writeRows(ctx context.Context, rows []row, traces map[key]trace) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		if err := insertCases(ctx, tx, rows); err != nil {
			return err
		}
		return upsertTraces(ctx, tx, traces)
	})
	if err == nil {
		s.batches.Add(1)
	}
	return err
}

func insertCases(ctx context.Context, tx *sql.Tx, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	st, err := tx.PrepareContext(ctx,
		`INSERT INTO cases (ref, at, client, action, iprev, confirmed, codes, detail)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (ref) DO NOTHING`)
	if err != nil {
		return err
	}
	defer st.Close()
	for _, r := range rows {
		if _, err := st.ExecContext(ctx, r.ref, r.at, r.client, r.action, r.iprev, r.confirmed, r.codes, r.details); err != nil {
			return fmt.Errorf("case %s: %w", r.ref, err)
		}
	}
	return nil
}

func upsertTraces(ctx context.Context, tx *sql.Tx, traces map[key]trace) error {
	if len(traces) == 0 {
		return nil
	}
	st, err := tx.PrepareContext(ctx,
		`INSERT INTO addresses (client, first_seen, last_seen, result, negatives, negative_since, negative_last)
		 VALUES ($1, $2, $3, $4, $5, $6, $7)
		 ON CONFLICT (client) DO UPDATE SET first_seen = excluded.first_seen, last_seen = excluded.last_seen,
		 result = excluded.result, negatives = excluded.negatives,
		 negative_since = excluded.negative_since, negative_last = excluded.negative_last`)
	if err != nil {
		return err
	}
	defer st.Close()
	for k, t := range traces {
		_, err := st.ExecContext(ctx, k[:], diskTime(t.first), diskTime(t.last),
			int64(t.result), int64(t.negatives), diskTime(t.since), diskTime(t.counted))
		if err != nil {
			return err
		}
	}
	return nil
}

// diskTime turns the seconds of a trace into the microseconds of the tables.
func diskTime(sec uint32) int64 { return int64(sec) * 1_000_000 }

// memoryTime is the reverse of diskTime.
func memoryTime(v int64) uint32 { return uint32(min(v/1_000_000, math.MaxUint32)) }

// loadTraces fills the memory with the addresses seen last.
func (s *Store) loadTraces(ctx context.Context) error {
	rows, err := s.read.QueryContext(ctx,
		`SELECT client, first_seen, last_seen, result, negatives, negative_since, negative_last
		 FROM addresses ORDER BY last_seen DESC LIMIT $1`, s.opts.MaxTraces)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var client sql.RawBytes
		var first, last, result, negatives, since, counted int64
		if err := rows.Scan(&client, &first, &last, &result, &negatives, &since, &counted); err != nil {
			return err
		}
		if len(client) != len(key{}) {
			continue
		}
		disk := trace{
			first: memoryTime(first), last: memoryTime(last), since: memoryTime(since), counted: memoryTime(counted),
			negatives: uint8(negatives), result: uint8(result),
		}
		s.memory.change(key(client), func(t *trace) bool { t.merge(disk); return true })
	}
	return rows.Err()
}
