package dnswire_test

import (
	"encoding/binary"
	"maps"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver/dnswire"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// FuzzDecode reads whatever comes, and compares what it reads with what the
// library reads.
func FuzzDecode(f *testing.F) {
	owner := ptr.Name.String()
	soa := "113.0.203.in-addr.arpa. 60 IN SOA ns.example.org. host.example.org. 1 2 3 4 5"
	for _, records := range [][]string{
		{},
		{owner + " 60 IN PTR mail.example.org."},
		{owner + " 60 IN PTR a.example.org.", owner + " 30 IN PTR b.example.org.", owner + " 30 IN PTR A.example.org."},
		{owner + " 60 IN CNAME 9.0-15.example.org.", "9.0-15.example.org. 60 IN PTR mail.example.org."},
		{owner + " 60 IN CNAME " + owner},
		{"113.0.203.in-addr.arpa. 60 IN DNAME example.org."},
		{owner + ` 60 IN PTR a\.b\010.example.org.`},
		{owner + " 60 IN A 203.0.113.9", owner + " 60 IN AAAA 2001:db8::9", owner + " 60 IN MX 1 mx.example.org.", soa},
	} {
		b := reply(f, records...)
		f.Add(b)
		moved := append([]byte(nil), b...) // the last record to the authority section
		if n := len(records); n > 0 {
			binary.BigEndian.PutUint16(moved[6:], uint16(n-1))
			binary.BigEndian.PutUint16(moved[8:], 1)
			f.Add(moved)
		}
	}
	m := new(dns.Msg).SetQuestion(owner+".", dns.TypePTR)
	m.Response, m.Rcode = true, dns.RcodeBadCookie
	m.SetEdns0(1232, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: 6, ExtraText: "why"}}
	if b, err := m.Pack(); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		query := dnswire.AppendQuery(nil, 0, ptr, true)
		match := dnswire.Compare(msg, query)
		var d dnswire.Decoder
		r, err := d.Decode(msg, ptr)
		if err != nil || r.Truncated || match != dnswire.Same && match != dnswire.OtherCase {
			return
		}
		check(t, r)
		compare(t, msg, r)
	})
}

// check tests what holds for every response.
func check(t *testing.T, r dnswire.Response) {
	t.Helper()
	switch {
	case len(r.Names) > evidence.MaxNames, len(r.Addrs) > 0, len(r.Names) > r.Total:
		t.Errorf("%d names, %d addresses, %d in all", len(r.Names), len(r.Addrs), r.Total)
	case len(r.Aliases) > dnswire.MaxHops, !r.Next.IsZero() && len(r.Aliases) == 0:
		t.Errorf("aliases %v, next %s", r.Aliases, r.Next)
	case r.TTL > 1<<31-1, r.Negative > 1<<31-1:
		t.Errorf("TTL %d, negative %d", r.TTL, r.Negative)
	}
	for _, n := range append(r.Names, r.Aliases...) {
		for _, c := range n.String() {
			if c <= ' ' || c > '~' {
				t.Errorf("a name has octet %q: %q", c, n)
			}
		}
	}
}

// compare tests that the library finds the same PTR records at the same
// place. It may refuse what we read, and we what it reads.
func compare(t *testing.T, msg []byte, r dnswire.Response) {
	t.Helper()
	var m dns.Msg
	if m.Unpack(msg) != nil {
		return
	}
	if m.Rcode != r.Rcode && strings.Count(m.String(), "OPT PSEUDOSECTION") < 2 {
		t.Errorf("rcode %d, the library reads %d", r.Rcode, m.Rcode)
	}
	owner := ptr.Name
	if n := len(r.Aliases); n > 0 {
		owner = r.Aliases[n-1]
	}
	want := map[dnsname.Name]bool{}
	for _, rr := range m.Answer {
		if rec, ok := rr.(*dns.PTR); ok && rec.Hdr.Class == dns.ClassINET && parse(t, rec.Hdr.Name) == owner {
			want[parse(t, rec.Ptr)] = true
		}
	}
	if len(want) != r.Total {
		t.Fatalf("%d names, the library reads %d: %v", r.Total, len(want), want)
	}
	got := map[dnsname.Name]bool{}
	for _, n := range r.Names {
		got[n] = true
	}
	if len(want) <= evidence.MaxNames && !maps.Equal(got, want) {
		t.Errorf("names %v, the library reads %v", got, want)
	}
}

func parse(t *testing.T, s string) dnsname.Name {
	t.Helper()
	n, err := dnsname.Parse(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return n
}

// FuzzDelegation reads the delegation in whatever comes.
func FuzzDelegation(f *testing.F) {
	q := evidence.Question{Name: dnsname.MustParse("mail.example.org"), Type: evidence.NS}
	f.Add(message(f, q, "-", "example.org. NS b.example.org.", "-", "b.example.org. AAAA 2001:db8::1"))
	f.Add(message(f, q, "example.org. TXT a", "-", zoneSOA, "org. NS b.example.org.", "example.org. NS b.example.org."))
	f.Add(message(f, q))
	f.Fuzz(func(t *testing.T, msg []byte) {
		if len(msg) < 12 {
			return
		}
		var d dnswire.Decoder
		got, err := d.Delegation(msg, q)
		if err != nil {
			return
		}
		if got.Zone.IsZero() != (got.Total == 0) || !got.Zone.IsZero() && !q.Name.Under(got.Zone) ||
			len(got.Names) > evidence.MaxNames || len(got.Names) > got.Total || len(got.Glue) > 64 {
			t.Errorf("%+v", got)
		}
	})
}

// FuzzData reads the data of TXT and SOA records, whatever they are.
func FuzzData(f *testing.F) {
	txt := evidence.Question{Name: dnsname.MustParse("example.org"), Type: evidence.TXT}
	soa := evidence.Question{Name: txt.Name, Type: evidence.SOA}
	f.Add(message(f, txt, `example.org. TXT "v=spf1 " "-all"`, `example.org. TXT ""`))
	f.Add(message(f, soa, zoneSOA))
	f.Add(message(f, txt, "-", zoneSOA))
	f.Fuzz(func(t *testing.T, msg []byte) {
		var d dnswire.Decoder
		for _, q := range []evidence.Question{txt, soa} {
			r, err := d.Decode(msg, q)
			if err != nil {
				continue
			}
			if len(r.Texts) > evidence.MaxTexts || len(r.Texts) > r.Total || r.Start != nil && r.Start.TTL > 1<<31-1 {
				t.Errorf("%+v", r)
			}
			for _, text := range r.Texts {
				if len(text.Raw()) > untrusted.MaxLong {
					t.Errorf("a text of %d octets", len(text.Raw()))
				}
			}
		}
	})
}
