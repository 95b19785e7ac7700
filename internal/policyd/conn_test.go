package policyd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/listen"
	"github.com/arpagate/arpagate/internal/policyd"
	"github.com/arpagate/arpagate/internal/reply"
)

func TestHalfRequest(t *testing.T) {
	whole := request()
	for _, tt := range []struct{ name, input, want string }{
		{"P031 no blank line, then EOF", strings.TrimSuffix(whole, "\n"), ""},
		{"P031 inside a line", whole[:30], ""},
		{"P031 behind a whole request", whole + whole[:30], rejected},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := talk(t, &policyd.Handler{}, 0, tt.input)
				if o.out != tt.want || len(o.troubles) != 1 || !errors.Is(o.troubles[0], io.ErrUnexpectedEOF) {
					t.Errorf("answer %q, troubles %v", o.out, o.troubles)
				}
			})
		})
	}
}

// P102 and P103: Postfix keeps a connection without a question for 300 s.
func TestIdle(t *testing.T) {
	serve := func(t *testing.T, h *policyd.Handler) net.Conn {
		near, far := net.Pipe()
		go func() {
			h.Serve(t.Context(), far)
			_ = far.Close()
		}()
		return near
	}
	t.Run("P102 300 s", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := serve(t, &policyd.Handler{Ask: judge})
			defer func() { _ = c.Close() }()
			for range 5 {
				time.Sleep(300 * time.Second)
				exchange(t, c, request(), rejected)
			}
		})
	})
	t.Run("P103 1000 s", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var troubles []error
			h := &policyd.Handler{Ask: judge, OnTrouble: func(_ net.Addr, err error) { troubles = append(troubles, err) }}
			c := serve(t, h)
			exchange(t, c, request(), rejected)
			begin := time.Now()
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("read: %v", err)
			}
			if d := time.Since(begin); d != 1000*time.Second {
				t.Errorf("closed after %v", d)
			}
			if len(troubles) != 0 || h.Stats().Trouble != 0 {
				t.Errorf("troubles %v", troubles)
			}
		})
	})
}

func exchange(t *testing.T, c net.Conn, ask, want string) {
	t.Helper()
	if _, err := io.WriteString(c, ask); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("answer %q, %v; want %q", got, err, want)
	}
}

func TestNeverReads(t *testing.T) {
	t.Run("P101 client never reads", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var trouble error
			h := &policyd.Handler{Ask: judge, OnTrouble: func(_ net.Addr, err error) { trouble = err }}
			near, far := net.Pipe()
			defer func() { _ = near.Close() }()
			begin := time.Now()
			go func() { _, _ = io.WriteString(near, request()) }()
			h.Serve(t.Context(), far)
			_ = far.Close()
			if d := time.Since(begin); d != 5*time.Second {
				t.Errorf("gave up after %v", d)
			}
			if trouble == nil || !strings.Contains(trouble.Error(), "answer not sent") {
				t.Errorf("trouble %v", trouble)
			}
		})
	})
}

// startServer serves h on a socket and returns a function that stops it.
func startServer(t *testing.T, spec string, s *listen.Server) (net.Addr, func() error) {
	t.Helper()
	a, err := listen.Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := listen.Open(t.Context(), a, listen.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- s.Serve(ctx, ln) }()
	return ln.Addr(), func() error {
		cancel()
		return <-result
	}
}

func dial(t *testing.T, a net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial(a.Network(), a.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

func TestSockets(t *testing.T) {
	dir, err := os.MkdirTemp("", "policyd")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, spec := range []string{"tcp:127.0.0.1:0", "unix:" + filepath.Join(dir, "policy.sock")} {
		s := &listen.Server{Name: "policy", MaxConns: 100, Handle: (&policyd.Handler{Ask: judge}).Serve}
		addr, stop := startServer(t, spec, s)
		t.Run("P099 half-close over "+addr.Network(), func(t *testing.T) {
			c := dial(t, addr)
			exchange(t, c, request(), rejected)
			if _, err := io.WriteString(c, request()); err != nil {
				t.Fatal(err)
			}
			if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(c); string(got) != rejected || err != nil {
				t.Errorf("answer %q, %v", got, err)
			}
		})
		t.Run("P104 200 connections over "+addr.Network(), func(t *testing.T) {
			waitActive(t, s, 0)
			var kept []net.Conn
			for range 100 {
				c := dial(t, addr)
				exchange(t, c, request(), rejected)
				kept = append(kept, c)
			}
			for range 100 {
				_, err := dial(t, addr).Read(make([]byte, 1))
				if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
					t.Fatalf("a connection over the limit: %v", err)
				}
			}
			for _, c := range kept {
				exchange(t, c, request(), rejected)
				_ = c.Close()
			}
		})
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
}

func waitActive(t *testing.T, s *listen.Server, want int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); s.Stats().Active != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v after a minute", s.Stats())
		}
	}
}

func TestReset(t *testing.T) {
	t.Run("P100 RST before the answer", func(t *testing.T) {
		asked, gone := make(chan struct{}), make(chan struct{})
		h := &policyd.Handler{Ask: func(context.Context, facts.Conn) reply.Reply {
			close(asked)
			<-gone
			return reply.Reply{}
		}}
		s := &listen.Server{Name: "policy", Handle: h.Serve}
		addr, stop := startServer(t, "tcp:127.0.0.1:0", s)
		c := dial(t, addr)
		if _, err := io.WriteString(c, request()); err != nil {
			t.Fatal(err)
		}
		<-asked
		if err := c.(*net.TCPConn).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		close(gone)
		waitActive(t, s, 0)
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestDrain(t *testing.T) {
	// Each case stops the server at another point of the dialogue; the client
	// sends input and must read want before the connection closes.
	for _, tt := range []struct{ name, input, want string }{
		{"P106 idle connection", "", ""},
		{"P106 answer in progress", request(), rejected},
		{"P106 answer in progress, another request behind it", request() + request(), rejected},
		{"P106 half a request", request()[:30], ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				h := &policyd.Handler{Ask: func(ctx context.Context, c facts.Conn) reply.Reply {
					time.Sleep(2 * time.Second)
					if err := ctx.Err(); err != nil {
						t.Errorf("the question was given up: %v", err)
					}
					return judge(ctx, c)
				}}
				near, far := net.Pipe()
				go func() {
					h.Serve(ctx, far)
					_ = far.Close()
				}()
				if _, err := io.WriteString(near, tt.input); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				cancel()
				begin := time.Now()
				got, err := io.ReadAll(near)
				if string(got) != tt.want || err != nil {
					t.Errorf("answer %q, %v", got, err)
				}
				if d := time.Since(begin); d > time.Second {
					t.Errorf("closed %v after the begin of draining", d)
				}
				if n := h.Stats().Trouble; n != 0 {
					t.Errorf("%d troubles", n)
				}
			})
		})
	}
}

// One write for the answers to requests that came together, and one for each
// that came alone.
func TestWrites(t *testing.T) {
	for _, n := range []int{1, 3} {
		c := &script{pieces: []string{strings.Repeat(request(), n)}}
		h := &policyd.Handler{Ask: judge}
		h.Serve(t.Context(), c)
		if got, want := fmt.Sprint(c.writes), fmt.Sprint([]string{strings.Repeat(rejected, n)}); got != want {
			t.Errorf("%d requests: writes %q", n, got)
		}
	}
}

// A request costs one string for all its texts, whatever the answer.
func TestAllocations(t *testing.T) {
	const requests = 1000
	h := answering(rejecting("No PTR record"))
	got := testing.AllocsPerRun(5, func() {
		h.Serve(t.Context(), &repeat{request: postfixRequest, left: requests})
	})
	// The connection itself has some, once.
	if got > requests+100 {
		t.Errorf("%v allocations for %d requests", got, requests)
	}
}

// script is a connection that sends its pieces and then closes.
type script struct {
	pieces []string
	writes []string
}

func (s *script) Read(b []byte) (int, error) {
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.pieces[0])
	if s.pieces[0] = s.pieces[0][n:]; s.pieces[0] == "" {
		s.pieces = s.pieces[1:]
	}
	return n, nil
}

func (s *script) Write(b []byte) (int, error) {
	s.writes = append(s.writes, string(b))
	return len(b), nil
}

func (s *script) Close() error                     { return nil }
func (s *script) LocalAddr() net.Addr              { return &net.UnixAddr{Net: "unix"} }
func (s *script) RemoteAddr() net.Addr             { return &net.UnixAddr{Net: "unix"} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

var _ net.Conn = (*script)(nil)
