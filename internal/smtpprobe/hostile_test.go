package smtpprobe_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/smtpprobe"
)

// hello greets, and answers EHLO with the offer of STARTTLS.
func hello(c *talk) {
	c.say("220 mail.example.org ESMTP")
	c.hear()
	c.say("250-mail.example.org", "250 STARTTLS")
}

// raw sends the octets for a greeting.
func raw(octets string) func(*talk) {
	return func(c *talk) {
		_, _ = io.WriteString(c, octets)
		c.wait()
	}
}

// repeat sends text again and again, until the client is gone or a gigabyte is
// out, and holds it against the client when it took much.
func repeat(c *talk, text string) {
	const much = 64 << 20 // more than all the buffers of the system on the way
	block := []byte(strings.Repeat(text, 1+65536/len(text)))
	for sent := 0; sent < 1<<30; {
		n, err := c.Write(block)
		if sent += n; err != nil {
			return
		}
		if sent > much {
			c.t.Errorf("the probe took %d octets", sent)
			return
		}
	}
}

// drip sends a text every few milliseconds, until the client is gone.
func drip(c *talk, text string) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
	}
}

// TestHostile: whatever a server sends, the result has a type, and comes in time.
func TestHostile(t *testing.T) {
	drops := smtpprobe.Config{Step: 100 * time.Millisecond, Total: time.Minute}
	lines := smtpprobe.Config{Step: time.Minute, Total: 200 * time.Millisecond}
	tests := []struct {
		name   string
		config smtpprobe.Config
		script func(*talk)
		want   string // outcome step why
	}{
		{"H176 banner of a gigabyte", patient, func(c *talk) { repeat(c, "220 mail.example.org ") }, "garbled greeting line of more than 1000 octets"},
		{"H177 banner octet by octet", drops, func(c *talk) { drip(c, "2") }, "timeout greeting no reply in time"},
		{"H177 banner line by line", lines, func(c *talk) { drip(c, "220-x\r\n") }, "timeout greeting no reply in time"},
		{"H178 220- forever", patient, func(c *talk) { repeat(c, "220-mail.example.org\r\n") }, "garbled greeting reply of more than 100 lines"},
		{"H180 ESC", patient, raw("220 \x1b[2J\r\n"), "garbled greeting control characters"},
		{"H182 EHLO of 100000 lines", patient, func(c *talk) {
			c.say("220 mail.example.org")
			c.hear()
			c.say(strings.Split(strings.Repeat("250-XYZZY\n", 100_000)+"250 STARTTLS", "\n")...)
			c.wait()
		}, "garbled ehlo reply of more than 100 lines"},
		{"H189 closes at once", patient, func(*talk) {}, "closed greeting closed by the server"},
		{"H190 a second reply", patient, func(c *talk) {
			c.say("220 mail.example.org")
			c.hear()
			c.say("250 XYZZY", "250 injected")
			c.wait()
		}, "garbled quit speaks without being asked"},
		{"H191 code 099", patient, raw("099 mail.example.org\r\n"), "garbled greeting reply code 099"},
		{"H192 two codes", patient, raw("220-mail.example.org\r\n250 fine\r\n"), "garbled greeting codes 220 and 250 in one reply"},
		{"H194 UTF-16, little end first", patient, raw("2\x002\x000\x00 \x00h\x00i\x00\r\x00\n\x00"), "garbled greeting UTF-16"},
		{"H194 UTF-16, big end first", patient, raw("\x002\x002\x000\x00 \x00\r\x00\n"), "garbled greeting UTF-16"},
		{"H194 UTF-16 with mark", patient, raw("\xff\xfe2\x002\x000\x00\r\x00\n\x00"), "garbled greeting UTF-16"},
		{"H195 NUL", patient, raw("220 mail\x00.example.org\r\n"), "garbled greeting NUL octet"},

		{"line of 64 KiB", patient, raw("220 " + strings.Repeat("x", 64<<10) + "\r\n"), "garbled greeting line of more than 1000 octets"},
		{"line of 64 KiB to EHLO", patient, func(c *talk) {
			c.say("220 mail.example.org")
			c.hear()
			raw("250 " + strings.Repeat("x", 64<<10) + "\r\n")(c)
		}, "garbled ehlo line of more than 1000 octets"},
		{"bare LF", patient, raw("220 mail.example.org\n"), "garbled greeting bare LF"},
		{"bare CR", patient, raw("220 mail\r.example.org\r\n"), "garbled greeting bare CR"},
		{"8-bit", patient, raw("220 m\u00e4il.example.org\r\n"), "garbled greeting 8-bit octets"},
		{"code 150", patient, raw("150 x\r\n"), "garbled greeting reply code 150"},
		{"line of 1001 octets", patient, raw("220 " + strings.Repeat("x", 995) + "\r\n"), "garbled greeting line of more than 1000 octets"},
		{"code 600", patient, raw("600 x\r\n"), "garbled greeting reply code 600"},
		{"code of two digits", patient, raw("22 mail.example.org\r\n"), "garbled greeting no reply code"},
		{"no blank after the code", patient, raw("220mail.example.org\r\n"), "garbled greeting neither blank nor hyphen after the reply code"},
		{"empty line", patient, raw("\r\n"), "garbled greeting no reply code"},
		{"SSH", patient, raw("SSH-2.0-OpenSSH\r\n"), "garbled greeting no reply code"},
		{"HTTP", patient, raw("HTTP/1.1 400 Bad Request\r\n\r\n"), "garbled greeting no reply code"},
		{"TLS alert", patient, raw("\x15\x03\x01\x00\x02\x02\x28\n"), "garbled greeting NUL octet"},
		{"no line end, then closed", patient, func(c *talk) { _, _ = io.WriteString(c, "220 mail") }, "closed greeting closed in the middle of a reply"},
		{"closed between lines", patient, func(c *talk) { _, _ = io.WriteString(c, "220-mail.example.org\r\n") }, "closed greeting closed in the middle of a reply"},
		{"no line end, then silence", drops, raw("220 mail.example.org"), "timeout greeting no reply in time"},
		{"silent", hasty, func(c *talk) { c.wait() }, "timeout greeting no reply in time"},
		{"reply before the command", patient, raw("220 mail.example.org\r\n250 mail.example.org\r\n"), "garbled ehlo speaks without being asked"},
		{"421 behind the greeting", patient, raw("220 mail.example.org\r\n421 no more\r\n"), "turned-away ehlo 421 no more"},
		{"half closed after the greeting", patient, func(c *talk) {
			c.say("220 mail.example.org")
			_ = c.Conn.(*net.TCPConn).CloseWrite()
			c.wait()
		}, "closed ehlo closed by the server"},
		{"reset after the greeting", patient, func(c *talk) {
			c.say("220 mail.example.org")
			c.hear()
			_ = c.Conn.(*net.TCPConn).SetLinger(0)
		}, "closed ehlo connection reset by peer"},
		{"silent after the greeting", drops, raw("220 mail.example.org\r\n"), "timeout ehlo no reply in time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := examine(t, tt.config, host, tt.script)
			if s := string(got.Outcome) + " " + got.Step + " " + got.Why.String(); s != tt.want {
				t.Errorf("%s, want %s", s, tt.want)
			}
			kept := 0
			for _, r := range []*evidence.SMTPReply{got.Greeting, got.EHLO} {
				if r == nil {
					continue
				}
				for _, l := range r.Lines {
					kept += len(l.Raw())
				}
			}
			if kept > 200_000 {
				t.Errorf("%d octets kept", kept)
			}
			if got.Outcome == evidence.Babble && got.Step == "greeting" && !got.BannerName.IsZero() {
				t.Errorf("banner %q taken from what is not SMTP", got.BannerName)
			}
		})
	}
}

// TestHostileTLS: servers that speak SMTP well, and TLS badly.
func TestHostileTLS(t *testing.T) {
	cert := certificate(t, nil, nil)
	ready := func(c *talk) {
		hello(c)
		c.hear()
		c.say("220 ready")
	}
	short := smtpprobe.Config{Step: 500 * time.Millisecond, Total: time.Minute}
	tests := []struct {
		name   string
		config smtpprobe.Config
		script func(*talk)
		want   string // outcome step why
		tls    string // TLS.Error
	}{
		{"H183 garbage behind the reply", patient, func(c *talk) {
			ready(c)
			_, _ = c.in.Peek(1) // ClientHello
			_, _ = io.WriteString(c, strings.Repeat("garbage!", 999))
			c.wait()
		}, "spoke handshake tls: first record", "tls: first record"},
		{"H183 garbage for a reply", patient, func(c *talk) {
			hello(c)
			c.hear()
			raw("\x16\x03\x01\x02\x00\n")(c)
		}, "garbled starttls NUL octet", "NUL octet"},
		{"454 to STARTTLS", patient, plain("220 mail.example.org", map[string]string{
			"EHLO": "250-mail.example.org\r\n250 starttls", "STARTTLS": "454 4.7.0 no TLS today",
		}), "spoke  ", "454 4.7.0 no TLS today"},
		{"250 to STARTTLS", patient, plain("220 mail.example.org", map[string]string{
			"EHLO": "250-mail.example.org\r\n250 STARTTLS", "STARTTLS": "250 why not",
		}), "spoke  ", "250 why not"},
		{"closed after STARTTLS", patient, func(c *talk) { hello(c); c.hear() }, "spoke starttls closed by the server", "closed by the server"},
		{"closed before the handshake", patient, ready, "spoke handshake ", ""},
		{"silent after STARTTLS", short, func(c *talk) { hello(c); c.wait() }, "spoke starttls no reply in time", "no reply in time"},
		{"silent in the handshake", short, func(c *talk) { ready(c); c.wait() }, "spoke handshake no handshake in time", "no handshake in time"},
		{"drips in the handshake", short, func(c *talk) {
			ready(c)
			_, _ = c.in.Peek(1)
			_, _ = io.WriteString(c, "\x16\x03\x03\x40\x00")
			drip(c, "\x02")
		}, "spoke handshake ", ""},
		{"endless handshake", patient, func(c *talk) {
			ready(c)
			_, _ = c.in.Peek(1)
			_, _ = io.WriteString(c, "\x16\x03\x03\x40\x00\x02\xff\xff\xff")
			repeat(c, "\x02")
		}, "spoke handshake tls: handshake message of length", "tls: handshake message of length"},
		{"warnings without end", patient, func(c *talk) {
			ready(c)
			_, _ = c.in.Peek(1)
			repeat(c, "\x15\x03\x03\x00\x02\x01\x5a")
		}, "spoke handshake ", ""},
		{"closed inside TLS", patient, func(c *talk) { ready(c); c.secure(cert, false) }, "closed ehlo-tls ", ""},
		{"garbage inside TLS", patient, func(c *talk) {
			ready(c)
			c.secure(cert, false)
			c.hear()
			raw("hello\r\n")(c)
		}, "garbled ehlo-tls no reply code", ""},
		{"EHLO refused inside TLS", patient, func(c *talk) {
			ready(c)
			c.secure(cert, false)
			c.hear()
			c.say("503 5.5.1 again?")
			c.hear()
			c.say("221 bye")
		}, "spoke  ", "EHLO inside TLS: 503 5.5.1 again?"},
		{"421 to STARTTLS", patient, plain("220 mail.example.org", map[string]string{
			"EHLO": "250-mail.example.org\r\n250 STARTTLS", "STARTTLS": "421 too busy",
		}), "turned-away starttls 421 too busy", "unsaid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := examine(t, tt.config, host, tt.script)
			if late := strings.Contains(got.Why.String(), "in time"); got.TLS != nil && got.TLS.Late != late {
				t.Errorf("late: %t, %q", got.TLS.Late, got.Why)
			}
			if s := string(got.Outcome) + " " + got.Step + " " + got.Why.String(); !strings.HasPrefix(s, tt.want) {
				t.Errorf("%s, want %s", s, tt.want)
			}
			if got.BannerName.String() != "mail.example.org" || got.EHLOName.IsZero() {
				t.Errorf("banner %q, EHLO %q", got.BannerName, got.EHLOName)
			}
			if tt.tls == "unsaid" {
				if got.TLS != nil {
					t.Errorf("TLS %+v", got.TLS)
				}
				return
			}
			if got.TLS == nil || !got.TLS.Offered || !strings.HasPrefix(got.TLS.Error.String(), tt.tls) {
				t.Fatalf("TLS %+v", got.TLS)
			}
			if got.TLS.Version == "" && got.TLS.Error.IsZero() {
				t.Error("no TLS and no reason")
			}
		})
	}
}

// TestResponseInjection: what stands in the clear behind the reply to STARTTLS is
// no answer to anything. It is thrown away and noted; the server is not said to
// have taken commands of ours over, for none was sent.
func TestResponseInjection(t *testing.T) {
	cert := certificate(t, nil, nil)
	got := examine(t, patient, host, func(c *talk) {
		hello(c)
		c.hear()
		_, _ = io.WriteString(c, "220 ready\r\n250-mail.example.org\r\n250 AUTH PLAIN\r\n")
		if !c.secure(cert, false) {
			t.Error("no handshake")
		}
		c.hear()
		c.say("250 inside.example.org")
		c.hear()
		c.say("221 bye")
	})
	if got.Outcome != evidence.Spoke || got.TLS == nil || got.TLS.Injected || got.TLS.Version == "" || !slices.Contains(got.Notes, "starttls-data") {
		t.Errorf("%s at %s: %s, %v, %+v", got.Outcome, got.Step, got.Why, got.Notes, got.TLS)
	}
}

func TestManyNames(t *testing.T) {
	got := examine(t, patient, host, tlsServer(certificate(t, nil, func(c *x509.Certificate) {
		c.DNSNames = nil
		for i := range 999 {
			c.DNSNames = append(c.DNSNames, fmt.Sprintf("h%d.example.org", i))
		}
		c.DNSNames = append(c.DNSNames, "mail.example.org")
	})))
	if got.TLS == nil || got.TLS.Total != 1000 || len(got.TLS.Names) != 20 || !got.TLS.Matches {
		t.Errorf("H184 %s at %s, %+v", got.Outcome, got.Step, got.TLS)
	}
}

// huge signs nothing: the client must turn away before it looks.
type huge struct{ key *rsa.PublicKey }

func (h huge) Public() crypto.PublicKey { return h.key }

func (h huge) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return make([]byte, h.key.Size()), nil
}

func TestHugeKey(t *testing.T) {
	root, _ := authority(t)
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 16383))
	if err != nil {
		t.Fatal(err)
	}
	n.SetBit(n, 16383, 1).SetBit(n, 0, 1)
	key := huge{&rsa.PublicKey{N: n, E: 65537}}
	cert := signed(t, root, key, key.Public(), nil)
	cert.PrivateKey = key
	got := examine(t, patient, host, tlsServer(cert))
	if got.Outcome != evidence.Spoke || got.TLS == nil || !strings.Contains(got.TLS.Error.String(), "RSA key larger") {
		t.Errorf("H188 %s at %s: %s, %+v", got.Outcome, got.Step, got.Why, got.TLS)
	}
}

func TestOldTLS(t *testing.T) {
	cert := certificate(t, nil, nil)
	if _, ok := cert.PrivateKey.(*ecdsa.PrivateKey); !ok {
		t.Fatal("the cipher below wants an ECDSA key")
	}
	got := examine(t, patient, host, func(c *talk) {
		hello(c)
		c.hear()
		c.say("220 ready")
		server := tls.Server(c.Conn, &tls.Config{
			Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10,
			CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA},
		})
		_ = server.Handshake()
	})
	if got.TLS == nil || got.TLS.Version != "TLS 1.0" || got.TLS.Cipher != "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA" {
		t.Errorf("%+v", got.TLS)
	}
}

func TestLongLines(t *testing.T) {
	for length, want := range map[int]string{512: "", 513: "long-line", 1000: "long-line"} {
		line := "220 " + strings.Repeat("x", length-len("220 \r\n"))
		got := examine(t, patient, host, plain(line, nil))
		if got.Outcome != evidence.Spoke || strings.Join(got.Notes, " ") != want {
			t.Errorf("%d octets: %s (%s), notes %q", length, got.Outcome, got.Why, got.Notes)
		}
	}
}

// TestDeadline: the caller's deadline holds, and so does his change of mind.
func TestDeadline(t *testing.T) {
	hung := make(chan struct{}, 1)
	d := serve(t, func(c *talk) {
		c.say("220 mail.example.org")
		c.hear()
		hung <- struct{}{}
		c.wait()
	})
	p := prober(t, smtpprobe.Config{Dialer: d, Step: time.Hour, Total: time.Hour})
	got := p.Probe(within(t, 100*time.Millisecond), host)
	if got.Outcome != evidence.Slow || got.Step != "ehlo" || got.TLS != nil {
		t.Errorf("%s at %s", got.Outcome, got.Step)
	}
	<-hung
	ctx, cancel := contextOf(t)
	done := make(chan *evidence.SMTP)
	go func() { done <- p.Probe(ctx, host) }()
	<-hung
	cancel()
	if got := <-done; got.Outcome != evidence.Slow || got.Step != "ehlo" {
		t.Errorf("%s at %s", got.Outcome, got.Step)
	}
}
