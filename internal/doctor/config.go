package doctor

import (
	"context"
	"net/netip"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/gate"
	"github.com/arpagate/arpagate/internal/receivers"
	"github.com/arpagate/arpagate/internal/remedy"
)

// Corridor walks from facts to a decision, as the gate does.
type Corridor interface {
	Examine(ctx context.Context, c facts.Conn) *decision.Case
}

var _ Corridor = (*gate.Gate)(nil)

// Config is what a Doctor is made of. Gate, DNS and Now must be there; a source
// that is nil is not asked, and nothing is said about it.
type Config struct {
	// Gate should be thorough (gate.Config.Thorough), with a budget as long as
	// the whole examination may take.
	Gate      Corridor
	DNS       evidence.DNS
	Authority evidence.Authority
	Prober    evidence.Prober
	// Lists asks the DNS lists about an address, Origin for its announcer and
	// holder, SPF for a domain's senders.
	Lists  func(context.Context, netip.Addr) []evidence.ListAnswer
	Origin func(context.Context, netip.Addr) *evidence.Origin
	SPF    func(context.Context, evidence.DNS, dnsname.Name) *evidence.SPF
	// Remedy says how to put a finding right, Judge what receivers do.
	Remedy func(remedy.Input) *remedy.Remedy
	Judge  func(receivers.Identity) []receivers.Verdict
	// MTA names the mail server for the remedies, Provider the holder of the
	// addresses; empty: recognised.
	MTA, Provider string
	Now           func() time.Time
	// Progress is told of each part that begins or ends, one call at a time; nil:
	// nobody is.
	Progress func(Event)
}

// Event tells how far an examination is.
type Event struct {
	Part  string // "the reverse zone of 203.0.113.9", "port 25 of mail.example.org" …
	Ended bool   // otherwise it begins
	// Done and Parts count the parts that have ended and those known so far.
	Done, Parts int
}

// Doctor examines targets. It is safe for concurrent use, if what it is made
// of is.
type Doctor struct{ c Config }

// New makes a doctor.
func New(c Config) *Doctor { return &Doctor{c} }

// Examine finds out all it can about the target until ctx ends. It always
// returns an examination, with what is missing marked as such: at the deadline,
// or when ctx is cancelled, it says what is known by then.
func (d *Doctor) Examine(ctx context.Context, t Target) *Examination {
	now := d.c.Now()
	w := &walk{
		Config: d.c, target: t, bench: newBench(ctx, d.c.Progress),
		x: &Examination{Target: t.String(), At: now, Problems: []Problem{}, Addresses: []Address{}},
	}
	defer w.bench.close()
	w.floor = Pass
	w.gather()
	w.judge()
	w.x.Took = d.c.Now().Sub(now)
	return w.x
}
