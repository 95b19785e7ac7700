package store

import (
	"context"
	"database/sql"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

const (
	purgeEvery = time.Hour
	// maxPurge bounds one Purge, in rows, so that it ends; the next one goes on.
	maxPurge = 100_000
)

// Run purges each hour until ctx ends, packs the lists for the next start, and
// checks a large file once from end to end. It returns nil.
func (s *Store) Run(ctx context.Context) error {
	pack := time.NewTicker(packEvery)
	defer pack.Stop()
	s.tidy(ctx, s.pack)
	s.checkWhole(ctx)
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	last, due := s.opts.Now(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-pack.C:
			s.tidy(ctx, s.pack)
			continue
		case <-tick.C:
		case <-s.sweep:
		}
		// A clock that has jumped must not cost all cases at once: the operator
		// gets until the next round to put it right.
		now, elapsed := s.opts.Now(), time.Since(due)
		jumped := now.Round(0).Sub(last.Round(0)) - elapsed
		last, due = now, time.Now()
		if jumped.Abs() > purgeEvery {
			s.opts.Log.WarnContext(ctx, "store: the clock has jumped, not purging this time", "by", jumped)
			continue
		}
		s.tidy(ctx, func(ctx context.Context) error {
			_, err := s.Purge(ctx)
			return err
		})
	}
}

// tidy does f, which will be done again in its time if it fails.
func (s *Store) tidy(ctx context.Context, f func(context.Context) error) {
	if err := f(ctx); err != nil && ctx.Err() == nil {
		s.failed(ctx, err)
	}
}

// checkWhole looks for damage in a file that was too large to be checked at
// the start.
func (s *Store) checkWhole(ctx context.Context) {
	err := s.explain("check", quickCheck(ctx, s.read))
	if err == nil || ctx.Err() != nil {
		return
	}
	s.opts.Log.ErrorContext(ctx, "store: check", "error", err)
	if code := primary(err); code == 0 || code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB {
		s.trouble.damaged(err.Error()+"; restore a backup, or move the file away and restart", "", s.opts.Now())
	}
}

// Purge deletes what is older than the retention, and the oldest of what is
// more than Options allow, in batches of at most 1,000 rows; it returns the
// number of rows. One call deletes at most 100,000; what remains waits for the
// next one. List entries are never purged, expired ones are only void.
func (s *Store) Purge(ctx context.Context) (int64, error) {
	s.sinceSweep.Store(0)
	limit := s.opts.Now().Add(-s.opts.Retention)
	s.memory.forget(limit)
	total := int64(0)
	for _, t := range []struct {
		oldest, del string
		keep        int
	}{
		{
			`SELECT coalesce((SELECT at FROM cases ORDER BY at DESC LIMIT 1 OFFSET $1), 0)`,
			`DELETE FROM cases WHERE ref IN (SELECT ref FROM cases WHERE at < $1 ORDER BY at LIMIT $2)`,
			s.opts.MaxCases,
		},
		{
			`SELECT coalesce((SELECT last_seen FROM addresses ORDER BY last_seen DESC LIMIT 1 OFFSET $1), 0)`,
			`DELETE FROM addresses WHERE client IN (SELECT client FROM addresses WHERE last_seen < $1 ORDER BY last_seen LIMIT $2)`,
			s.opts.MaxTraces,
		},
	} {
		var oldest int64
		if err := s.read.QueryRowContext(ctx, t.oldest, t.keep).Scan(&oldest); err != nil {
			return total, s.explain("purge", err)
		}
		n, err := s.deleteBatches(ctx, t.del, max(micros(limit), oldest+1))
		total += n
		if err != nil {
			return total, s.explain("purge", err)
		}
	}
	return total, nil
}

// deleteBatches runs del, with the time and the size of a batch, until it
// finds no more, each time in its own transaction, so that the writer gets its
// turn.
func (s *Store) deleteBatches(ctx context.Context, del string, before int64) (int64, error) {
	total := int64(0)
	for total < maxPurge {
		var n int64
		err := s.inTx(ctx, func(tx *sql.Tx) error {
			res, err := tx.ExecContext(ctx, del, before, maxBatch)
			if err != nil {
				return err
			}
			n, err = res.RowsAffected()
			return err
		})
		total += n
		if err != nil || n < maxBatch {
			return total, err
		}
	}
	return total, nil
}
