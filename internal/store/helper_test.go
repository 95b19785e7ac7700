package store_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/store"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// The test binary runs itself with these roles, to be killed or to be nobody.
const roleVar, pathVar = "ARPAGATE_STORE_ROLE", "ARPAGATE_STORE_PATH"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		os.Exit(play(role, os.Getenv(pathVar)))
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// clock is a clock that stands still until it is told.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: start} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func timeout(tb testing.TB, d time.Duration) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	tb.Cleanup(cancel)
	return ctx
}

func newPath(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "arpagate.db")
}

func open(tb testing.TB, path string, opts store.Options) *store.Store {
	tb.Helper()
	s, err := store.Open(timeout(tb, time.Minute), "sqlite:"+path, opts)
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	tb.Cleanup(func() { shut(tb, s) })
	return s
}

func shut(tb testing.TB, s *store.Store) {
	tb.Helper()
	if err := s.Close(timeout(tb, time.Minute)); err != nil {
		tb.Errorf("Close: %v", err)
	}
}

func flush(tb testing.TB, s *store.Store) {
	tb.Helper()
	if err := s.Flush(timeout(tb, time.Minute)); err != nil {
		tb.Fatalf("Flush: %v", err)
	}
}

func add(tb testing.TB, s *store.Store, list store.List, text, reason string) {
	tb.Helper()
	e, err := store.ParseEntry(list, text)
	if err != nil {
		tb.Fatalf("ParseEntry: %v", err)
	}
	e.Reason, e.Owner = reason, "ops"
	if err := s.Add(timeout(tb, time.Minute), e); err != nil {
		tb.Fatalf("Add %s: %v", text, err)
	}
}

// eventually waits for what another goroutine or process brings about.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for range 600 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	tb.Fatalf("never came: %s", what)
}

var (
	mail   = dnsname.MustParse("mail.example.org")
	client = netip.MustParseAddr("192.0.2.1")
)

// newCase returns a case of a client at a time; the reference counts up.
func newCase(n int, addr netip.Addr, result evidence.Result, at time.Time) *decision.Case {
	c := &decision.Case{
		Ref: fmt.Sprintf("%010d", n),
		At:  at,
		Conn: facts.Conn{
			Door: facts.Policy, Stage: facts.Rcpt, Client: addr, HeloKnown: true,
			Helo: untrusted.New("mail.example.org"), Sender: untrusted.New("planted-sender@example.net"),
			Recipient: untrusted.New("planted-recipient@example.com"), AuthUser: untrusted.New("planted-login@example.com"),
		},
		Evidence: evidence.Evidence{
			At: at,
			View: &evidence.View{
				Source: evidence.Source{Kind: "public"},
				IPRev:  evidence.IPRev{Result: result, Address: addr},
			},
		},
	}
	switch result {
	case evidence.Pass:
		c.Evidence.IPRev.Confirmed = mail
	case evidence.PermError, evidence.Fail:
		c.Findings = []finding.Finding{{Code: finding.PTRMissing, Severity: finding.Failure, Complete: true}}
		c.Decision = decision.Decision{Action: decision.Defer, Would: decision.Reject}
	case evidence.TempError:
		c.Findings = []finding.Finding{{Code: finding.DNSTrouble, Severity: finding.Unknown}}
		c.Decision = decision.Decision{Action: decision.Defer, Would: decision.Defer}
	case evidence.Unjudged:
	}
	return c
}
