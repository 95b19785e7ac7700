package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

const serverWorld = `
. SOA ns.example.net hostmaster.example.net 1 3600 900 604800 300
. NS root.example.net
root.example.net A 192.0.2.1
ns 192.0.2.1 .

example.org SOA ns1.example.net hostmaster.example.net 7 3600 900 604800 60
example.org NS ns1.example.net
example.org DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
mail.example.org A 203.0.113.9
www.example.org CNAME mail.example.org
far.example.org CNAME mail.example.com
mail.example.com A 203.0.113.10
sub.example.org NS ns.sub.example.org
ns.sub.example.org A 192.0.2.9
a.sub.example.org A 203.0.113.11
ns1.example.net A 192.0.2.11
ns 192.0.2.11,2001:db8::11 example.org

ns 192.0.2.12 example.org serial=5
at 192.0.2.12 mail.example.org 60 A 203.0.113.99
at 192.0.2.12 none www.example.org CNAME
at 192.0.2.12 ptr 203.0.113.9 mail.example.org
ns 192.0.2.12 113.0.203.in-addr.arpa
113.0.203.in-addr.arpa SOA ns1.example.net hostmaster.example.net 1 3600 900 604800 300
ns 192.0.2.13 example.org refused
ns 192.0.2.14 example.org servfail
ns 192.0.2.15 example.org silent
ns 192.0.2.16 example.org closed
ns 192.0.2.17 example.org noaa
ns 192.0.2.18 example.org upward
`

func listenAll(t *testing.T, text string) map[netip.AddrPort]netip.AddrPort {
	t.Helper()
	n, err := parse(t, text).ListenNameServers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n.Map()
}

// directly asks one of the name servers, and writes what it says in one line.
func directly(at netip.AddrPort, network, name, kind string) string {
	c := dns.Client{Net: network, Timeout: 10 * time.Second}
	if network == "silent" {
		c = dns.Client{Timeout: 100 * time.Millisecond}
	}
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[kind])
	m.RecursionDesired = false
	r, _, err := c.Exchange(m, at.String())
	var netErr net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "closed"
	case errors.As(err, &netErr) && netErr.Timeout():
		return "silent"
	case err != nil:
		return err.Error()
	}
	var b strings.Builder
	b.WriteString(dns.RcodeToString[r.Rcode])
	if r.Authoritative {
		b.WriteString(" aa")
	}
	if r.RecursionAvailable {
		b.WriteString(" ra")
	}
	for i, section := range [][]dns.RR{r.Answer, r.Ns, r.Extra} {
		for _, rr := range section {
			data := strings.Fields(strings.TrimPrefix(rr.String(), rr.Header().String()))
			if rr.Header().Rrtype == dns.TypeSOA {
				data = data[2:3]
			}
			fmt.Fprintf(&b, " %s%s/%s/%d=%s", []string{"", "ns:", "glue:"}[i], rr.Header().Name, dns.TypeToString[rr.Header().Rrtype],
				rr.Header().Ttl, data[0])
		}
	}
	return b.String()
}

func TestNameServers(t *testing.T) {
	at := listenAll(t, serverWorld)
	for _, tt := range []struct{ server, name, kind, want string }{
		{"192.0.2.11", "mail.example.org", "A", "NOERROR aa mail.example.org./A/3600=203.0.113.9"},
		{"2001:db8::11", "mail.example.org", "A", "NOERROR aa mail.example.org./A/3600=203.0.113.9"},
		{"192.0.2.11", "example.org", "SOA", "NOERROR aa example.org./SOA/3600=7"},
		{"192.0.2.11", "mail.example.org", "MX", "NOERROR aa ns:example.org./SOA/60=7"},
		{"192.0.2.11", "none.example.org", "A", "NXDOMAIN aa ns:example.org./SOA/60=7"},
		{"192.0.2.11", "www.example.org", "A", "NOERROR aa www.example.org./CNAME/3600=mail.example.org. mail.example.org./A/3600=203.0.113.9"},
		{"192.0.2.11", "far.example.org", "A", "NOERROR aa far.example.org./CNAME/3600=mail.example.com."},
		{"192.0.2.11", "a.sub.example.org", "A", "NOERROR ns:sub.example.org./NS/3600=ns.sub.example.org. glue:ns.sub.example.org./A/3600=192.0.2.9"},
		{"192.0.2.11", "mail.example.com", "A", "REFUSED"},
		{"192.0.2.11", "example.org", "DS", "NOERROR aa example.org./DS/3600=1"}, // it has no zone above
		{"192.0.2.1", "example.org", "DS", "NOERROR aa example.org./DS/3600=1"},
		{"192.0.2.1", "mail.example.org", "A", "NOERROR ns:example.org./NS/3600=ns1.example.net. glue:ns1.example.net./A/3600=192.0.2.11"},
		{"192.0.2.1", "none.example.com", "A", "NXDOMAIN aa ns:./SOA/300=1"},
		{"192.0.2.12", "mail.example.org", "A", "NOERROR aa mail.example.org./A/60=203.0.113.99"},
		{"192.0.2.12", "www.example.org", "A", "NXDOMAIN aa ns:example.org./SOA/60=5"},
		{"192.0.2.12", "9.113.0.203.in-addr.arpa", "PTR", "NOERROR aa 9.113.0.203.in-addr.arpa./PTR/3600=mail.example.org."},
		{"192.0.2.12", "example.org", "SOA", "NOERROR aa example.org./SOA/3600=5"},
		{"192.0.2.13", "mail.example.org", "A", "REFUSED"},
		{"192.0.2.14", "mail.example.org", "A", "SERVFAIL"},
		{"192.0.2.15", "mail.example.org", "A", "silent"},
		{"192.0.2.16", "mail.example.org", "A", "closed"},
		{"192.0.2.17", "mail.example.org", "A", "NOERROR mail.example.org./A/3600=203.0.113.9"},
		{"192.0.2.18", "mail.example.org", "A", "NOERROR ns:./NS/3600=root.example.net."},
		{"192.0.2.11", "example.org", "ANY", "REFUSED"},
	} {
		to := at[netip.AddrPortFrom(netip.MustParseAddr(tt.server), 53)]
		if !to.Addr().IsLoopback() {
			t.Fatalf("%s is at %s", tt.server, to)
		}
		for _, network := range []string{"udp", "tcp"} {
			if tt.want == "silent" {
				network = "silent"
			}
			if got := directly(to, network, tt.name, tt.kind); got != tt.want {
				t.Errorf("%s over %s, %s %s:\n got %s\nwant %s", tt.server, network, tt.name, tt.kind, got, tt.want)
			}
		}
	}
	if len(at) != 10 {
		t.Errorf("%d servers", len(at))
	}
}

func TestNameServersEnd(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	w := parse(t, serverWorld)
	ctx, cancel := context.WithCancel(t.Context())
	n, err := w.ListenNameServers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.ListenNameServers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range n.Map() {
		if again.Map()[from] == to {
			t.Errorf("%s twice at %s", from, to)
		}
	}
	delete(n.Map(), netip.MustParseAddrPort("192.0.2.1:53"))
	if len(n.Map()) != 10 {
		t.Error("the map is not a copy")
	}
	cancel()
	n.Close()
	n.Close()
	again.Close()
}

// A world without ns lines has no servers, which is no error.
func TestNoNameServers(t *testing.T) {
	if at := listenAll(t, "mail.example.org A 203.0.113.1\n"); len(at) != 0 {
		t.Errorf("got %v", at)
	}
}

func TestParseNameServerErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"ns 192.0.2.1", "lab: line 1: want ns ADDRESS ZONE [WORD ...]"},
		{"\nns 192.0.2.1 example..org", `lab: line 2: bad name "example..org"`},
		{"ns 192.0.2.1,192.0.2 example.org", `lab: line 1: bad address "192.0.2"`},
		{"ns 192.0.2.1 example.org sleepy", `lab: line 1: unknown word "sleepy" of a name server`},
		{"ns 192.0.2.1 example.org serial=x", `lab: line 1: unknown word "serial=x" of a name server`},
		{"ns 192.0.2.1 example.org serial=4294967296", "lab: line 1: unknown word"},
		{"ns 192.0.2.1 .\nat 192.0.2.1 mail.example.org", "lab: line 2: want at ADDRESS RECORD"},
		{"ns 192.0.2.1 .\nat 192.0.2.1 mail.example.org A 203.0.113", "lab: line 2: bad record"},
		{"ns 192.0.2.1 .\nat 192.0.2.1 none mail.example.org LETTER", `lab: line 2: unknown type "LETTER"`},
		{"ns 192.0.2.1 .\nat 192.0.2.1 ptr 203.0.113 mail.example.org", `lab: line 2: bad address "203.0.113"`},
		{"at 192.0.2.1 mail.example.org A 203.0.113.1", "lab: line 1: no ns line gives a zone to 192.0.2.1"},
		{"secure example..org", "lab: line 1: "},
	} {
		if w, err := lab.Parse(tt.text); err == nil || w != nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %s", tt.text, err, tt.want)
		}
	}
	// These are records all the same.
	w := parse(t, "ns A 192.0.2.1\nat A 192.0.2.2\nsecure A 192.0.2.3\n")
	for _, name := range []string{"ns", "at", "secure"} {
		if !slices.Contains(w.Names(), dnsname.MustParse(name)) {
			t.Errorf("no name %s", name)
		}
	}
}
