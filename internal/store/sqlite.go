package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// applicationID marks the file as ours ("Arpa"), so that the database of
	// another program is never touched.
	applicationID = 0x41727061
	// schemaVersion is the number of the last migration.
	schemaVersion = 1
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

// open takes the lock, opens the file, and reads the lists.
func (s *Store) open(ctx context.Context) error {
	if err := checkPlace(s.path); err != nil {
		return err
	}
	lock, err := acquire(ctx, s.path, s.opts.Daemon)
	if err != nil {
		return err
	}
	s.lock = lock
	err = s.openFile(ctx, lock != nil)
	if errors.Is(err, ErrDamaged) && s.opts.Daemon {
		s.closeConns()
		err = s.replace(ctx, err)
	}
	if err == nil && s.opts.Daemon {
		err = lock.keep()
	}
	if err != nil {
		s.closeFiles()
		return err
	}
	if !s.opts.Daemon {
		lock.release()
		s.lock = nil
	}
	return nil
}

// openFile opens and checks the database and reads the lists; alone says that
// nobody else has it open for the purpose of changing its schema.
func (s *Store) openFile(ctx context.Context, alone bool) error {
	st, err := os.Stat(s.path)
	if err == nil && st.Size() == 0 {
		return fmt.Errorf("%w: %q has no content", ErrDamaged, s.path)
	}
	if s.write, err = s.connect(1, false); err != nil {
		return err
	}
	if err := s.prepare(ctx, st, alone); err != nil {
		return s.explain("open", err)
	}
	if s.read, err = s.connect(readers, true); err != nil {
		return err
	}
	if err := s.lists.load(ctx, s.read); err != nil {
		return s.explain("read the lists", err)
	}
	s.lists.version, err = dataVersion(ctx, s.write)
	return s.explain("open", err)
}

// connect returns a pool for the file. Every connection waits for another
// process's lock, and a transaction takes the write lock at its start.
func (s *Store) connect(n int, queryOnly bool) (*sql.DB, error) {
	q := url.Values{
		"_txlock":       {"immediate"},
		"_busy_timeout": {strconv.FormatInt(busyTimeout.Milliseconds(), 10)},
		"_synchronous":  {"FULL"},
		"_dqs":          {"0"},
		"_defensive":    {"1"},
		// Deleted details are overwritten; the log is cut back after a burst.
		"_pragma": {"secure_delete(1)", "journal_size_limit(67108864)", "cell_size_check(1)", "trusted_schema(0)"},
		// The database gets the permissions of the lock file.
		"modeof": {s.path + ".lock"},
	}
	if queryOnly {
		q.Set("_query_only", "1")
	} else {
		q.Set("_journal_mode", "WAL")
	}
	dsn := "file:" + (&url.URL{Path: s.path}).EscapedPath() + "?" + q.Encode()
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("store: open: %w", err)
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// prepare checks library and file, and migrates the schema. st is the file as
// it was found, nil for none.
func (s *Store) prepare(ctx context.Context, st fs.FileInfo, alone bool) error {
	var version string
	if err := s.write.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version); err != nil {
		return err
	}
	if err := checkLibrary(version); err != nil {
		return err
	}
	if st != nil && st.Size() <= checkLimit {
		if err := quickCheck(ctx, s.write); err != nil {
			return err
		}
	}
	if !alone {
		return s.awaitSchema(ctx)
	}
	return s.migrate(ctx)
}

// checkLibrary refuses SQLite before 3.51.3, which can corrupt a database in
// WAL mode that two processes write.
func checkLibrary(version string) error {
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return fmt.Errorf("store: SQLite version %q: %w", version, err)
	}
	if major*1_000_000+minor*1000+patch < 3_051_003 {
		return fmt.Errorf("store: SQLite %s can corrupt databases: build with 3.51.3 or later", version)
	}
	return nil
}

func quickCheck(ctx context.Context, db *sql.DB) error {
	var result string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&result); err != nil {
		return err
	}
	if result != "ok" {
		return fmt.Errorf("%w: %s", ErrDamaged, result)
	}
	return nil
}

// schema returns the number of the last migration in the file, 0 for none.
func (s *Store) schema(ctx context.Context) (int64, error) {
	var id, tables, version int64
	err := s.write.QueryRowContext(ctx,
		`SELECT application_id, (SELECT count(*) FROM sqlite_schema), (SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version')
		 FROM pragma_application_id`).Scan(&id, &tables, &version)
	if err != nil {
		return 0, err
	}
	if id != applicationID && tables > 0 {
		return 0, fmt.Errorf("%w: %q is a database of another program: name another file", ErrSchema, s.path)
	}
	if version == 0 {
		return 0, nil
	}
	if err := s.write.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version`).Scan(&version); err != nil {
		return 0, err
	}
	if version > schemaVersion {
		return 0, fmt.Errorf("%w: %q was written by a later version of arpagate (schema %d, this one knows %d): use that version, or another file",
			ErrSchema, s.path, version, schemaVersion)
	}
	return version, nil
}

func (s *Store) migrate(ctx context.Context) error {
	version, err := s.schema(ctx)
	if err != nil || version == schemaVersion {
		return err
	}
	// Marked first: a process killed in between leaves an empty file of ours.
	if _, err := s.write.ExecContext(ctx, `PRAGMA application_id = `+strconv.Itoa(applicationID)); err != nil {
		return err
	}
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, dir,
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(s.opts.Log))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// awaitSchema waits for a daemon that has the file to finish its migration.
func (s *Store) awaitSchema(ctx context.Context) error {
	for end := s.opts.Now().Add(lockPatience); ; {
		version, err := s.schema(ctx)
		if err != nil || version == schemaVersion {
			return err
		}
		if s.opts.Now().After(end) {
			return fmt.Errorf("%w: the daemon that serves %q is of an earlier version (schema %d, this one needs %d): restart it",
				ErrSchema, s.path, version, schemaVersion)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// replace sets the damaged file aside and starts an empty one, into which it
// carries what can still be read of the lists.
func (s *Store) replace(ctx context.Context, cause error) error {
	now := s.opts.Now().UTC()
	aside := s.path + ".corrupt-" + now.Format("20060102T150405.000000Z")
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Rename(s.path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("store: set the damaged file aside: %w", err)
		}
	}
	if err := s.openFile(ctx, true); err != nil {
		return err
	}
	saved := s.salvage(ctx, aside)
	why := fmt.Sprintf("%v; it was set aside as %s, and the database starts empty but for %d list entries: restore a backup, or enter the missing ones again",
		cause, filepath.Base(aside), saved)
	s.trouble.damaged(why, aside, now)
	s.opts.Log.ErrorContext(ctx, "store: damaged database set aside",
		"cause", cause.Error(), "aside", aside, "list_entries_saved", saved)
	return nil
}

// salvage copies the list entries that can be read from a damaged file, and
// returns their number.
func (s *Store) salvage(ctx context.Context, aside string) int {
	db, err := (&Store{path: aside, opts: s.opts}).connect(1, true)
	if err != nil {
		return 0
	}
	defer db.Close()
	saved := 0
	_ = readEntries(ctx, db, "", func(e Entry) {
		if _, err := e.canonical(); err == nil && s.Add(ctx, e) == nil {
			saved++
		}
	})
	return saved
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
