package store_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/arpagate/arpagate/internal/store"
)

// listed is the number of networks and domains in the lists of packed.
const listed = 300

// packed makes a closed database with packed entries, spread over four pages:
// one domain in ten, else addresses, and every third in both lists.
func packed(t *testing.T, path string) {
	t.Helper()
	s := open(t, path, store.Options{Daemon: true})
	db := raw(t, path)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	id := 0
	for i := range listed {
		lists := []store.List{store.Block, store.Allow}
		text := fmt.Sprintf("10.0.%d.%d/32", i/250, i%250)
		if i%10 == 0 {
			text = fmt.Sprintf("host%d.example.org", i)
		}
		if i%3 != 0 {
			lists = lists[i%2 : i%2+1]
		}
		for _, list := range lists {
			id += 8
			if _, err := tx.Exec(`INSERT INTO entries VALUES ($1, $2, $3, $4, 'ops', $5, $6, 0, 0)`,
				id, string(list), text, fmt.Sprint("ticket ", i/100), start.UnixMicro()+int64(i), int64(i%2)*start.AddDate(1, 0, 0).UnixMicro()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	if n := packs(t, path); n != 4 {
		t.Fatalf("%d packs", n)
	}
}

func packs(t *testing.T, path string) (n int) {
	t.Helper()
	if err := raw(t, path).QueryRow(`SELECT count(*) FROM packs`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// sameAsRows compares every entry in memory with the rows.
func sameAsRows(t *testing.T, s *store.Store) {
	t.Helper()
	want := map[string]store.Entry{}
	total := 0
	for _, list := range []store.List{store.Block, store.Allow} { // allow counts
		entries, err := s.Entries(t.Context(), list)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			want[e.Text()] = e
		}
		total += len(entries)
	}
	if n := s.Stats().Entries; n != total {
		t.Errorf("%d entries in memory, %d rows", n, total)
	}
	for i := range listed {
		for text, ask := range map[string][2]string{
			fmt.Sprintf("10.0.%d.%d/32", i/250, i%250): {fmt.Sprintf("10.0.%d.%d", i/250, i%250), ""},
			fmt.Sprintf("host%d.example.org", i):       {"192.0.2.1", fmt.Sprintf("host%d.example.org", i)},
		} {
			wanted := ""
			if e, ok := want[text]; ok {
				wanted = fmt.Sprint(e.List, " ", text)
			}
			if got := counting(s, newClock(), ask[0], ask[1]); got != wanted {
				t.Fatalf("%s: %q counts, the rows say %q", text, got, wanted)
			}
		}
	}
}

// Whoever changes the rows, and however: what is packed is never older.
func TestPacksAreNeverOlderThanRows(t *testing.T) {
	t.Parallel()
	const columns = ` INTO entries (list, entry, reason, owner, created, expiry, hits, last_use) VALUES `
	for _, tc := range []struct {
		name, sql string
		left      int // packs
	}{
		{"nothing", `SELECT 1`, 4},
		{"hits", `UPDATE entries SET hits = hits + 1, last_use = 7`, 4},
		{"insert", `INSERT` + columns + `('block', '10.0.0.0/32', '', '', 0, 0, 0, 0)`, 3},
		{"insert of what is there", `INSERT OR IGNORE` + columns + `('block', '10.0.0.2/32', '', '', 0, 0, 0, 0)`, 3},
		{"insert into the first page", `INSERT INTO entries VALUES (-5, 'block', '10.0.0.0/32', '', '', 0, 0, 0, 0)`, 4},
		{"replace", `REPLACE` + columns + `('block', '10.0.0.2/32', '', '', 0, 0, 0, 0)`, 2},
		{"replace by id", `REPLACE INTO entries VALUES (8, 'block', '10.0.0.0/32', '', '', 0, 0, 0, 0)`, 3},
		{"delete", `DELETE FROM entries WHERE entry = '10.0.0.1/32'`, 3},
		{"delete of all", `DELETE FROM entries`, 0},
		{"expiry", `UPDATE entries SET expiry = 1900000000000000 WHERE entry = '10.0.0.1/32'`, 3},
		{"other list", `UPDATE OR IGNORE entries SET list = 'allow'`, 0},
		{"replace by update", `UPDATE OR REPLACE entries SET entry = '10.0.1.1/32' WHERE entry = '10.0.0.1/32'`, 2},
		{"other id", `UPDATE entries SET id = id + 100000 WHERE entry = '10.0.0.1/32'`, 3},
		{"ids after VACUUM", `DELETE FROM entries WHERE id < 1000; VACUUM; DELETE FROM entries WHERE id = 3000`, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			packed(t, path)
			exec(t, path, tc.sql)
			if n := packs(t, path); n != tc.left {
				t.Errorf("%d packs are left, want %d", n, tc.left)
			}
			for _, opts := range []store.Options{{}, {Daemon: true}, {}} { // the second packs
				s := open(t, path, opts)
				sameAsRows(t, s)
				if n := s.Stats().Spoiled; n != 0 {
					t.Errorf("damage was found %d times", n)
				}
				shut(t, s)
			}
		})
	}
}

func TestDamagedPacks(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"cut":      `UPDATE packs SET pack = substr(pack, 1, 100) WHERE page = 1`,
		"zeroes":   `UPDATE packs SET pack = zeroblob(length(pack)) WHERE page = 1`,
		"moved":    `DELETE FROM packs WHERE page = 0; UPDATE packs SET page = 0 WHERE page = 1`,
		"no octet": `UPDATE packs SET pack = x''`,
		"checksum": `UPDATE packs SET checksum = checksum + 1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			packed(t, path)
			exec(t, path, damage)
			s := open(t, path, store.Options{Daemon: true})
			sameAsRows(t, s)
			if st := s.Stats(); st.Spoiled != 1 {
				t.Errorf("%+v", st)
			}
			stop := run(t, s)
			eventually(t, "new packs", func() bool { return packs(t, path) == 4 })
			stop()
			shut(t, s)
			s = open(t, path, store.Options{Daemon: true})
			sameAsRows(t, s)
			if st := s.Stats(); st.Spoiled != 0 {
				t.Errorf("still damaged: %+v", st)
			}
		})
	}
}

// A database of the first version, with its hits.
func TestMigrationOfEntries(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	db := raw(t, path)
	db.SetMaxOpenConns(1)
	p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	exec(t, path, `PRAGMA application_id = 1098018913`,
		`INSERT INTO entries VALUES ('block', '192.0.2.0/24', 'old', 'ops', 1, 0, 17, 2)`)
	s := open(t, path, store.Options{Daemon: true})
	if got := counting(s, newClock(), "192.0.2.1", ""); got != "block 192.0.2.0/24" {
		t.Errorf("%q counts", got)
	}
	if e, err := s.Entries(t.Context(), store.Block); err != nil || len(e) != 1 || e[0].Hits != 17 || e[0].Reason != "old" {
		t.Errorf("%+v, %v", e, err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add("\x06\x0d192.0.2.0/24\xc0\x00\x02\x00\x18\x02\x00\x07ops\x1fold")
	f.Add("\x03\x0bexample.org\x02\x00\x00")
	f.Fuzz(func(t *testing.T, pack string) {
		once := store.Repack(pack)
		if twice := store.Repack(once); twice != once {
			t.Errorf("%q, then %q", once, twice)
		}
	})
}
