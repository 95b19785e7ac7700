package store

import (
	"bytes"
	"context"
	"database/sql"
	"strconv"
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

// fieldEnd and lineEnd stand behind the fields and lines of readLines; no field
// has them in it, for they are not printable.
const (
	fieldEnd = '\x1f'
	lineEnd  = '\x1e'
	chunkLen = 64 << 10
)

// readTable returns all entries as a table, and their number, with the rules
// of old where they are the same. A start must not take longer than 100 ms
// with 100,000 entries: hence one goroutine reads while another parses.
func readTable(ctx context.Context, db *sql.DB, old *table) (*table, int64, error) {
	chunks := make(chan []byte, 8)
	var readErr error
	go func() {
		defer close(chunks)
		readErr = readLines(ctx, db, chunks)
	}()
	t, n, same := newTable(), int64(0), make(map[string]string)
	for chunk := range chunks {
		for len(chunk) > 0 {
			var line []byte
			line, chunk = cut(chunk, lineEnd)
			e, text, err := parseLine(line, same)
			if err != nil {
				continue // written by other hands
			}
			r := newRule(e, text)
			if was := old.get(e); r.same(was) {
				r = was
			}
			t.insert(e, r)
			n++
		}
	}
	return t, n, readErr
}

// readLines sends the entries as lines of text: one column costs a third of
// what six do.
func readLines(ctx context.Context, db *sql.DB, chunks chan<- []byte) error {
	// A context that can end costs more for each row than the row itself.
	rows, err := db.QueryContext(context.WithoutCancel(ctx),
		`SELECT list || $1 || entry || $1 || created || $1 || expiry || $1 || owner || $1 || reason || $2 FROM entries`,
		string(fieldEnd), string(lineEnd))
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
			chunks <- chunk
			chunk = make([]byte, 0, chunkLen)
		}
		chunk = append(chunk, line...)
	}
	chunks <- chunk
	return rows.Err()
}

// parseLine reads one line of readLines, and returns the entry and its text.
// Texts that many entries share are kept once, in same.
func parseLine(line []byte, same map[string]string) (Entry, string, error) {
	var fields [6][]byte
	for i := range fields {
		fields[i], line = cut(line, fieldEnd)
	}
	text := string(fields[1])
	// Add has checked it; what others have written counts as they wrote it.
	e, err := parseTarget(text)
	if err != nil {
		return Entry{}, "", err
	}
	if e.List = Block; string(fields[0]) == string(Allow) {
		e.List = Allow
	}
	created, err := strconv.ParseInt(string(fields[2]), 10, 64)
	if err != nil {
		return Entry{}, "", err
	}
	expiry, err := strconv.ParseInt(string(fields[3]), 10, 64)
	e.Created, e.Expiry = fromMicros(created), fromMicros(expiry)
	e.Owner, e.Reason = once(same, fields[4]), once(same, fields[5])
	return e, text, err
}

// cut returns what stands before and behind the first end.
func cut(b []byte, end byte) (before, after []byte) {
	if i := bytes.IndexByte(b, end); i >= 0 {
		return b[:i], b[i+1:]
	}
	return b, nil
}

func once(same map[string]string, b []byte) string {
	s, ok := same[string(b)]
	if !ok {
		s = string(b)
		same[s] = s
	}
	return s
}
