package store

import (
	"context"
	"database/sql"
	"iter"
	"runtime/debug"
	"strings"
)

func compareText(a, b Entry) int { return strings.Compare(a.Text(), b.Text()) }

// readEntries calls f for each entry of a list, of both for "". Rows that are
// no entry, for they were written by other hands, are left out.
func readEntries(ctx context.Context, db *sql.DB, list List, f func(Entry)) error {
	rows, err := db.QueryContext(ctx,
		`SELECT list, entry, reason, owner, created, expiry, hits, last_use FROM entries WHERE list = $1 OR $1 = ''`, string(list))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name, text, reason, owner string
		var created, expiry, hits, lastUse int64
		if err := rows.Scan(&name, &text, &reason, &owner, &created, &expiry, &hits, &lastUse); err != nil {
			return err
		}
		e, err := ParseEntry(List(name), text)
		if err != nil {
			continue
		}
		e.Reason, e.Owner, e.Hits = reason, owner, hits
		e.Created, e.Expiry, e.LastUse = fromMicros(created), fromMicros(expiry), fromMicros(lastUse)
		f(e)
	}
	return rows.Err()
}

// readTable returns all entries as a table, and their number, with the rules
// of old where they are the same. A start must not take longer than 100 ms
// with 100,000 entries: hence one goroutine reads while another inserts. The
// result is of use with an errSpoiled too.
func readTable(ctx context.Context, db *sql.DB, old *table) (*table, int64, error) {
	batches := make(chan iter.Seq[record], 8)
	var readErr error
	go func() {
		defer close(batches)
		readErr = readRecords(ctx, db, func(batch iter.Seq[record]) { batches <- batch })
	}()
	first := old.empty()
	if first {
		defer pauseGC()()
	}
	t, n := newTable(), int64(0)
	for batch := range batches {
		if first {
			n += t.fill(batch)
		} else {
			n += t.refill(batch, old)
		}
	}
	return t, n, readErr
}

// pauseGC keeps the garbage collector from running until resume is called:
// nearly all that the first reading allocates stays, and to look for garbage in
// it, four times on the way, takes a third of the time. A memory limit
// (GOMEMLIMIT) holds all the same. Of several pauses at a time the first to
// begin ends them all.
func pauseGC() (resume func()) {
	before := debug.SetGCPercent(-1)
	return func() {
		if before >= 0 {
			debug.SetGCPercent(before)
		}
	}
}

// fill inserts the records, and returns their number. The rules lie side by
// side and share the memory that the records came in.
func (t *table) fill(batch iter.Seq[record]) int64 {
	n, rules := int64(0), []rule(nil)
	for rec := range batch {
		if len(rules) == 0 {
			rules = make([]rule, 256)
		}
		t.insert(rec.at, rules[0].set(rec))
		rules = rules[1:]
		n++
	}
	return n
}

// refill is fill with the rules of old where they are the same. A new rule gets
// memory of its own: a change each second must not keep a batch each.
func (t *table) refill(batch iter.Seq[record], old *table) int64 {
	n := int64(0)
	for rec := range batch {
		r := old.get(rec.at, rec.list)
		if !r.same(rec) {
			rec = rec.clone()
			r = new(rule).set(rec)
		}
		t.insert(rec.at, r)
		n++
	}
	return n
}
