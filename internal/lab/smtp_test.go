package lab_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dialer"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/smtpprobe"
)

// mailProber examines the mail servers of a world.
func mailProber(t *testing.T, w *lab.World, change func(*smtpprobe.Config)) *smtpprobe.Prober {
	t.Helper()
	hosts, err := w.ListenSMTP(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hosts.Close)
	d, err := dialer.New(dialer.Config{Map: hosts.Map()})
	if err != nil {
		t.Fatal(err)
	}
	c := smtpprobe.Config{Dialer: d, Name: "probe.example.net", Roots: hosts.Roots(), Now: w.Now}
	if change != nil {
		change(&c)
	}
	p, err := smtpprobe.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// greeted writes what a mail server said in one line.
func greeted(s *evidence.SMTP) string {
	words := []string{string(s.Outcome)}
	if s.Step != "" {
		words = append(words, "at="+s.Step)
	}
	if !s.BannerName.IsZero() {
		words = append(words, "banner="+s.BannerName.String(), "ehlo="+s.EHLOName.String())
	}
	words = append(words, s.Notes...)
	if s.TLS != nil {
		words = append(words, secured(s.TLS, s.At)...)
	}
	for _, r := range []struct {
		name  string
		reply *evidence.SMTPReply
	}{{"vrfy", s.VRFY}, {"expn", s.EXPN}, {"postmaster", s.Postmaster}, {"abuse", s.Abuse}, {"relay", s.Relay}} {
		if r.reply != nil {
			words = append(words, r.name+"="+string(rune('0'+r.reply.Code/100)))
		}
	}
	return strings.Join(words, " ")
}

func secured(t *evidence.TLS, at time.Time) (words []string) {
	for _, f := range []struct {
		word string
		is   bool
	}{
		{"no-tls", !t.Offered},
		{"tls-error", !t.Error.IsZero()},
		{"self-signed", t.SelfSigned},
		{"untrusted", t.Version != "" && !t.Trusted},
		{"mismatch", t.Version != "" && !t.Matches},
		{"expired", t.Version != "" && t.NotAfter.Before(at)},
		{"early", t.NotBefore.After(at)},
		{"injected", t.Injected},
	} {
		if f.is {
			words = append(words, f.word)
		}
	}
	return words
}

func TestMailServers(t *testing.T) {
	const rest = " vrfy=2 expn=5 postmaster=2 abuse=2 relay=5"
	const named = "spoke banner=mail.example.org ehlo=mail.example.org"
	tests := []struct{ words, want string }{
		{"", named + rest},
		{"name=localhost tls=none", "spoke banner=localhost ehlo=localhost no-tls vrfy=2 expn=5 postmaster=5 abuse=5 relay=5"},
		{"banner=old.example.net", "spoke banner=old.example.net ehlo=old.example.net mismatch vrfy=2 expn=5 postmaster=5 abuse=5 relay=5"},
		{"banner=old.example.net ehlo=mail.example.org", "spoke banner=old.example.net ehlo=mail.example.org" + rest},
		{"tls=none", named + " no-tls" + rest},
		{"tls=selfsigned", named + " self-signed untrusted" + rest},
		{"tls=expired", named + " expired" + rest},
		{"tls=early", named + " early" + rest},
		{"names=a.example.org,*.example.net", named + " mismatch" + rest},
		{"names=192.0.2.1,mail.example.org", named + rest},
		{"tls=broken", "spoke at=handshake banner=mail.example.org ehlo=mail.example.org tls-error vrfy=2 expn=5 postmaster=2 abuse=2 relay=5"},
		{"inject", named + " injected" + rest},
		{"helo", named + " no-ehlo no-tls" + rest},
		{"vrfy=on expn=on", named + " vrfy=2 expn=2 postmaster=2 abuse=2 relay=5"},
		{"postmaster=550 abuse=450", named + " vrfy=2 expn=5 postmaster=5 abuse=4 relay=5"},
		{"relay=open", named + " vrfy=2 expn=5 postmaster=2 abuse=2 relay=2"},
		{"domains=example.com", named + " vrfy=2 expn=5 postmaster=5 abuse=5 relay=5"},
		{"delay=1ms slow=1ms", named + rest},
		{"reject=554", "turned-away at=greeting"},
		{"reject=421", "turned-away at=greeting"},
		{"hangup", "closed at=greeting"},
		{"closed", "refused at=connect"},
		{"garbled", "garbled at=greeting"},
		{"silent", "timeout at=greeting"},
	}
	for _, tt := range tests {
		t.Run(tt.words, func(t *testing.T) {
			w := parse(t, "smtp 192.0.2.25,2001:db8::25 "+tt.words+" ; a comment\n")
			p := mailProber(t, w, func(c *smtpprobe.Config) {
				if tt.words == "silent" {
					c.Total = 100 * time.Millisecond
				}
			})
			for _, addr := range []string{"192.0.2.25", "2001:db8::25"} {
				got := greeted(p.Probe(t.Context(), evidence.SMTPTarget{
					Host: dnsname.MustParse("mail.example.org"), Addr: netip.MustParseAddr(addr),
					Domain: dnsname.MustParse("example.org"), Own: true, Relay: true,
				}))
				if got != tt.want {
					t.Errorf("%s: %s, want %s", addr, got, tt.want)
				}
			}
		})
	}
}

// TestNobodyListens: an address of the world without a mail server refuses, one
// that is not of this world is barred.
func TestNobodyListens(t *testing.T) {
	p := mailProber(t, parse(t, smallWorld+";= 192.0.2.7 - fail  a host without records\nsmtp 203.0.113.1\n"), nil)
	for addr, want := range map[string]evidence.SMTPOutcome{
		"203.0.113.1": evidence.Spoke, "203.0.113.2": evidence.Declined, "2001:db8::1": evidence.Declined,
		"192.0.2.7": evidence.Declined, "192.0.2.8": evidence.NotAllowed,
	} {
		if got := p.Probe(t.Context(), evidence.SMTPTarget{Addr: netip.MustParseAddr(addr)}); got.Outcome != want {
			t.Errorf("%s: %s (%s), want %s", addr, got.Outcome, got.Why, want)
		}
	}
}

// TestMailMap: everything is on loopback.
func TestMailMap(t *testing.T) {
	hosts, err := lab.Default().ListenSMTP(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer hosts.Close()
	for from, to := range hosts.Map() {
		if from.Port() != 25 || !to.Addr().IsLoopback() || to.Port() == 0 {
			t.Errorf("%s leads to %s", from, to)
		}
	}
	clear(hosts.Map())
	if len(hosts.Map()) == 0 {
		t.Error("the map is no copy")
	}
}

// TestMailClose: the servers end while a client waits for a greeting, by Close or
// with the context.
func TestMailClose(t *testing.T) {
	for _, words := range []string{"delay=1h", "silent", "slow=1h"} {
		for _, byContext := range []bool{false, true} {
			ctx, cancel := context.WithCancel(t.Context())
			hosts, err := parse(t, "smtp 192.0.2.25 "+words+"\n").ListenSMTP(ctx)
			if err != nil {
				t.Fatal(err)
			}
			d, err := dialer.New(dialer.Config{Map: hosts.Map()})
			if err != nil {
				t.Fatal(err)
			}
			conn, err := d.Dial(t.Context(), "tcp", netip.MustParseAddrPort("192.0.2.25:25"))
			if err != nil {
				t.Fatal(err)
			}
			if words == "slow=1h" {
				_, _ = conn.Write([]byte("EHLO probe.example.net\r\n"))
			}
			if byContext {
				cancel()
			}
			hosts.Close()
			_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
			buf := make([]byte, 100)
			for err == nil {
				_, err = conn.Read(buf)
			}
			if ne, ok := err.(interface{ Timeout() bool }); ok && ne.Timeout() {
				t.Errorf("%s: the connection stayed open", words)
			}
			_ = conn.Close()
			cancel()
		}
	}
}

// TestWorldMail: the mail servers of the default world show what their titles say.
func TestWorldMail(t *testing.T) {
	w := lab.Default()
	p := mailProber(t, w, func(c *smtpprobe.Config) { c.Delay = 200 * time.Millisecond })
	tests := []struct{ addr, name, want string }{
		{"203.0.113.1", "mail.example.org", "spoke banner=mail.example.org ehlo=mail.example.org"},
		{"2001:db8::1", "mail.example.org", "spoke banner=mail.example.org ehlo=mail.example.org"},
		{"203.0.113.9", "nameless.example.org", "refused at=connect"},
		{"203.0.113.101", "banner.example.org", "spoke banner=old.example.net ehlo=banner.example.org"},
		{"203.0.113.102", "local.example.org", "spoke banner=localhost.localdomain ehlo=localhost.localdomain"},
		{"203.0.113.103", "tarpit.example.org", "spoke banner=tarpit.example.org ehlo=tarpit.example.org"},
		{"203.0.113.104", "clear.example.org", "spoke banner=clear.example.org ehlo=clear.example.org no-tls"},
		{"203.0.113.105", "expired.example.org", "spoke banner=expired.example.org ehlo=expired.example.org expired"},
		{"203.0.113.106", "selfmade.example.org", "spoke banner=selfmade.example.org ehlo=selfmade.example.org self-signed untrusted"},
		{"203.0.113.107", "othername.example.org", "spoke banner=othername.example.org ehlo=othername.example.org mismatch"},
		{"203.0.113.108", "picky.example.org", "turned-away at=greeting"},
		{"203.0.113.109", "hangup.example.org", "closed at=greeting"},
		{"203.0.113.110", "garbled.example.org", "garbled at=greeting"},
		{"203.0.113.111", "relay.example.org", "spoke banner=relay.example.org ehlo=relay.example.org vrfy=2 expn=5 postmaster=2 abuse=2 relay=2"},
		{"203.0.113.112", "tells.example.org", "spoke banner=tells.example.org ehlo=tells.example.org vrfy=2 expn=2 postmaster=5 abuse=5 relay=5"},
		{"203.0.113.113", "carries.example.org", "spoke banner=carries.example.org ehlo=carries.example.org injected vrfy=2 expn=5 postmaster=2 abuse=2 relay=5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			own := strings.Contains(tt.want, "vrfy")
			name := dnsname.MustParse(tt.name)
			got := p.Probe(t.Context(), evidence.SMTPTarget{
				Host: name, Addr: netip.MustParseAddr(tt.addr), Domain: name, Own: own, Relay: own,
			})
			if s := greeted(got); s != tt.want {
				t.Errorf("%s, want %s", s, tt.want)
			}
			if late := tt.name == "tarpit.example.org"; late && !got.Delayed {
				t.Errorf("delayed %t: %v", got.Delayed, got.Steps)
			}
		})
	}
}
