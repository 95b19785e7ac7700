package dnscache_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver/dnscache"
	"github.com/arpagate/arpagate/internal/untrusted"
)

var base = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func question(i int) evidence.Question {
	return evidence.Question{Name: dnsname.MustParse(fmt.Sprintf("h%d.example.org", i)), Type: evidence.A}
}

func answer(q evidence.Question, i int) *evidence.Answer {
	return &evidence.Answer{
		Question: q, State: evidence.Found, Total: 1, TTL: time.Minute, At: base.Add(time.Duration(i)),
		Addrs:  []netip.Addr{netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})},
		Server: netip.MustParseAddrPort("127.0.0.1:53"),
	}
}

func TestRoundTrip(t *testing.T) {
	long := strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) + "." + strings.Repeat(`\000`, 63)
	full := evidence.Answer{
		Question: evidence.Question{Name: dnsname.MustParse(long), Type: evidence.PTR},
		State:    evidence.Found, Total: 2000, TTL: 24 * time.Hour, Rcode: 0xfff, EDE: 65535,
		Reason: untrusted.New(strings.Repeat("\xff", 300)), Server: netip.MustParseAddrPort("[2001:db8::1]:5353"),
		At: base.Add(-time.Hour), Took: 1234 * time.Microsecond,
	}
	for i := range evidence.MaxNames {
		full.Names = append(full.Names, dnsname.MustParse(fmt.Sprintf(`%d\.%s`, i, long[2:])))
	}
	for i := range 11 {
		full.Aliases = append(full.Aliases, dnsname.MustParse(fmt.Sprintf(`%d-%s`, i, long[:60])))
	}
	six := *answer(evidence.Question{Name: dnsname.MustParse("."), Type: evidence.AAAA}, 1)
	six.Addrs = nil
	for i := range 2340 { // as many as a DNS message can carry
		six.Addrs = append(six.Addrs, netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 14: byte(i >> 8), 15: byte(i)}))
	}
	six.Addrs[0] = netip.MustParseAddr("::ffff:203.0.113.9")
	typed := func(typ evidence.Type, change func(*evidence.Answer)) evidence.Answer {
		a := *answer(evidence.Question{Name: dnsname.MustParse("example.org"), Type: typ}, 1)
		a.Addrs = nil
		change(&a)
		return a
	}
	soa := &evidence.StartOfAuthority{
		Zone: dnsname.MustParse("example.org"), MName: dnsname.MustParse("."), RName: dnsname.MustParse(`a\.b.example.org`),
		Serial: 1<<32 - 1, Refresh: 2, Retry: 3, Expire: 4, Minimum: 5, TTL: 6,
	}
	c := dnscache.New(4<<20, base)
	for _, want := range []evidence.Answer{
		full, six, *answer(question(1), 1),
		typed(evidence.TXT, func(a *evidence.Answer) {
			a.Total = 2
			a.Texts = []untrusted.Text{untrusted.Long(strings.Repeat("\x00", untrusted.MaxLong)), {}}
		}),
		typed(evidence.MX, func(a *evidence.Answer) {
			a.Names = []dnsname.Name{dnsname.MustParse("a.example.org"), dnsname.MustParse("b.example.org")}
			a.Preferences, a.Total = []uint16{0, 65535}, 2
		}),
		typed(evidence.SOA, func(a *evidence.Answer) { a.SOA, a.Validated = soa, true }),
		typed(evidence.DS, func(a *evidence.Answer) {
			a.State, a.Total, a.SOA, a.Reason = evidence.NoData, 0, soa, untrusted.New("why")
		}),
		{Question: question(2), State: evidence.Timeout, Rcode: -1, At: base, TTL: 5 * time.Second},
		{Question: question(3), State: evidence.NXDomain, Rcode: 3, At: base},
	} {
		for _, kind := range []dnscache.Kind{dnscache.Good, dnscache.Failure} {
			c.Put(kind, &want, 0xabcd)
			got, mark, ok := c.Get(kind, want.Question)
			if !ok || mark != 0xabcd || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: found %t, mark %x, %.500s\nwant %.500s", want.Name, ok, mark, fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
			}
		}
	}
	six.Addrs = append(six.Addrs, make([]netip.Addr, evidence.MaxAddrs)...)
	for i := range six.Addrs {
		six.Addrs[i] = netip.IPv6LinkLocalAllNodes()
	}
	c.Put(dnscache.Good, &six, 1)
	if a, mark, _ := c.Get(dnscache.Good, six.Question); mark == 1 {
		t.Errorf("%d addresses were kept as %d", len(six.Addrs), len(a.Addrs))
	}
	c.Delete(dnscache.Good, full.Question)
	if _, _, ok := c.Get(dnscache.Good, full.Question); ok {
		t.Error("deleted, and still there")
	}
	if _, _, ok := c.Get(dnscache.Failure, full.Question); !ok {
		t.Error("the failure went with the good answer")
	}
}

func TestOverwriting(t *testing.T) {
	const size = 300 << 10
	c := dnscache.New(size, base)
	if c.Size() > size {
		t.Fatalf("takes %d octets of %d", c.Size(), size)
	}
	const n = 20_000
	for i := range n {
		c.Put(dnscache.Good, answer(question(i), i), uint16(i))
	}
	kept := 0
	for i := range n {
		a, mark, ok := c.Get(dnscache.Good, question(i))
		if !ok {
			continue
		}
		kept++
		if mark != uint16(i) || !reflect.DeepEqual(a, *answer(question(i), i)) {
			t.Fatalf("%d: mark %d, %+v", i, mark, a)
		}
		if i < n/2 {
			t.Errorf("answer %d of %d has outlived younger ones", i, n)
		}
	}
	if each := size / max(kept, 1); each > 130 {
		t.Errorf("%d answers are left, %d octets each", kept, each)
	}
	for range 10 {
		c.Put(dnscache.Good, answer(question(n), n), 1)
		c.Put(dnscache.Good, answer(question(n), n), 2)
	}
	if _, mark, ok := c.Get(dnscache.Good, question(n)); !ok || mark != 2 {
		t.Errorf("the last one put is not the one found: %d", mark)
	}
}

// What the cache holds must not make the collector patient.
func TestOutsideOfTheHeap(t *testing.T) {
	const size = 64 << 20
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for range 8 {
		before := heap()
		c := dnscache.New(size, base)
		if grown := int64(heap() - before); grown > size/16 {
			t.Fatalf("the heap has grown by %d of %d octets", grown, size)
		}
		c.Put(dnscache.Good, answer(question(1), 1), 1)
		if _, _, ok := c.Get(dnscache.Good, question(1)); !ok {
			t.Error("forgotten")
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	c := dnscache.New(300<<10, base)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			for range 20_000 {
				i := rng.IntN(5000)
				switch rng.IntN(4) {
				case 0:
					c.Put(dnscache.Good, answer(question(i), i), 0)
				case 1:
					c.Delete(dnscache.Good, question(i))
				default:
					if a, _, ok := c.Get(dnscache.Good, question(i)); ok && !reflect.DeepEqual(a, *answer(question(i), i)) {
						t.Errorf("%d: %+v", i, a)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}
