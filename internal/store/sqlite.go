package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// applicationID marks the file as ours ("Arpa"), so that the database of
	// another program is never touched.
	applicationID = 0x41727061
	// schemaVersion is the number of the last migration.
	schemaVersion = 3
	// checkLimit is the size up to which a file is checked from end to end
	// before it is used; a larger one is checked while it is used.
	checkLimit = 4 << 20

	busyTimeout = 5 * time.Second
	readers     = 4
)

// ErrDamaged is wrapped by the errors about a file that is no intact database.
var ErrDamaged = errors.New("store: damaged database")

// ErrSchema is wrapped by the errors about a database that is not of this
// version's making.
var ErrSchema = errors.New("store: foreign database")

var errClosed = errors.New("store: closed")

// access is what a connection is for.
type access int

const (
	reading access = iota
	writing
	alone // reading, with all others locked out and no shared memory
)

// connectBoth makes the pools, which connect when they are used.
func (s *Store) connectBoth() error {
	var err error
	if s.write, err = s.connect(1, writing); err == nil {
		s.read, err = s.connect(readers, reading)
	}
	return err
}

// connect returns a pool for the file. Every connection waits for another
// process's lock, and a transaction takes the write lock at its start.
func (s *Store) connect(n int, a access) (*sql.DB, error) {
	q := url.Values{
		"_txlock":       {"immediate"},
		"_busy_timeout": {strconv.FormatInt(busyTimeout.Milliseconds(), 10)},
		"_synchronous":  {"FULL"},
		"_dqs":          {"0"},
		"_defensive":    {"1"},
		// Deleted details are overwritten; the log is cut back after a burst.
		"_pragma": {"secure_delete(1)", "journal_size_limit(67108864)", "cell_size_check(1)", "trusted_schema(0)"},
	}
	switch a {
	case writing:
		q.Set("_journal_mode", "WAL")
	case reading:
		q.Set("_query_only", "1")
	case alone:
		q.Set("_query_only", "1")
		q["_pragma"] = append([]string{"locking_mode(EXCLUSIVE)"}, q["_pragma"]...)
	}
	// SQLite reads no plus sign as a blank.
	dsn := "file:" + (&url.URL{Path: s.path}).EscapedPath() + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("store: open: %w", err)
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

func (s *Store) closeConns() {
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			_ = db.Close()
		}
	}
	s.read, s.write = nil, nil
}

func (s *Store) closeFiles() {
	s.closeConns()
	s.lock.release()
}

// explain puts an error of the database in the operator's terms.
func (s *Store) explain(what string, err error) error {
	if err == nil || errors.Is(err, ErrDamaged) || errors.Is(err, ErrSchema) {
		return err
	}
	switch primary(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %q: %w", ErrDamaged, s.path, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("store: %s: the disk of %q is full: %w", what, s.path, err)
	case sqlite3.SQLITE_IOERR:
		return fmt.Errorf("store: %s: the disk of %q fails or is full: %w", what, s.path, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("store: %s: another process has locked %q: %w", what, s.path, err)
	}
	return fmt.Errorf("store: %s: %w", what, err)
}

// primary returns the primary result code of SQLite, 0 for another error.
func primary(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// transient reports whether the same statements may succeed later.
func transient(err error) bool {
	switch primary(err) {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL,
		sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return true
	}
	return errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "bad connection")
}

func dataVersion(ctx context.Context, db *sql.DB) (int64, error) {
	var v int64
	err := db.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&v)
	return v, err
}

// maxMicros is the end of the year 9999.
const maxMicros = 253402300799000000

// micros returns t in microseconds since 1970; 0 for the zero time and for
// what lies before, and at most the end of the year 9999.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	if t.Unix() > maxMicros/1_000_000 {
		return maxMicros
	}
	return max(0, t.UnixMicro())
}

func fromMicros(v int64) time.Time {
	if v <= 0 {
		return time.Time{}
	}
	return time.UnixMicro(min(v, maxMicros)).UTC()
}
