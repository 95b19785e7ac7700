package policyd_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/listen"
	"github.com/arpagate/arpagate/internal/policyd"
	"github.com/arpagate/arpagate/internal/reply"
)

const keptConns = 64

// postfixRequest is a request of Postfix 3.12 with all attributes.
var postfixRequest = []byte("request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n" +
	"client_address=198.51.100.7\nclient_name=mail.example.org\nclient_port=40001\n" +
	"reverse_client_name=mail.example.org\nserver_address=192.0.2.25\nserver_port=25\n" +
	"helo_name=mail.example.org\nsender=sender@example.org\nrecipient=user@example.net\n" +
	"recipient_count=0\nqueue_id=\ninstance=4f2a.68b1c0d2.53a1e.0\nsize=12345\netrn_domain=\nstress=\n" +
	"sasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\nccert_issuer=\nccert_fingerprint=\n" +
	"ccert_pubkey_fingerprint=\nencryption_protocol=TLSv1.3\nencryption_cipher=TLS_AES_256_GCM_SHA384\n" +
	"encryption_keysize=256\ntls_sni=\npolicy_context=\ncompatibility_level=3.6\nmail_version=3.12.0\n\n")

// echoDUNNO is the least that a policy server can do.
func echoDUNNO(_ context.Context, c net.Conn) {
	r := bufio.NewReader(c)
	answer := []byte(dunno)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(line) > 1 {
			continue
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

func canned(context.Context, facts.Conn) reply.Reply { return reply.Reply{} }

// load is a server with its kept connections.
type load struct {
	conns []net.Conn
	stop  func() error
}

func startLoad(b *testing.B, handle func(context.Context, net.Conn)) *load {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	a, err := listen.Parse("tcp:127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ln, err := listen.Open(ctx, a, listen.Options{})
	if err != nil {
		b.Fatal(err)
	}
	s := &listen.Server{Name: "policy", Handle: handle}
	result := make(chan error, 1)
	go func() { result <- s.Serve(ctx, ln) }()
	l := &load{}
	for range keptConns {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		l.conns = append(l.conns, c)
	}
	l.stop = func() error {
		for _, c := range l.conns {
			_ = c.Close()
		}
		cancel()
		return <-result
	}
	return l
}

// run sends n requests, each connection waiting for its answers, and returns
// how long that took.
func (l *load) run(b *testing.B, n int) time.Duration {
	b.Helper()
	begin := time.Now()
	var wg sync.WaitGroup
	for i, c := range l.conns {
		share := n / len(l.conns)
		if i < n%len(l.conns) {
			share++
		}
		wg.Go(func() {
			answer := make([]byte, len(dunno))
			for range share {
				if _, err := c.Write(postfixRequest); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(c, answer); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}

// BenchmarkKeptConnections compares policyd with an echo server, both asked
// over 64 kept TCP connections in turns, so that a neighbour's load hits both.
// %ofEcho is the median of the turns; the goal is 70.
func BenchmarkKeptConnections(b *testing.B) {
	const turns = 15
	echo := startLoad(b, echoDUNNO)
	policy := startLoad(b, (&policyd.Handler{Ask: canned}).Serve)
	echo.run(b, 1000)
	policy.run(b, 1000)
	each := max(b.N/turns, keptConns)
	var ratios []float64
	var echoTime, policyTime time.Duration
	b.ResetTimer()
	for range turns {
		e, p := echo.run(b, each), policy.run(b, each)
		echoTime, policyTime = echoTime+e, policyTime+p
		ratios = append(ratios, 100*e.Seconds()/p.Seconds())
	}
	b.StopTimer()
	slices.Sort(ratios)
	b.ReportMetric(ratios[turns/2], "%ofEcho")
	b.ReportMetric(float64(turns*each)/echoTime.Seconds(), "echo/s")
	b.ReportMetric(float64(turns*each)/policyTime.Seconds(), "policyd/s")
	b.ReportMetric(0, "ns/op")
	for _, l := range []*load{echo, policy} {
		if err := l.stop(); err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkCodec is the parser and the answer alone: no socket, no wait.
func BenchmarkCodec(b *testing.B) {
	for _, tt := range []struct {
		name  string
		reply reply.Reply
	}{
		{"DUNNO", reply.Reply{}},
		{"reject", rejecting("Reverse DNS validation failed: 198.51.100.7 has no PTR record. See https://gate.example.net/r/7K3QX9M2TB")},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(postfixRequest)))
			c := &repeat{request: postfixRequest, left: b.N}
			h := answering(tt.reply)
			h.Serve(b.Context(), c)
			if c.answers != b.N {
				b.Errorf("%d answers to %d requests", c.answers, b.N)
			}
		})
	}
}

// repeat is a connection that sends one request again and again.
type repeat struct {
	script
	request []byte
	left    int
	answers int
}

func (r *repeat) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	r.left--
	return copy(b, r.request), nil
}

func (r *repeat) Write(b []byte) (int, error) {
	r.answers += bytes.Count(b, []byte("\n\n"))
	return len(b), nil
}
