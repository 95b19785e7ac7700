package gate

import (
	"sync"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// recentSize bounds the transactions that are remembered at once.
const recentSize = 4096

// recent remembers the last cases by mail transaction, so that all recipients
// of one message get one case. The oldest is forgotten first.
type recent struct {
	mu    sync.Mutex
	cases map[untrusted.Text]*decision.Case
	ring  []untrusted.Text // the keys, oldest at next once it is full
	next  int
}

// find returns the case of the same transaction, when client and HELO are the
// same too.
func (r *recent) find(c facts.Conn) *decision.Case {
	if c.Instance.IsZero() {
		return nil
	}
	r.mu.Lock()
	old := r.cases[c.Instance]
	r.mu.Unlock()
	if old == nil || old.Conn.Client != c.Client || old.Conn.Helo != c.Helo || old.Conn.AuthUser != c.AuthUser {
		return nil
	}
	return old
}

func (r *recent) keep(c *decision.Case) {
	if c.Conn.Instance.IsZero() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cases == nil {
		r.cases = make(map[untrusted.Text]*decision.Case)
	}
	switch _, known := r.cases[c.Conn.Instance]; {
	case known:
	case len(r.ring) < recentSize:
		r.ring = append(r.ring, c.Conn.Instance)
	default:
		delete(r.cases, r.ring[r.next])
		r.ring[r.next] = c.Conn.Instance
		r.next = (r.next + 1) % recentSize
	}
	r.cases[c.Conn.Instance] = c
}
