package resolver

import "sync/atomic"

// Stats counts what happened since New.
type Stats struct {
	Questions  uint64 // asked of the resolver
	Hits       uint64 // answered from memory
	Failures   uint64 // answered from the memory of failures
	Joined     uint64 // waited for the same question of somebody else
	Overloaded uint64 // failed at once: MaxInFlight
	FailedFast uint64 // failed at once: breaker
	Stale      uint64 // troubled, with the last good answer attached
	Troubled   uint64 // asked upstream, and ended in trouble

	Queries   uint64 // datagrams sent
	Answers   uint64 // datagrams received that answer a query
	Hedged    uint64 // queries to a second server while the first is slow
	Retried   uint64 // queries to a server that has been asked before
	Truncated uint64 // answers with TC
	TCP       uint64 // exchanges over TCP
	TCPFailed uint64 // exchanges over TCP without an answer
	Late      uint64 // answers after the question was settled, or twice
	Malformed uint64 // answers that can't be read
	Rewritten uint64 // answers that the server says it rewrote (RFC 8914 §4.16)

	// Datagrams that answer nothing, by what is wrong with them.
	Short         uint64
	WrongID       uint64
	NotResponse   uint64
	WrongOpcode   uint64
	WrongCount    uint64
	WrongClass    uint64
	WrongQuestion uint64
	OtherCase     uint64
	Suspected     uint64 // sockets given up because of such datagrams

	InFlight   int // questions under way
	CacheBytes int // size of the memory
}

// counters are the same, while they count.
type counters struct {
	questions, hits, failures, joined, overloaded, failedFast, stale, troubled    atomic.Uint64
	queries, answers, hedged, retried, truncated, tcp, tcpFailed, late, malformed atomic.Uint64
	rewritten, short, wrongID, notResponse, wrongOpcode, wrongCount, wrongClass   atomic.Uint64
	wrongQuestion, otherCase, suspected                                           atomic.Uint64
}

// Stats returns the counters of this moment.
func (r *Resolver) Stats() Stats {
	c := &r.count
	s := Stats{
		Questions: c.questions.Load(), Hits: c.hits.Load(), Failures: c.failures.Load(), Joined: c.joined.Load(),
		Overloaded: c.overloaded.Load(), FailedFast: c.failedFast.Load(), Stale: c.stale.Load(), Troubled: c.troubled.Load(),
		Queries: c.queries.Load(), Answers: c.answers.Load(), Hedged: c.hedged.Load(), Retried: c.retried.Load(),
		Truncated: c.truncated.Load(), TCP: c.tcp.Load(), TCPFailed: c.tcpFailed.Load(), Late: c.late.Load(),
		Malformed: c.malformed.Load(), Rewritten: c.rewritten.Load(),
		Short: c.short.Load(), WrongID: c.wrongID.Load(), NotResponse: c.notResponse.Load(), WrongOpcode: c.wrongOpcode.Load(),
		WrongCount: c.wrongCount.Load(), WrongClass: c.wrongClass.Load(), WrongQuestion: c.wrongQuestion.Load(),
		OtherCase: c.otherCase.Load(), Suspected: c.suspected.Load(),
		CacheBytes: r.cache.Size(),
	}
	r.flight.mu.Lock()
	s.InFlight = len(r.flight.tasks)
	r.flight.mu.Unlock()
	return s
}
