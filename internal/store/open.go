package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pressly/goose/v3"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

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
	if c := primary(err); s.opts.Daemon && (c == sqlite3.SQLITE_FULL || c == sqlite3.SQLITE_IOERR) {
		s.closeConns()
		err = s.openFull(ctx, err)
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

// openFile opens and checks the database and reads the lists; sole says that
// nobody else has it open for the purpose of changing its schema.
func (s *Store) openFile(ctx context.Context, sole bool) error {
	st, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = create(s.path)
	case err == nil && st.Size() == 0:
		err = fmt.Errorf("%w: %q has no content", ErrDamaged, s.path)
	}
	if err != nil {
		return err
	}
	if err := s.connectBoth(); err != nil {
		return err
	}
	if err := s.prepare(ctx, st, sole); err != nil {
		return s.explain("open", err)
	}
	// Before the lists: what another process changes from here on is followed.
	if s.lists.version, err = dataVersion(ctx, s.write); err != nil {
		return s.explain("open", err)
	}
	return s.explain("read the lists", s.lists.reload(ctx, s.read))
}

// create makes the file, which is nobody's but the owner's of the directory.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrURL, err)
	}
	return errors.Join(giveToOwner(f, filepath.Dir(path)), f.Close())
}

// openFull opens a database for which the disk has no room: SQLite then finds
// no place for its shared memory. The lists are read without it, and the
// writer tries on until there is room. What was wrong is cause.
func (s *Store) openFull(ctx context.Context, cause error) error {
	db, err := s.connect(1, alone)
	if err != nil {
		return cause
	}
	defer db.Close()
	if version, err := schema(ctx, db, s.path); err != nil || version != schemaVersion {
		return cause
	}
	if err := s.lists.reload(ctx, db); err != nil {
		return cause
	}
	if err := s.connectBoth(); err != nil {
		return err
	}
	s.failed(ctx, cause)
	return nil
}

// prepare checks library and file, and migrates the schema. st is the file as
// it was found, nil for none.
func (s *Store) prepare(ctx context.Context, st fs.FileInfo, sole bool) error {
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
	if !sole {
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
func schema(ctx context.Context, db *sql.DB, path string) (int64, error) {
	var id, tables, version int64
	err := db.QueryRowContext(ctx,
		`SELECT application_id, (SELECT count(*) FROM sqlite_schema), (SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version')
		 FROM pragma_application_id`).Scan(&id, &tables, &version)
	if err != nil {
		return 0, err
	}
	if id != applicationID && tables > 0 {
		return 0, fmt.Errorf("%w: %q is a database of another program: name another file", ErrSchema, path)
	}
	if version == 0 {
		return 0, nil
	}
	if err := db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version`).Scan(&version); err != nil {
		return 0, err
	}
	if version > schemaVersion {
		return 0, fmt.Errorf("%w: %q was written by a later version of arpagate (schema %d, this one knows %d): use that version, or another file",
			ErrSchema, path, version, schemaVersion)
	}
	return version, nil
}

func (s *Store) migrate(ctx context.Context) error {
	version, err := schema(ctx, s.write, s.path)
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
	const pause = 50 * time.Millisecond
	for n := lockPatience / pause; ; n-- {
		version, err := schema(ctx, s.write, s.path)
		if err != nil || version == schemaVersion {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%w: the daemon that serves %q is of an earlier version (schema %d, this one needs %d): restart it",
				ErrSchema, s.path, version, schemaVersion)
		}
		select {
		case <-time.After(pause):
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
	db, err := (&Store{path: aside, opts: s.opts}).connect(1, reading)
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
