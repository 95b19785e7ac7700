package postfix_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/arpagate/arpagate/test/netlab"
)

// phase is a part of the run, as it was when a question was asked.
type phase int32

const (
	healthy phase = iota // DNS answers
	cutting              // DNS goes, or went while the question was under way
	cut                  // DNS is gone, for less than a budget
	dark                 // DNS is gone, for longer
	mending              // DNS is back, for less than the time to recover
	mended               // DNS is back
	phases
)

var phaseNames = [phases]string{"healthy", "cutting", "cut", "dark", "mending", "mended"}

// tally counts the answers of one phase. Latencies are counted by 10 ms.
type tally struct {
	good, bad map[verdict]int // by whether the client's DNS is good
	took      [1000]int
}

func newTally() *tally {
	return &tally{good: map[verdict]int{}, bad: map[verdict]int{}}
}

func (t *tally) add(o *tally) {
	for v, n := range o.good {
		t.good[v] += n
	}
	for v, n := range o.bad {
		t.bad[v] += n
	}
	for i, n := range o.took {
		t.took[i] += n
	}
}

func (t *tally) total() (n int) {
	for _, count := range t.took {
		n += count
	}
	return n
}

// p99 is the time within which 99 of 100 answers came.
func (t *tally) p99() time.Duration {
	left := t.total() / 100
	for i := len(t.took) - 1; i > 0; i-- {
		if left -= t.took[i]; left < 0 {
			return time.Duration(i+1) * 10 * time.Millisecond
		}
	}
	return 10 * time.Millisecond
}

// Clients of the load: every question is about an address never asked about
// before, each in a /64 of its own. Those of goodPool have a name that leads
// back, those of badPool have none.
var (
	goodPool = netip.MustParseAddr("2001:db8:600d::25")
	badPool  = netip.MustParseAddr("2001:db8:bad::25")
)

// goodSize is the number of good clients. Every goodShare-th question is about
// one as long as they last, except while the DNS is gone.
const (
	goodSize  = 16384
	goodShare = 16
)

// poolAddr is the i-th address of a pool: first the /64 counts, then the host.
func poolAddr(pool netip.Addr, i uint64) netip.Addr {
	b := pool.As16()
	binary.BigEndian.PutUint16(b[6:], uint16(i))
	binary.BigEndian.PutUint32(b[8:], uint32(i>>16))
	return netip.AddrFrom16(b)
}

// load asks a policy door on several kept connections at once, as fast as the
// door answers.
type load struct {
	world  *netlab.World
	target string

	phase     atomic.Int32
	good, bad atomic.Uint64 // addresses used up

	mu      sync.Mutex
	tallies [phases]*tally
	errs    []error
}

// start runs the workers until ctx ends; the function returned waits for them.
func (l *load) start(ctx context.Context, workers int) (wait func()) {
	for i := range l.tallies {
		l.tallies[i] = newTally()
	}
	var all sync.WaitGroup
	for range workers {
		all.Go(func() { l.work(ctx) })
	}
	return all.Wait
}

func (l *load) set(p phase) { l.phase.Store(int32(p)) }

// seen is a copy of what was counted in a phase so far.
func (l *load) seen(p phase) *tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := newTally()
	t.add(l.tallies[p])
	return t
}

func (l *load) work(ctx context.Context) {
	conn, err := l.world.Server.Dial(ctx, netip.Addr{}, "tcp", l.target)
	if err != nil {
		l.fail(err)
		return
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for ctx.Err() == nil {
		if err := l.ask(conn, in); err != nil {
			l.fail(err)
			return
		}
	}
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

// ask asks one question and counts the answer.
func (l *load) ask(conn net.Conn, in *bufio.Reader) error {
	p := phase(l.phase.Load())
	addr, good := l.next(p)
	begun := time.Now()
	if err := conn.SetDeadline(begun.Add(30 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write(question(addr)); err != nil {
		return fmt.Errorf("ask about %s: %w", addr, err)
	}
	v, err := answer(in)
	if err != nil {
		return fmt.Errorf("answer about %s after %v: %w", addr, time.Since(begun), err)
	}
	l.count(l.between(p), good, v, time.Since(begun))
	return nil
}

// between is the phase of a question that was asked in p and is answered now.
func (l *load) between(p phase) phase {
	now := phase(l.phase.Load())
	switch {
	case p == healthy && now > healthy:
		return cutting
	case p == dark:
		// What was asked in the dark and answered in the light may be complete.
		return max(p, now)
	}
	return p
}

func (l *load) next(p phase) (addr netip.Addr, good bool) {
	i := l.bad.Add(1)
	if i%goodShare == 0 && p != cutting && p != cut && p != dark {
		if g := l.good.Add(1); g < goodSize {
			return poolAddr(goodPool, g), true
		}
	}
	return poolAddr(badPool, i), false
}

func (l *load) count(p phase, good bool, v verdict, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tallies[p]
	if good {
		t.good[v]++
	} else {
		t.bad[v]++
	}
	t.took[min(int(took/(10*time.Millisecond)), len(t.took)-1)]++
}

// question is a request of Postfix's policy delegation protocol.
func question(client netip.Addr) []byte {
	return fmt.Appendf(nil, `request=smtpd_access_policy
protocol_state=RCPT
protocol_name=ESMTP
client_address=%[1]s
client_name=unknown
reverse_client_name=unknown
client_port=4711
helo_name=[IPv6:%[1]s]
sender=sender@example.net
recipient=user@example.org
recipient_count=0
queue_id=
instance=load.%[1]s
size=1000

`, client)
}

// answer reads "action=…" and the empty line after it.
func answer(in *bufio.Reader) (verdict, error) {
	action, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	if _, err := in.ReadString('\n'); err != nil {
		return "", err
	}
	action = strings.TrimPrefix(strings.TrimSpace(action), "action=")
	switch word, _, _ := strings.Cut(action, " "); {
	case word == "DUNNO", word == "PREPEND", word == "WARN":
		return accepted, nil
	case strings.HasPrefix(word, "4"), strings.HasPrefix(word, "DEFER"):
		return deferred, nil
	case strings.HasPrefix(word, "5"), word == "REJECT":
		return refused, nil
	}
	return "", fmt.Errorf("unexpected action %q", action)
}
