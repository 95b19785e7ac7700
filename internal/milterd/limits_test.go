package milterd_test

import (
	"context"
	"net"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/milterd"
	"github.com/arpagate/arpagate/internal/reply"
)

// idleConn is a connection on which nothing ever comes; it counts who waits.
type idleConn struct {
	net.Conn
	waiting *sync.WaitGroup
	end     chan struct{}
}

func (c *idleConn) Read([]byte) (int, error) {
	c.waiting.Done()
	<-c.end
	return 0, net.ErrClosed
}
func (c *idleConn) SetReadDeadline(time.Time) error { return nil }
func (c *idleConn) Close() error                    { return nil }

// TestIdleConnections measures what a session costs beside its socket. That
// more are refused at once is the business of package listen.
func TestIdleConnections(t *testing.T) {
	rows := []struct {
		name string
		n    int
	}{
		{"M127 5000", 5000},
		{"M128 20000", 20000},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			h := &milterd.Handler{Ask: always(pass).Ask}
			end := make(chan struct{})
			var waiting, serving sync.WaitGroup
			waiting.Add(row.n)
			before := held()
			for range row.n {
				serving.Go(func() { h.Serve(context.Background(), &idleConn{waiting: &waiting, end: end}) })
			}
			waiting.Wait()
			each := (held() - before) / uint64(row.n)
			close(end)
			serving.Wait()
			t.Logf("%d octets each", each)
			if each > idleLimit {
				t.Errorf("%d octets for an idle connection, want at most %d", each, idleLimit)
			}
		})
	}
}

// held returns the octets that heap and stacks hold.
func held() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func TestDeafPeer(t *testing.T) {
	t.Run("M129 never reads", func(t *testing.T) {
		ours, theirs := net.Pipe() // without a buffer
		defer func() { _ = ours.Close() }()
		h := &milterd.Handler{Ask: always(pass).Ask, WriteTimeout: 50 * time.Millisecond}
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.Serve(context.Background(), theirs)
		}()
		if _, err := ours.Write([]byte(encode('O', number(6), number(0x1ff), number(0x1fffff)))); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatal("waits for a peer that never reads")
		}
	})
}

func TestSlowDecision(t *testing.T) {
	const notNow = "451 4.3.0 Temporary failure, please try again later\x00"
	t.Run("M130 nobody decides", func(t *testing.T) {
		release := make(chan struct{})
		var left sync.WaitGroup
		left.Add(1)
		p := dial(t, &gate{answer: func(context.Context, facts.Conn) reply.Reply {
			defer left.Done()
			<-release
			return reject
		}}, func(h *milterd.Handler) { h.AskTimeout = 50 * time.Millisecond })
		p.negotiate()
		p.connect("203.0.113.9")
		p.envelope()
		p.want('y', notNow)
		close(release)
		left.Wait()
		p.send('E')
		p.want('c', "")
		if got := p.h.Stats().AsksFailed; got != 1 || len(p.logged()) != 1 {
			t.Errorf("%d counted, logged %v, want one each", got, p.logged())
		}
	})
	t.Run("M130 the default is 8 s", func(t *testing.T) {
		var left time.Duration
		p := dial(t, &gate{answer: func(ctx context.Context, _ facts.Conn) reply.Reply {
			if until, ok := ctx.Deadline(); ok {
				left = time.Until(until)
			}
			return pass
		}})
		p.begin()
		if left <= 0 || left > 8*time.Second {
			t.Errorf("Ask has %v, want at most 8 s", left)
		}
	})
	t.Run("a panic", func(t *testing.T) {
		p := dial(t, &gate{answer: func(context.Context, facts.Conn) reply.Reply { panic("nothing left\n") }})
		p.negotiate()
		p.connect("203.0.113.9")
		p.envelope()
		p.want('y', notNow)
		p.send('R', "<carol@example.org>\x00")
		p.want('y', notNow)
		if got := p.h.Stats().AsksFailed; got != 2 || len(p.logged()) != 1 {
			t.Errorf("%d counted, %d logged, want 2 and 1", got, len(p.logged()))
		}
	})
}

// smtpLine is what every reply code must look like once the MTA has undone the
// doubling of the percent signs.
var smtpLine = regexp.MustCompile(`^(5\d\d 5|4\d\d 4)\.\d{1,3}\.\d{1,3} [ -~]*$`)

func TestReplies(t *testing.T) {
	const temporary = "451 4.3.0 Temporary failure, please try again later"
	deny := func(text string) reply.Reply {
		return reply.Reply{Verb: reply.Reject, Code: "550", Enhanced: "5.7.25", Text: text}
	}
	rows := []struct {
		name  string
		reply reply.Reply
		want  string
	}{
		{"M131 CR LF", deny("bad\r\n250 OK"), "550 5.7.25 bad??250 OK"},
		{"M132 percent signs", deny("100% of %s and %%"), "550 5.7.25 100%% of %%s and %%%%"},
		{"M133 600 octets", deny(strings.Repeat("x", 600)), "550 5.7.25 " + strings.Repeat("x", 486) + "..."},
		{"M133 600 percent signs", deny(strings.Repeat("%", 600)), "550 5.7.25 " + strings.Repeat("%%", 486) + "..."},
		{"M134 not ASCII", deny("na\u00efve \xff"), "550 5.7.25 na?ve ?"},
		{"M135 digits", deny("250 2.0.0"), "550 5.7.25 250 2.0.0"},
		{"M136 NUL", deny("a\x00b"), "550 5.7.25 a?b"},
		{"a deferral", reply.Reply{Verb: reply.Defer, Code: "450", Enhanced: "4.7.25", Text: "later"}, "450 4.7.25 later"},
		{"Defer with a permanent code", reply.Reply{Verb: reply.Defer, Code: "550", Enhanced: "5.7.25"}, temporary},
		{"Reject without codes", reply.Reply{Verb: reply.Reject}, temporary},
		{"unknown verb", reply.Reply{Verb: 99, Code: "450", Enhanced: "4.7.25"}, temporary},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := dial(t, always(row.reply))
			p.negotiate()
			p.connect("203.0.113.9")
			p.envelope()
			p.want('y', row.want+"\x00")
			line := strings.ReplaceAll(row.want, "%%", "%")
			if !smtpLine.MatchString(line) || len(line) > 500 {
				t.Errorf("bad SMTP line of %d octets: %q", len(line), line)
			}
			failed := int64(0)
			if row.want == temporary {
				failed = 1
			}
			if got := p.h.Stats().AsksFailed; got != failed || int64(len(p.logged())) != failed {
				t.Errorf("%d counted, logged %v, want %d each", got, p.logged(), failed)
			}
		})
	}
}

func TestWarning(t *testing.T) {
	warned := pass
	warned.Warning = "monitor: would reject"
	p := dial(t, always(warned))
	p.begin()
	if got := p.h.Stats().Warnings; got != 1 {
		t.Errorf("%d warnings counted, want 1", got)
	}
}

// TestDrain ends the context, as SIGTERM does, at three moments.
func TestDrain(t *testing.T) {
	t.Run("M137 during O", func(t *testing.T) {
		p := dial(t, always(pass))
		p.raw(encode('O', number(6), number(0x1ff), number(0x1fffff))[:9])
		p.stop()
		p.closed()
	})
	t.Run("M138 during the decision", func(t *testing.T) {
		asked, release := make(chan struct{}), make(chan struct{})
		p := dial(t, &gate{answer: func(ctx context.Context, _ facts.Conn) reply.Reply {
			close(asked)
			<-release
			if ctx.Err() != nil {
				return reply.Reply{}
			}
			return reject
		}})
		p.negotiate()
		p.connect("203.0.113.9")
		p.envelope()
		<-asked
		p.stop()
		close(release)
		p.want('y', "550 5.7.25 Reverse DNS validation failed: 203.0.113.9 has no PTR record.\x00")
		p.closed()
	})
	t.Run("M139 during E", func(t *testing.T) {
		p := dial(t, always(pass))
		p.begin()
		p.raw(encode('E')[:4])
		p.stop()
		p.closed()
		if logs := p.logged(); len(logs) > 0 {
			t.Errorf("logged: %v", logs)
		}
	})
	t.Run("M139 before E", func(t *testing.T) {
		p := dial(t, always(pass))
		p.begin()
		p.stop()
		p.closed()
	})
}
