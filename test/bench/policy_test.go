package bench_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/policyd"
)

// kept is the number of connections that Postfix keeps open at a time.
const kept = 64

// BenchmarkPolicy asks for decisions over kept connections with a warm cache,
// beside a server that answers DUNNO to whatever ends in a blank line.
func BenchmarkPolicy(b *testing.B) {
	w := open(b, newResolver(b, nameserver(b, hosts)))
	handler := &policyd.Handler{Ask: w.gate.Ask}
	arpagate := serve(b, handler.Serve)
	peer := serve(b, echo)
	drive(b, arpagate, hosts) // warms the cache
	b.ResetTimer()
	var took []time.Duration
	beside(b, b.N, "decisions", "echo", func(n int) { drive(b, peer, n) }, func(n int) { took = append(took, drive(b, arpagate, n)...) })
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// drive asks n questions over the kept connections and returns how long each
// took.
func drive(b *testing.B, addr string, n int) []time.Duration {
	b.Helper()
	took := make([]time.Duration, n)
	var group sync.WaitGroup
	for c := range kept {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		group.Go(func() {
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for i := c; i < n; i += kept {
				start := time.Now()
				if _, err := conn.Write(request(i)); err != nil {
					b.Error(err)
					return
				}
				line, err := answers.ReadSlice('\n')
				if err != nil || !bytes.HasPrefix(line, []byte("action=DUNNO")) && !bytes.HasPrefix(line, []byte("action=PREPEND Authentication-Results: mx.example.net; iprev=pass ")) {
					b.Errorf("answer %q, %v", line, err)
					return
				}
				if _, err := answers.ReadSlice('\n'); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	group.Wait()
	return took
}

// request is what Postfix sends at RCPT.
func request(i int) []byte {
	host := i % hosts
	return fmt.Appendf(nil, "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=%s\nclient_name=%s\nclient_port=41234\nreverse_client_name=%s\nserver_address=192.0.2.25\nserver_port=25\nhelo_name=%s\nsender=alice@example.org\nrecipient=bob@example.net\nrecipient_count=0\nqueue_id=\ninstance=%x.%x.0\nsize=2048\netrn_domain=\nstress=\nsasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\nccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=\nencryption_cipher=\nencryption_keysize=0\npolicy_context=\n\n",
		client(host), helo(host), helo(host), helo(host), i, host)
}

// echo reads until a blank line and answers DUNNO.
func echo(_ context.Context, c net.Conn) {
	requests := bufio.NewReader(c)
	for {
		line, err := requests.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(line) > 1 {
			continue
		}
		if _, err := io.WriteString(c, "action=DUNNO\n\n"); err != nil {
			return
		}
	}
}
