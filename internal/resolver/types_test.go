package resolver_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/resolver"
)

const typesWorld = `
example.org 7200 SOA ns1.example.org hostmaster.example.org 7 3600 900 604800 120
example.org NS ns1.example.org
example.org MX 20 b.example.org
example.org MX 10 a.example.org
example.org TXT "v=spf1 " "-all"
example.org TXT "second"
example.org DNSKEY 257 3 13 AAECAwQFBgcICQoLDA0ODw==
secure example.org
www.example.org CNAME example.org
host.example.org A 203.0.113.9
`

// The lab answers every type in memory as the resolver reads it from the wire, at
// the first time and from its own memory.
func TestTypesOverTheWire(t *testing.T) {
	w, err := lab.Parse(typesWorld)
	if err != nil {
		t.Fatal(err)
	}
	server, err := lab.Listen(t.Context(), w, "127.0.0.1:0", lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	r := open(t, func(c *resolver.Config) { c.Servers = []netip.AddrPort{server.Addr()} })
	for _, name := range []string{"example.org", "www.example.org", "host.example.org", "none.example.org"} {
		for _, typ := range []evidence.Type{
			evidence.A, evidence.NS, evidence.CNAME, evidence.SOA, evidence.PTR, evidence.MX, evidence.TXT, evidence.AAAA, evidence.DS, evidence.DNSKEY,
		} {
			q := question(name, typ)
			want, first, again := ask(t, w, q), ask(t, r, q), ask(t, r, q)
			if !again.Cached || first.Cached {
				t.Errorf("%s %s: cached %t, then %t", name, typ, first.Cached, again.Cached)
			}
			for _, got := range []evidence.Answer{first, again} {
				same := got
				same.Server, same.At, same.Took, same.Cached, same.TTL = want.Server, want.At, want.Took, false, want.TTL
				if encoded(t, same) != encoded(t, want) {
					t.Errorf("%s %s:\n got %s\nwant %s", name, typ, encoded(t, got), encoded(t, want))
				}
			}
		}
	}
	a := ask(t, r, question("example.org", evidence.TXT))
	if len(a.Texts) != 2 || a.Texts[0].String() != "v=spf1 -all" || !a.Validated || a.SOA != nil {
		t.Errorf("TXT: %+v", a)
	}
	if a := ask(t, r, question("host.example.org", evidence.MX)); a.SOA == nil || a.SOA.Zone.String() != "example.org" || a.SOA.NegativeTTL() != a.TTL {
		t.Errorf("no MX: %+v", a)
	}
	if a := ask(t, r, question("example.org", evidence.DS)); a.State != evidence.NoData || a.SOA == nil || a.SOA.Zone.String() != "." {
		t.Errorf("DS belongs to the zone above: %+v", a)
	}
	if a := ask(t, r, question("host.example.org", evidence.A)); a.Validated || a.SOA != nil {
		t.Errorf("what the gate asks is kept small: %+v", a)
	}
}

func encoded(t *testing.T, a evidence.Answer) string {
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOddData(t *testing.T) {
	for _, tt := range []struct {
		name   string
		record []byte
		typ    evidence.Type
		want   evidence.State
	}{
		{"TXT without a string", rr(dns.TypeTXT), evidence.TXT, evidence.Malformed},
		{"TXT that runs past its end", rr(dns.TypeTXT, 9, 'a'), evidence.TXT, evidence.Malformed},
		{"SOA without numbers", rr(dns.TypeSOA, 0, 0), evidence.SOA, evidence.Malformed},
		{"SOA that is too long", rr(dns.TypeSOA, make([]byte, 23)...), evidence.SOA, evidence.Malformed},
		{"SOA with its highest bits set", rr(dns.TypeSOA, append([]byte{0, 0}, []byte(strings.Repeat("\xff", 20))...)...), evidence.SOA, evidence.Found},
	} {
		s := serve(t, func(c *call) { c.send(c.craft([3]uint16{1}, tt.record...)) })
		a := ask(t, open(t, nil, s), question("example.org", tt.typ))
		if a.State != tt.want {
			t.Errorf("%s: %s (%s), want %s", tt.name, a.State, a.Reason, tt.want)
		}
		if a.State == evidence.Found && (a.SOA == nil || a.SOA.Minimum != 0 || a.SOA.Serial != 1<<32-1) {
			t.Errorf("%s: %+v", tt.name, a.SOA)
		}
	}
}

// Of very many TXT records the first are kept, and all are counted.
func TestManyTexts(t *testing.T) {
	s := serve(t, func(c *call) {
		if c.tcp == nil {
			m := c.reply(dns.RcodeSuccess)
			m.Truncated = true
			c.send(c.pack(m))
			return
		}
		var records []string
		for range 100 {
			records = append(records, `@ 60 TXT "`+strings.Repeat("x", 200)+`"`)
		}
		c.answer(dns.RcodeSuccess, records...)
	})
	r := open(t, nil, s)
	for range 2 {
		a := ask(t, r, question("example.org", evidence.TXT))
		if a.State != evidence.Found || len(a.Texts) != evidence.MaxTexts || a.Total != 100 {
			t.Errorf("%s, %d of %d texts", a.State, len(a.Texts), a.Total)
		}
	}
}
