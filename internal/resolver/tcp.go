package resolver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver/dnswire"
	"github.com/arpagate/arpagate/internal/untrusted"
)

var errClosed = errors.New("resolver: closed")

// strangeMessages is the number of messages on a TCP connection that may not
// be ours before it is given up.
const strangeMessages = 16

// overTCP asks the server of q again over TCP, until the task's deadline; it
// is not asked over UDP any more. t.mu is held.
func (t *task) overTCP(q *query) {
	t.tries[q.server.index].out = true
	t.await(t.deadline)
	t.open++
	if !t.r.spawn(func() { t.exchangeTCP(q) }) {
		t.open--
		t.end(evidence.Answer{State: evidence.Failed, Rcode: -1, Reason: untrusted.New(errClosed.Error())})
		return
	}
	t.hedgeTCP()
}

// hedgeTCP sees to it that another server is asked if TCP takes too long.
func (t *task) hedgeTCP() {
	if t.next() == nil {
		t.sleep(t.deadline)
		return
	}
	t.sleep(time.Now().Add(t.r.cfg.Try))
}

// exchangeTCP runs one exchange and hands its result to the task.
func (t *task) exchangeTCP(q *query) {
	t.r.count.tcp.Add(1)
	ctx, cancel := context.WithDeadline(t.r.ctx, t.deadline)
	defer cancel()
	msg, same, err := t.r.askTCP(ctx, q)
	if err != nil {
		t.r.count.tcpFailed.Add(1)
		t.failed(q, fmt.Errorf("over TCP: %w", err))
		return
	}
	if q.mixed && !same {
		// The proof that the server has a case of its own: nobody can have
		// guessed his way into this connection.
		q.server.sameCase.Store(true)
	}
	var decoder dnswire.Decoder
	r, err := decoder.Decode(msg, q.question)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.settled(q) {
		t.r.count.late.Add(1)
		return
	}
	t.open--
	t.judge(q, r, err)
}

// askTCP sends the question of q over a connection of its own (RFC 7766 §6.2.1
// would allow to share one; truncation is too rare to pay for it) and returns
// the answer, and whether it has the case of the question.
func (r *Resolver) askTCP(ctx context.Context, q *query) (answer []byte, same bool, err error) {
	select {
	case r.tcpSlots <- struct{}{}:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	defer func() { <-r.tcpSlots }()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", q.server.addr.String())
	if err != nil {
		return nil, false, err
	}
	defer conn.Close()
	// The total time counts, not that of each read; and Close ends it too.
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	// RFC 1035 §4.2.2: two octets of length first.
	out := dnswire.AppendQuery(make([]byte, 2, 2+dnswire.MaxQuery), r.rand.id(), q.question, q.edns)
	binary.BigEndian.PutUint16(out, uint16(len(out)-2))
	query := out[2:]
	if q.mixed {
		var bits [32]byte
		r.rand.fill(bits[:])
		dnswire.MixCase(query, bits[:])
	}
	if _, err := conn.Write(out); err != nil {
		return nil, false, err
	}
	for range strangeMessages {
		msg, err := dnswire.ReadMessage(conn)
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return nil, false, err
		}
		if id, ok := dnswire.ID(msg); !ok || id != binary.BigEndian.Uint16(query) {
			continue
		}
		switch dnswire.Compare(msg, query) {
		case dnswire.Same:
			return msg, true, nil
		case dnswire.OtherCase:
			return msg, false, nil
		}
	}
	return nil, false, errors.New("too many messages that are not ours")
}
