package listen_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/arpagate/arpagate/internal/listen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipeListener hands out the server's ends of pipes, and the errors put into
// it, so that a test in a synctest bubble needs no network.
type pipeListener struct {
	accept chan func() (net.Conn, error)
	closed chan struct{}
	calls  atomic.Int64
}

func newPipeListener() *pipeListener {
	return &pipeListener{accept: make(chan func() (net.Conn, error)), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	l.calls.Add(1)
	select {
	case f := <-l.accept:
		return f()
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.accept <- func() (net.Conn, error) { return server, nil }
	return client
}

// start runs Serve and returns its result when stop is called.
func start(t *testing.T, s *listen.Server, ln net.Listener) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- s.Serve(ctx, ln) }()
	return func() error {
		cancel()
		return <-result
	}
}

func echo(_ context.Context, c net.Conn) { _, _ = io.Copy(c, c) }

func ask(t *testing.T, c net.Conn, line string) {
	t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		t.Fatal(err)
	}
	got, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || got != line+"\n" {
		t.Fatalf("answer %q, %v", got, err)
	}
}

func isClosed(c net.Conn) bool {
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

func TestServeTCP(t *testing.T) {
	a, err := listen.Parse("tcp:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := listen.Open(t.Context(), a, listen.Options{})
	if err != nil {
		t.Fatal(err)
	}
	handle := func(ctx context.Context, c net.Conn) {
		defer context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })()
		echo(ctx, c)
	}
	s := &listen.Server{Name: "test", Handle: handle}
	stop := start(t, s, ln)
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ask(t, c, "hello")
	if got := s.Stats(); got != (listen.Stats{Accepted: 1, Active: 1}) {
		t.Errorf("Stats() = %+v", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if !isClosed(c) {
		t.Error("the connection outlived the server")
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener outlived the server: %v", err)
	}
	if got := s.Stats(); got != (listen.Stats{Accepted: 1}) {
		t.Errorf("Stats() = %+v", got)
	}
}

// P104 and P105: over the limit a connection is closed at once, and a place
// that becomes free is used again.
func TestLimit(t *testing.T) {
	for _, tt := range []struct {
		name        string
		limit, want int
		dials       int
	}{
		{"P104 200 connections", 100, 100, 200},
		{"P105 20000 connections", 0, listen.DefaultMaxConns, 20000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := newPipeListener()
				s := &listen.Server{Handle: echo, MaxConns: tt.limit}
				stop := start(t, s, ln)
				var kept []net.Conn
				for range tt.dials {
					c := ln.dial()
					synctest.Wait()
					if len(kept) < tt.want {
						kept = append(kept, c)
					} else if !isClosed(c) {
						t.Fatal("a connection over the limit stayed open")
					}
				}
				got := s.Stats()
				if want := (listen.Stats{Accepted: int64(tt.want), Refused: int64(tt.dials - tt.want), Active: int64(tt.want)}); got != want {
					t.Errorf("Stats() = %+v, want %+v", got, want)
				}
				_ = kept[0].Close()
				synctest.Wait()
				c := ln.dial()
				ask(t, c, "room again")
				for _, c := range append(kept, c) {
					_ = c.Close()
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stacks []string
		s := &listen.Server{
			Handle: func(ctx context.Context, c net.Conn) {
				line, _ := bufio.NewReader(c).ReadString('\n')
				if line == "boom\n" {
					panic("boom " + line)
				}
				_, _ = io.WriteString(c, line)
			},
			OnPanic: func(value any, stack []byte) {
				stacks = append(stacks, value.(string)+string(stack))
			},
		}
		ln := newPipeListener()
		stop := start(t, s, ln)
		bystander := ln.dial()
		for range 3 {
			c := ln.dial()
			if _, err := io.WriteString(c, "boom\n"); err != nil {
				t.Fatal(err)
			}
			if !isClosed(c) {
				t.Error("the connection of a panic stayed open")
			}
		}
		ask(t, bystander, "still here")
		synctest.Wait()
		if got, want := s.Stats(), (listen.Stats{Accepted: 4, Panics: 3}); got != want {
			t.Errorf("Stats() = %+v, want %+v", got, want)
		}
		if len(stacks) != 1 || !strings.HasPrefix(stacks[0], "boom") || !strings.Contains(stacks[0], "server_test.go") {
			t.Errorf("OnPanic got %q, want the stack of the first panic only", stacks)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// A process without free file descriptors must neither spin nor give up.
func TestAcceptBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reported []error
		s := &listen.Server{
			Name:          "policy",
			Handle:        echo,
			OnAcceptError: func(err error) { reported = append(reported, err) },
		}
		ln := newPipeListener()
		stop := start(t, s, ln)
		fail := func() (net.Conn, error) {
			return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
		}
		begin := time.Now()
		for time.Since(begin) < time.Minute {
			ln.accept <- fail
		}
		if n := ln.calls.Load(); n > 80 {
			t.Errorf("%d calls of accept in a minute", n)
		}
		c := ln.dial()
		ask(t, c, "recovered")
		if len(reported) != 1 || !errors.Is(reported[0], syscall.EMFILE) || !strings.HasPrefix(reported[0].Error(), "listen: policy: ") {
			t.Errorf("reported %q, want one EMFILE", reported)
		}
		_ = c.Close()
		ln.accept <- fail
		synctest.Wait()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if len(reported) != 2 {
			t.Errorf("reported %q, want the second row of failures too", reported)
		}
	})
}

func TestListenerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan struct{})
		s := &listen.Server{Name: "policy", Handle: func(ctx context.Context, _ net.Conn) {
			<-ctx.Done()
			close(told)
		}}
		ln := newPipeListener()
		result := make(chan error, 1)
		go func() { result <- s.Serve(t.Context(), ln) }()
		c := ln.dial()
		_ = ln.Close()
		<-told
		if err := <-result; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve returned %v, want net.ErrClosed", err)
		}
		if !isClosed(c) {
			t.Error("the connection outlived the server")
		}
	})
}

// A handler that needs a while for its answer gets it while we drain.
func TestDrainWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &listen.Server{Grace: 5 * time.Second, Handle: func(ctx context.Context, c net.Conn) {
			<-ctx.Done()
			time.Sleep(4 * time.Second)
			_, _ = io.WriteString(c, "answer\n")
		}}
		ln := newPipeListener()
		stop := start(t, s, ln)
		c := ln.dial()
		got := make(chan string, 1)
		go func() {
			b, _ := io.ReadAll(c)
			got <- string(b)
		}()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if g := <-got; g != "answer\n" {
			t.Errorf("the client got %q", g)
		}
	})
}

func TestDrainCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &listen.Server{Name: "milter", Handle: echo, Grace: 3 * time.Second}
		ln := newPipeListener()
		stop := start(t, s, ln)
		c := ln.dial()
		ask(t, c, "hello")
		begin := time.Now()
		err := stop()
		if err == nil || err.Error() != "listen: milter: connections cut off after 3s: 1" {
			t.Errorf("Serve returned %v", err)
		}
		if d := time.Since(begin); d != 3*time.Second {
			t.Errorf("draining took %v", d)
		}
		if !isClosed(c) {
			t.Error("the connection outlived the server")
		}
		synctest.Wait()
		if got := s.Stats(); got.Active != 0 {
			t.Errorf("Stats() = %+v", got)
		}
	})
}

func TestTwoListenersShareTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &listen.Server{Handle: echo, MaxConns: 1}
		one, two := newPipeListener(), newPipeListener()
		stopOne, stopTwo := start(t, s, one), start(t, s, two)
		c := one.dial()
		ask(t, c, "hello")
		if refused := two.dial(); !isClosed(refused) {
			t.Error("the limit holds for one listener only")
		}
		_ = c.Close()
		if err := errors.Join(stopOne(), stopTwo()); err != nil {
			t.Error(err)
		}
	})
}
