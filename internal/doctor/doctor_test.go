package doctor_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/receivers"
	"github.com/arpagate/arpagate/internal/remedy"
	"github.com/arpagate/arpagate/internal/untrusted"
	"github.com/rogpeppe/go-internal/txtar"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mailbox is the target of most tests here, nameless a world in which its host
// has no PTR record.
var mailbox = doctor.Target{Name: dnsname.MustParse("example.org"), Mailbox: true}

const nameless = "- ptr 203.0.113.9 1800 mail.example.org\n- mail.example.org AAAA 2001:db8::9"

// TestNoRuleLeadsInACircle: a cause must have an end.
func TestNoRuleLeadsInACircle(t *testing.T) {
	effects := map[finding.Code][]finding.Code{}
	for _, r := range doctor.Rules() {
		if r.Cause != r.Effect { // of the whole target and of its parts
			effects[r.Cause] = append(effects[r.Cause], r.Effect)
		}
	}
	var walk func(code finding.Code, path []finding.Code)
	walk = func(code finding.Code, path []finding.Code) {
		if slices.Contains(path, code) {
			t.Fatalf("%v leads back to %s", path, code)
		}
		for _, e := range effects[code] {
			walk(e, append(slices.Clone(path), code))
		}
	}
	for code := range effects {
		walk(code, nil)
	}
}

// TestEachRule folds the effect of each rule under its cause, and not where the
// two have nothing to do with each other.
func TestEachRule(t *testing.T) {
	addr, other := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("198.51.100.10")
	args := func(addr netip.Addr, zone string, state evidence.State) finding.Args {
		name := dnsname.Reverse(addr)
		return finding.Args{Address: addr, Name: name, Names: []dnsname.Name{name}, Zone: dnsname.MustParse(zone), Host: name, State: state}
	}
	for _, r := range doctor.Rules() {
		t.Run(fmt.Sprintf("%s-%s", r.Cause, r.Effect), func(t *testing.T) {
			if len(finding.Finding{Code: r.Cause}.Title()) == 0 || len(finding.Finding{Code: r.Effect}.Title()) == 0 {
				t.Fatal("a code of no catalogue")
			}
			cause := finding.Finding{Code: r.Cause, Args: args(addr, "113.0.203.in-addr.arpa", evidence.ServFail)}
			effect := finding.Finding{Code: r.Effect, Args: args(addr, "113.0.203.in-addr.arpa", evidence.ServFail)}
			if r.Cause == r.Effect {
				cause.Args.Address = netip.Addr{}
			} else if doctor.Folds(cause, effect, 2, 1) {
				t.Error("folded under a cause at another address")
			}
			if !doctor.Folds(cause, effect, 0, 1) {
				t.Error("not folded")
			}
			stranger := finding.Finding{Code: r.Effect, Args: args(other, "example.net", evidence.Found)}
			stranger.Args.Said, stranger.Args.Server = untrusted.New("x"), netip.MustParseAddrPort("192.0.2.54:53")
			if got := doctor.Folds(cause, stranger, 0, 1); got != r.Always {
				t.Errorf("folded under a cause it has nothing to do with: %t", got)
			}
		})
	}
}

// TestNothingIsLost: whatever is found in one place stands in the report, as a
// cause or as an effect, and only what is the same in several places is told
// once.
func TestNothingIsLost(t *testing.T) {
	var codes []finding.Code
	for _, e := range finding.All() {
		codes = append(codes, e.Code)
	}
	addrs := []netip.Addr{netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("203.0.113.10"), {}}
	dice := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var found []finding.Finding
		var scopes []int
		want, got := map[finding.Code]bool{}, map[finding.Code]bool{}
		for range dice.IntN(13) {
			scope := dice.IntN(3)
			addr := addrs[(scope+2)%3]
			f := finding.Finding{Code: codes[dice.IntN(len(codes))], Args: finding.Args{Address: addr, Zone: dnsname.MustParse("113.0.203.in-addr.arpa")}}
			if addr.IsValid() {
				f.Args.Name = dnsname.Reverse(addr)
			}
			found, scopes = append(found, f), append(scopes, scope)
			want[f.Code] = true
		}
		total := 0
		for _, p := range doctor.Told(found, scopes) {
			got[p.Cause.Code] = true
			total += 1 + len(p.Effects)
			for _, e := range p.Effects {
				got[e.Code] = true
			}
		}
		if total > len(found) || !maps.Equal(got, want) {
			t.Fatalf("%v became %v, %d of %d", want, got, total, len(found))
		}
	}
}

// covers: K129
// TestTroubleNeverFails holds the first law in every world: with a DNS that
// answers nothing, the doctor may know less, but never worse.
func TestTroubleNeverFails(t *testing.T) {
	files, err := filepath.Glob("testdata/worlds/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	states := []evidence.State{
		evidence.NotAsked, evidence.ServFail, evidence.Refused, evidence.Timeout, evidence.Bogus, evidence.Malformed, evidence.Filtered, evidence.Failed,
	}
	for i, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := open(t, section(archive, "world"))
			state := states[i%len(states)]
			s.dns, s.authority = sick(state), nil
			x := doctor.New(s.config()).Examine(t.Context(), parseTarget(t, section(archive, "target")))
			if x.Verdict == doctor.Fail || x.Verdict == doctor.Pass && !x.Addresses[0].Case.Evidence.Source.Special() {
				t.Errorf("%s with %s:\n%s", x.Verdict, state, summary(x))
			}
			if x.Now != nil && x.Now.State != "unknown" && !strings.HasPrefix(x.Now.Say, "What the receiver complained of is still so (helo-") {
				t.Errorf("now %s: %s", x.Now.State, x.Now.Say)
			}
		})
	}
}

// broken are sources that panic, each by itself.
var broken = map[string]func(*doctor.Config){
	"identity": func(c *doctor.Config) { c.Gate = corridor(func() *decision.Case { panic("gate") }) },
	"zone":     func(c *doctor.Config) { c.Authority = zoner(func(context.Context) *evidence.Zone { panic("zone") }) },
	"lists": func(c *doctor.Config) {
		c.Lists = func(context.Context, netip.Addr) []evidence.ListAnswer { panic("lists") }
	},
	"origin": func(c *doctor.Config) {
		c.Origin = func(context.Context, netip.Addr) *evidence.Origin { panic("origin") }
	},
	"SPF": func(c *doctor.Config) {
		c.SPF = func(context.Context, evidence.DNS, dnsname.Name) *evidence.SPF { panic("spf") }
	},
	"port 25": func(c *doctor.Config) {
		c.Prober = prober{netip.MustParseAddr("203.0.113.9"): func(*evidence.SMTP) { panic("smtp") }}
	},
	"remedy":    func(c *doctor.Config) { c.Remedy = func(remedy.Input) *remedy.Remedy { panic("remedy") } },
	"receivers": func(c *doctor.Config) { c.Judge = func(receivers.Identity) []receivers.Verdict { panic("judge") } },
}

type corridor func() *decision.Case

func (f corridor) Examine(context.Context, facts.Conn) *decision.Case { return f() }

type zoner func(context.Context) *evidence.Zone

func (f zoner) Zone(ctx context.Context, _ evidence.Question) *evidence.Zone { return f(ctx) }

// TestAPanicLosesOnePart: the others' results stand.
func TestAPanicLosesOnePart(t *testing.T) {
	for part, harm := range broken {
		t.Run(part, func(t *testing.T) {
			s := open(t, nameless)
			c := s.config()
			harm(&c)
			x := doctor.New(c).Examine(t.Context(), mailbox)
			if !strings.Contains(strings.Join(x.Missing, "\n"), part) {
				t.Errorf("nothing is said of it: %q", x.Missing)
			}
			want := doctor.Fail
			if part == "identity" {
				want = doctor.Unknown
			}
			if x.Verdict != want {
				t.Errorf("verdict %s, want %s:\n%s", x.Verdict, want, summary(x))
			}
			if x.Addresses[0].Case == nil || x.Addresses[0].Case.Evidence.View == nil {
				t.Error("no case")
			}
		})
	}
}

// covers: K130
// TestTheTimeIsKept: parts that hang, even such as don't heed their context, cost
// what they would have found out, and no more.
func TestTheTimeIsKept(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	hang := func() { <-release }
	for part, harm := range map[string]func(*doctor.Config){
		"identity": func(c *doctor.Config) { c.Gate = corridor(func() *decision.Case { hang(); return nil }) },
		"zone": func(c *doctor.Config) {
			c.Authority = zoner(func(context.Context) *evidence.Zone { hang(); return nil })
		},
		"lists": func(c *doctor.Config) {
			c.Lists = func(context.Context, netip.Addr) []evidence.ListAnswer { hang(); return nil }
		},
		"SPF": func(c *doctor.Config) {
			c.SPF = func(context.Context, evidence.DNS, dnsname.Name) *evidence.SPF { hang(); return nil }
		},
		"port 25": func(c *doctor.Config) {
			c.Prober = prober{netip.MustParseAddr("203.0.113.9"): func(*evidence.SMTP) { hang() }}
		},
	} {
		t.Run(part, func(t *testing.T) {
			s := open(t, nameless)
			c := s.config()
			harm(&c)
			ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
			defer cancel()
			began := time.Now()
			x := doctor.New(c).Examine(ctx, mailbox)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
			if !x.Partial || !strings.Contains(strings.Join(x.Missing, "\n"), part) {
				t.Errorf("partial %t, missing %q", x.Partial, x.Missing)
			}
			if (x.Verdict == doctor.Fail) == (part == "identity") {
				t.Errorf("verdict %s:\n%s", x.Verdict, summary(x))
			}
		})
	}
}

// TestHalfExaminedZone: as long as a server of the reverse zone was not heard, no
// address is called right; a fault that the others show stays one.
func TestHalfExaminedZone(t *testing.T) {
	for _, tt := range []struct {
		world string
		want  doctor.Verdict
	}{
		{"", doctor.Unknown},
		{"- ptr 203.0.113.9 1800 mail.example.org", doctor.Fail},
	} {
		c := open(t, tt.world).config()
		whole := c.Authority
		c.Authority = asked(func(ctx context.Context, q evidence.Question) *evidence.Zone {
			z := whole.Zone(ctx, q)
			z.Partial = q.Type == evidence.PTR
			return z
		})
		x := doctor.New(c).Examine(t.Context(), doctor.Target{Address: netip.MustParseAddr("203.0.113.9")})
		if x.Verdict != tt.want || x.Addresses[0].Verdict != tt.want || !strings.Contains(strings.Join(x.Missing, "\n"), "the name servers of 113.0.203.in-addr.arpa were not all heard") {
			t.Errorf("want %s, found:\n%s", tt.want, summary(x))
		}
	}
}

// TestSilentRegistry: who holds an address is told where a registry tells, and
// moves no verdict where none does.
func TestSilentRegistry(t *testing.T) {
	c := open(t, "").config()
	c.Origin = func(context.Context, netip.Addr) *evidence.Origin { return &evidence.Origin{Late: true} }
	x := doctor.New(c).Examine(t.Context(), doctor.Target{Address: netip.MustParseAddr("203.0.113.9")})
	if x.Verdict != doctor.Pass || x.Partial || !slices.Equal(x.Missing, []string{"who holds 203.0.113.9 is not known: the registry (RDAP) did not answer in time"}) {
		t.Errorf("found:\n%s", summary(x))
	}
}

type asked func(context.Context, evidence.Question) *evidence.Zone

func (f asked) Zone(ctx context.Context, q evidence.Question) *evidence.Zone { return f(ctx, q) }

// TestInterrupted: who interrupts is told what is known by then, and our own
// impatience is held against no DNS.
func TestInterrupted(t *testing.T) {
	s := open(t, nameless)
	c := s.config()
	ctx, cancel := context.WithCancel(t.Context())
	c.Authority = zoner(func(ctx context.Context) *evidence.Zone {
		cancel()
		<-ctx.Done()
		return &evidence.Zone{}
	})
	c.Lists = func(ctx context.Context, addr netip.Addr) []evidence.ListAnswer {
		<-ctx.Done()
		return []evidence.ListAnswer{{State: evidence.ListTrouble, Answer: evidence.Answer{State: evidence.Timeout}}}
	}
	x := doctor.New(c).Examine(ctx, doctor.Target{Address: netip.MustParseAddr("203.0.113.9")})
	if !x.Partial || len(x.Addresses) != 1 || !strings.Contains(strings.Join(x.Missing, "\n"), "interrupted") {
		t.Errorf("%s", summary(x))
	}
	for _, p := range allProblems(x) {
		if p.Cause.Severity == finding.Unknown {
			t.Errorf("found %s", p.Cause.Code)
		}
	}
}

// TestInterruptedBeforeAnAnswer: what receivers do with an address of which
// nothing is known yet can't be told.
func TestInterruptedBeforeAnAnswer(t *testing.T) {
	s := open(t, nameless)
	s.dns = sick(evidence.Timeout)
	c := s.config()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	x := doctor.New(c).Examine(ctx, doctor.Target{Address: netip.MustParseAddr("203.0.113.9")})
	if a := &x.Addresses[0]; len(a.Receivers) > 0 || a.Verdict != doctor.Unknown {
		t.Errorf("%s, receivers: %v (%q)", a.Verdict, a.Receivers, a.Unforeseen)
	}
}

// TestProgress: every part that begins ends, and the numbers add up.
func TestProgress(t *testing.T) {
	s := open(t, nameless)
	s.servers = prober{}
	c := s.config()
	var events []doctor.Event
	var inside atomic.Int32
	c.Progress = func(e doctor.Event) {
		if inside.Add(1) > 1 {
			t.Error("two calls at one time")
		}
		events = append(events, e)
		inside.Add(-1)
	}
	doctor.New(c).Examine(t.Context(), mailbox)
	running := map[string]int{}
	begun, ended := 0, 0
	for _, e := range events {
		if e.Ended {
			ended++
			running[e.Part]--
		} else {
			begun++
			running[e.Part]++
		}
		if e.Done != ended || e.Parts != begun || e.Part == "" {
			t.Errorf("%+v after %d begun and %d ended", e, begun, ended)
		}
	}
	for part, n := range running {
		if n != 0 {
			t.Errorf("%q: %d more begun than ended", part, n)
		}
	}
	for _, part := range []string{"the identity of 203.0.113.9", "the reverse zone of 203.0.113.9", "port 25 of 203.0.113.9", "the SPF record of example.org"} {
		if _, ok := running[part]; !ok {
			t.Errorf("nothing is told of %s", part)
		}
	}
}

// TestOnlyTheDNS: each source but the DNS may be left out.
func TestOnlyTheDNS(t *testing.T) {
	s := open(t, nameless)
	c := s.config()
	x := doctor.New(doctor.Config{Gate: c.Gate, DNS: c.DNS, Now: c.Now}).Examine(t.Context(), mailbox)
	if got, want := summary(x), "example.org fail\n203.0.113.9 mx fail mail.example.org\n   fail ptr-missing\n"; got != want {
		t.Errorf("found:\n%s\nwant:\n%s", got, want)
	}
}

// TestBounds: a domain with more hosts and senders than are examined says so.
func TestBounds(t *testing.T) {
	var world strings.Builder
	world.WriteString("- example.org TXT \"v=spf1 mx -all\"\n")
	for i := range 12 {
		fmt.Fprintf(&world, "example.org MX %d mx%d.example.org\n", 20+i, i)
		for j := range 4 {
			fmt.Fprintf(&world, "mx%d.example.org A 203.0.113.%d\n", i, 100+4*i+j)
		}
	}
	world.WriteString(`example.org TXT "v=spf1`)
	for i := range 40 {
		fmt.Fprintf(&world, " ip4:198.51.100.%d", i)
	}
	world.WriteString(" -all\"\n")
	s := open(t, world.String())
	c := s.config()
	c.Authority = nil
	x := doctor.New(c).Examine(t.Context(), mailbox)
	roles := map[doctor.Role]int{}
	for _, a := range x.Addresses {
		roles[a.Role]++
	}
	if roles[doctor.AsMX] != 32 || roles[doctor.AsSender] != 32 {
		t.Errorf("%v", roles)
	}
	missing := strings.Join(x.Missing, "\n")
	for _, want := range []string{"3 more MX hosts", "6 more addresses", "8 more senders"} {
		if !strings.Contains(missing, want) {
			t.Errorf("%q is not said: %q", want, missing)
		}
	}
}

// TestRemediesAndReceivers: problems come with remedies, information without,
// and each address with what receivers make of it.
func TestRemediesAndReceivers(t *testing.T) {
	s := open(t, nameless)
	s.servers = prober{netip.MustParseAddr("203.0.113.9"): func(p *evidence.SMTP) { p.TLS.SelfSigned, p.TLS.Trusted = true, false }}
	x := doctor.New(s.config()).Examine(t.Context(), mailbox)
	for _, p := range allProblems(x) {
		if (p.Remedy == nil) != (p.Cause.Severity == finding.Info) {
			t.Errorf("%s: remedy %v", p.Cause.Code, p.Remedy)
		}
	}
	a := x.Addresses[0]
	if len(a.Receivers) == 0 {
		t.Error("no receivers")
	}
	r := a.Problems[0].Remedy
	if r.Ready == nil || !r.Ready.OK {
		t.Errorf("the PTR record can be set, for every server of example.org has the address: %+v", r.Ready)
	}
	if r.Visible == nil || !r.Visible.Last.After(now) {
		t.Errorf("visible %+v", r.Visible)
	}
}

// TestReceiversOfTheUnknown: receivers ask their own resolvers. Where ours answers
// nothing, or something else than the zone, nothing is known of what they see, and
// where the zone's servers disagree it is chance; where the sender's zone is at
// fault, they meet that too.
func TestReceiversOfTheUnknown(t *testing.T) {
	for world, known := range map[string]bool{
		"dns-dead-address": false, "zone-lame-all": true, "zone-silent-all": true, "zone-bogus": true, "long-chain": true,
		"zone-disagrees": false, "forward-disagrees": false, "resolver-lies": false, "zone-lame-one": true,
	} {
		archive, err := txtar.ParseFile("testdata/worlds/" + world + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		s := open(t, section(archive, "world"))
		s.servers = parseServers(t, section(archive, "smtp"))
		x := doctor.New(s.config()).Examine(t.Context(), parseTarget(t, section(archive, "target")))
		a := &x.Addresses[0]
		if got := len(a.Receivers) > 0; got != known || known == (a.Unforeseen != "") {
			t.Errorf("%s: receivers %v (%q), want %v", world, got, a.Unforeseen, known)
		}
	}
}

// TestReceiversOfOurResolversTrouble: the servers of the zone answer, so that
// receivers are answered too, whatever they do with it.
func TestReceiversOfOurResolversTrouble(t *testing.T) {
	for _, state := range []string{"servfail", "refused", "timeout", "bogus", "malformed", "filtered"} {
		s := open(t, "!"+state+" 203.0.113.9\n")
		x := doctor.New(s.config()).Examine(t.Context(), doctor.Target{Address: netip.MustParseAddr("203.0.113.9")})
		if a := &x.Addresses[0]; len(a.Receivers) > 0 || !strings.Contains(a.Unforeseen, "no answer") {
			t.Errorf("%s: %d receivers (%q):\n%s", state, len(a.Receivers), a.Unforeseen, summary(x))
		}
	}
}

// TestALongChainIsToldOnce, though our resolver and the zone's servers both tell
// of it.
func TestALongChainIsToldOnce(t *testing.T) {
	s := open(t, "")
	c := s.config()
	addr := netip.MustParseAddr("203.0.113.9")
	question := evidence.Question{Name: dnsname.Reverse(addr), Type: evidence.PTR}
	c.Gate = corridor(func() *decision.Case {
		r := evidence.IPRev{Result: evidence.TempError, Address: addr, PTR: evidence.Answer{Question: question, State: evidence.Malformed}}
		for i := range 11 {
			r.PTR.Aliases = append(r.PTR.Aliases, dnsname.MustParse(fmt.Sprintf("h%d.example.net", i)))
		}
		trouble := finding.Finding{Code: finding.DNSTrouble, Severity: finding.Unknown, Args: finding.Args{Address: addr, Name: question.Name}}
		return &decision.Case{Evidence: evidence.Evidence{View: &evidence.View{IPRev: r}}, Findings: []finding.Finding{trouble}}
	})
	c.Authority = zoner(func(context.Context) *evidence.Zone {
		return &evidence.Zone{Question: question, ChainFault: evidence.ChainTooLong, Chain: make([]evidence.Alias, 12)}
	})
	x := doctor.New(c).Examine(t.Context(), doctor.Target{Address: addr})
	if p := allProblems(x); len(p) != 1 || p[0].Cause.Code != finding.PTRLongChain || len(p[0].Effects) != 1 {
		t.Errorf("found:\n%s", summary(x))
	}
}
