package dialer

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Barred is the error of a connection that is never made.
type Barred struct {
	To netip.AddrPort // as asked for
	// Why is the kind of evidence.SourceOf ("private", "6to4", "none", …), or
	// "documentation", "own", "port", "zone", "map" or "address".
	Why string
	// Detail says it in a few words.
	Detail string
}

// Error returns address and reason.
func (b *Barred) Error() string {
	return fmt.Sprintf("dialer: %s is barred: %s (%s)", b.To, b.Why, b.Detail)
}

// OverBudget is the error of a connection that may be made later.
type OverBudget struct {
	To netip.AddrPort // as asked for
	// Scope is "address" or "network" for too many connections of late, "open"
	// for too many at this time, "table" when too many targets are remembered.
	Scope string
	Limit int
	// Until is the earliest time at which the next one is allowed, the zero time
	// where that depends on others.
	Until time.Time
}

// Error returns address and limit.
func (o *OverBudget) Error() string {
	return fmt.Sprintf("dialer: %s is over budget: %d for each %s", o.To, o.Limit, o.Scope)
}

// conn gives its slots back when it is closed.
type conn struct {
	net.Conn
	once sync.Once
	end  func()
}

// Close closes the connection.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.end)
	return err
}

var (
	_ error = (*Barred)(nil)
	_ error = (*OverBudget)(nil)
)
