package smtpprobe_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dialer"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/smtpprobe"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is the time of all certificates and examinations here.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// target is the address at which the scripted servers answer.
var target = netip.MustParseAddr("192.0.2.25")

// talk is a scripted server's side of one connection.
type talk struct {
	net.Conn
	in *bufio.Reader
	t  testing.TB
	n  int // which connection it is, from 1
}

// say sends lines; each gets its CRLF here.
func (c *talk) say(lines ...string) { _, _ = c.Write([]byte(strings.Join(lines, "\r\n") + "\r\n")) }

// allowed are the only commands that a probe may send.
var allowed = map[string]bool{
	"EHLO": true, "HELO": true, "STARTTLS": true, "NOOP": true, "VRFY": true, "EXPN": true,
	"MAIL": true, "RCPT": true, "RSET": true, "QUIT": true,
}

// hear returns the next command, "" when the client is gone.
func (c *talk) hear() string {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return ""
	}
	line = strings.TrimSuffix(line, "\r\n")
	if verb, _, _ := strings.Cut(line, " "); !allowed[verb] {
		c.t.Errorf("the probe sent %q", line)
	}
	return line
}

// secure starts TLS; what was read in the clear stays in c.in when keep is set.
func (c *talk) secure(cert tls.Certificate, keep bool) bool {
	server := tls.Server(c.Conn, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	if server.Handshake() != nil {
		return false
	}
	var left []byte
	if keep {
		left, _ = c.in.Peek(c.in.Buffered())
	}
	c.Conn, c.in = server, bufio.NewReader(&joined{left: append([]byte(nil), left...), Conn: server})
	return true
}

// joined reads what is left, then the connection.
type joined struct {
	left []byte
	net.Conn
}

func (j *joined) Read(b []byte) (int, error) {
	if len(j.left) > 0 {
		n := copy(b, j.left)
		j.left = j.left[n:]
		return n, nil
	}
	return j.Conn.Read(b)
}

// wait returns when the client is gone.
func (c *talk) wait() {
	for {
		if _, err := c.in.ReadByte(); err != nil {
			return
		}
	}
}

// serve runs the script for each connection, and returns a dialer that leads
// target's port 25 to it.
func serve(t testing.TB, script func(*talk)) *dialer.Dialer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for n := 1; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer conn.Close()
				script(&talk{Conn: conn, in: bufio.NewReader(conn), t: t, n: n})
			})
		}
	})
	t.Cleanup(func() { listener.Close(); wait.Wait() })
	return leads(t, listener.Addr().(*net.TCPAddr).AddrPort())
}

func leads(t testing.TB, to netip.AddrPort) *dialer.Dialer {
	t.Helper()
	d, err := dialer.New(dialer.Config{Map: map[netip.AddrPort]netip.AddrPort{netip.AddrPortFrom(target, 25): to}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// examine probes the scripted server with the given limits.
func examine(t testing.TB, c smtpprobe.Config, at evidence.SMTPTarget, script func(*talk)) *evidence.SMTP {
	t.Helper()
	c.Dialer = serve(t, script)
	return prober(t, c).Probe(t.Context(), at)
}

func prober(t testing.TB, c smtpprobe.Config) *smtpprobe.Prober {
	t.Helper()
	if c.Name == "" {
		c.Name = "probe.example.net"
	}
	c.Now = func() time.Time { return now }
	p, err := smtpprobe.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var host = evidence.SMTPTarget{Host: dnsname.MustParse("mail.example.org"), Addr: target}

// patient are limits that no test reaches; hasty ones are reached at once.
var (
	patient = smtpprobe.Config{Step: time.Minute, Total: time.Minute}
	hasty   = smtpprobe.Config{Step: 50 * time.Millisecond, Total: 150 * time.Millisecond}
)

// certificate makes one, signed by the parent or by itself.
func certificate(t testing.TB, parent *tls.Certificate, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signed(t, parent, key, key.Public(), change)
}

func signed(t testing.TB, parent *tls.Certificate, key, public any, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example.org"}, DNSNames: []string{"mail.example.org"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	issuer, signer := template, key
	if parent != nil {
		issuer, signer = parent.Leaf, parent.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// authority makes a root, and the pool that trusts it.
func authority(t testing.TB) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	root := certificate(t, nil, func(c *x509.Certificate) {
		c.Subject, c.DNSNames, c.ExtKeyUsage = pkix.Name{CommonName: "Lab Root"}, nil, nil
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		c.NotBefore, c.NotAfter = now.AddDate(-9, 0, 0), now.AddDate(9, 0, 0)
	})
	pool := x509.NewCertPool()
	pool.AddCert(root.Leaf)
	return &root, pool
}

// tlsServer greets, offers STARTTLS with the certificate, and leaves well.
func tlsServer(cert tls.Certificate) func(*talk) {
	return func(c *talk) {
		c.say("220 mail.example.org ESMTP")
		for {
			verb, _, _ := strings.Cut(c.hear(), " ")
			switch verb {
			case "EHLO":
				c.say("250-mail.example.org", "250-PIPELINING", "250-SIZE 10240000", "250 STARTTLS")
			case "STARTTLS":
				c.say("220 2.0.0 Ready to start TLS")
				if !c.secure(cert, false) {
					return
				}
			case "QUIT":
				c.say("221 2.0.0 Bye")
				return
			case "":
				return
			default:
				c.say("502 5.5.2 no")
			}
		}
	}
}

// steps returns the names of the steps.
func steps(s *evidence.SMTP) string {
	names := make([]string, len(s.Steps))
	for i, step := range s.Steps {
		names[i] = step.Name
	}
	return strings.Join(names, " ")
}

// within returns a context that ends soon.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// contextOf returns one to be cancelled.
func contextOf(t testing.TB) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}
