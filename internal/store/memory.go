package store

import (
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
)

const (
	// lastSeenStep is the precision of "last seen": a known address that shows
	// nothing new is written at most this often.
	lastSeenStep = time.Hour
	// cleanEvery is how often a clean pass of one address is kept as a case.
	cleanEvery = time.Hour

	shards  = 64
	samples = 8
)

// key is an address in 16 octets, IPv4 as IPv4-mapped.
type key [16]byte

func keyOf(addr netip.Addr) key { return addr.As16() }

// trace is what is remembered of one address; times are seconds since 1970,
// 0 for none.
type trace struct {
	first, last    uint32
	since, counted uint32 // first and last of the negatives
	clean          uint32 // last clean pass that was kept as a case
	negatives      uint8  // saturates
	result         uint8  // evidence.Result of the last complete answer
}

// memory holds the traces of the addresses seen last, a bounded number. Where
// it is full, of eight traces picked by chance the oldest one goes: what is
// forgotten earns a deferral in place of a rejection, never the reverse.
type memory struct {
	seed  maphash.Seed
	limit int // for each shard
	shard [shards]struct {
		sync.RWMutex
		m map[key]trace
	}
}

func newMemory(limit int) *memory {
	m := &memory{seed: maphash.MakeSeed(), limit: max(1, limit/shards)}
	for i := range m.shard {
		m.shard[i].m = make(map[key]trace)
	}
	return m
}

func (m *memory) index(k key) int { return int(maphash.Comparable(m.seed, k) % shards) }

func (m *memory) get(k key) (trace, bool) {
	sh := &m.shard[m.index(k)]
	sh.RLock()
	t, ok := sh.m[k]
	sh.RUnlock()
	return t, ok
}

// change lets f alter the trace of k, a zero one where there is none, and
// stores it where f says so.
func (m *memory) change(k key, f func(t *trace) bool) {
	sh := &m.shard[m.index(k)]
	sh.Lock()
	defer sh.Unlock()
	t, known := sh.m[k]
	if !f(&t) {
		return
	}
	if !known && len(sh.m) >= m.limit {
		evict(sh.m)
	}
	sh.m[k] = t
}

// evict takes out one of the oldest traces; maps are walked from a random
// place.
func evict(m map[key]trace) {
	var oldest key
	last, n := uint32(math.MaxUint32), 0
	for k, t := range m {
		if t.last <= last {
			oldest, last = k, t.last
		}
		if n++; n == samples {
			break
		}
	}
	delete(m, oldest)
}

// forget drops the traces not seen since the given time.
func (m *memory) forget(before time.Time) {
	limit := seconds(before)
	for i := range m.shard {
		sh := &m.shard[i]
		sh.Lock()
		for k, t := range sh.m {
			if t.last < limit {
				delete(sh.m, k)
			}
		}
		sh.Unlock()
	}
}

func (m *memory) len() int {
	n := 0
	for i := range m.shard {
		sh := &m.shard[i]
		sh.RLock()
		n += len(sh.m)
		sh.RUnlock()
	}
	return n
}

// recall fills in what is remembered of k. Times that a wrong clock put into
// the future are drawn back to now.
func (m *memory) recall(k key, now time.Time, mem *evidence.Memory) {
	t, ok := m.get(k)
	if !ok {
		return
	}
	mem.FirstSeen = notAfter(t.first, now)
	if t.negatives > 0 {
		mem.Negatives = int(t.negatives)
		mem.NegativeSince, mem.NegativeLast = notAfter(t.since, now), notAfter(t.counted, now)
		mem.NegativeKind = evidence.Result(t.result)
	}
}

// observe notes a result in the trace, and reports whether the trace has to
// be written. A negative result counts by when the DNS gave it: asked again, an
// answer from memory is the same observation.
func (t *trace) observe(result evidence.Result, now, answered uint32) bool {
	changed := t.first == 0 || now < t.last || now-t.last >= uint32(lastSeenStep/time.Second)
	if t.first == 0 || t.first > now {
		t.first = now
	}
	if changed {
		t.last = now
	}
	switch result {
	case evidence.Pass:
		if t.result != uint8(evidence.Pass) {
			t.negatives, t.since, t.counted, t.result = 0, 0, 0, uint8(evidence.Pass)
			changed = true
		}
	case evidence.Fail, evidence.PermError:
		if t.result != uint8(result) {
			t.negatives, t.since, t.counted, t.result = 0, now, 0, uint8(result)
		}
		// A clock that was set back must not stop the count.
		if now < t.counted {
			t.counted, answered = 0, now
		}
		if t.counted == 0 || answered >= t.counted+uint32(evidence.Apart/time.Second) {
			if t.negatives < math.MaxUint8 {
				t.negatives++
			}
			t.since, t.counted = min(t.since, answered), answered
			changed = true
		}
	case evidence.Unjudged, evidence.TempError:
	}
	return changed
}

// merge joins what the disk remembers with what was seen since the start.
func (t *trace) merge(disk trace) {
	fresh := *t
	*t = disk
	if fresh.first == 0 {
		return
	}
	t.first, t.last, t.clean = min(disk.first, fresh.first), max(disk.last, fresh.last), fresh.clean
	switch {
	case fresh.result == 0: // no complete answer since the start
	case fresh.result != disk.result:
		t.result, t.negatives, t.since, t.counted = fresh.result, fresh.negatives, fresh.since, fresh.counted
	case fresh.negatives > 0:
		t.negatives = uint8(min(int(disk.negatives)+int(fresh.negatives), math.MaxUint8))
		t.counted = fresh.counted
	}
}

// seconds returns t in seconds since 1970, kept within what a trace holds.
func seconds(t time.Time) uint32 {
	return uint32(min(max(t.Unix(), 1), math.MaxUint32))
}

func notAfter(sec uint32, now time.Time) time.Time {
	t := time.Unix(int64(sec), 0).UTC()
	if t.After(now) {
		return now
	}
	return t
}
