package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	// pageBits is the number of bits of an id that tell the entries of one page
	// apart. The triggers of 00002_packs.sql know it too.
	pageBits = 10
	pageLen  = 1 << pageBits
	// packEvery is how often the daemon packs what has changed: an entry that
	// comes each second makes it write one page a minute, not sixty.
	packEvery = time.Minute
	chunkLen  = 64 << 10
)

// errSpoiled says that some packs are not what was written. The rows have been
// read instead.
var errSpoiled = errors.New("store: damaged packs of list entries")

// readRecords calls f with the records of all entries, some at a time: those of
// the pages that have a pack on disk from there, all others from their rows.
// The error is errSpoiled where nothing but packs are bad.
func readRecords(ctx context.Context, db *sql.DB, f func(iter.Seq[record])) error {
	// A context that can end costs more for each row than the row itself.
	ctx = context.WithoutCancel(ctx)
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one state of both tables
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // it has read only
	pages, spoiled := readPacks(ctx, tx, f)
	if spoiled != nil && !errors.Is(spoiled, errSpoiled) {
		return spoiled
	}
	for from, to := range gaps(pages) {
		if err := readRows(ctx, tx, from, to, f); err != nil {
			return err
		}
	}
	return spoiled
}

// readPacks calls f with the records of each pack that is sound, and returns
// their pages in order.
func readPacks(ctx context.Context, tx *sql.Tx, f func(iter.Seq[record])) (pages []int64, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT page, checksum, pack FROM packs ORDER BY page`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var spoiled error
	for rows.Next() {
		var page, sum int64
		var pack sql.RawBytes
		if err := rows.Scan(&page, &sum, &pack); err != nil {
			return nil, err
		}
		if sum != checksum(page, pack) {
			spoiled = errSpoiled
			continue
		}
		f(unpack(string(pack)))
		pages = append(pages, page)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return pages, spoiled
}

// gaps yields the first and last id of each stretch that is on none of the
// pages, which are in order.
func gaps(pages []int64) iter.Seq2[int64, int64] {
	return func(yield func(int64, int64) bool) {
		from := int64(math.MinInt64)
		for _, page := range pages {
			first := page << pageBits
			if from < first && !yield(from, first-1) {
				return
			}
			from = first + pageLen
		}
		yield(from, math.MaxInt64)
	}
}

// lineEnd stands behind the lines of readRows.
const lineEnd = "\x1e"

// readRows calls f with the records of the rows with these ids, read as lines
// of text: six columns would cost three times as much as one.
func readRows(ctx context.Context, tx *sql.Tx, from, to int64, f func(iter.Seq[record])) error {
	rows, err := tx.QueryContext(ctx,
		`SELECT list || $1 || entry || $1 || created || $1 || expiry || $1 || owner || $1 || reason || $2
		 FROM entries WHERE id BETWEEN $3 AND $4 ORDER BY id`, wordsEnd, lineEnd, from, to)
	if err != nil {
		return err
	}
	defer rows.Close()
	var line sql.RawBytes
	chunk := make([]byte, 0, chunkLen)
	for rows.Next() {
		if err := rows.Scan(&line); err != nil {
			return err
		}
		if len(chunk)+len(line) > chunkLen {
			f(parseLines(string(chunk)))
			chunk = chunk[:0]
		}
		chunk = append(chunk, line...)
	}
	f(parseLines(string(chunk)))
	return rows.Err()
}

// parseLines yields the records of lines. What Add has not checked, for others
// have written it, counts as they wrote it, if it can be read at all.
func parseLines(lines string) iter.Seq[record] {
	return func(yield func(record) bool) {
		for line := range strings.SplitSeq(lines, lineEnd) {
			if r, err := parseLine(line); err == nil && !yield(r) {
				return
			}
		}
	}
}

func parseLine(line string) (record, error) {
	var fields [4]string
	for i := range fields {
		fields[i], line, _ = strings.Cut(line, wordsEnd)
	}
	r := record{list: List(fields[0]), text: fields[1], words: line}
	network, domain, err := parseTarget(r.text)
	if err != nil {
		return record{}, err
	}
	if r.at = (target{network, domain.String()}); r.at.domain != "" {
		r.text = r.at.domain
	}
	if r.created, err = strconv.ParseInt(fields[2], 10, 64); err != nil {
		return record{}, err
	}
	r.expiry, err = strconv.ParseInt(fields[3], 10, 64)
	return r, err
}

// pack packs the pages that have no pack, each in its own transaction, so that
// the writer gets its turn.
func (s *Store) pack(ctx context.Context) error {
	if s.lists.spoiled.CompareAndSwap(true, false) {
		if _, err := s.write.ExecContext(ctx, `DELETE FROM packs`); err != nil {
			s.lists.spoiled.Store(true)
			return err
		}
		s.opts.Log.WarnContext(ctx, "store: damaged packs of list entries deleted, the entries were read from their rows")
	}
	todo, err := unpacked(ctx, s.read)
	for _, page := range todo {
		if err == nil {
			err = s.inTx(ctx, func(tx *sql.Tx) error { return packPage(ctx, tx, page) })
		}
	}
	if err != nil {
		return fmt.Errorf("store: pack the lists: %w", err)
	}
	return nil
}

// unpacked returns the pages that have entries and no pack.
func unpacked(ctx context.Context, db *sql.DB) ([]int64, error) {
	packed, err := readInts(ctx, db, `SELECT page FROM packs ORDER BY page`)
	if err != nil {
		return nil, err
	}
	var todo []int64
	for from, to := range gaps(packed) {
		pages, err := readInts(ctx, db, `SELECT DISTINCT id >> $1 FROM entries WHERE id BETWEEN $2 AND $3`, pageBits, from, to)
		if err != nil {
			return nil, err
		}
		todo = append(todo, pages...)
	}
	return todo, nil
}

func readInts(ctx context.Context, db *sql.DB, query string, args ...any) ([]int64, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, rows.Err()
}

// packPage writes the pack of a page.
func packPage(ctx context.Context, tx *sql.Tx, page int64) error {
	first := page << pageBits
	var p packer
	err := readRows(ctx, tx, first, first+pageLen-1, func(records iter.Seq[record]) {
		for r := range records {
			p.add(r)
		}
	})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO packs (page, checksum, pack) VALUES ($1, $2, $3)`,
		page, checksum(page, p.pack), p.pack)
	return err
}
