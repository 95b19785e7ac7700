package smtpprobe_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dialer"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/smtpprobe"
	"github.com/arpagate/arpagate/internal/untrusted"
)

func TestWellBehaved(t *testing.T) {
	root, pool := authority(t)
	c := patient
	c.Roots = pool
	got := examine(t, c, host, tlsServer(certificate(t, root, nil)))
	if got.Outcome != evidence.Spoke || got.Step != "" || !got.Why.IsZero() {
		t.Fatalf("%s at %q: %s", got.Outcome, got.Step, got.Why)
	}
	if got.Greeting.Code != 220 || got.BannerName.String() != "mail.example.org" || got.EHLOName.String() != "mail.example.org" {
		t.Errorf("greeting %+v, banner %s, EHLO %s", got.Greeting, got.BannerName, got.EHLOName)
	}
	if len(got.Extensions) != 3 || got.Extensions[1].String() != "SIZE 10240000" {
		t.Errorf("extensions %s", got.Extensions)
	}
	if s := steps(got); s != "connect greeting ehlo starttls handshake ehlo-tls quit" {
		t.Errorf("steps %s", s)
	}
	tl := got.TLS
	if !tl.Offered || tl.Version != "TLS 1.3" || tl.Cipher == "" || !tl.Error.IsZero() || !tl.Matches || !tl.Trusted || tl.SelfSigned || tl.Injected {
		t.Errorf("%+v", tl)
	}
	if len(tl.Names) != 1 || tl.Total != 1 || tl.Issuer.String() != "CN=Lab Root" || !tl.NotAfter.Equal(now.Add(24*time.Hour)) {
		t.Errorf("%+v", tl)
	}
	if got.VRFY != nil || got.EXPN != nil || got.Postmaster != nil || got.Abuse != nil || got.Relay != nil {
		t.Error("a stranger's server was asked what only its operator may ask")
	}
	if !got.At.Equal(now) || got.Peer != netip.AddrPortFrom(target, 25) || got.Delayed {
		t.Errorf("%+v", got)
	}
}

// plain is a server without TLS that answers each verb as the table says.
func plain(greeting string, replies map[string]string) func(*talk) {
	return func(c *talk) {
		c.say(greeting)
		for {
			line := c.hear()
			verb, _, _ := strings.Cut(line, " ")
			reply, known := replies[line]
			if !known {
				reply, known = replies[verb]
			}
			switch {
			case line == "":
				return
			case known && reply == "close":
				return
			case known:
				c.say(reply)
			case verb == "QUIT":
				c.say("221 bye")
				return
			default:
				c.say("250 fine")
			}
		}
	}
}

func TestGreetings(t *testing.T) {
	ehlo := map[string]string{"EHLO": "250 mail.example.org"}
	tests := []struct {
		name     string
		greeting string
		replies  map[string]string
		want     string // outcome step why
		banner   string
		ehlo     string
	}{
		{"plain", "220 mail.example.org ESMTP", ehlo, "spoke  ", "mail.example.org", "mail.example.org"},
		{"code alone", "220", ehlo, "spoke  ", "", "mail.example.org"},
		{"tab after the name", "220 mail.example.org\tESMTP", ehlo, "spoke  ", "mail.example.org", "mail.example.org"},
		{"two lines", "220-mail.example.org ESMTP\r\n220 no spam", ehlo, "spoke  ", "mail.example.org", "mail.example.org"},
		{"a banner that hides all", "220 ********", ehlo, "spoke  ", "********", "mail.example.org"},
		{"H179 markup", "220 <script>alert(1)</script> ESMTP", ehlo, "spoke  ", "<script>alert(1)</script>", "mail.example.org"},
		{
			"HELO only", "220 mail.example.org",
			map[string]string{"EHLO": "502 what?", "HELO": "250 old.example.org"},
			"spoke  ", "mail.example.org", "old.example.org",
		},
		{
			"an extension without a name", "220 mail.example.org",
			map[string]string{"EHLO": "250-mail.example.org\r\n250-\r\n250 "},
			"spoke  ", "mail.example.org", "mail.example.org",
		},
		{"refused for all", "554 5.7.1 no mail from 192.0.2.1", nil, "turned-away greeting 554 5.7.1 no mail from 192.0.2.1", "", ""},
		{"refused for now", "421 too busy", nil, "turned-away greeting 421 too busy", "", ""},
		{"refused in lines", "554-mail.example.org\r\n554 no PTR", nil, "turned-away greeting 554 mail.example.org no PTR", "", ""},
		{"H181 450 to EHLO", "220 mail.example.org", map[string]string{"EHLO": "450 later"}, "turned-away ehlo 450 later", "mail.example.org", ""},
		{
			"550 to EHLO and HELO", "220 mail.example.org",
			map[string]string{"EHLO": "550 no", "HELO": "550 never"},
			"turned-away helo 550 never", "mail.example.org", "",
		},
		{"421 to EHLO", "220 mail.example.org", map[string]string{"EHLO": "421 bye"}, "turned-away ehlo 421 bye", "mail.example.org", ""},
		{"H193 354 to EHLO", "220 mail.example.org", map[string]string{"EHLO": "354 go on"}, "garbled ehlo answers with another code than 250", "mail.example.org", ""},
		{"220 to EHLO", "220 mail.example.org", map[string]string{"EHLO": "220 hi"}, "garbled ehlo answers with another code than 250", "mail.example.org", ""},
		{"250 for a greeting", "250 mail.example.org", nil, "garbled greeting greets with another code than 220", "", ""},
		{"354 for a greeting", "354 mail.example.org", nil, "garbled greeting greets with another code than 220", "", ""},
		{"no reply to QUIT", "220 mail.example.org", map[string]string{"EHLO": "250 mail.example.org", "QUIT": "close"}, "spoke  ", "mail.example.org", "mail.example.org"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := examine(t, patient, host, plain(tt.greeting, tt.replies))
			if s := string(got.Outcome) + " " + got.Step + " " + got.Why.String(); s != tt.want {
				t.Errorf("%s, want %s", s, tt.want)
			}
			if slices.ContainsFunc(got.Extensions, untrusted.Text.IsZero) {
				t.Errorf("extensions %q", got.Extensions)
			}
			if got.BannerName.String() != tt.banner || got.EHLOName.String() != tt.ehlo {
				t.Errorf("banner %q, EHLO %q", got.BannerName, got.EHLOName)
			}
			if spoke := got.Outcome == evidence.Spoke; spoke != (got.TLS != nil) || spoke && got.TLS.Offered {
				t.Errorf("TLS %+v", got.TLS)
			}
			if got.Outcome == evidence.Turned && !strings.HasSuffix(tt.want, "bye") && !strings.HasSuffix(steps(got), "quit") {
				t.Errorf("steps %s: left without QUIT", steps(got))
			}
		})
	}
}

// TestLateGreeting: a server may take longer to greet than a step may take, and
// nothing is held against it.
func TestLateGreeting(t *testing.T) {
	t.Parallel()
	c := smtpprobe.Config{Step: time.Second, Total: time.Minute, Delay: time.Second}
	got := examine(t, c, host, func(c *talk) {
		<-time.After(1200 * time.Millisecond)
		plain("220 mail.example.org", map[string]string{"EHLO": "250 mail.example.org"})(c)
	})
	if got.Outcome != evidence.Spoke || got.BannerName.IsZero() || got.Delayed != smtpprobe.Delayed(got.Steps, time.Second) {
		t.Errorf("%+v", got)
	}
}

// TestNoTimeForTheRest: when the greeting takes all the time there is, nothing is
// said of what was not seen.
func TestNoTimeForTheRest(t *testing.T) {
	silent := func(c *talk) { c.wait() }
	quiet := func(after string) func(*talk) {
		return func(c *talk) {
			c.say("220 mail.example.org")
			for line := c.hear(); line != ""; line = c.hear() {
				switch {
				case strings.HasPrefix(line, after):
				case strings.HasPrefix(line, "EHLO"):
					c.say("250-mail.example.org", "250 STARTTLS")
				}
			}
		}
	}
	for step, script := range map[string]func(*talk){
		"greeting": silent, "ehlo": quiet("EHLO"), "starttls": quiet("STARTTLS"),
		"handshake": func(c *talk) {
			c.say("220 mail.example.org")
			c.hear()
			c.say("250-mail.example.org", "250 STARTTLS")
			c.hear()
			c.say("220 go ahead")
			c.wait()
		},
	} {
		t.Run(step, func(t *testing.T) {
			got := examine(t, smtpprobe.Config{Step: time.Minute, Total: 300 * time.Millisecond}, host, script)
			if got.Outcome != evidence.Slow || got.Step != step || got.TLS != nil || got.Delayed {
				t.Errorf("%s at %s (%s), TLS %+v", got.Outcome, got.Step, got.Why, got.TLS)
			}
		})
	}
}

func TestDelayed(t *testing.T) {
	tests := []struct {
		name  string
		steps string
		want  bool
	}{
		{"late, then quick", "connect 20ms greeting 15s ehlo 30ms quit 20ms", true},
		{"early", "connect 20ms greeting 40ms ehlo 30ms quit 20ms", false},
		{"late for a computer, not for a greeting", "connect 1ms greeting 900ms ehlo 1ms quit 1ms", false},
		{"just late enough", "connect 1ms greeting 2s ehlo 500ms quit 1ms", true},
		{"slow in all", "connect 20ms greeting 6s ehlo 5s quit 2s", false},
		{"slow in one reply", "connect 20ms greeting 6s ehlo 30ms starttls 3s quit 20ms", false},
		{"a slow handshake is no reply", "connect 20ms greeting 6s ehlo 30ms handshake 3s quit 20ms", true},
		{"a slow connection is no reply", "connect 3s greeting 6s ehlo 30ms quit 20ms", true},
		{"never greeted", "connect 20ms greeting 20s", false},
		{"turned away late", "connect 20ms greeting 20s quit 20ms", true},
		{"nothing", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var list []evidence.SMTPStep
			words := strings.Fields(tt.steps)
			for i := 0; i < len(words); i += 2 {
				took, err := time.ParseDuration(words[i+1])
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, evidence.SMTPStep{Name: words[i], Took: took})
			}
			if got := smtpprobe.Delayed(list, 2*time.Second); got != tt.want {
				t.Errorf("%t", got)
			}
		})
	}
}

func TestConnections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().(*net.TCPAddr).AddrPort()
	_ = listener.Close()
	once, err := dialer.New(dialer.Config{
		Services: []dialer.Service{{Network: "tcp", Port: 25, PerAddress: 1, PerNetwork: 1, AtOnce: 1}},
		Map:      map[netip.AddrPort]netip.AddrPort{netip.AddrPortFrom(target, 25): closed},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	refusing := leads(t, closed)
	tests := []struct {
		name   string
		ctx    context.Context
		dialer *dialer.Dialer
		addr   string
		want   evidence.SMTPOutcome
		why    string
	}{
		{"refused", t.Context(), refusing, "192.0.2.25", evidence.Declined, "connection refused"},
		{"mapped", t.Context(), refusing, "::ffff:192.0.2.25", evidence.Declined, "connection refused"},
		{"documentation", t.Context(), refusing, "192.0.2.26", evidence.NotAllowed, "documentation"},
		{"private", t.Context(), refusing, "10.0.0.1", evidence.NotAllowed, "private"},
		{"loopback", t.Context(), refusing, "::1", evidence.NotAllowed, "loopback"},
		{"no address", t.Context(), refusing, "", evidence.NotAllowed, "none"},
		{"first", t.Context(), once, "192.0.2.25", evidence.Declined, "connection refused"},
		{"second", t.Context(), once, "192.0.2.25", evidence.OverBudget, "dialer: 192.0.2.25:25 is over budget: 1 for each address"},
		{"no time", ended, refusing, "192.0.2.25", evidence.Unconnected, "no time left"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := prober(t, smtpprobe.Config{Dialer: tt.dialer})
			addr, _ := netip.ParseAddr(tt.addr)
			got := p.Probe(tt.ctx, evidence.SMTPTarget{Addr: addr})
			if got.Outcome != tt.want || got.Why.String() != tt.why {
				t.Errorf("%s: %s, want %s: %s", got.Outcome, got.Why, tt.want, tt.why)
			}
			if tried := got.Outcome != evidence.Unconnected; tried != (got.Step == "connect" && len(got.Steps) == 1) {
				t.Errorf("step %q, %d steps", got.Step, len(got.Steps))
			}
		})
	}
}

func TestConfig(t *testing.T) {
	d := leads(t, netip.MustParseAddrPort("127.0.0.1:2525"))
	for name, fine := range map[string]bool{
		"probe.example.net": true, "[192.0.2.1]": true, "[IPv6:2001:db8::1]": true,
		"": false, "localhost": false, "probe": false, "192.0.2.1": false, "a b.example.net": false,
		"a.example.net\r\nMAIL FROM:<>": false, "[2001:db8::1]": false, "[IPv6:192.0.2.1]": false, "[192.0.2.1": false, "[x]": false,
		"[IPv6:fe80::1%eth0]": false,
	} {
		if _, err := smtpprobe.New(smtpprobe.Config{Dialer: d, Name: name}); (err == nil) != fine {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := smtpprobe.New(smtpprobe.Config{Name: "probe.example.net"}); err == nil {
		t.Error("no dialer, no error")
	}
}

func TestJSON(t *testing.T) {
	got := examine(t, patient, host, plain("220 mail.example.org", nil))
	got.Steps[0].Took = 1500 * time.Microsecond
	text, err := json.Marshal(got)
	if err != nil || !strings.Contains(string(text), `{"name":"connect","took_ms":1.5}`) {
		t.Fatalf("%s, %v", text, err)
	}
	var back evidence.SMTP
	if err := json.Unmarshal(text, &back); err != nil || back.Steps[0] != got.Steps[0] || back.Outcome != got.Outcome {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestCertificates(t *testing.T) {
	root, pool := authority(t)
	other := dnsname.MustParse("other.example.org")
	tests := []struct {
		name   string
		parent bool
		host   dnsname.Name
		change func(*x509.Certificate)
		want   string
	}{
		{"H187 self-signed", false, host.Host, nil, "matches self-signed names=mail.example.org"},
		{"another name", true, other, nil, "trusted names=mail.example.org"},
		{"no host name", true, dnsname.Name{}, nil, "trusted names=mail.example.org"},
		{
			"H186 expired", true, host.Host, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Hour) },
			"expired matches trusted names=mail.example.org",
		},
		{"early", true, host.Host, func(c *x509.Certificate) { c.NotBefore = now.Add(time.Hour) }, "early matches trusted names=mail.example.org"},
		{"wildcard", true, host.Host, func(c *x509.Certificate) { c.DNSNames = []string{"*.example.org"} }, "matches trusted names=*.example.org"},
		{"common name alone", true, host.Host, func(c *x509.Certificate) { c.DNSNames = nil }, "trusted names=mail.example.org"},
		{
			"H185 markup in the common name", true, host.Host,
			func(c *x509.Certificate) { c.DNSNames, c.Subject = nil, pkix.Name{CommonName: "<script>\x1b"} },
			`trusted names=<script>\027`,
		},
		{
			"address", true, host.Host,
			func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, []net.IP{net.IPv4(192, 0, 2, 25)} },
			"trusted names=192.0.2.25",
		},
		{"no name", true, host.Host, func(c *x509.Certificate) { c.DNSNames, c.Subject = nil, pkix.Name{} }, "trusted names="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := patient
			c.Roots = pool
			parent := root
			if !tt.parent {
				parent = nil
			}
			got := examine(t, c, evidence.SMTPTarget{Host: tt.host, Addr: target}, tlsServer(certificate(t, parent, tt.change)))
			if got.Outcome != evidence.Spoke || got.TLS == nil || got.TLS.Version == "" {
				t.Fatalf("%s at %s: %s, %+v", got.Outcome, got.Step, got.Why, got.TLS)
			}
			if s := judged(got.TLS); s != tt.want {
				t.Errorf("%s, want %s", s, tt.want)
			}
		})
	}
}

func judged(t *evidence.TLS) string {
	var words []string
	for word, is := range map[string]bool{
		"matches": t.Matches, "trusted": t.Trusted, "self-signed": t.SelfSigned,
		"expired": t.NotAfter.Before(now), "early": t.NotBefore.After(now),
	} {
		if is {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	names := make([]string, len(t.Names))
	for i, n := range t.Names {
		names[i] = n.String()
	}
	return strings.Join(append(words, "names="+strings.Join(names, ",")), " ")
}

// TestChain: an authority behind another is found, one that only has the name of
// its subject makes nobody self-signed, and the server is told whom we mean.
func TestChain(t *testing.T) {
	root, pool := authority(t)
	between := certificate(t, root, func(c *x509.Certificate) {
		c.Subject, c.DNSNames, c.ExtKeyUsage = pkix.Name{CommonName: "mail.example.org"}, nil, nil
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	for _, whole := range []bool{true, false} {
		leaf := certificate(t, &between, nil)
		if whole {
			leaf.Certificate = append(leaf.Certificate, between.Certificate[0])
		}
		c := patient
		c.Roots = pool
		asked := make(chan string, 1)
		got := examine(t, c, host, func(c *talk) {
			hello(c)
			c.hear()
			c.say("220 ready")
			server := tls.Server(c.Conn, &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
				asked <- h.ServerName
				return &leaf, nil
			}})
			_ = server.Handshake()
		})
		if got.TLS == nil || got.TLS.Trusted != whole || got.TLS.SelfSigned {
			t.Errorf("chain whole: %t, %+v", whole, got.TLS)
		}
		if name := <-asked; name != "mail.example.org" {
			t.Errorf("asked for %q", name)
		}
	}
}
