package store

import (
	"context"
	"database/sql"
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
