package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// ErrNotFound is wrapped by the error of Case for a reference that no stored
// case has: never given, older than the retention, or not kept.
var ErrNotFound = errors.New("store: no such case")

// Record notes a case: at once in the memory of addresses, soon on disk. It
// never waits; where the queue is full the case is counted and dropped. The
// case must not be changed afterwards.
//
// On disk go the cases with a finding or with an action above accept, done or
// only wished for, and of the others at most one per address and hour.
func (s *Store) Record(c *decision.Case) {
	j := job{}
	clean := len(c.Findings) == 0 && c.Decision.Action == decision.Accept && c.Decision.Would == decision.Accept
	if !clean {
		j.c = c
	}
	if c.Conn.Client.IsValid() {
		j.key = keyOf(c.Conn.Client)
		s.observe(c, clean, &j)
	} else if clean {
		j.c = c
	}
	if j.c == nil && !j.seen {
		return
	}
	if s.closed.Load() {
		s.dropped.Add(1)
		return
	}
	select {
	case s.queue <- j:
	default:
		s.dropped.Add(1)
	}
}

// observe brings the memory of the client up to date, and adds to the job what
// has to be written.
func (s *Store) observe(c *decision.Case, clean bool, j *job) {
	result := viewOf(c).IPRev.Result
	// What a sick resolver says is no observation, nor is an address that is
	// not the client's.
	if w := c.Evidence.Weather; result != evidence.Pass && (w.Degraded || w.Masked) {
		result = evidence.Unjudged
	}
	now := seconds(s.opts.Now())
	answered := now
	if negative := result == evidence.Fail || result == evidence.PermError; negative {
		if at := viewOf(c).IPRev.Observed(); !at.IsZero() {
			answered = min(seconds(at), now)
		}
	}
	s.memory.change(j.key, func(t *trace) bool {
		j.seen = t.observe(result, now, answered)
		if clean && (t.clean == 0 || now < t.clean || now-t.clean >= uint32(cleanEvery/time.Second)) {
			t.clean = now
			j.c = c
		}
		return j.seen || j.c != nil
	})
}

// viewOf returns what the DNS says of the client, an empty view where nobody
// has looked.
func viewOf(c *decision.Case) *evidence.View {
	if c.Evidence.View == nil {
		return new(evidence.View)
	}
	return c.Evidence.View
}

// row is a case as the table holds it.
type row struct {
	ref                                      string
	at                                       int64
	client                                   []byte
	action, iprev, confirmed, codes, details string
}

// encode makes the row; without keepMail what names a person is gone before
// anything is encoded.
func encode(c *decision.Case, keepMail bool) (row, error) {
	if !keepMail {
		bare := *c
		bare.Conn.Sender, bare.Conn.Recipient, bare.Conn.AuthUser = untrusted.Text{}, untrusted.Text{}, untrusted.Text{}
		c = &bare
	}
	detail, err := json.Marshal(c)
	if err != nil {
		return row{}, fmt.Errorf("store: case %q: %w", c.Ref, err)
	}
	codes := make([]string, len(c.Findings))
	for i, f := range c.Findings {
		codes[i] = string(f.Code)
	}
	return row{
		ref:       canonicalRef(c.Ref),
		at:        micros(c.At),
		client:    blob(c.Conn.Client),
		action:    c.Decision.Action.String(),
		iprev:     viewOf(c).IPRev.Result.String(),
		confirmed: viewOf(c).IPRev.Confirmed.String(),
		codes:     strings.Join(codes, " "),
		details:   string(detail),
	}, nil
}

// blob returns the one canonical form of an address: 16 octets, none for no
// address.
func blob(addr netip.Addr) []byte {
	if !addr.IsValid() {
		return []byte{}
	}
	k := keyOf(addr)
	return k[:]
}

// canonicalRef folds what people write for Crockford's base32: lower case, the
// letter O for 0, I and L for 1, hyphens between groups.
func canonicalRef(ref string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case 'O', 'o':
			return '0'
		case 'I', 'i', 'L', 'l':
			return '1'
		case '-', ' ':
			return -1
		}
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}, ref)
}

// Case returns the case with a reference, in any spelling of Crockford's
// base32. Without Options.KeepMail it has no sender, recipient and login.
func (s *Store) Case(ctx context.Context, ref string) (*decision.Case, error) {
	var detail string
	err := s.read.QueryRowContext(ctx, `SELECT detail FROM cases WHERE ref = $1`, canonicalRef(ref)).Scan(&detail)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%w: %q", ErrNotFound, printable(ref, 40))
	}
	if err != nil {
		return nil, s.explain("read a case", err)
	}
	return decode(detail)
}

// Cases returns the cases of an address, the newest first, at most limit.
func (s *Store) Cases(ctx context.Context, addr netip.Addr, limit int) ([]*decision.Case, error) {
	rows, err := s.read.QueryContext(ctx,
		`SELECT detail FROM cases WHERE client = $1 ORDER BY at DESC, ref LIMIT $2`, blob(addr), max(0, limit))
	if err != nil {
		return nil, s.explain("read cases", err)
	}
	defer rows.Close()
	var out []*decision.Case
	for rows.Next() {
		var detail string
		if err := rows.Scan(&detail); err != nil {
			return nil, s.explain("read cases", err)
		}
		c, err := decode(detail)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, s.explain("read cases", rows.Err())
}

func decode(detail string) (*decision.Case, error) {
	c := new(decision.Case)
	if err := json.Unmarshal([]byte(detail), c); err != nil {
		return nil, fmt.Errorf("store: stored case: %w", err)
	}
	return c, nil
}
