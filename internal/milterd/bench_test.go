package milterd_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/milterd"
	"github.com/arpagate/arpagate/internal/reply"
)

// atOnce is the number of sessions that a benchmark keeps open.
const atOnce = 64

var (
	negotiation = []byte(encode('O', number(6), number(0x1ff), number(0x1fffff)))
	envelope    = []byte(encode('D', "C{client_addr}\x00203.0.113.9\x00{daemon_name}\x00mx.example.org\x00"+
		"{daemon_addr}\x00192.0.2.25\x00{daemon_port}\x0025\x00") +
		encode('C', "mail.example.net\x00", "4\x9c\xbb", "203.0.113.9\x00") +
		encode('H', "mail.example.net\x00") +
		encode('M', "<alice@example.net>\x00SIZE=1024\x00") +
		encode('R', "<bob@example.org>\x00"))
	quit = []byte(encode('Q'))
)

// BenchmarkSessions counts whole sessions to RCPT over a UNIX socket, beside a
// loop that reads the same frames and answers "continue", in turns. Accepting
// connections and the client take most of the time of both.
func BenchmarkSessions(b *testing.B) {
	h := &milterd.Handler{
		Ask:        func(context.Context, facts.Conn) reply.Reply { return pass },
		AuthservID: "mx.example.org",
		Log:        func(err error) { b.Error(err) },
	}
	ours := listen(b, func(c net.Conn) { h.Serve(context.Background(), c) })
	bare := listen(b, serveBare)
	const chunk = 10 * atOnce
	var tookOurs, tookBare time.Duration
	n := 0
	for b.Loop() {
		if n%2 == 0 {
			tookOurs += sessions(b, ours, chunk)
			tookBare += sessions(b, bare, chunk)
		} else {
			tookBare += sessions(b, bare, chunk)
			tookOurs += sessions(b, ours, chunk)
		}
		n++
	}
	rate := func(took time.Duration) float64 { return float64(n*chunk) / took.Seconds() }
	b.ReportMetric(rate(tookOurs), "sessions/s")
	b.ReportMetric(rate(tookBare), "bare-sessions/s")
	b.ReportMetric(100*rate(tookOurs)/rate(tookBare), "%-of-bare")
}

// BenchmarkCodec is one session to RCPT without sockets.
func BenchmarkCodec(b *testing.B) {
	h := &milterd.Handler{
		Ask:        func(context.Context, facts.Conn) reply.Reply { return pass },
		AuthservID: "mx.example.org",
	}
	stream := append(append(append([]byte(nil), negotiation...), envelope...), quit...)
	c := &tape{chunk: len(stream)}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		c.in = stream
		c.out.Reset()
		h.Serve(ctx, c)
	}
	if c.out.Len() == 0 {
		b.Fatal("no answer")
	}
}

// listen serves connections until the end of the benchmark, and returns where.
func listen(b *testing.B, handle func(net.Conn)) string {
	b.Helper()
	dir, err := os.MkdirTemp("", "milter") // the path of a socket must be short
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			open.Go(func() { handle(c) })
		}
	})
	b.Cleanup(func() {
		_ = ln.Close()
		open.Wait()
		_ = os.RemoveAll(dir)
	})
	return path
}

// sessions runs n sessions, atOnce at a time, and returns how long they took.
func sessions(b *testing.B, path string, n int) time.Duration {
	b.Helper()
	start := time.Now()
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for range n / atOnce {
				if err := oneSession(path); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	return time.Since(start)
}

func oneSession(path string) error {
	c, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	var buf [256]byte
	if _, err := c.Write(negotiation); err != nil {
		return err
	}
	if n, err := c.Read(buf[:]); err != nil || buf[4] != 'O' {
		return fmt.Errorf("negotiation: %q, %w", buf[:n], err)
	}
	if _, err := c.Write(envelope); err != nil {
		return err
	}
	if n, err := c.Read(buf[:]); err != nil || buf[4] != 'c' {
		return fmt.Errorf("verdict: %q, %w", buf[:n], err)
	}
	_, err = c.Write(quit)
	return err
}

// serveBare is the least that can be called a filter: no limits, no deadlines,
// no state.
func serveBare(c net.Conn) {
	defer func() { _ = c.Close() }()
	r := bufio.NewReaderSize(c, 2048)
	agreed := []byte(encode('O', number(6), number(0x111), number(0xf73d0)))
	goOn := []byte(encode('c'))
	var head [5]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		if _, err := r.Discard(int(binary.BigEndian.Uint32(head[:])) - 1); err != nil {
			return
		}
		var err error
		switch head[4] {
		case 'O':
			_, err = c.Write(agreed)
		case 'R', 'E':
			_, err = c.Write(goOn)
		case 'Q':
			err = errors.New("done")
		}
		if err != nil {
			return
		}
	}
}
