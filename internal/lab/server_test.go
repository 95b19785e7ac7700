package lab_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

func listen(t *testing.T, w *lab.World) *lab.Server {
	t.Helper()
	s, err := lab.Listen(t.Context(), w, "127.0.0.1:0", lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// exchange asks as a resolver would: over UDP, and over TCP where it must.
func exchange(t *testing.T, s *lab.Server, name string, kind evidence.Type, wait time.Duration) (*dns.Msg, error) {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, uint16(kind)).SetEdns0(1232, false)
	c := dns.Client{Timeout: wait}
	r, _, err := c.Exchange(m, s.Addr().String())
	if err == nil && r.Truncated {
		if len(r.Answer) > 0 && len(r.Answer) == len(uncut(t, s, m).Answer) {
			t.Errorf("%s: TC with a whole answer", name)
		}
		return uncut(t, s, m), nil
	}
	return r, err
}

func uncut(t *testing.T, s *lab.Server, m *dns.Msg) *dns.Msg {
	t.Helper()
	c := dns.Client{Net: "tcp", Timeout: 10 * time.Second}
	r, _, err := c.Exchange(m, s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestServerSaysWhatMemorySays asks for all names of the lab world, and reads
// the answers without the help of the lab.
func TestServerSaysWhatMemorySays(t *testing.T) {
	w := lab.Default()
	s := listen(t, w)
	for _, name := range append(w.Names(), dnsname.MustParse("no-such-name.example.org")) {
		for _, kind := range []evidence.Type{
			evidence.A, evidence.AAAA, evidence.PTR, evidence.MX, evidence.TXT, evidence.NS, evidence.SOA, evidence.DS, evidence.DNSKEY,
		} {
			want := w.Ask(t.Context(), evidence.Question{Name: name, Type: kind}).Wait()[0]
			wait := 10 * time.Second
			if want.State == evidence.Timeout {
				wait = 50 * time.Millisecond
			}
			r, err := exchange(t, s, dns.Fqdn(name.String()), kind, wait)
			compare(t, want, r, err)
		}
	}
}

func compare(t *testing.T, want evidence.Answer, r *dns.Msg, err error) {
	t.Helper()
	q := want.Name.String() + " " + want.Type.String()
	var netErr net.Error
	switch {
	case want.State == evidence.Timeout:
		if !errors.As(err, &netErr) || !netErr.Timeout() {
			t.Errorf("%s: want no answer, got %v, %v", q, r, err)
		}
		return
	case want.State == evidence.Malformed && want.Rcode < 0:
		if err == nil || errors.As(err, &netErr) {
			t.Errorf("%s: want rubbish, got %v, %v", q, r, err)
		}
		return
	case err != nil:
		t.Errorf("%s: %v", q, err)
		return
	}
	if r.Rcode != want.Rcode || !r.RecursionAvailable || uint16(want.EDE) != edeOf(r) {
		t.Errorf("%s: want %s, got %v", q, said(want), r)
	}
	var data, chain []string
	for _, rr := range r.Answer {
		text := strings.TrimSuffix(strings.ToLower(strings.TrimPrefix(rr.String(), rr.Header().String())), ".")
		if rr.Header().Rrtype == uint16(want.Type) {
			data = append(data, text)
		} else {
			chain = append(chain, text)
		}
	}
	if want.State == evidence.Malformed { // which the reader of the chain finds out
		if len(chain) < 2 {
			t.Errorf("%s: chain %q, want %s", q, chain, said(want))
		}
		return
	}
	if len(data) != want.Total {
		t.Errorf("%s: %d records, want %s", q, len(data), said(want))
	}
	if want.State == evidence.Found && !slices.Equal(chain, texts(want.Aliases)) {
		t.Errorf("%s: chain %q, want %s", q, chain, said(want))
	}
	for _, addr := range want.Addrs {
		if !slices.Contains(data, addr.String()) {
			t.Errorf("%s: %q without %s", q, data, addr)
		}
	}
	if want.State.Negative() && (len(r.Ns) != 1 || want.TTL != time.Duration(r.Ns[0].Header().Ttl)*time.Second) {
		t.Errorf("%s: authority %v, want a SOA with %s", q, r.Ns, want.TTL)
	}
}

func edeOf(r *dns.Msg) uint16 {
	for _, o := range r.IsEdns0().Option {
		if ede, ok := o.(*dns.EDNS0_EDE); ok {
			return ede.InfoCode + 1
		}
	}
	return 0
}

func texts(names []dnsname.Name) []string {
	var out []string
	for _, n := range names {
		out = append(out, n.String())
	}
	return out
}

func TestServerKeepsNames(t *testing.T) {
	s := listen(t, parse(t, `
mail.example.org A 203.0.113.1
ptr 203.0.113.1 a\.b\000<\255.example.org
`))
	// A resolver that mixes the case of its questions wants them back so.
	r, err := exchange(t, s, "mAiL.eXample.oRg.", evidence.A, 10*time.Second)
	if err != nil || len(r.Answer) != 1 || r.Question[0].Name != "mAiL.eXample.oRg." || r.Answer[0].Header().Name != "mAiL.eXample.oRg." {
		t.Errorf("got %v, %v", r, err)
	}
	r, err = exchange(t, s, "1.113.0.203.in-addr.arpa.", evidence.PTR, 10*time.Second)
	if err != nil || len(r.Answer) != 1 || r.Answer[0].(*dns.PTR).Ptr != `a\.b\000<\255.example.org.` {
		t.Errorf("got %v, %v", r, err)
	}
}

func TestServerTruncates(t *testing.T) {
	s := listen(t, parse(t, "$GENERATE 1-200 many.example.org A 203.0.113.$\n"))
	m := new(dns.Msg).SetQuestion("many.example.org.", dns.TypeA)
	c := dns.Client{Timeout: 10 * time.Second}
	r, _, err := c.Exchange(m, s.Addr().String())
	if err != nil || !r.Truncated || len(r.Answer) >= 200 || r.IsEdns0() != nil {
		t.Errorf("plain DNS: %d records, TC=%v, %v", len(r.Answer), r.Truncated, err)
	}
	if r := uncut(t, s, m); r.Truncated || len(r.Answer) != 200 {
		t.Errorf("TCP: %d records, TC=%v", len(r.Answer), r.Truncated)
	}
}

func TestServerRefuses(t *testing.T) {
	w := lab.Default()
	s := listen(t, w)
	c := dns.Client{Timeout: 10 * time.Second}
	any := new(dns.Msg).SetQuestion("mail.example.org.", dns.TypeANY)
	chaos := new(dns.Msg).SetQuestion("version.bind.", dns.TypeTXT)
	chaos.Question[0].Qclass = dns.ClassCHAOS
	for _, m := range []*dns.Msg{any, chaos} {
		if r, _, err := c.Exchange(m, s.Addr().String()); err != nil || r.Rcode != dns.RcodeRefused {
			t.Errorf("%v: got %v, %v", m.Question, r, err)
		}
	}
	if len(w.Log()) != 0 {
		t.Errorf("log %v", w.Log())
	}
}

func TestListenOnLoopbackOnly(t *testing.T) {
	// None of these may be bound, nor is: the wildcard is refused by its looks.
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", "192.0.2.1:0", "localhost:0", "127.0.0.1", ""} {
		if s, err := lab.Listen(t.Context(), lab.Default(), addr, lab.Options{}); err == nil {
			s.Close()
			t.Errorf("%q: no error", addr)
		}
	}
	s := listen(t, lab.Default())
	if _, err := lab.Listen(t.Context(), lab.Default(), s.Addr().String(), lab.Options{}); err == nil {
		t.Error("the same port twice")
	}
	s, err := lab.Listen(t.Context(), lab.Default(), "127.0.0.1:0", lab.Options{AllowAny: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if s.Addr().Addr() != netip.MustParseAddr("127.0.0.1") || s.Addr().Port() == 0 {
		t.Errorf("address %s", s.Addr())
	}
}

func TestServerEnds(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	w := parse(t, "slow.example.org A 203.0.113.1\n!delay 1h slow.example.org\n")
	ctx, cancel := context.WithCancel(t.Context())
	s, err := lab.Listen(ctx, w, "127.0.0.1:0", lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		c := dns.Client{Net: "tcp", Timeout: 10 * time.Second}
		_, _, err := c.Exchange(new(dns.Msg).SetQuestion("slow.example.org.", dns.TypeA), s.Addr().String())
		answered <- err
	}()
	for len(w.Log()) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel() // with a question under way
	s.Close()
	s.Close()
	if <-answered == nil {
		t.Error("a closed server has answered")
	}
}
