package spf_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/spf"
	"github.com/arpagate/arpagate/internal/untrusted"
)

var domain = dnsname.MustParse("example.org")

func read(t testing.TB, zone string) (*evidence.SPF, *lab.World) {
	t.Helper()
	world, err := lab.Parse(strings.ReplaceAll(zone, "\t", ""))
	if err != nil {
		t.Fatal(err)
	}
	return spf.Senders(t.Context(), world, domain), world
}

// said writes the senders in short: network, way and host.
func said(s *evidence.SPF) []string {
	out := []string{}
	for _, sender := range s.Senders {
		line := sender.Network.String()
		for _, via := range sender.Via {
			line += " <- " + via.String()
		}
		if !sender.Host.IsZero() {
			line += " = " + sender.Host.String()
		}
		out = append(out, line)
	}
	return out
}

const hosts = `
a.example.org A 192.0.2.1
a.example.org AAAA 2001:db8::1
mx1.example.org A 192.0.2.11
mx2.example.org A 192.0.2.12
mx2.example.org AAAA 2001:db8::12
example.org MX 10 mx1.example.org
example.org MX 20 mx2.example.org
example.org A 192.0.2.80
`

func TestSenders(t *testing.T) {
	for _, tt := range []struct {
		name, zone string
		want       []string
		all        string
		faults     []string // pieces, each of one fault, in order; all of them
		lookups    int
	}{
		{
			name: "addresses and networks", all: "-", zone: `example.org TXT "v=spf1 ip4:192.0.2.25 ip4:198.51.100.7/24 ip6:2001:db8::25 ip6:2001:db8:1::/48 -all"`,
			want: []string{"192.0.2.25/32", "198.51.100.0/24", "2001:db8::25/128", "2001:db8:1::/48"},
		},
		{name: "strings are joined without a blank", all: "~", zone: `example.org TXT "v=spf1 ip4:192.0" ".2.25 ~all"`, want: []string{"192.0.2.25/32"}},
		{name: "other TXT records and upper case", all: "?", zone: "example.org TXT \"verification=1\"\nexample.org TXT \"V=SPF1 IP4:192.0.2.25 ?ALL\"", want: []string{"192.0.2.25/32"}},
		{
			name: "a and mx", all: "-", lookups: 3, zone: hosts + `example.org TXT "v=spf1 mx a a:a.example.org -all"`,
			want: []string{
				"192.0.2.11/32 = mx1.example.org", "192.0.2.12/32 = mx2.example.org", "2001:db8::12/128 = mx2.example.org",
				"192.0.2.80/32 = example.org", "192.0.2.1/32 = a.example.org", "2001:db8::1/128 = a.example.org",
			},
		},
		{
			name: "a and mx with lengths keep the host", lookups: 2, zone: hosts + `example.org TXT "v=spf1 a:a.example.org/24//64 mx//32"`,
			want: []string{
				"192.0.2.1/24 = a.example.org", "2001:db8::1/64 = a.example.org",
				"192.0.2.11/32 = mx1.example.org", "192.0.2.12/32 = mx2.example.org", "2001:db8::12/32 = mx2.example.org",
			},
		},
		{
			name: "includes", all: "-", lookups: 2, zone: `
			example.org TXT "v=spf1 include:spf.example.net ip4:192.0.2.9 -all"
			spf.example.net TXT "v=spf1 ip4:198.51.100.1 include:two.example.com ~all"
			two.example.com TXT "v=spf1 ip4:203.0.113.1 ?all"`,
			want: []string{"198.51.100.1/32 <- spf.example.net", "203.0.113.1/32 <- spf.example.net <- two.example.com", "192.0.2.9/32"},
		},
		{
			name: "redirect", all: "~", lookups: 1, zone: `
			example.org TXT "v=spf1 redirect=spf.example.net ip4:192.0.2.9"
			spf.example.net TXT "v=spf1 ip4:198.51.100.1 ~all"`,
			want: []string{"192.0.2.9/32", "198.51.100.1/32 <- spf.example.net"},
		},
		{name: "all ends the record", all: "-", zone: `example.org TXT "v=spf1 ip4:192.0.2.9 -all ip4:192.0.2.10 redirect=spf.example.net"`, want: []string{"192.0.2.9/32"}},
		{name: "everybody", all: "+", zone: `example.org TXT "v=spf1 all"`, faults: []string{"all lets everybody send"}},
		{name: "everybody, by network", all: "-", zone: `example.org TXT "v=spf1 ip4:0.0.0.0/0 -all"`, want: []string{"0.0.0.0/0"}, faults: []string{"ip4:0.0.0.0/0 lets everybody send"}},
		{
			name: "other qualifiers", all: "-", lookups: 1, zone: hosts + `example.org TXT "v=spf1 -ip4:192.0.2.1 ~a +ip4:192.0.2.2 -all"`, want: []string{"192.0.2.2/32"},
			faults: []string{"-ip4:192.0.2.1 names nobody", "~a names nobody"},
		},
		{
			name: "what depends on the message", all: "-", lookups: 4, zone: `example.org TXT "v=spf1 exists:%{i}.example.net ptr include:%{d}.example.net a:%{h} exp=why.example.org -all"`,
			faults: []string{"(exists)", "(ptr)", "include:%{d}.example.net: it depends on the message (macro)", "a:%{h}: it depends"},
		},
		{name: "no record", faults: []string{"example.org has no SPF record"}, zone: `example.org TXT "v=spf10 ip4:192.0.2.1"`},
		{name: "no TXT", faults: []string{"example.org has no SPF record"}, zone: hosts},
		{name: "several records", faults: []string{"2 SPF records: a receiver answers permerror"}, zone: "example.org TXT \"v=spf1 ip4:192.0.2.1\"\nexample.org TXT \"v=spf1 ip4:192.0.2.2\""},
		{name: "trouble", faults: []string{"example.org TXT: SERVFAIL; a receiver answers temperror"}, zone: "!servfail example.org TXT"},
		{
			name: "trouble in an include", all: "-", lookups: 1, want: []string{"192.0.2.1/32"}, faults: []string{"spf.example.net TXT: timeout"},
			zone: "example.org TXT \"v=spf1 include:spf.example.net ip4:192.0.2.1 -all\"\n!timeout spf.example.net TXT",
		},
		{name: "an include without a record", all: "-", lookups: 1, faults: []string{"spf.example.net has no SPF record"}, zone: `example.org TXT "v=spf1 include:spf.example.net -all"`},
		{
			name: "bad terms", all: "-", lookups: 3, want: []string{"192.0.2.1/32"}, zone: `example.org TXT "v=spf1 ip4:192.0.2.256 ip4:2001:db8::1 ip6:192.0.2.1 ip6:::ffff:192.0.2.1 ip4:192.0.2.1/033 ip4:192.0.2.1/33 a:192.0.2.1 include: mx:host ipv4:192.0.2.2 ip4:192.0.2.1 -all"`,
			faults: []string{"no address that ip4 can take", "ip4:2001:db8::1: no address that ip4", "no address that ip6", "matches nobody", "/033: bad length", "/33: bad length", "names an address where a name must", "names no domain", "names no domain", "no mechanism has this name"},
		},
		{name: "a circle of its own", all: "-", lookups: 1, faults: []string{"include:example.org leads in a circle"}, zone: `example.org TXT "v=spf1 include:example.org -all"`},
		{name: "a circle of two", all: "-", lookups: 2, faults: []string{"leads in a circle"}, zone: `
			example.org TXT "v=spf1 include:b.example.net -all"
			b.example.net TXT "v=spf1 redirect=example.org"`},
		{name: "the same include twice is no circle", all: "-", lookups: 2, want: []string{"192.0.2.1/32 <- b.example.net", "192.0.2.1/32 <- b.example.net"}, zone: `
			example.org TXT "v=spf1 include:b.example.net include:b.example.net -all"
			b.example.net TXT "v=spf1 ip4:192.0.2.1"`},
		{name: "a null MX", all: "-", lookups: 1, zone: "example.org MX 0 .\nexample.org TXT \"v=spf1 mx -all\""},
		{name: "void lookups", all: "-", lookups: 3, faults: []string{"more than 2 lookups without an answer"}, zone: `example.org TXT "v=spf1 a:a.example.net a:b.example.net mx:c.example.net -all"`},
		{name: "two redirects", lookups: 2, faults: []string{"a second redirect", "a.example.net has no SPF record"}, zone: `example.org TXT "v=spf1 redirect=a.example.net redirect=b.example.net"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := read(t, tt.zone)
			if want := append([]string{}, tt.want...); !slices.Equal(said(got), want) {
				t.Errorf("senders %q, want %q", said(got), want)
			}
			if got.All != tt.all || got.Lookups != tt.lookups {
				t.Errorf("all %q, %d lookups; want %q, %d", got.All, got.Lookups, tt.all, tt.lookups)
			}
			matches := len(got.Faults) == len(tt.faults)
			for i := 0; matches && i < len(tt.faults); i++ {
				matches = strings.Contains(got.Faults[i], tt.faults[i])
			}
			if !matches {
				t.Errorf("faults %q, want pieces %q", got.Faults, tt.faults)
			}
		})
	}
}

// RFC 7208 §4.6, §4.6.4, §5.2, §6.1: for these a receiver gives the whole record
// up; what can't be told without a message is no fault of the record.
func TestPermerror(t *testing.T) {
	const own = `example.org TXT "v=spf1 `
	include := "\nb.example.net TXT \"v=spf1 -all\"\nb.example.net TXT \"v=spf1 ~all\""
	for _, tt := range []struct {
		zone string
		want bool
	}{
		{own + `ip4:192.0.2.1 include:b.example.net -all"` + "\nb.example.net TXT \"v=spf1 -all\"", false},
		{own + `exists:%{i}.example.net ptr a:%{h} unknown=value exp=why.example.org -all"`, false},
		{own + `ip6:::ffff:192.0.2.1 ~a +all"`, false},
		{"example.org A 192.0.2.1", false},
		{"!servfail example.org TXT", false},
		{own + `include:b.example.net -all"` + "\n!timeout b.example.net TXT", false},

		{own + `ipv4:192.0.2.1 -all"`, true},
		{own + `ip4:192.0.2.256 -all"`, true},
		{own + `ip4:192.0.2.0/33 -all"`, true},
		{own + `a/24//129 -all"`, true},
		{own + `include: -all"`, true},
		{own + `-all:example.net"`, true},
		{own + `1x=value -all"`, true},
		{own + `-ipv4:192.0.2.1 -all"`, true},
		{own + `-all ipv4:192.0.2.1"`, true},
		{own + `-all ip4:192.0.2.1 redirect=b.example.net"`, false},
		{own + `redirect=a.example.net redirect=a.example.net"` + "\na.example.net TXT \"v=spf1 -all\"", true},
		{own + `exp=a.example.net exp=a.example.net -all"`, true},
		{own + `include:b.example.net -all"`, true},
		{own + `redirect=b.example.net"`, true},
		{own + `include:b.example.net -all"` + include, true},
		{own + `-all"` + "\n" + own + `~all"`, true},
		{own + `include:example.org -all"`, true},
		{own + strings.Repeat("exists:%{i}.example.net ", 11) + `-all"`, true},
	} {
		if got, _ := read(t, tt.zone); got.Permerror != tt.want {
			t.Errorf("%s: permerror %t, faults %q", tt.zone, got.Permerror, got.Faults)
		}
	}
}

// Whoever writes a record must not make us ask the whole world.
func TestLimits(t *testing.T) {
	t.Run("a hundred includes", func(t *testing.T) {
		var zone strings.Builder
		zone.WriteString("example.org TXT")
		for i := range 100 {
			fmt.Fprintf(&zone, ` "%s include:i%d.example.net"`, strings.Repeat("v=spf1", max(0, 1-i)), i)
		}
		for i := range 100 {
			fmt.Fprintf(&zone, "\ni%d.example.net TXT \"v=spf1 ip4:192.0.2.%d\"", i, i)
		}
		got, world := read(t, zone.String())
		if len(got.Senders) != 10 || got.Lookups != 100 || len(world.Log()) != 11 || !mentions(got, "more than 10 terms") {
			t.Errorf("%d senders, %d lookups, %d questions, faults %q", len(got.Senders), got.Lookups, len(world.Log()), got.Faults)
		}
	})
	t.Run("a long chain", func(t *testing.T) {
		zone := "example.org TXT \"v=spf1 include:i0.example.net\"\n"
		for i := range 50 {
			zone += fmt.Sprintf("i%d.example.net TXT \"v=spf1 ip4:192.0.2.%d include:i%d.example.net\"\n", i, i, i+1)
		}
		got, world := read(t, zone)
		if len(got.Senders) != 10 || len(world.Log()) != 11 || !mentions(got, "more than 10 terms") {
			t.Errorf("%d senders, %d questions, faults %q", len(got.Senders), len(world.Log()), got.Faults)
		}
	})
	t.Run("ten mx of many hosts", func(t *testing.T) {
		zone := "example.org TXT \"v=spf1" + strings.Repeat(" mx", 10) + "\"\n"
		for i := range 20 {
			zone += fmt.Sprintf("example.org MX %d mx%d.example.org\nmx%d.example.org A 192.0.2.%d\n", i, i, i, i)
		}
		got, world := read(t, zone)
		if len(world.Log()) > 120 || !mentions(got, "more than 10 MX records") || !mentions(got, "more than 120 questions") {
			t.Errorf("%d questions, faults %q", len(world.Log()), got.Faults)
		}
	})
	t.Run("64 KiB of networks", func(t *testing.T) {
		zone := "example.org TXT \"v=spf1\"" + strings.Repeat(` " ip4:192.0.2.1 ip4:192.0.2.2 ip4:192.0.2.3"`, 1300)
		got, _ := read(t, zone)
		if len(got.Senders) == 0 || len(got.Senders) > 1000 || !mentions(got, "octets, and cut") {
			t.Errorf("%d senders, faults %q", len(got.Senders), got.Faults)
		}
	})
	t.Run("thousands of addresses", func(t *testing.T) {
		zone := "example.org TXT \"v=spf1 a:big.example.org\"\n"
		for i := range 2000 {
			zone += fmt.Sprintf("big.example.org AAAA 2001:db8::%x\n", i)
		}
		got, _ := read(t, zone)
		if len(got.Senders) != 1000 || !mentions(got, "more than 1000 networks") {
			t.Errorf("%d senders, faults %q", len(got.Senders), got.Faults)
		}
	})
	t.Run("time is up", func(t *testing.T) {
		world, err := lab.Parse(`example.org TXT "v=spf1 ip4:192.0.2.1"`)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
		defer cancel()
		if got := spf.Senders(ctx, world, domain); len(got.Senders) != 0 || !mentions(got, "timeout") {
			t.Errorf("%v, faults %q", said(got), got.Faults)
		}
	})
}

// RFC 7208 §4.5: only spaces stand between terms, and a term is ASCII.
func TestOctetsThatNoTermMayHold(t *testing.T) {
	for _, record := range []string{
		"v=spf1 ip4:192.0.2.1\tip4:192.0.2.2", "v=spf1 ip4:192.0.2.1\u00a0", "v=spf1 \x1b[2J", "v=spf1 a:\u00e9.example.org", "v=spf1 ip4:192.0.2.1\n",
	} {
		got := spf.Senders(t.Context(), fixed(record), domain)
		if len(got.Senders) != 0 || len(got.Faults) != 1 || !mentions(got, "a character that no term may hold") {
			t.Errorf("%q: %v, faults %q", record, said(got), got.Faults)
		}
	}
	if got := spf.Senders(t.Context(), fixed("v=spf1\tip4:192.0.2.1"), domain); !mentions(got, "no SPF record") {
		t.Errorf("faults %q", got.Faults)
	}
}

func mentions(s *evidence.SPF, piece string) bool {
	return slices.ContainsFunc(s.Faults, func(f string) bool { return strings.Contains(f, piece) })
}

func TestHosts(t *testing.T) {
	got, _ := read(t, hosts+`example.org TXT "v=spf1 ip4:192.0.2.1 ip4:198.51.100.0/24 a:a.example.org/24 mx ip6:2001:db8::1 -all"`)
	for _, tt := range []struct {
		most, more int
		want       string
	}{
		{10, 0, "[192.0.2.1 2001:db8::1 192.0.2.11 192.0.2.12 2001:db8::12]"},
		{2, 3, "[192.0.2.1 2001:db8::1]"},
		{0, 5, "[]"},
	} {
		if hosts, more := spf.Hosts(got, tt.most); fmt.Sprint(hosts) != tt.want || more != tt.more {
			t.Errorf("at most %d: %v and %d more, want %s and %d", tt.most, hosts, more, tt.want, tt.more)
		}
	}
	if hosts, more := spf.Hosts(nil, 5); hosts != nil || more != 0 {
		t.Errorf("of nothing: %v, %d", hosts, more)
	}
}

// fixed answers every TXT question with one text, and everything else with one
// address.
type fixed string

func (f fixed) Ask(_ context.Context, questions ...evidence.Question) evidence.Pending {
	answers := make(answered, len(questions))
	for i, q := range questions {
		answers[i] = evidence.Answer{Question: q, State: evidence.Found, Total: 1}
		switch q.Type {
		case evidence.TXT:
			answers[i].Texts = []untrusted.Text{untrusted.Long(string(f))}
		case evidence.MX:
			answers[i].Names = []dnsname.Name{domain}
		case evidence.A:
			answers[i].Addrs = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
		default:
			answers[i].State, answers[i].Total = evidence.NoData, 0
		}
	}
	return answers
}

type answered []evidence.Answer

func (a answered) Wait() []evidence.Answer { return a }

func FuzzSenders(f *testing.F) {
	for _, seed := range []string{
		"v=spf1 a mx ip4:192.0.2.1/24 ip6:2001:db8::/32 include:spf.example.net -all", "v=spf1 a:a.example.org/24//64 redirect=%{d}",
		"v=spf1\ta", "v=spf1 +a/ a// a:/ ip4: ip6:::/0 =x ==", "v=spf1 include:" + strings.Repeat("x.", 120) + "example.org", `v=spf1 a:\..\ -all`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, record string) {
		got := spf.Senders(t.Context(), fixed(record), domain)
		if len(got.Senders) > 1000 || len(got.Faults) > 40 || len(got.Answers) > 120 {
			t.Fatalf("%d senders, %d faults, %d answers", len(got.Senders), len(got.Faults), len(got.Answers))
		}
		for _, s := range got.Senders {
			if !s.Network.IsValid() || s.Network.Addr().Is4In6() || s.Host.IsZero() && s.Network != s.Network.Masked() {
				t.Fatalf("network %v of %s", s.Network, s.Term)
			}
		}
		for _, fault := range got.Faults {
			if strings.IndexFunc(fault, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
				t.Fatalf("fault %q", fault)
			}
		}
	})
}
