package store_test

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/store"
)

func TestParseEntry(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, list, text, want string // want "" is an error
	}{
		{"network", "allow", "192.0.2.0/24", "192.0.2.0/24"},
		{"address", "allow", "192.0.2.1", "192.0.2.1/32"},
		{"IPv6 address", "block", "2001:DB8::1", "2001:db8::1/128"},
		{"domain", "allow", "Mail.Example.ORG.", "mail.example.org"},
		{"blanks around", "allow", " 192.0.2.1\t", "192.0.2.1/32"},
		{"C089 T058 host bits", "allow", "192.0.2.1/24", ""},
		{"C090 IPv4-mapped", "block", "::ffff:192.0.2.0/120", "192.0.2.0/24"},
		{"T055 mapped address", "block", "::ffff:192.0.2.1", "192.0.2.1/32"},
		{"C090 more than the IPv4-mapped", "block", "::ffff:0:0/90", ""},
		{"C090 all of the IPv4-mapped", "block", "::ffff:0:0/96", ""},
		{"C091 comment at end", "allow", "192.0.2.0/24 # customer", ""},
		{"C092 blank", "allow", " ", ""},
		{"T056 zone id", "block", "fe80::1%eth0", ""},
		{"T057 leading zeros", "block", "192.0.02.1", ""},
		{"T059 empty", "block", "", ""},
		{"everybody", "block", "0.0.0.0/0", ""},
		{"everybody in IPv6", "allow", "::/0", ""},
		{"bad length", "block", "192.0.2.0/33", ""},
		{"wildcard", "allow", "*.example.org", ""},
		{"single label", "allow", "localhost", ""},
		{"registry", "allow", "co.uk", ""},
		{"registry of a provider may be blocked", "block", "co.uk", "co.uk"},
		{"other list", "grey", "192.0.2.1", ""},
		{"SQL", "allow", "'; DROP TABLE entries; --", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, err := store.ParseEntry(store.List(tc.list), tc.text)
			if tc.want == "" {
				if !errors.Is(err, store.ErrEntry) {
					t.Errorf("%q: %v, %v; want ErrEntry", tc.text, e, err)
				}
				return
			}
			if err != nil || e.Text() != tc.want {
				t.Errorf("%q: %q, %v; want %q", tc.text, e.Text(), err, tc.want)
			}
		})
	}
}

// entry is a list entry of a table: list, text, time to its expiry (0: never).
type entry struct {
	list   store.List
	text   string
	expiry time.Duration
}

func TestWhichEntryCounts(t *testing.T) {
	t.Parallel()
	const allow, block = store.Allow, store.Block
	for _, tc := range []struct {
		name      string
		entries   []entry
		client    string
		confirmed string
		want      string // "allow 192.0.2.0/24", "" for neither
	}{
		{"nothing", nil, "192.0.2.1", "mail.example.org", ""},
		{"C086 overlap, longest allows", []entry{{block, "192.0.2.0/24", 0}, {allow, "192.0.2.0/28", 0}}, "192.0.2.1", "", "allow 192.0.2.0/28"},
		{"C086 overlap, longest blocks", []entry{{allow, "192.0.2.0/24", 0}, {block, "192.0.2.0/28", 0}}, "192.0.2.1", "", "block 192.0.2.0/28"},
		{"C087 same prefix in both", []entry{{block, "192.0.2.0/24", 0}, {allow, "192.0.2.0/24", 0}}, "192.0.2.1", "", "allow 192.0.2.0/24"},
		{"C093 duplicate", []entry{{block, "192.0.2.0/24", 0}, {block, "192.0.2.0/24", 0}}, "192.0.2.1", "", "block 192.0.2.0/24"},
		{"T072 expired block", []entry{{block, "192.0.2.0/24", -time.Second}}, "192.0.2.1", "", ""},
		{"T072 block that expires now", []entry{{block, "192.0.2.0/24", time.Nanosecond}}, "192.0.2.1", "", ""},
		{"T072 expired allow uncovers block", []entry{{allow, "192.0.2.0/24", -time.Hour}, {block, "192.0.2.0/24", 0}}, "192.0.2.1", "", "block 192.0.2.0/24"},
		{"expired longest uncovers shorter", []entry{{block, "192.0.2.0/28", -time.Hour}, {allow, "192.0.2.0/24", 0}}, "192.0.2.1", "", "allow 192.0.2.0/24"},
		{"not yet expired", []entry{{block, "192.0.2.0/24", time.Hour}}, "192.0.2.1", "", "block 192.0.2.0/24"},
		{"C090 client IPv4-mapped", []entry{{block, "192.0.2.0/24", 0}}, "::ffff:192.0.2.1", "", "block 192.0.2.0/24"},
		{"IPv6", []entry{{block, "2001:db8::/32", 0}}, "2001:db8::9", "", "block 2001:db8::/32"},
		{"other network", []entry{{block, "192.0.2.0/24", 0}}, "198.51.100.1", "", ""},
		{"domain", []entry{{allow, "example.org", 0}}, "192.0.2.1", "mail.example.org", "allow example.org"},
		{"domain itself", []entry{{allow, "example.org", 0}}, "192.0.2.1", "example.org", "allow example.org"},
		{"domain not confirmed", []entry{{allow, "example.org", 0}}, "192.0.2.1", "", ""},
		{"suffix that is no label", []entry{{allow, "mail.example.org", 0}}, "192.0.2.1", "notmail.example.org", ""},
		{"escaped dot is no border", []entry{{allow, "example.org", 0}}, "192.0.2.1", `mail\.example.org`, ""},
		{"most labels", []entry{{allow, "example.org", 0}, {block, "dsl.example.org", 0}}, "192.0.2.1", "a.dsl.example.org", "block dsl.example.org"},
		{"same domain in both", []entry{{block, "example.org", 0}, {allow, "example.org", 0}}, "192.0.2.1", "mail.example.org", "allow example.org"},
		{"domain allows, network blocks", []entry{{block, "192.0.2.1", 0}, {allow, "example.org", 0}}, "192.0.2.1", "mail.example.org", "allow example.org"},
		{"network allows, domain blocks", []entry{{allow, "192.0.2.0/24", 0}, {block, "example.org", 0}}, "192.0.2.1", "mail.example.org", "allow 192.0.2.0/24"},
		{"expired domain uncovers shorter", []entry{{block, "a.example.org", -time.Hour}, {allow, "example.org", 0}}, "192.0.2.1", "x.a.example.org", "allow example.org"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			path := newPath(t)
			s := open(t, path, store.Options{Daemon: true, Now: c.now})
			for _, e := range tc.entries {
				parsed, err := store.ParseEntry(e.list, e.text)
				if err != nil {
					t.Fatal(err)
				}
				if e.expiry != 0 {
					parsed.Expiry = c.now().Add(e.expiry)
				}
				if err := s.Add(t.Context(), parsed); err != nil {
					t.Fatal(err)
				}
			}
			if got := counting(s, c, tc.client, tc.confirmed); got != tc.want {
				t.Errorf("%q counts, want %q", got, tc.want)
			}
			shut(t, s)
			s = open(t, path, store.Options{Now: c.now})
			if got := counting(s, c, tc.client, tc.confirmed); got != tc.want {
				t.Errorf("after reopening %q counts, want %q", got, tc.want)
			}
		})
	}
}

// counting returns the list and entry that count for a client.
func counting(s *store.Store, c *clock, client, confirmed string) string {
	var names []dnsname.Name
	if confirmed != "" {
		names = append(names, dnsname.MustParse(confirmed))
	}
	m := s.Recall(netip.MustParseAddr(client), names, c.now())
	switch {
	case m.Allow != nil && m.Block != nil:
		return "both"
	case m.Allow != nil:
		return "allow " + m.Allow.Entry
	case m.Block != nil:
		return "block " + m.Block.Entry
	}
	return ""
}

func TestEntryFields(t *testing.T) {
	t.Parallel()
	c := newClock()
	path := newPath(t)
	s := open(t, path, store.Options{Daemon: true, Now: c.now})
	e, err := store.ParseEntry(store.Block, "203.0.113.0/24")
	if err != nil {
		t.Fatal(err)
	}
	e.Reason, e.Owner, e.Expiry = "ticket 17, \u00fcber", "alice", start.Add(time.Hour)
	if err := s.Add(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		c.add(time.Second)
		m := s.Recall(netip.MustParseAddr("203.0.113.9"), nil, c.now())
		if m.Block == nil || m.Block.Reason != e.Reason || m.Block.Owner != e.Owner || !m.Block.Expiry.Equal(e.Expiry) {
			t.Fatalf("Recall: %+v", m.Block)
		}
	}
	shut(t, s) // stores the hits
	s = open(t, path, store.Options{Now: c.now})
	want := e
	want.Created, want.Hits, want.LastUse = start, 5, start.Add(5*time.Second)
	if got, err := s.Entries(t.Context(), store.Block); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("Entries: %+v, %v\nwant %+v", got, err, want)
	}
	e.Reason = "ticket 18"
	if err := s.Add(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Entries(t.Context(), store.Block); err != nil || len(got) != 1 || got[0].Hits != 5 || got[0].Reason != "ticket 18" {
		t.Errorf("replaced entry: %+v, %v", got, err)
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := open(t, newPath(t), store.Options{Daemon: true, Now: c.now})
	add(t, s, store.Block, "203.0.113.0/24", "")
	add(t, s, store.Allow, "203.0.113.0/24", "")
	add(t, s, store.Allow, "example.org", "")
	for _, text := range []string{"203.0.113.0/24", "EXAMPLE.org"} {
		for i, want := range []bool{true, false} {
			if got, err := s.Remove(t.Context(), store.Allow, text); got != want || err != nil {
				t.Errorf("Remove %s, time %d: %v, %v", text, i, got, err)
			}
		}
	}
	if got := counting(s, c, "203.0.113.9", "mail.example.org"); got != "block 203.0.113.0/24" {
		t.Errorf("%q counts", got)
	}
	if n := s.Stats().Entries; n != 1 {
		t.Errorf("%d entries counted", n)
	}
	if _, err := s.Remove(t.Context(), store.Allow, "203.0.113.1/24"); !errors.Is(err, store.ErrEntry) {
		t.Errorf("Remove of no entry: %v", err)
	}
}

// Timestamps that a wrong clock, or other hands, have written.
func TestStrangeTimes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name            string
		created, expiry time.Time
		want            string
	}{
		{"T060 zero expiry is never", start, time.Time{}, "block 192.0.2.1/32"},
		{"T061 negative", start, time.Unix(-1, 0), "block 192.0.2.1/32"},
		{"T062 2^31", start, time.Unix(math.MaxInt32+1, 0), "block 192.0.2.1/32"},
		{"T063 2^32", start, time.Unix(math.MaxUint32+1, 0), "block 192.0.2.1/32"},
		{"T064 2^63-1", start, time.Unix(math.MaxInt64, 0), "block 192.0.2.1/32"},
		{"T066 T075 created 100 years ahead", start.AddDate(100, 0, 0), start.AddDate(100, 0, 1), ""},
		{"T073 created an hour ahead", start.Add(time.Hour), start.AddDate(0, 0, 1), "block 192.0.2.1/32"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			path := newPath(t)
			s := open(t, path, store.Options{Daemon: true, Now: c.now})
			e := store.Entry{List: store.Block, Network: netip.MustParsePrefix("192.0.2.1/32"), Created: tc.created, Expiry: tc.expiry}
			if err := s.Add(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if got := counting(s, c, "192.0.2.1", ""); got != tc.want {
					t.Errorf("%q counts, want %q", got, tc.want)
				}
				shut(t, s)
				s = open(t, path, store.Options{Daemon: true, Now: c.now})
			}
		})
	}
	t.Run("T065 NaN text", func(t *testing.T) {
		t.Parallel()
		path := newPath(t)
		shut(t, open(t, path, store.Options{Daemon: true}))
		if _, err := raw(t, path).Exec(`INSERT INTO entries VALUES (1, 'block', '192.0.2.1/32', '', '', 0, 'NaN', 0, 0)`); err == nil {
			t.Error("the table takes NaN for a time")
		}
	})
}

func TestHitsSaturate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name         string
		before, want int64
	}{
		{"T067 2^31-1", math.MaxInt32, math.MaxInt32 + 3},
		{"T068 2^63-1", math.MaxInt64 - 1, math.MaxInt64},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t)
			s := open(t, path, store.Options{Daemon: true})
			add(t, s, store.Block, "192.0.2.1", "")
			shut(t, s)
			if _, err := raw(t, path).Exec(`UPDATE entries SET hits = $1`, tc.before); err != nil {
				t.Fatal(err)
			}
			s = open(t, path, store.Options{Daemon: true})
			for range 3 {
				s.Recall(client, nil, start)
			}
			shut(t, s)
			s = open(t, path, store.Options{})
			if e, err := s.Entries(t.Context(), store.Block); err != nil || len(e) != 1 || e[0].Hits != tc.want {
				t.Errorf("%+v, %v; want %d hits", e, err, tc.want)
			}
		})
	}
}

func TestListsUnderLoad(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := open(t, newPath(t), store.Options{Daemon: true, Now: c.now})
	add(t, s, store.Allow, "198.51.100.0/24", "stays")
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := counting(s, c, "198.51.100.1", ""); got != "allow 198.51.100.0/24" {
					t.Errorf("%q counts", got)
					return
				}
			}
		})
	}
	for i := range 50 {
		text := fmt.Sprintf("192.0.2.%d", i)
		add(t, s, store.Block, text, "")
		if i%2 == 0 {
			if had, err := s.Remove(t.Context(), store.Block, text); !had || err != nil {
				t.Errorf("Remove: %v, %v", had, err)
			}
		}
	}
	close(stop)
	wg.Wait()
	if e, err := s.Entries(t.Context(), store.Block); err != nil || len(e) != 25 {
		t.Errorf("%d entries, %v", len(e), err)
	}
}
