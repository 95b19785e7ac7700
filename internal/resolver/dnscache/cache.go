// Package dnscache remembers answers in memory of a fixed size. Entries are
// octets in rings that overwrite their oldest ones (first in, first out), and
// are found through a table of fixed size, so that the collector of garbage
// has nothing to follow and neither floods nor long answers make it grow.
package dnscache

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/arpagate/arpagate/internal/evidence"
)

const (
	shardCount = 16
	// ways is the number of places that one key may have in the table: they
	// fill a cache line of 64 octets.
	ways    = 8
	slotLen = 8
	// perSlot is the number of octets of ring for each slot of the table; the
	// answers of a verdict take some 90 each, so that half of the slots are
	// in use and a full bucket is rare.
	perSlot = 48
	align   = 8
	minRing = 16 << 10
)

// Kind separates the good answers from the failures, of which a question may
// have one each.
type Kind uint8

// The kinds.
const (
	Good Kind = iota
	Failure
)

// Cache is safe for use by many goroutines.
type Cache struct {
	seed   maphash.Seed
	base   time.Time
	shards [shardCount]shard
}

// shard is a ring and its table. Positions in the ring count up for ever: the
// octet at position p is ring[p%len], and what lies more than len behind the
// head has been overwritten.
type shard struct {
	mu   sync.Mutex
	ring []byte
	head uint64
	// slots hold position/align above 16 bits of the hash; 0 is empty. Each is
	// a uint64 in slotLen octets.
	slots []byte
}

// New makes a cache of at most the given size in octets, table included, but at
// least 300 KiB. Times are kept relative to base, which should be the present.
func New(size int, base time.Time) *Cache {
	c := &Cache{seed: maphash.MakeSeed(), base: base}
	ring := max(minRing, size/shardCount*perSlot/(perSlot+slotLen)/align*align)
	slots := ring / perSlot / ways * ways * slotLen
	arena := c.arena((ring + slots) * shardCount)
	for i := range c.shards {
		s := &c.shards[i]
		s.ring, arena = arena[:ring], arena[ring:]
		s.slots, arena = arena[:slots], arena[slots:]
		s.head = uint64(ring)
	}
	return c
}

// arena returns zeroed octets outside of the heap, for the collector lets as
// much garbage pile up as the heap holds of what is in use. They are given back
// when nobody holds the cache any more.
func (c *Cache) arena(size int) []byte {
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, size)
	}
	runtime.AddCleanup(c, func(mem []byte) { _ = unix.Munmap(mem) }, mem)
	return mem
}

// Size returns the number of octets that the cache takes, used or not.
func (c *Cache) Size() int {
	n := 0
	for i := range c.shards {
		n += len(c.shards[i].ring) + len(c.shards[i].slots)
	}
	return n
}

// Put remembers an answer until it is overwritten; one that would take more
// than a quarter of a ring is not kept. The mark is the caller's.
// TTL and At are kept as they are: whether an entry has expired, the reader
// decides. Stale answers are not kept.
func (c *Cache) Put(kind Kind, a *evidence.Answer, mark uint16) {
	s, hash := c.locate(kind, a.Question)
	var buf [1024]byte
	entry := c.encode(buf[:0], kind, a, mark)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(entry) > min(len(s.ring)/4, maxLen) {
		return
	}
	pos := s.append(entry)
	binary.NativeEndian.PutUint64(s.place(kind, a.Question, hash), pos/align<<16|hash&0xffff)
}

// Get returns the last answer that was put and not overwritten, with its mark.
func (c *Cache) Get(kind Kind, q evidence.Question) (a evidence.Answer, mark uint16, ok bool) {
	s, hash := c.locate(kind, q)
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := s.find(kind, q, hash)
	if entry == nil {
		return a, 0, false
	}
	mark, ok = c.decode(entry, q, &a)
	return a, mark, ok
}

// Delete forgets an answer.
func (c *Cache) Delete(kind Kind, q evidence.Question) {
	s, hash := c.locate(kind, q)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(kind, q, hash) != nil {
		clear(s.place(kind, q, hash))
	}
}

// locate returns the shard of a key and its hash.
func (c *Cache) locate(kind Kind, q evidence.Question) (*shard, uint64) {
	h := maphash.String(c.seed, q.Name.String())
	h ^= (uint64(q.Type)<<8 | uint64(kind)) * 0x9e3779b97f4a7c15
	h ^= h >> 29
	return &c.shards[h>>60], h
}

// bucket returns the slots in which a key may be.
func (s *shard) bucket(hash uint64) []byte {
	const size = ways * slotLen
	n := uint64(len(s.slots) / size)
	return s.slots[hash>>16%n*size:][:size]
}

// alive reports whether the entry of a slot is still in the ring.
func (s *shard) alive(slot uint64) bool {
	return slot != 0 && slot>>16*align+uint64(len(s.ring)) >= s.head
}

// at returns the entry of a slot that is alive.
func (s *shard) at(slot uint64) []byte {
	from := slot >> 16 * align % uint64(len(s.ring))
	entry := s.ring[from:]
	return entry[:entryLen(entry)]
}

// find returns the entry of a key, or nil.
func (s *shard) find(kind Kind, q evidence.Question, hash uint64) []byte {
	for bucket := s.bucket(hash); len(bucket) > 0; bucket = bucket[slotLen:] {
		slot := binary.NativeEndian.Uint64(bucket)
		if slot&0xffff == hash&0xffff && s.alive(slot) {
			if entry := s.at(slot); sameKey(entry, kind, q) {
				return entry
			}
		}
	}
	return nil
}

// place returns the slot to write for a key: its own, or one that is free, or
// the oldest of its bucket.
func (s *shard) place(kind Kind, q evidence.Question, hash uint64) []byte {
	var oldest []byte
	least := uint64(math.MaxUint64)
	for bucket := s.bucket(hash); len(bucket) > 0; bucket = bucket[slotLen:] {
		slot := binary.NativeEndian.Uint64(bucket)
		if !s.alive(slot) {
			slot = 0
		} else if slot&0xffff == hash&0xffff && sameKey(s.at(slot), kind, q) {
			return bucket[:slotLen]
		}
		if slot < least {
			oldest, least = bucket[:slotLen], slot
		}
	}
	return oldest
}

// append writes an entry at the head and returns its position. An entry is in
// one piece: what is left at the end of the ring stays unused.
func (s *shard) append(entry []byte) uint64 {
	size := uint64(len(s.ring))
	if room := size - s.head%size; room < uint64(len(entry)) {
		s.head += room
	}
	pos := s.head
	copy(s.ring[pos%size:], entry)
	s.head += uint64(len(entry)+align-1) / align * align
	return pos
}
