package decision

import (
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
)

// Case is the full record of one judged connection.
type Case struct {
	// Ref is the reference printed in the reply: 10 characters of Crockford's
	// base32, 50 random bits.
	Ref      string            `json:"ref"`
	At       time.Time         `json:"at"`
	Took     time.Duration     `json:"took_ns"`
	Conn     facts.Conn        `json:"conn"`
	Evidence evidence.Evidence `json:"evidence"`
	Findings []finding.Finding `json:"findings"`
	Decision Decision          `json:"decision"`
}

// Recorder is told of every case: the store, the journal, the counters. Record
// must return at once; what it can't take it counts and drops.
type Recorder interface {
	Record(c *Case)
}
