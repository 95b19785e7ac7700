package resolver

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// silentQueries unanswered in a row, over two tries' time, make a server
	// count as down: it is asked last, and probed every probeEvery.
	silentQueries = 5
	probeEvery    = time.Second
	// minPatience is the least time before a second server is asked.
	minPatience = 50 * time.Millisecond
	// perTurn queries in a row go out of the same socket, so that they share
	// a system call.
	perTurn = 32
)

// server is one recursive server: its sockets, and what we know of it.
type server struct {
	r     *Resolver
	addr  netip.AddrPort
	index int

	strange, timeouts atomic.Uint64
	// sameCase is set when the server is known to answer in a case of its own.
	sameCase atomic.Bool
	// generation changes when the server is caught lying, so that memory drops
	// what it said before.
	generation atomic.Uint32

	mu           sync.Mutex
	sockets      []*socket
	sent         uint64
	answers      uint64
	srtt, rttvar time.Duration
	silent       int       // queries since the last answer
	silentSince  time.Time // when the first of them was sent
	down         bool
	why          string
	nextProbe    time.Time
	lie          string // what it answered to a canary
}

// send registers the query with one of the sockets, and queues it. An error
// means that nothing was sent.
func (s *server) send(q *query, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.socket(now)
	if err != nil {
		return err
	}
	q.sent = now
	k.enqueue(q)
	s.sent++
	if s.silent++; s.silent == 1 {
		s.silentSince = now
	}
	if !s.down && s.silent > silentQueries && now.Sub(s.silentSince) > 2*s.r.cfg.Try {
		s.setDown("does not answer", now)
	}
	s.r.count.queries.Add(1)
	return nil
}

// socket returns the socket whose turn it is, opened anew if it has served
// its time.
func (s *server) socket(now time.Time) (*socket, error) {
	turn := int(s.sent/perTurn) % len(s.sockets)
	k := s.sockets[turn]
	if k != nil && !k.spent(now) {
		return k, nil
	}
	conn, err := s.r.dialUDP(s.addr)
	if err != nil {
		// Without a new port the old one must do, while it has ids left.
		if k != nil && k.usable() {
			return k, nil
		}
		return nil, err
	}
	fresh, err := s.r.openSocket(s, conn, now)
	if err != nil {
		return nil, err
	}
	s.sockets[turn] = fresh
	if k != nil {
		k.retire(now)
	}
	return fresh, nil
}

// dialUDP connects a socket, so that the kernel drops what comes from other
// addresses and ports, and reports ICMP errors. The port is the kernel's
// random choice (RFC 6056 §3.3.1).
func dialUDP(addr netip.AddrPort) (*net.UDPConn, error) {
	return net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
}

// answered notes that the server lives.
func (s *server) answered(rtt time.Duration) {
	s.mu.Lock()
	s.answers++
	s.silent = 0
	recovered := s.down
	s.down, s.why = false, ""
	// RFC 6298 §2, whose smoothing suits datagrams as well.
	if s.srtt == 0 {
		s.srtt, s.rttvar = rtt, rtt/2
	} else {
		s.rttvar += ((s.srtt - rtt).Abs() - s.rttvar) / 4
		s.srtt += (rtt - s.srtt) / 8
	}
	s.mu.Unlock()
	if recovered {
		s.r.cameBack()
	}
}

// setDown marks the server as down; s.mu is held.
func (s *server) setDown(why string, now time.Time) {
	if !s.down {
		s.nextProbe = now.Add(probeEvery)
	}
	s.down, s.why = true, why
}

// refused notes that the server's host said that nobody listens.
func (s *server) refused(err error) {
	s.mu.Lock()
	s.setDown(cause(err), time.Now())
	s.mu.Unlock()
}

// wantsProbe reports whether it is time to try a server that is down, once.
func (s *server) wantsProbe(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.down || now.Before(s.nextProbe) {
		return false
	}
	s.nextProbe = now.Add(probeEvery)
	return true
}

// The ranks of servers: the well, the silent, the liars.
const (
	rankWell = iota
	rankDown
	rankLying
)

// rank says how the server stands among the others.
func (s *server) rank() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.lie != "":
		return rankLying
	case s.down:
		return rankDown
	}
	return rankWell
}

// patience is the time after which another server is asked as well: what an
// answer usually takes, with its variance (RFC 6298 §2).
func (s *server) patience() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.srtt == 0 {
		return s.r.cfg.Try / 4
	}
	return min(max(s.srtt+4*s.rttvar, minPatience), s.r.cfg.Try)
}

// judge notes what the canaries said: the lie, or nothing.
func (s *server) judge(lie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if lie != "" && s.lie == "" {
		s.generation.Add(1)
	}
	s.lie = lie
}

// quiet returns whether the server is down, and how many queries it has left
// unanswered in a row.
func (s *server) quiet() (bool, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down, s.silent
}

func (s *server) health() ServerHealth {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := ServerHealth{
		Addr: s.addr, Up: !s.down, Why: s.why, Lying: s.lie != "",
		Answers: s.answers, Timeouts: s.timeouts.Load(), Strange: s.strange.Load(),
		RTT: s.srtt, MixCase: !s.sameCase.Load(),
	}
	if h.Lying {
		h.Why = s.lie
	}
	for _, k := range s.sockets {
		if k != nil {
			k.mu.Lock()
			h.Timeouts += uint64(k.unanswered(time.Now()))
			k.mu.Unlock()
		}
	}
	return h
}
