package resolver

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/arpagate/arpagate/internal/resolver/dnswire"
)

// inbox is the space for one batch of datagrams.
type inbox struct {
	messages [batchSize]ipv4.Message
	space    [batchSize][datagramSize]byte
}

// inboxes lends space to readers, for sockets come and go.
var inboxes = sync.Pool{New: func() any {
	in := new(inbox)
	for i := range in.messages {
		in.messages[i].Buffers = [][]byte{in.space[i][:]}
	}
	return in
}}

// read receives until the socket is closed. It never stops listening because
// of what a datagram says.
func (k *socket) read() {
	in, _ := inboxes.Get().(*inbox)
	defer inboxes.Put(in)
	var decoder dnswire.Decoder
	for failures := 0; failures < readErrors; {
		n, err := k.batch.ReadBatch(in.messages[:], 0)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			failures++
			k.unreachable(err)
			continue
		}
		failures = 0
		now := time.Now()
		for i := range n {
			m := &in.messages[i]
			k.receive(&decoder, in.space[i][:m.N], m.Flags&syscall.MSG_TRUNC != 0, now)
		}
	}
	k.suspect.Store(true)
}

// receive finds the query that a datagram answers.
func (k *socket) receive(d *dnswire.Decoder, msg []byte, cut bool, now time.Time) {
	count := &k.r.count
	id, ok := dnswire.ID(msg)
	if !ok {
		k.strange(&count.short)
		return
	}
	k.mu.Lock()
	q, known := k.queries[id]
	if q == nil {
		k.mu.Unlock()
		if known {
			count.late.Add(1)
			return
		}
		k.strange(&count.wrongID)
		return
	}
	match := dnswire.Compare(msg, q.msg)
	if match == dnswire.OtherCase && !q.mixed {
		match = dnswire.Same
	}
	if match != dnswire.Same && match != dnswire.OtherCase {
		q.wrong++
		guessed := q.wrong >= wrongLimit
		if guessed {
			k.settle(id)
		}
		k.mu.Unlock()
		k.strange(k.r.mismatch(match))
		if guessed {
			q.task.distrust(q)
		}
		return
	}
	k.settle(id)
	k.mu.Unlock()
	if match == dnswire.OtherCase {
		k.strange(&count.otherCase)
		q.task.distrust(q)
		return
	}
	count.answers.Add(1)
	k.server.answered(now.Sub(q.sent))
	if cut {
		q.task.answered(q, dnswire.Response{Truncated: true}, nil)
		return
	}
	response, err := d.Decode(msg, q.question)
	q.task.answered(q, response, err)
}

// mismatch returns the counter for a datagram that is no answer.
func (r *Resolver) mismatch(m dnswire.Match) *atomic.Uint64 {
	switch m {
	case dnswire.NotResponse:
		return &r.count.notResponse
	case dnswire.WrongOpcode:
		return &r.count.wrongOpcode
	case dnswire.WrongCount:
		return &r.count.wrongCount
	case dnswire.WrongClass:
		return &r.count.wrongClass
	}
	return &r.count.wrongQuestion
}

// strange counts a datagram that answers nothing. After too many of them
// somebody knows the port and guesses the rest: the queries under way go to
// TCP, and the port is given up (RFC 5452 §9.3).
func (k *socket) strange(kind *atomic.Uint64) {
	kind.Add(1)
	k.server.strange.Add(1)
	k.mu.Lock()
	k.wrong++
	guessed := k.wrong == wrongLimit
	k.mu.Unlock()
	if !guessed {
		return
	}
	k.r.count.suspected.Add(1)
	k.suspect.Store(true)
	for _, q := range k.take() {
		q.task.distrust(q)
	}
}
