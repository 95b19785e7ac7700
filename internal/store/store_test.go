package store_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/store"
	"github.com/arpagate/arpagate/internal/untrusted"
)

func TestCaseRoundTrip(t *testing.T) {
	t.Parallel()
	s := open(t, newPath(t), store.Options{Daemon: true, KeepMail: true})
	want := newCase(1, client, evidence.PermError, start)
	want.Ref = "70K1QX9M2T"
	s.Record(want)
	flush(t, s)
	for _, ref := range []string{"70K1QX9M2T", "7okiqx9m2t", "7OKLQ-X9M2T", " 70klqx9m2t "} {
		got, err := s.Case(t.Context(), ref)
		if err != nil {
			t.Fatalf("Case %q: %v", ref, err)
		}
		if diff := cmp.Diff(want, got, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
			t.Errorf("Case %q (-recorded +stored):\n%s", ref, diff)
		}
	}
	for _, ref := range []string{"", "70K1QX9M2", "'; DROP TABLE cases; --", "\x00\xff"} {
		if _, err := s.Case(t.Context(), ref); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Case %q: %v, want ErrNotFound", ref, err)
		}
	}
}

func TestCasesNewestFirst(t *testing.T) {
	t.Parallel()
	s := open(t, newPath(t), store.Options{Daemon: true})
	for i := range 5 {
		s.Record(newCase(i, client, evidence.Fail, start.Add(time.Duration(i)*time.Second)))
	}
	s.Record(newCase(9, netip.MustParseAddr("192.0.2.2"), evidence.Fail, start))
	flush(t, s)
	got, err := s.Cases(t.Context(), netip.MustParseAddr("::ffff:192.0.2.1"), 3)
	if err != nil {
		t.Fatal(err)
	}
	var refs []string
	for _, c := range got {
		refs = append(refs, c.Ref)
	}
	if diff := cmp.Diff([]string{"0000000004", "0000000003", "0000000002"}, refs); diff != "" {
		t.Error(diff)
	}
}

func TestOneCleanPassAnHour(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := open(t, newPath(t), store.Options{Daemon: true, Now: c.now})
	for i := range 10 {
		s.Record(newCase(i, client, evidence.Pass, c.now()))
		c.add(10 * time.Minute)
	}
	noAddress := newCase(50, netip.Addr{}, evidence.Unjudged, c.now())
	s.Record(noAddress)
	would := newCase(51, client, evidence.Pass, c.now())
	would.Decision.Would = decision.Tag
	s.Record(would)
	flush(t, s)
	got, err := s.Cases(t.Context(), client, 100)
	if err != nil || len(got) != 3 {
		t.Errorf("%d cases, %v; want 2 clean passes and 1 that would have been tagged", len(got), err)
	}
	if _, err := s.Case(t.Context(), noAddress.Ref); err != nil {
		t.Errorf("case without an address: %v", err)
	}
}

func TestSenderAndRecipientNeverReachTheDisk(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		path := newPath(t)
		s := open(t, path, store.Options{Daemon: true, KeepMail: keep})
		c := newCase(1, client, evidence.Fail, start)
		s.Record(c)
		flush(t, s)
		if got, want := inFiles(t, path, "planted-"), keep; got != want {
			t.Errorf("KeepMail %v: planted mailboxes in the files: %v", keep, got)
		}
		stored, err := s.Case(t.Context(), c.Ref)
		if err != nil || stored.Conn.Sender.IsZero() == keep {
			t.Errorf("KeepMail %v: stored sender %q, %v", keep, stored.Conn.Sender, err)
		}
		if c.Conn.Sender.IsZero() {
			t.Error("Record has changed the case of its caller")
		}
		shut(t, s)
		if got := inFiles(t, path, "planted-"); got != keep {
			t.Errorf("KeepMail %v: planted mailboxes in the files after Close: %v", keep, got)
		}
	}
}

// inFiles reports whether any file beside path holds the text.
func inFiles(t *testing.T, path, text string) bool {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files at %s: %v", path, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), text) {
			return true
		}
	}
	return false
}

func TestHostileStrings(t *testing.T) {
	t.Parallel()
	s := open(t, newPath(t), store.Options{Daemon: true, KeepMail: true})
	rows := map[string]string{
		"T048 NUL":            "a\x00b",
		"T049 invalid UTF-8":  "\xff\xfe\xc0\xaf",
		"T050 1 MiB":          strings.Repeat("x", 1<<20),
		"T051 SQL":            `'; DROP TABLE cases; --`,
		"T052 lone surrogate": "\xed\xa0\x80",
		"T053 emoji":          "📮",
		"T054 RTL":            "\u202egro.elpmaxe \u05d0",
	}
	n := 0
	for name, text := range rows {
		n++
		t.Run(name, func(t *testing.T) {
			c := newCase(n, client, evidence.Fail, start)
			c.Conn.Helo = untrusted.New(text)
			c.Findings[0].Args.Said = c.Conn.Helo
			s.Record(c)
			e := store.Entry{List: store.Allow, Network: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 32), Reason: text, Owner: text}
			if err := s.Add(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			flush(t, s)
			got, err := s.Case(t.Context(), c.Ref)
			if err != nil {
				t.Fatal(err)
			}
			if got.Conn.Helo != untrusted.New(text) {
				t.Errorf("HELO came back as %q", got.Conn.Helo)
			}
			entries, err := s.Entries(t.Context(), store.Allow)
			if err != nil {
				t.Fatal(err)
			}
			for _, got := range entries {
				if got.Network == e.Network && (len(got.Reason) > 1024 || len(got.Owner) > 255 || !plain(got.Reason)) {
					t.Errorf("entry came back as %q, %q", got.Reason, got.Owner)
				}
			}
		})
	}
}

// plain reports whether any database holds the text and any terminal shows it
// as it is.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func TestRetention(t *testing.T) {
	t.Parallel()
	c := newClock()
	path := newPath(t)
	s := open(t, path, store.Options{Daemon: true, Now: c.now, MaxCases: 3000})
	for i := range 2500 {
		ca := newCase(i, client, evidence.Fail, c.now())
		ca.Findings[0].Args.Why = "old-detail"
		s.Record(ca)
	}
	flush(t, s)
	add(t, s, store.Block, "203.0.113.0/24", "stays")
	c.add(store.DefaultRetention + time.Hour)
	other := netip.MustParseAddr("2001:db8::1")
	s.Record(newCase(9000, other, evidence.Fail, c.now()))
	flush(t, s)

	t.Run("T129 T130 old details go, in batches", func(t *testing.T) {
		n, err := s.Purge(t.Context())
		if err != nil || n != 2501 { // the cases and the address
			t.Errorf("purged %d rows, %v; want 2501", n, err)
		}
	})
	if m := s.Recall(client, nil, c.now()); !m.FirstSeen.IsZero() {
		t.Errorf("still remembered: %+v", m)
	}
	if m := s.Recall(other, nil, c.now()); m.Negatives != 1 {
		t.Errorf("forgotten too early: %+v", m)
	}
	if e, err := s.Entries(t.Context(), store.Block); err != nil || len(e) != 1 {
		t.Errorf("list entries after the purge: %v, %v", e, err)
	}
	if n, err := s.Purge(t.Context()); n != 0 || err != nil {
		t.Errorf("second purge: %d, %v", n, err)
	}
	shut(t, s)
	if inFiles(t, path, "old-detail") {
		t.Error("purged details can still be read from the file")
	}
}

func TestNoMoreCasesThanAllowed(t *testing.T) {
	t.Parallel()
	s := open(t, newPath(t), store.Options{Daemon: true, MaxCases: 100})
	stop := run(t, s)
	for i := range 150 {
		s.Record(newCase(i, client, evidence.Fail, start.Add(time.Duration(i)*time.Second)))
	}
	flush(t, s)
	eventually(t, "the oldest cases go", func() bool {
		got, err := s.Cases(t.Context(), client, 1000)
		return err == nil && len(got) == 100 && got[0].Ref == "0000000149"
	})
	stop()
}

// run runs Run until the returned function is called.
func run(t *testing.T, s *store.Store) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}
