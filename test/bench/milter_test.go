package bench_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/arpagate/arpagate/internal/milterd"
)

// BenchmarkMilter runs sessions from connect to the first recipient, as many at
// a time as Postfix would, beside a server that negotiates and answers
// "continue" to every frame.
func BenchmarkMilter(b *testing.B) {
	w := open(b, newResolver(b, nameserver(b, hosts)))
	handler := &milterd.Handler{Ask: w.gate.Ask, AuthservID: "mx.example.net"}
	arpagate := serve(b, handler.Serve)
	peer := serve(b, continues)
	sessions(b, arpagate, hosts) // warms the cache
	b.ResetTimer()
	beside(b, b.N, "sessions", "bare", func(n int) { sessions(b, peer, n) }, func(n int) { sessions(b, arpagate, n) })
}

// sessions runs n sessions over new connections, kept at a time.
func sessions(b *testing.B, addr string, n int) {
	b.Helper()
	var group sync.WaitGroup
	for c := range kept {
		group.Go(func() {
			for i := c; i < n; i += kept {
				if err := session(addr, i%hosts); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// session speaks protocol version 6 with every reply on, so that both servers
// have the same number of answers to give.
func session(addr string, host int) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	options := make([]byte, 12)
	binary.BigEndian.PutUint32(options, 6)
	binary.BigEndian.PutUint32(options[4:], 0x1ff)
	family := byte('4')
	if client(host).Is6() {
		family = '6'
	}
	connect := fmt.Appendf(nil, "%s\x00%c\xa1\x02%s\x00", helo(host), family, client(host))
	for _, step := range []struct {
		command byte
		body    []byte
		want    byte
	}{
		{'O', options, 'O'},
		{'C', connect, 'c'},
		{'H', []byte(helo(host) + "\x00"), 'c'},
		{'M', []byte("<alice@example.org>\x00"), 'c'},
		{'R', []byte("<bob@example.net>\x00"), 'c'},
	} {
		if _, err := conn.Write(append(frame(len(step.body)+1, step.command), step.body...)); err != nil {
			return err
		}
		got, err := readFrame(answers)
		if err != nil || got != step.want {
			return fmt.Errorf("answer %q to %q: %w", got, step.command, err)
		}
	}
	_, err = conn.Write(frame(1, 'Q'))
	return err
}

func frame(length int, command byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(length)), command)
}

// readFrame returns the command of the next frame and skips its body.
func readFrame(r *bufio.Reader) (byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, err
	}
	_, err := r.Discard(int(binary.BigEndian.Uint32(head[:])) - 1)
	return head[4], err
}

// continues is the bare codec loop.
func continues(_ context.Context, c net.Conn) {
	frames := bufio.NewReader(c)
	for {
		command, err := readFrame(frames)
		if err != nil || command == 'Q' {
			return
		}
		answer := frame(1, 'c')
		if command == 'O' {
			answer = append(frame(13, 'O'), 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0)
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}
