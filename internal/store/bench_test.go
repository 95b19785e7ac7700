package store_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/store"
)

// manyEntries fills the lists of a closed database: networks of several
// lengths and one domain in ten.
func manyEntries(tb testing.TB, path string, n int) {
	tb.Helper()
	shut(tb, open(tb, path, store.Options{Daemon: true}))
	db := raw(tb, path)
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		tb.Fatal(err)
	}
	st, err := tx.Prepare(`INSERT INTO entries (list, entry, reason, owner, created, expiry, hits, last_use)
		VALUES ($1, $2, 'reported by a customer, ticket 4711', 'postmaster', $3, 0, 0, 0)`)
	if err != nil {
		tb.Fatal(err)
	}
	defer st.Close()
	for i := range n {
		list, text := store.Block, ""
		switch i % 10 {
		case 0:
			list, text = store.Allow, fmt.Sprintf("host%d.example.org", i)
		case 1, 2, 3:
			b := netip.MustParseAddr("2001:db8::").As16()
			binary.BigEndian.PutUint32(b[4:], uint32(i))
			text = netip.PrefixFrom(netip.AddrFrom16(b), 64).String()
		default:
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], 0xc6120000+uint32(i))
			text = netip.PrefixFrom(netip.AddrFrom4(b), 32).String()
		}
		if _, err := st.Exec(string(list), text, start.UnixMicro()); err != nil {
			tb.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		tb.Fatal(err)
	}
}

// The goal is a start within 100 ms.
func BenchmarkOpen100kEntries(b *testing.B) {
	path := newPath(b)
	manyEntries(b, path, 100_000)
	shut(b, open(b, path, store.Options{Daemon: true})) // packs them
	var used time.Duration
	for b.Loop() {
		before := cpu(b)
		s := open(b, path, store.Options{Daemon: true})
		b.StopTimer()
		used += cpu(b) - before
		if n := s.Stats().Entries; n != 100_000 {
			b.Fatalf("%d entries", n)
		}
		shut(b, s)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/open")
	b.ReportMetric(float64(used.Milliseconds())/float64(b.N), "cpu-ms/open")
}

// cpu is the time that this process has worked, on all cores: a busy machine
// changes it less than it does the time on the wall.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkRecall(b *testing.B) {
	path := newPath(b)
	manyEntries(b, path, 100_000)
	s := open(b, path, store.Options{Daemon: true})
	now := time.Now()
	known, listed := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.18.0.7")
	s.Record(newCase(1, known, evidence.Fail, now))
	confirmed := []dnsname.Name{dnsname.MustParse("mail.example.net")}
	for _, bc := range []struct {
		name string
		addr netip.Addr
	}{{"miss", netip.MustParseAddr("203.0.113.1")}, {"known", known}, {"listed", listed}} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Recall(bc.addr, confirmed, now)
			}
		})
	}
}

func TestRecallDoesNotAllocate(t *testing.T) {
	s := open(t, newPath(t), store.Options{Daemon: true})
	add(t, s, store.Allow, "example.org", "")
	flush(t, s)
	confirmed := []dnsname.Name{dnsname.MustParse("mail.example.net")}
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() { s.Recall(client, confirmed, now) }); n >= 1 {
		t.Errorf("%v allocations for an address that is not known", n)
	}
}

// Cases with their JSON, from Record to the disk.
func BenchmarkRecord(b *testing.B) {
	s := open(b, newPath(b), store.Options{Daemon: true, QueueLen: 8192, MaxCases: 1 << 30})
	n := 0
	for b.Loop() {
		if n++; n%4096 == 0 {
			flush(b, s)
		}
		s.Record(newCase(n, testAddr(n), evidence.Fail, start))
	}
	flush(b, s)
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
	if d := s.Stats().Dropped; d > 0 {
		b.Errorf("%d dropped", d)
	}
}

func BenchmarkAdd(b *testing.B) {
	s := open(b, newPath(b), store.Options{Daemon: true})
	n := 0
	for b.Loop() {
		n++
		add(b, s, store.Block, fmt.Sprintf("198.18.%d.%d", n/250%250, n%250), "")
	}
}

func BenchmarkBytesPerRememberedAddress(b *testing.B) {
	const many = 500_000
	for b.Loop() {
		s := open(b, newPath(b), store.Options{Daemon: true, QueueLen: 1})
		before := heap()
		c := newCase(1, client, evidence.Fail, start)
		for i := range many {
			c.Conn.Client = testAddr(i)
			s.Record(c)
		}
		b.ReportMetric(float64(heap()-before)/float64(s.Stats().Traces), "B/address")
		shut(b, s)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
