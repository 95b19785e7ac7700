package evidence_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/untrusted"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestSourceOf(t *testing.T) {
	for in, want := range map[string]string{
		"198.51.100.7": "public", "2001:db8::1": "public", "8.8.8.8": "public", "2600::1": "public",
		"100.64.0.1": "shared", "192.0.0.1": "protocol-assignment", "198.18.0.1": "benchmarking", "240.0.0.1": "reserved",
		"64:ff9b::7f00:1": "nat64", "2002:7f00:1::": "6to4", "2001:0:0:0:0:0:80ff:fffe": "teredo", "::127.0.0.1": "ipv4-compatible",
		"fec0::1": "site-local", "100::1": "discard", "::ffff:10.0.0.1": "private", "255.255.255.255": "broadcast",
		"172.15.255.255": "public", "172.16.0.0": "private", "172.32.0.0": "public", "fe80::1": "link-local", "::1": "loopback",
	} {
		if got := evidence.SourceOf(netip.MustParseAddr(in)); got.Kind != want {
			t.Errorf("SourceOf(%s) = %s, want %s", in, got.Kind, want)
		}
	}
	if got := evidence.SourceOf(netip.Addr{}); got.Kind != "none" || !got.Special() {
		t.Errorf("no address is of kind %q", got.Kind)
	}
	if !evidence.SourceOf(netip.MustParseAddr("192.0.2.1")).Documentation {
		t.Error("D163: 192.0.2.1 is not known as documentation")
	}
}

func TestReadHelo(t *testing.T) {
	for in, want := range map[string]evidence.HeloKind{
		"":                        evidence.HeloMissing,
		"mail.example.org":        evidence.HeloName,
		"mail.example.org.":       evidence.HeloName,
		"MAIL.Example.ORG":        evidence.HeloName,
		"mail":                    evidence.HeloNotFQDN,
		"localhost":               evidence.HeloNotFQDN,
		"a b.example.org":         evidence.HeloNotFQDN,
		`a\.b.example.org`:        evidence.HeloNotFQDN,
		"${jndi:x}":               evidence.HeloNotFQDN,
		"..":                      evidence.HeloNotFQDN,
		"\x00":                    evidence.HeloNotFQDN,
		"203.0.113.1":             evidence.HeloBareIP,
		"2001:db8::1":             evidence.HeloBareIP,
		"203.0.113.001":           evidence.HeloNotFQDN,
		"[203.0.113.1]":           evidence.HeloLiteral,
		"[IPv6:2001:db8::1]":      evidence.HeloLiteral,
		"[2001:db8::1]":           evidence.HeloNotFQDN,
		"[203.0.113.1":            evidence.HeloNotFQDN,
		"[]":                      evidence.HeloNotFQDN,
		"[":                       evidence.HeloNotFQDN,
		strings.Repeat("1.", 512): evidence.HeloNotFQDN,
	} {
		if got := evidence.ReadHelo(untrusted.New(in)); got.Kind != want {
			t.Errorf("ReadHelo(%q) = %s (%s), want %s", in, got.Kind, got.Fault, want)
		}
	}
}

func gather(t *testing.T, zone, client, helo string, thorough bool) (*evidence.View, []evidence.Question) {
	t.Helper()
	world, err := lab.Parse(zone)
	if err != nil {
		t.Fatal(err)
	}
	world.Now = func() time.Time { return noon }
	g := evidence.Gatherer{DNS: world, Now: world.Now, Thorough: thorough}
	e := g.View(context.Background(), facts.Conn{Client: netip.MustParseAddr(client), Helo: untrusted.New(helo), HeloKnown: true})
	return e, world.Log()
}

// RFC 8601 §3: the number of names is limited; ours is 10, in 22 questions at
// most, whoever asks, in whatever order the server gives the names.
func TestQueriesAreBounded(t *testing.T) {
	if evidence.MaxNames != 10 || evidence.MaxQueries != 22 {
		t.Errorf("limits of %d names and %d questions, promised are 10 and 22", evidence.MaxNames, evidence.MaxQueries)
	}
	for _, n := range []int{2, 10, 11, 100, 1000} {
		var zone strings.Builder
		zone.WriteString("$TTL 60\n. SOA ns.example.net h.example.net 1 1 1 1 60\n")
		for i := range n {
			fmt.Fprintf(&zone, "ptr 203.0.113.9 h%04d.example.org\nh%04d.example.org A 198.51.100.1\n", i, i)
		}
		fmt.Fprintf(&zone, "h%04d.example.org A 203.0.113.9\n", n-1)
		for _, thorough := range []bool{false, true} {
			e, asked := gather(t, zone.String(), "203.0.113.9", "mail.example.org", thorough)
			want := evidence.Pass
			if n > evidence.MaxNames {
				want = evidence.Fail
			}
			if e.IPRev.Result != want || e.IPRev.Total != n {
				t.Errorf("%d names: %s, total %d", n, e.IPRev.Result, e.IPRev.Total)
			}
			if len(asked) > evidence.MaxQueries || len(asked) != e.IPRev.Queries {
				t.Errorf("%d names, thorough %v: %d questions, %d counted", n, thorough, len(asked), e.IPRev.Queries)
			}
		}
	}
}

func TestThoroughAsksForBothFamilies(t *testing.T) {
	const zone = "$TTL 60\n. SOA ns.example.net h.example.net 1 1 1 1 60\n" +
		"ptr 203.0.113.9 mail.example.org\nmail.example.org AAAA 2001:db8::9\n"
	e, _ := gather(t, zone, "203.0.113.9", "", true)
	if n := e.IPRev.Names[0]; n.State != evidence.NameNoData || !cmp.Equal(n.Addresses, []netip.Addr{netip.MustParseAddr("2001:db8::9")}, cmpopts.EquateComparable(netip.Addr{})) {
		t.Errorf("%s %v", n.State, n.Addresses)
	}
	_, asked := gather(t, zone, "203.0.113.9", "", false)
	if len(asked) != 2 {
		t.Errorf("the gate asked %v", asked)
	}
}

// scripted answers from a table; a question that is not in it is NXDOMAIN.
type scripted map[evidence.Question]evidence.Answer

func (s scripted) Ask(_ context.Context, questions ...evidence.Question) evidence.Pending {
	answers := make(waiting, len(questions))
	for i, q := range questions {
		a, ok := s[q]
		if !ok {
			a.State = evidence.NXDomain
		}
		a.Question = q
		answers[i] = a
	}
	return answers
}

type waiting []evidence.Answer

func (w waiting) Wait() []evidence.Answer { return w }

// RFC 8767 §5: what is stale may confirm, and nothing else.
func TestStaleConfirmsAndNeverRefuses(t *testing.T) {
	client := netip.MustParseAddr("203.0.113.9")
	mail := dnsname.MustParse("mail.example.org")
	ptr := evidence.Question{Name: dnsname.Reverse(client), Type: evidence.PTR}
	forward := evidence.Question{Name: mail, Type: evidence.A}
	names := evidence.Answer{State: evidence.Found, Names: []dnsname.Name{mail}, Total: 1}
	ours := evidence.Answer{State: evidence.Found, Addrs: []netip.Addr{client}}
	other := evidence.Answer{State: evidence.Found, Addrs: []netip.Addr{netip.MustParseAddr("198.51.100.1")}}
	failed := func(stale evidence.Answer) evidence.Answer {
		return evidence.Answer{State: evidence.ServFail, Stale: &stale}
	}
	for _, tt := range []struct {
		name string
		dns  scripted
		want evidence.Result
	}{
		{"stale PTR, fresh match", scripted{ptr: failed(names), forward: ours}, evidence.Pass},
		{"stale PTR, stale match", scripted{ptr: failed(names), forward: failed(ours)}, evidence.Pass},
		{"fresh PTR, stale match", scripted{ptr: names, forward: failed(ours)}, evidence.Pass},
		{"stale PTR, fresh mismatch", scripted{ptr: failed(names), forward: other}, evidence.TempError},
		{"stale PTR, fresh NXDOMAIN", scripted{ptr: failed(names)}, evidence.TempError},
		{"fresh PTR, stale mismatch", scripted{ptr: names, forward: failed(other)}, evidence.TempError},
		{"stale NXDOMAIN", scripted{ptr: failed(evidence.Answer{State: evidence.NXDomain})}, evidence.TempError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := evidence.Gatherer{DNS: tt.dns, Now: func() time.Time { return noon }}
			e := g.View(context.Background(), facts.Conn{Client: client})
			if e.IPRev.Result != tt.want || e.IPRev.Stale != (tt.want == evidence.Pass) {
				t.Errorf("%s, stale %v", e.IPRev.Result, e.IPRev.Stale)
			}
		})
	}
}

// The lab says of each host what its iprev result is; here it is found.
func TestLabHosts(t *testing.T) {
	world := lab.Default()
	g := evidence.Gatherer{DNS: world, Now: func() time.Time { return noon }}
	for _, h := range world.Hosts() {
		e := g.View(context.Background(), facts.Conn{Client: h.Address, Helo: untrusted.New(h.Helo), HeloKnown: true})
		if got := e.IPRev.Result.String(); got != h.Expect {
			t.Errorf("%s (%s): %s, want %s", h.Address, h.Title, got, h.Expect)
		}
	}
}

// A zone with thousands of addresses must not fill the memory; what confirmed
// the client stays, and the count of all.
func TestViewsAreThin(t *testing.T) {
	var zone strings.Builder
	zone.WriteString("$TTL 60\n. SOA ns.example.net h.example.net 1 1 1 1 60\nptr 203.0.113.9 pool.example.org\n")
	for i := range 200 {
		fmt.Fprintf(&zone, "pool.example.org A 198.51.100.%d\n", i)
	}
	zone.WriteString("pool.example.org A 203.0.113.9\n")
	v, _ := gather(t, zone.String(), "203.0.113.9", "pool.example.org", false)
	name := v.IPRev.Names[0]
	client := netip.MustParseAddr("203.0.113.9")
	for what, addrs := range map[string][]netip.Addr{
		"name": name.Addresses, "forward": name.Forward[0].Addrs, "HELO": v.Helo.Answers[0].Addrs,
	} {
		if len(addrs) != 16 || !slices.Contains(addrs, client) || cap(addrs) > 32 {
			t.Errorf("%s: %d addresses in room for %d", what, len(addrs), cap(addrs))
		}
	}
	if v.IPRev.Result != evidence.Pass || name.Forward[0].Total != 201 {
		t.Errorf("%s, %d addresses in all", v.IPRev.Result, name.Forward[0].Total)
	}
}

func TestEvidenceSurvivesJSON(t *testing.T) {
	const zone = "$TTL 60\n. SOA ns.example.net h.example.net 1 1 1 1 60\n" +
		"ptr 203.0.113.9 a.example.org\nptr 203.0.113.9 b\\010.example.org\n!bogus a.example.org A\n"
	view, _ := gather(t, zone, "203.0.113.9", "<a\nb>", true)
	data, err := json.Marshal(evidence.Evidence{At: noon, View: view})
	if err != nil {
		t.Fatal(err)
	}
	var back evidence.Evidence
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil || string(again) != string(data) {
		t.Errorf("came back different (%v):\n%s\n%s", err, data, again)
	}
}

func FuzzReadHelo(f *testing.F) {
	for _, seed := range []string{"mail.example.org", "[203.0.113.1]", "[IPv6:::1]", "203.0.113.1", "", "[", "a..b", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h := evidence.ReadHelo(untrusted.New(s))
		if (h.Kind == evidence.HeloName) != !h.Name.IsZero() {
			t.Fatalf("%q is %s with name %q", s, h.Kind, h.Name)
		}
		if literal := h.Kind == evidence.HeloLiteral || h.Kind == evidence.HeloBareIP; literal != h.Address.IsValid() {
			t.Fatalf("%q is %s with address %s", s, h.Kind, h.Address)
		}
	})
}
