package store_test

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/store"
)

func TestMemoryOfNegatives(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	const pass, fail, perm, temp, unjudged = evidence.Pass, evidence.Fail, evidence.PermError, evidence.TempError, evidence.Unjudged
	type step struct {
		after  time.Duration
		result evidence.Result
	}
	for _, tc := range []struct {
		name      string
		steps     []step
		negatives int
		kind      evidence.Result
		since     time.Duration // from the start
	}{
		{"never seen", nil, 0, unjudged, 0},
		{"one", []step{{0, fail}}, 1, fail, 0},
		{"three in a second count once", []step{{0, fail}, {time.Second, fail}, {0, fail}}, 1, fail, 0},
		{"three in an hour", []step{{0, fail}, {30 * minute, fail}, {30 * minute, fail}}, 3, fail, 0},
		{"five minutes are enough", []step{{0, perm}, {5 * minute, perm}}, 2, perm, 0},
		{"other kind starts anew", []step{{0, fail}, {10 * minute, perm}}, 1, perm, 10 * minute},
		{"a pass forgives", []step{{0, fail}, {10 * minute, fail}, {minute, pass}}, 0, unjudged, 0},
		{"after a pass anew", []step{{0, fail}, {10 * minute, pass}, {minute, fail}}, 1, fail, 11 * minute},
		{"trouble changes nothing", []step{{0, fail}, {10 * minute, temp}, {minute, unjudged}, {minute, fail}}, 2, fail, 0},
		{"T074 clock set back an hour", []step{{2 * time.Hour, fail}, {-time.Hour, fail}}, 2, fail, time.Hour},
		{"T076 clock set back ten years", []step{{0, fail}, {-87600 * time.Hour, fail}}, 2, fail, -87600 * time.Hour},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			path := newPath(t)
			s := open(t, path, store.Options{Daemon: true, Now: c.now})
			for i, st := range tc.steps {
				c.add(st.after)
				s.Record(newCase(i, client, st.result, c.now()))
			}
			check := func(when string) {
				m := s.Recall(client, nil, c.now())
				if m.Negatives != tc.negatives || m.NegativeKind != tc.kind {
					t.Errorf("%s: %d of kind %v, want %d of %v", when, m.Negatives, m.NegativeKind, tc.negatives, tc.kind)
				}
				if tc.negatives > 0 && !m.NegativeSince.Equal(start.Add(tc.since)) {
					t.Errorf("%s: since %v, want %v", when, m.NegativeSince, start.Add(tc.since))
				}
				if m.FirstSeen.IsZero() != (len(tc.steps) == 0) {
					t.Errorf("%s: first seen %v", when, m.FirstSeen)
				}
			}
			check("in memory")
			shut(t, s)
			s = open(t, path, store.Options{Daemon: true, Now: c.now})
			flush(t, s)
			check("after a restart")
		})
	}
}

// What a sick resolver says, or what is said of somebody else's address, is no
// observation.
func TestBadWeatherIsNotCounted(t *testing.T) {
	t.Parallel()
	s := open(t, newPath(t), store.Options{Daemon: true})
	for i, w := range []evidence.Weather{{Degraded: true}, {Masked: true}} {
		c := newCase(i, client, evidence.Fail, start)
		c.Evidence.Weather = w
		s.Record(c)
	}
	m := s.Recall(client, nil, time.Now())
	if m.Negatives != 0 || m.FirstSeen.IsZero() {
		t.Errorf("%+v", m)
	}
}

func TestMemoryOfOneAddressIsItsOwn(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := open(t, newPath(t), store.Options{Daemon: true, Now: c.now})
	s.Record(newCase(1, netip.MustParseAddr("2001:db8::1"), evidence.Fail, c.now()))
	for _, other := range []string{"2001:db8::2", "192.0.2.1"} {
		if m := s.Recall(netip.MustParseAddr(other), nil, c.now()); m != (evidence.Memory{}) {
			t.Errorf("%s: %+v", other, m)
		}
	}
	if m := s.Recall(netip.Addr{}, nil, c.now()); m != (evidence.Memory{}) {
		t.Errorf("no address: %+v", m)
	}
	t.Run("T055 one form of IPv4", func(t *testing.T) {
		s.Record(newCase(2, netip.MustParseAddr("::ffff:192.0.2.7"), evidence.Fail, c.now()))
		if m := s.Recall(netip.MustParseAddr("192.0.2.7"), nil, c.now()); m.Negatives != 1 {
			t.Errorf("%+v", m)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := open(t, newPath(t), store.Options{Daemon: true, Now: c.now, MaxTraces: 6400, QueueLen: 10})
	for i := range 20_000 {
		s.Record(newCase(i, testAddr(i), evidence.Fail, c.now()))
	}
	if n := s.Stats().Traces; n == 0 || n > 6400 {
		t.Errorf("%d addresses remembered", n)
	}
}

// One answer with a long TTL, asked for again and again, is one observation.
func TestAnOldAnswerIsNoNewObservation(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := open(t, newPath(t), store.Options{Daemon: true, Now: c.now})
	at := c.now()
	for i := range 4 {
		k := newCase(i, client, evidence.PermError, c.now())
		k.Evidence.IPRev.PTR.At = at
		s.Record(k)
		c.add(30 * time.Minute)
	}
	if m := s.Recall(client, nil, c.now()); m.Negatives != 1 {
		t.Errorf("one answer counts %d times", m.Negatives)
	}
	k := newCase(5, client, evidence.PermError, c.now())
	k.Evidence.IPRev.PTR.At = c.now()
	s.Record(k)
	if m := s.Recall(client, nil, c.now()); m.Negatives != 2 {
		t.Errorf("two answers count %d times", m.Negatives)
	}
}

func testAddr(i int) netip.Addr {
	b := netip.MustParseAddr("2001:db8::").As16()
	binary.BigEndian.PutUint64(b[8:], uint64(i))
	return netip.AddrFrom16(b)
}

func TestFullQueueDropsAndCounts(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, path, store.Options{Daemon: true, QueueLen: 10})
	flush(t, s)
	unlock := lockDatabase(t, path)
	t.Run("T028 T029 F13 locked by another connection", func(t *testing.T) {
		began := time.Now()
		for i := range 2000 {
			s.Record(newCase(i, testAddr(i), evidence.Fail, start))
			s.Recall(testAddr(i), nil, start)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("2,000 cases took %v: Record waits", took)
		}
		h := s.Health()
		if h.Dropped == 0 || h.Queue > h.QueueCap {
			t.Errorf("%+v", h)
		}
		eventually(t, "a report of the lock", func() bool {
			h := s.Health()
			return !h.OK && strings.Contains(h.Why, "locked") && !h.Since.IsZero()
		})
	})
	unlock()
	flush(t, s)
	eventually(t, "health", func() bool { return s.Health().OK })
	if s.Stats().Cases == 0 {
		t.Error("nothing was written after the lock was gone")
	}
}
