package lab_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/lab"
)

func parse(t testing.TB, text string) *lab.World {
	t.Helper()
	w, err := lab.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func question(name string, kind evidence.Type) evidence.Question {
	return evidence.Question{Name: dnsname.MustParse(name), Type: kind}
}

// said writes an answer in one line, without server and time.
func said(a evidence.Answer) string {
	s := fmt.Sprintf("%s rcode=%d ttl=%s", a.State, a.Rcode, a.TTL)
	for _, n := range a.Aliases {
		s += " via=" + n.String()
	}
	for i, n := range a.Names {
		s += " "
		if len(a.Preferences) > 0 {
			s += fmt.Sprintf("%d:", a.Preferences[i])
		}
		s += n.String()
	}
	for _, ip := range a.Addrs {
		s += " " + ip.String()
	}
	for _, text := range a.Texts {
		s += fmt.Sprintf(" \"%s\"", text)
	}
	if a.SOA != nil {
		s += fmt.Sprintf(" soa=%s/%d", a.SOA.Zone, a.SOA.Serial)
	}
	if a.Validated {
		s += " validated"
	}
	if a.EDE != 0 {
		s += fmt.Sprintf(" ede=%d", a.EDE)
	}
	if !a.Reason.IsZero() {
		s += fmt.Sprintf(" %q", a.Reason)
	}
	return s + fmt.Sprintf(" of %d", a.Total)
}

const smallWorld = `
$TTL 600
example.org 7200 SOA ns.example.org hostmaster.example.org 1 3600 900 604800 120
mail.example.org A 203.0.113.1
mail.example.org A 203.0.113.2
mail.example.org A 203.0.113.1
deep.down.example.org 60 AAAA 2001:db8::1
mapped.example.org AAAA ::ffff:203.0.113.1
www.example.org 30 CNAME mail.example.org
lost.example.org CNAME nowhere.example.org
half.example.org CNAME down.example.org
mx.example.org MX 20 b.example.org
mx.example.org MX 10 a.example.org
short.example.org 0 TXT "x"
long.txt.example.org TXT "v=spf1 " "a;b\255\" -all"
signed.example.org DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
signed.example.org DNSKEY 257 3 13 AAECAwQFBgcICQoLDA0ODw==
secure signed.example.org
long.example.org 2147483647 A 203.0.113.3
odd.example.org 2147483648 A 203.0.113.4
ptr 203.0.113.1 300 Mail.Example.ORG
ptr 203.0.113.1 300 mail.example.org
ptr 203.0.113.1 300 a\.b\032\255.example.org
ptr 2001:db8::1 deep.down.example.org
!servfail sick.example.org A
alias.example.org CNAME sick.example.org
!bogus bogus.example.org ; a comment
!filtered filtered.example.org
!refused refused.example.org
!notimp notimp.example.org
!timeout 203.0.113.9
!malformed malformed.example.org
!truncated mail.example.org A
a.ring.example.org CNAME b.ring.example.org
b.ring.example.org CNAME a.ring.example.org
self.ring.example.org CNAME self.ring.example.org
`

func TestAnswers(t *testing.T) {
	tests := []struct {
		name string
		kind evidence.Type
		want string
	}{
		{"mail.example.org", evidence.A, "found rcode=0 ttl=10m0s 203.0.113.1 203.0.113.2 of 2"},
		{"mail.example.org", evidence.AAAA, "nodata rcode=0 ttl=2m0s of 0"},
		{"none.example.org", evidence.A, "nxdomain rcode=3 ttl=2m0s of 0"},
		{"none.example.net", evidence.A, "nxdomain rcode=3 ttl=5m0s of 0"},
		{"down.example.org", evidence.A, "nodata rcode=0 ttl=2m0s of 0"},
		{"org", evidence.A, "nodata rcode=0 ttl=5m0s of 0"},
		{"113.0.203.in-addr.arpa", evidence.PTR, "nodata rcode=0 ttl=5m0s of 0"},
		{"deep.down.example.org", evidence.AAAA, "found rcode=0 ttl=1m0s 2001:db8::1 of 1"},
		{"mapped.example.org", evidence.AAAA, "found rcode=0 ttl=10m0s ::ffff:203.0.113.1 of 1"},
		{"www.example.org", evidence.A, "found rcode=0 ttl=30s via=mail.example.org 203.0.113.1 203.0.113.2 of 2"},
		{"www.example.org", evidence.CNAME, "found rcode=0 ttl=30s mail.example.org of 1"},
		{"www.example.org", evidence.MX, "nodata rcode=0 ttl=30s via=mail.example.org soa=example.org/1 of 0"},
		{"lost.example.org", evidence.A, "nxdomain rcode=3 ttl=2m0s via=nowhere.example.org of 0"},
		{"half.example.org", evidence.A, "nodata rcode=0 ttl=2m0s via=down.example.org of 0"},
		{"mx.example.org", evidence.MX, "found rcode=0 ttl=10m0s 10:a.example.org 20:b.example.org of 2"},
		{"short.example.org", evidence.TXT, `found rcode=0 ttl=5s "x" of 1`},
		{"long.txt.example.org", evidence.TXT, `found rcode=0 ttl=10m0s "v=spf1 a;b\255" -all" of 1`},
		{"example.org", evidence.SOA, "found rcode=0 ttl=2h0m0s soa=example.org/1 of 1"},
		{"mail.example.org", evidence.SOA, "nodata rcode=0 ttl=2m0s soa=example.org/1 of 0"},
		{"none.example.org", evidence.TXT, "nxdomain rcode=3 ttl=2m0s soa=example.org/1 of 0"},
		{"example.org", evidence.DS, "nodata rcode=0 ttl=5m0s soa=./1 of 0"},
		{"signed.example.org", evidence.DS, "found rcode=0 ttl=10m0s validated of 1"},
		{"signed.example.org", evidence.DNSKEY, "found rcode=0 ttl=10m0s validated of 1"},
		{"none.signed.example.org", evidence.DS, "nxdomain rcode=3 ttl=2m0s soa=example.org/1 validated of 0"},
		{"signed.example.org", evidence.A, "nodata rcode=0 ttl=2m0s of 0"},
		{"long.example.org", evidence.A, "found rcode=0 ttl=24h0m0s 203.0.113.3 of 1"},
		{"odd.example.org", evidence.A, "found rcode=0 ttl=5s 203.0.113.4 of 1"},
		{"1.113.0.203.in-addr.arpa", evidence.PTR, `found rcode=0 ttl=5m0s mail.example.org a\.b\032\255.example.org of 2`},
		{"sick.example.org", evidence.A, "servfail rcode=2 ttl=5s of 0"},
		{"sick.example.org", evidence.AAAA, "nodata rcode=0 ttl=2m0s of 0"},
		{"alias.example.org", evidence.A, "servfail rcode=2 ttl=5s of 0"},
		{"bogus.example.org", evidence.A, `bogus rcode=2 ttl=5s ede=7 "no valid signature" of 0`},
		{"filtered.example.org", evidence.A, `filtered rcode=3 ttl=5s ede=16 "on a block list of the resolver" of 0`},
		{"refused.example.org", evidence.MX, "refused rcode=5 ttl=5s of 0"},
		{"notimp.example.org", evidence.MX, "failed rcode=4 ttl=5s of 0"},
		{"9.113.0.203.in-addr.arpa", evidence.PTR, `timeout rcode=-1 ttl=5s "no answer in time" of 0`},
		{"malformed.example.org", evidence.A, `malformed rcode=-1 ttl=5s "answer can't be read" of 0`},
		{"a.ring.example.org", evidence.A, `malformed rcode=0 ttl=5s "CNAME chain is a loop or too long" of 0`},
		{"self.ring.example.org", evidence.A, `malformed rcode=0 ttl=5s "CNAME chain is a loop or too long" of 0`},
	}
	w := parse(t, smallWorld)
	for _, tt := range tests {
		q := question(tt.name, tt.kind)
		a := w.Ask(t.Context(), q).Wait()[0]
		if got := said(a); got != tt.want || a.Question != q {
			t.Errorf("%s %s:\n got %s\nwant %s", tt.name, tt.kind, got, tt.want)
		}
	}
}

func TestChainLength(t *testing.T) {
	for hops, want := range map[int]evidence.State{1: evidence.Found, 11: evidence.Found, 12: evidence.Malformed} {
		text := fmt.Sprintf("h%d.example.org A 203.0.113.1\n", hops)
		for i := range hops {
			text += fmt.Sprintf("h%d.example.org CNAME h%d.example.org\n", i, i+1)
		}
		a := parse(t, text).Ask(t.Context(), question("h0.example.org", evidence.A)).Wait()[0]
		if a.State != want {
			t.Errorf("%d hops: %s, want %s", hops, a.State, want)
		}
	}
}

func TestLargeSetsAreCut(t *testing.T) {
	w := parse(t, `
$GENERATE 1-15 1.113.0.203.in-addr.arpa PTR m$.example.org
$GENERATE 1-12 ns.example.org NS n${0,2}.example.org
$GENERATE 0-255 many.example.org AAAA 2001:db8::$
$GENERATE 0-65535/13 many.example.org AAAA 2001:db8::1:${0,4,x}
`)
	answers := w.Ask(t.Context(),
		question("1.113.0.203.in-addr.arpa", evidence.PTR),
		question("ns.example.org", evidence.NS),
		question("many.example.org", evidence.AAAA)).Wait()
	if a := answers[0]; len(a.Names) != evidence.MaxNames || a.Total != 15 ||
		a.Names[0].String() != "m1.example.org" || a.Names[9].String() != "m4.example.org" {
		t.Error(said(a)) // those that sort first, whatever the order of the message
	}
	if a := answers[1]; len(a.Names) != evidence.MaxNames || a.Total != 12 || a.Names[9].String() != "n10.example.org" {
		t.Error(said(a))
	}
	if a := answers[2]; len(a.Addrs) != evidence.MaxAddrs || a.Total != 256+65535/13+1 {
		t.Errorf("%d addresses of %d", len(a.Addrs), a.Total)
	}
}

func TestTime(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := parse(t, `
mail.example.org A 203.0.113.1
!delay 10m mail.example.org
!delay 1m mail.example.org A
!timeout silent.example.org
!delay 1m silent.example.org
`)
	w.Now = func() time.Time { return at }
	mail := question("mail.example.org", evidence.A)
	a := w.Ask(context.Background(), mail).Wait()[0]
	if a.State != evidence.Found || a.Took != 11*time.Minute || !a.At.Equal(at.Add(a.Took)) {
		t.Errorf("delayed: %s took %s at %s", said(a), a.Took, a.At)
	}
	if !strings.HasPrefix(a.Server.String(), "192.0.2.") {
		t.Errorf("server %s", a.Server)
	}
	if a := w.Ask(t.Context(), question("silent.example.org", evidence.A)).Wait()[0]; a.State != evidence.Timeout || a.Took != time.Minute {
		t.Errorf("timeout: %s took %s", said(a), a.Took)
	}
	soon, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if a := w.Ask(soon, mail).Wait()[0]; a.State != evidence.Timeout {
		t.Errorf("past the deadline: %s", said(a))
	}
	cancel()
	if a := w.Ask(soon, question("none.example.org", evidence.A)).Wait()[0]; a.State != evidence.Timeout {
		t.Errorf("context ended: %s", said(a))
	}
}

func TestLogAndConcurrency(t *testing.T) {
	w := lab.Default()
	var wait sync.WaitGroup
	for _, h := range w.Hosts() {
		wait.Go(func() {
			w.Ask(t.Context(), evidence.Question{Name: dnsname.Reverse(h.Address), Type: evidence.PTR}).Wait()
		})
	}
	wait.Wait()
	log := w.Log()
	if len(log) != len(w.Hosts()) || log[0].Type != evidence.PTR {
		t.Errorf("%d questions for %d hosts, first %v", len(log), len(w.Hosts()), log[0])
	}
	log[0] = evidence.Question{}
	if w.Log()[0] == log[0] {
		t.Error("the log shares memory with its reader")
	}
}
