package resolver

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver/dnswire"
)

const (
	batchSize = 32
	// datagramSize is more than we offer to take; what is longer is cut by
	// the kernel, and counts as truncated.
	datagramSize = 2048
	// wrongLimit is the number of strange datagrams, to one query or one
	// socket, after which somebody is held to be guessing.
	wrongLimit = 64
	readErrors = 16
)

// query is one datagram under way.
type query struct {
	task     *task
	server   *server
	question evidence.Question
	hop      int
	edns     bool
	mixed    bool
	sent     time.Time

	wrong int // strange datagrams with its id; belongs to the socket's lock
	id    uint16
	msg   []byte
	buf   [dnswire.MaxQuery]byte
}

// batcher is the part that ipv4.PacketConn and ipv6.PacketConn share.
type batcher interface {
	ReadBatch(ms []ipv4.Message, flags int) (int, error)
	WriteBatch(ms []ipv4.Message, flags int) (int, error)
}

// socket is a connected UDP socket with the queries that went out of it. One
// goroutine writes what is queued, in batches, and one reads and hands each
// answer to its query.
type socket struct {
	r      *Resolver
	server *server
	conn   *net.UDPConn
	batch  batcher
	born   time.Time
	wake   chan struct{}
	quit   chan struct{}
	once   sync.Once
	timer  timer

	used    atomic.Int64
	suspect atomic.Bool

	mu      sync.Mutex
	queries map[uint16]*query // nil for an id that has been answered
	open    int               // entries that are not nil
	queue   []*query
	retired bool
	overdue int // open ones that count as timeouts already
	wrong   int
}

// openSocket starts the goroutines of a new socket.
func (r *Resolver) openSocket(s *server, conn *net.UDPConn, now time.Time) (*socket, error) {
	// The default buffer holds some 200 answers; without it a burst is lost.
	_ = conn.SetReadBuffer(1 << 20)
	k := &socket{
		r: r, server: s, conn: conn, born: now,
		wake: make(chan struct{}, 1), quit: make(chan struct{}),
		queries: make(map[uint16]*query),
	}
	if s.addr.Addr().Is4() {
		k.batch = ipv4.NewPacketConn(conn)
	} else {
		k.batch = ipv6.NewPacketConn(conn)
	}
	r.life.Lock()
	defer r.life.Unlock()
	if r.life.closed {
		conn.Close()
		return nil, errClosed
	}
	r.life.sockets[k] = struct{}{}
	r.life.wg.Go(k.write)
	r.life.wg.Go(k.read)
	return k, nil
}

// spent reports whether the socket should be renewed.
func (k *socket) spent(now time.Time) bool {
	return k.suspect.Load() || k.used.Load() >= int64(k.r.cfg.SocketQueries) || now.Sub(k.born) >= k.r.cfg.SocketAge
}

// usable reports whether the socket could take one more query although it is
// spent: most of its ids must be left, for they are tried at random.
func (k *socket) usable() bool { return !k.suspect.Load() && k.used.Load() < 1<<15 }

// enqueue gives the query an id that this socket has not used, packs it and
// leaves it to the writer.
func (k *socket) enqueue(q *query) {
	k.mu.Lock()
	defer k.mu.Unlock()
	q.id = k.r.rand.id()
	for _, taken := k.queries[q.id]; taken; _, taken = k.queries[q.id] {
		q.id = k.r.rand.id()
	}
	q.msg = dnswire.AppendQuery(q.buf[:0], q.id, q.question, q.edns)
	if q.mixed {
		var bits [32]byte
		k.r.rand.fill(bits[:])
		dnswire.MixCase(q.msg, bits[:])
	}
	k.queries[q.id] = q
	k.open++
	k.used.Add(1)
	k.queue = append(k.queue, q)
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// write sends what is queued until the socket is closed.
func (k *socket) write() {
	messages := make([]ipv4.Message, batchSize)
	buffers := make([][]byte, batchSize)
	var batch []*query
	for {
		select {
		case <-k.quit:
			return
		case <-k.wake:
		}
		k.mu.Lock()
		batch, k.queue = k.queue, batch[:0]
		k.mu.Unlock()
		for rest := batch; len(rest) > 0; {
			n := min(len(rest), batchSize)
			for i, q := range rest[:n] {
				buffers[i] = q.msg
				messages[i] = ipv4.Message{Buffers: buffers[i : i+1]}
			}
			sent, err := k.batch.WriteBatch(messages[:n], 0)
			if errors.Is(err, syscall.ECONNREFUSED) {
				// The echo of an earlier query: nobody listens.
				k.unreachable(err)
				break
			}
			if err != nil {
				k.unsent(rest[0], err)
			}
			rest = rest[max(sent, 1):]
		}
		clear(batch)
		clear(buffers)
	}
}

// unsent handles a query that the kernel did not take.
func (k *socket) unsent(q *query, err error) {
	k.mu.Lock()
	k.settle(q.id)
	k.mu.Unlock()
	q.task.failed(q, err)
}

// unreachable fails every query under way: an ICMP error does not say which
// of them it is about.
func (k *socket) unreachable(err error) {
	k.server.refused(err)
	for _, q := range k.take() {
		q.task.failed(q, err)
	}
}

// take removes all queries under way.
func (k *socket) take() []*query {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]*query, 0, k.open)
	for id, q := range k.queries {
		if q != nil {
			out = append(out, q)
			k.queries[id] = nil
		}
	}
	k.open = 0
	return out
}

// settle marks an id as answered; k.mu is held. A retired socket closes with
// its last query.
func (k *socket) settle(id uint16) {
	if k.queries[id] == nil {
		return
	}
	k.queries[id] = nil
	if k.open--; k.open == 0 && k.retired {
		k.close()
	}
}

// retire lets the socket wait for its last answers, as long as a question may
// take, and no longer.
func (k *socket) retire(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.retired = true
	if k.open == 0 {
		k.close()
		return
	}
	k.overdue = k.unanswered(now)
	k.server.timeouts.Add(uint64(k.overdue))
	k.r.wheel.arm(&k.timer, k, now.Add(k.r.cfg.Timeout))
}

// unanswered counts the queries that are older than a question may get; k.mu
// is held.
func (k *socket) unanswered(now time.Time) int {
	n := 0
	for _, q := range k.queries {
		if q != nil && now.Sub(q.sent) > k.r.cfg.Timeout {
			n++
		}
	}
	return n
}

// ring ends the waiting.
func (k *socket) ring(time.Time) {
	k.mu.Lock()
	k.server.timeouts.Add(uint64(max(k.open-k.overdue, 0)))
	k.mu.Unlock()
	k.close()
}

// close stops both goroutines.
func (k *socket) close() {
	k.once.Do(func() {
		close(k.quit)
		k.conn.Close()
		k.r.life.Lock()
		delete(k.r.life.sockets, k)
		k.r.life.Unlock()
	})
}

var _ alarm = (*socket)(nil)
