package authority_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/resolver/authority"
)

// wire is a connection to a server that says the same to every query, under the
// id and with the question of the query.
type wire struct {
	net.Conn
	stream bool
	said   []byte
	out    bytes.Buffer
	asked  bool
}

// Write takes a query.
func (w *wire) Write(query []byte) (int, error) {
	if w.stream {
		w.out.Write(w.said)
		return len(query), nil
	}
	w.asked = true
	msg := slices.Clone(w.said)
	if len(msg) >= 12 && len(query) >= 12 {
		copy(msg, query[:2])
		end := 12
		for query[end] != 0 {
			end += int(query[end]) + 1
		}
		msg = slices.Concat(msg[:12], query[12:end+5], msg[12:])
	}
	w.said = msg
	return len(query), nil
}

// Read gives the answer, and then nothing more.
func (w *wire) Read(b []byte) (int, error) {
	if w.stream {
		return w.out.Read(b)
	}
	if !w.asked {
		return 0, context.DeadlineExceeded
	}
	w.asked = false
	return copy(b, w.said), nil
}

func (w *wire) Close() error                    { return nil }
func (w *wire) SetReadDeadline(time.Time) error { return nil }

// FuzzServer lets a server say whatever comes: it ends in one of the states, with
// nothing that is not of the zone.
func FuzzServer(f *testing.F) {
	m := new(dns.Msg).SetQuestion("a.", dns.TypeSOA)
	m.Response, m.Authoritative = true, true
	m.Answer = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "a.", Rrtype: dns.TypeSOA, Class: dns.ClassINET}, Ns: "b.", Mbox: "c."}}
	if b, err := m.Pack(); err == nil {
		f.Add(slices.Concat(b[:12], b[12+7:]))
	}
	f.Add([]byte{0, 0, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 9, 0, 22, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5})
	f.Add([]byte{0, 0, 0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0xc0, 12, 0, 2, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12})
	f.Add([]byte{0, 0, 0x86, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	world, err := lab.Parse(one)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		a, err := authority.New(authority.Config{
			DNS: world, Try: time.Second,
			Dial: func(_ context.Context, network string, _ netip.AddrPort) (net.Conn, error) {
				return &wire{stream: network == "tcp", said: said}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		z := a.Zone(t.Context(), ptr("203.0.113.9"))
		for _, s := range z.Servers {
			switch s.State {
			case evidence.Authoritative, evidence.Lame, evidence.Silent, evidence.Garbled:
			default:
				t.Errorf("state %q (%s)", s.State, s.Why)
			}
			if s.SOA != nil && s.SOA.Zone != z.Apex {
				t.Errorf("SOA record of %s", s.SOA.Zone)
			}
			if (s.Answer.State == evidence.Found) != (s.Answer.Total > 0) || len(s.Answer.Names) > evidence.MaxNames {
				t.Errorf("answer %+v", s.Answer)
			}
		}
	})
}
