package resolver_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/miekg/dns"

	"github.com/arpagate/arpagate/internal/evidence"
)

// explained adds extended errors (RFC 8914) to a message.
func explained(m *dns.Msg, codes ...uint16) *dns.Msg {
	m.SetEdns0(1232, false)
	for _, code := range codes {
		m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_EDE{InfoCode: code, ExtraText: "because"})
	}
	return m
}

// A negative answer of a server that says that it could not ask is none.
func TestNegativeWithExtendedError(t *testing.T) {
	tests := []struct {
		codes    []uint16
		nxdomain evidence.State
		nodata   evidence.State
	}{
		{[]uint16{3}, evidence.ServFail, evidence.ServFail},
		{[]uint16{7}, evidence.Bogus, evidence.Bogus},
		{[]uint16{13}, evidence.ServFail, evidence.ServFail},
		{[]uint16{14}, evidence.ServFail, evidence.ServFail},
		{[]uint16{18}, evidence.Refused, evidence.Refused},
		{[]uint16{19}, evidence.ServFail, evidence.ServFail},
		{[]uint16{20}, evidence.Refused, evidence.Refused},
		{[]uint16{21}, evidence.Failed, evidence.Failed},
		{[]uint16{22}, evidence.ServFail, evidence.ServFail},
		{[]uint16{23}, evidence.ServFail, evidence.ServFail},
		{[]uint16{24}, evidence.ServFail, evidence.ServFail},
		{[]uint16{0, 22}, evidence.ServFail, evidence.ServFail},
		{[]uint16{18, 3}, evidence.ServFail, evidence.ServFail},
		// RFC 8914 §4.1 to §4.3, §4.6, and "synthesized" tell of no trouble.
		{[]uint16{0}, evidence.NXDomain, evidence.NoData},
		{[]uint16{1, 2, 5, 29}, evidence.NXDomain, evidence.NoData},
	}
	var rows []row
	for _, tt := range tests {
		for rcode, want := range map[int]evidence.State{dns.RcodeNameError: tt.nxdomain, dns.RcodeSuccess: tt.nodata} {
			rows = append(rows, row{fmt.Sprintf("EDE %d with %s", tt.codes, dns.RcodeToString[rcode]), func(c *call) {
				m := explained(c.reply(rcode), tt.codes...)
				m.Ns = append(m.Ns, c.record("113.0.203.in-addr.arpa. 30 IN SOA ns.example.org. host.example.org. 1 2 3 4 30"))
				c.send(c.pack(m))
			}, want, nil})
		}
	}
	run(t, rows)
}

// What a server denies without recursion or authority, as a referral, or in the
// name of another zone, it has not denied.
func TestDenials(t *testing.T) {
	const (
		none, ra, aa = 0, 1, 2
		noError      = dns.RcodeSuccess
		nxDomain     = dns.RcodeNameError
		ns           = "113.0.203.in-addr.arpa. 30 IN NS ns.example.org."
	)
	soa := func(owner string) string { return owner + " 30 IN SOA ns.example.org. host.example.org. 1 2 3 4 30" }
	tests := []struct {
		name      string
		flags     int
		rcode     int
		answer    []string
		authority []string
		want      evidence.State
	}{
		{"lame NODATA", none, noError, nil, nil, evidence.Refused},
		{"lame NXDOMAIN", none, nxDomain, nil, nil, evidence.Refused},
		{"lame NXDOMAIN with SOA", none, nxDomain, nil, []string{soa("113.0.203.in-addr.arpa.")}, evidence.Refused},
		{"NODATA with authority", aa, noError, nil, nil, evidence.NoData},
		{"NXDOMAIN with authority", aa, nxDomain, nil, nil, evidence.NXDomain},
		{"referral without recursion", none, noError, nil, []string{ns}, evidence.Refused},
		{"referral with recursion", ra, noError, nil, []string{ns}, evidence.Refused},
		{"referral with authority", aa, noError, nil, []string{ns}, evidence.Refused},
		{"NODATA with NS and SOA", ra, noError, nil, []string{ns, soa("113.0.203.in-addr.arpa.")}, evidence.NoData},
		{"NXDOMAIN with NS", ra, nxDomain, nil, []string{ns}, evidence.NXDomain},
		{"SOA of the name itself", ra, noError, nil, []string{soa("@")}, evidence.NoData},
		{"SOA of the root", ra, nxDomain, nil, []string{soa(".")}, evidence.NXDomain},
		{"SOA of another zone", ra, noError, nil, []string{soa("example.com.")}, evidence.Malformed},
		{"NXDOMAIN with the SOA of another zone", ra, nxDomain, nil, []string{soa("example.com.")}, evidence.Malformed},
		{"SOA of a sibling", ra, nxDomain, nil, []string{soa("13.0.203.in-addr.arpa.")}, evidence.Malformed},
		{"SOA below the name", ra, nxDomain, nil, []string{soa("1.@")}, evidence.Malformed},
		{"the right SOA beside another", ra, nxDomain, nil, []string{soa("example.com."), soa("in-addr.arpa.")}, evidence.NXDomain},
		{"SOA of the alias's zone", ra, nxDomain, []string{"@ 60 IN CNAME 9.rev.example.org."}, []string{soa("example.org.")}, evidence.NXDomain},
		{"SOA of the zone before the alias", ra, nxDomain, []string{"@ 60 IN CNAME 9.rev.example.org."}, []string{soa("113.0.203.in-addr.arpa.")}, evidence.Malformed},
		{"SOA of another zone with records", ra, noError, []string{"@ 300 IN PTR mail.example.org."}, []string{soa("example.com.")}, evidence.Found},
	}
	rows := make([]row, len(tests))
	for i, tt := range tests {
		rows[i] = row{tt.name, func(c *call) {
			m := c.reply(tt.rcode, tt.answer...)
			m.RecursionAvailable, m.Authoritative = tt.flags&ra != 0, tt.flags&aa != 0
			for _, text := range tt.authority {
				m.Ns = append(m.Ns, c.record(text))
			}
			c.send(c.pack(m))
		}, tt.want, nil}
	}
	run(t, rows)
}

// A stale answer of a server is trouble, and stands in for what is missing.
func TestStaleFromServer(t *testing.T) {
	stale := func(c *call) {
		c.send(c.pack(explained(c.reply(0, "@ 30 IN CNAME 9.rev.example.org.", "9.rev.example.org. 30 IN PTR mail.example.org."), 22, 3)))
	}
	s := serve(t, stale)
	r := open(t, nil, s)
	for _, cached := range []bool{false, true} {
		a := ask(t, r, ptr)
		wantTrouble(t, a, evidence.ServFail)
		if a.Cached != cached || a.Stale == nil {
			t.Fatalf("cached %t, stale %v", a.Cached, a.Stale)
		}
		wantGood(t, *a.Stale)
		if a.Stale.TTL != 0 || a.Stale.Question != ptr || a.Stale.At.IsZero() || fmt.Sprint(a.Stale.Aliases) != "[9.rev.example.org]" {
			t.Errorf("the stale answer is %+v", *a.Stale)
		}
	}
	s.set((*call).good)
	wantGood(t, r.Fresh(t.Context(), ptr).Wait()[0])
	s.set(stale)
	wantTrouble(t, r.Fresh(t.Context(), ptr).Wait()[0], evidence.ServFail)
	// What was good a moment ago is good still.
	wantGood(t, ask(t, r, ptr))
}

func TestStaleFromOneOfTwoServers(t *testing.T) {
	stale := func(c *call) { c.send(c.pack(explained(c.reply(0, "@ 30 IN PTR mail.example.org."), 3))) }
	tests := []struct {
		name  string
		other func(*call)
		want  evidence.State
	}{
		{"the other has a fresh one", (*call).good, evidence.Found},
		{"the other denies", code(dns.RcodeNameError), evidence.NXDomain},
		{"the other fails", code(dns.RcodeServerFailure), evidence.ServFail},
		{"the other refuses", code(dns.RcodeRefused), evidence.Refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := ask(t, open(t, nil, serve(t, stale), serve(t, tt.other)), ptr)
			// Which of two troubles comes last, and counts, is a matter of time.
			if a.State != tt.want && !(a.State.Trouble() && tt.want.Trouble()) {
				t.Fatalf("got %s (%s), want %s", a.State, a.Reason, tt.want)
			}
			if tt.want.Trouble() {
				if a.Stale == nil {
					t.Fatal("the stale answer is lost")
				}
				wantGood(t, *a.Stale)
			}
		})
	}
}

// A stale alias leads nowhere: what it would be today is not known.
func TestStaleAlias(t *testing.T) {
	s := serve(t, func(c *call) {
		if c.n > 1 {
			c.answer(dns.RcodeNameError)
			return
		}
		c.send(c.pack(explained(c.reply(0, "@ 30 IN CNAME 9.rev.example.org."), 3)))
	})
	if a := ask(t, open(t, nil, s), ptr); a.State != evidence.ServFail || a.Stale != nil {
		t.Errorf("got %s, stale %v", a.State, a.Stale)
	}
}

// Which names are kept must not depend on the order in which they come.
func TestRotation(t *testing.T) {
	tests := []struct {
		typ    evidence.Type
		prefix func(i int) string
		want   string
	}{
		{evidence.PTR, func(int) string { return "" }, "[h00 h01 h02 h03 h04 h05 h06 h07 h08 h09]"},
		{evidence.NS, func(int) string { return "" }, "[h00 h01 h02 h03 h04 h05 h06 h07 h08 h09]"},
		// Even numbers are preferred, and of the odd ones the first are left.
		{evidence.MX, func(i int) string { return fmt.Sprintf("%d ", 10*(1+i%2)) }, "[h00 h01 h02 h03 h04 h06 h08 h10 h12 h14]"},
	}
	const count = 15
	s := serve(t, nil)
	for _, tt := range tests {
		for shift := range count {
			s.set(func(c *call) {
				m := c.reply(0)
				for i := range count {
					at := (i + shift) % count
					m.Answer = append(m.Answer, c.record(fmt.Sprintf("@ 30 IN %s %sh%02d.", tt.typ, tt.prefix(at), at)))
				}
				c.over(m)
			})
			a := ask(t, open(t, nil, s), question("example.org", tt.typ))
			var names []string
			for _, n := range a.Names {
				names = append(names, n.String())
			}
			slices.Sort(names)
			if fmt.Sprint(names) != tt.want || a.Total != count {
				t.Errorf("%s rotated by %d: %v of %d, want %s", tt.typ, shift, names, a.Total, tt.want)
			}
		}
	}
}
