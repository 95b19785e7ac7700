package reply_test

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/reply"
	"github.com/arpagate/arpagate/internal/untrusted"
)

const ref = "7K3QX9M2TB"

var client = netip.MustParseAddr("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")

// longURL is as long as the configuration allows.
var longURL = "https://" + strings.Repeat("gate.", 36) + "example.net"

// longest is a name of 255 octets, each of which is printed as four.
func longest() dnsname.Name {
	label := append([]byte{61}, strings.Repeat("\x01", 61)...)
	wire := append(append(append(append(append([]byte{}, label...), label...), label...), label...), 5)
	wire = append(wire, "\xff\xfe\x00\n\r\x00"...)
	name, _, err := dnsname.FromWire(wire, 0)
	if err != nil {
		panic(err)
	}
	return name
}

// refusal is a case that a finding has decided.
func refusal(action decision.Action, f finding.Finding) *decision.Case {
	return &decision.Case{
		Ref: ref, Conn: facts.Conn{Client: client},
		Evidence: evidence.Evidence{View: &evidence.View{IPRev: evidence.IPRev{Result: evidence.Fail, Address: client}}},
		Findings: []finding.Finding{{Code: finding.HeloNotPTR}, f},
		Decision: decision.Decision{Action: action, Would: action, Because: []decision.Cause{{Code: f.Code, Action: action}}},
	}
}

// verbose fills every argument with the longest and the worst.
func verbose(code finding.Code) finding.Finding {
	f := finding.Finding{Code: code, Args: finding.Args{
		Address: client, Name: longest(), Said: untrusted.New(strings.Repeat("\x1b", 300)), Count: 1 << 30,
		State: evidence.ServFail, Why: strings.Repeat("w", 300), RFC: "RFC 6890", Parts: []string{strings.Repeat("p", 300)},
	}}
	for range 20 {
		f.Args.Names = append(f.Args.Names, longest())
		f.Args.Others = append(f.Args.Others, client)
	}
	return f
}

var wellFormed = regexp.MustCompile(`^([245])[0-9]{2} ([245])\.([0-9]{1,3})\.([0-9]{1,3}) [ -~]+$`)

// checkRefusal wants a reply that every MTA takes: RFC 5321 §4.2, RFC 3463 §2.
func checkRefusal(t *testing.T, r reply.Reply, action decision.Action, tail string) {
	t.Helper()
	line := r.Line()
	m := wellFormed.FindStringSubmatch(line)
	if m == nil || m[1] != m[2] {
		t.Fatalf("codes and text don't fit: %q", line)
	}
	want := map[decision.Action]struct {
		verb  reply.Verb
		class string
	}{decision.Defer: {reply.Defer, "4"}, decision.Reject: {reply.Reject, "5"}}[action]
	if r.Verb != want.verb || m[1] != want.class {
		t.Errorf("%s became verb %d, %q", action, r.Verb, line)
	}
	if len(line) > 500 {
		t.Errorf("%d octets: %q", len(line), line)
	}
	if !strings.HasSuffix(line, tail) || strings.Count(line, tail) != 1 {
		t.Errorf("doesn't end with %q: %q", tail, line)
	}
	if r.Header != "" || r.Warning != "" || r.Ref != ref {
		t.Errorf("a refusal with header %q, warning %q, ref %q", r.Header, r.Warning, r.Ref)
	}
}

// TestEveryFinding refuses for every finding of the catalogue, with arguments
// that are far too long.
func TestEveryFinding(t *testing.T) {
	sites := map[string]reply.Site{
		". See https://gate.example.net/r/" + ref: {URL: "https://gate.example.net"},
		". See " + longURL + "/r/" + ref:          {URL: longURL},
		". Reference " + ref:                      {},
	}
	if len(longURL) > 200 {
		t.Fatalf("the URL has %d octets", len(longURL))
	}
	for _, entry := range finding.Catalogue() {
		for _, action := range []decision.Action{decision.Defer, decision.Reject} {
			for tail, site := range sites {
				r := site.Of(refusal(action, verbose(entry.Code)))
				checkRefusal(t, r, action, tail)
				if want := "." + entry.Detail; !strings.HasSuffix(r.Enhanced, want) {
					t.Errorf("%s: enhanced code %s, want one that ends with %s", entry.Code, r.Enhanced, want)
				}
				if head, _, _ := strings.Cut(r.Line(), tail); len(r.Line()) == 500 && !strings.HasSuffix(head, "...") {
					t.Errorf("%s: cut without a mark: %q", entry.Code, r.Line())
				}
			}
		}
	}
}

func TestText(t *testing.T) {
	site := reply.Site{URL: "https://gate.example.net"}
	const link = ". See https://gate.example.net/r/" + ref
	missing := finding.Finding{Code: finding.PTRMissing, Complete: true, Args: finding.Args{Address: client}}
	trouble := finding.Finding{Code: finding.DNSTrouble, Args: finding.Args{Address: client}}
	listed := refusal(decision.Reject, missing)
	listed.Decision.Because = []decision.Cause{{Code: decision.BlockListed, Action: decision.Reject}}
	unexplained := refusal(decision.Defer, missing)
	unexplained.Decision.Because = nil
	for _, tt := range []struct {
		name, want string
		c          *decision.Case
	}{
		{"reject", "550 5.7.25 Reverse DNS validation failed: " + client.String() + " has no PTR record" + link, refusal(decision.Reject, missing)},
		{"defer", "450 4.7.25 Reverse DNS validation failed: " + client.String() + " has no PTR record, please try again later" + link, refusal(decision.Defer, missing)},
		{"trouble", "451 4.7.25 Reverse DNS of " + client.String() + " could not be checked, please try again later" + link, refusal(decision.Defer, trouble)},
		{"block list", "550 5.7.1 Client " + client.String() + " is on this site's block list" + link, listed},
		{"no cause", "450 4.7.1 Client " + client.String() + " is not acceptable here" + link, unexplained},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := site.Of(tt.c)
			checkRefusal(t, r, tt.c.Decision.Action, link)
			if r.Line() != tt.want {
				t.Errorf("got  %q\nwant %q", r.Line(), tt.want)
			}
		})
	}
}

// TestWarning wants the MTA's log told what would have happened in monitor mode
// alone, and in a line that fits.
func TestWarning(t *testing.T) {
	for _, tt := range []struct {
		name   string
		would  decision.Action
		exempt decision.Exemption
		want   string
	}{
		{"would reject", decision.Reject, "", "monitor: would reject: Reverse DNS validation failed: "},
		{"would defer", decision.Defer, "", "monitor: would defer: Reverse DNS validation failed: "},
		{"would tag", decision.Tag, "", ""},
		{"exempt", decision.Reject, decision.AllowListed, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, entry := range []finding.Code{finding.PTRUnconfirmed, finding.PTRUnusable} {
				c := refusal(tt.would, verbose(entry))
				c.Decision.Action, c.Decision.Exempt = decision.Accept, tt.exempt
				r := reply.Site{AuthservID: "mx.example.net"}.Of(c)
				if r.Verb != reply.Pass || !strings.HasPrefix(r.Warning, tt.want) || (r.Warning == "") != (tt.want == "") {
					t.Errorf("verb %d, warning %q", r.Verb, r.Warning)
				}
				if len(r.Warning) > 500 || strings.ContainsFunc(r.Warning, beyondASCII) {
					t.Errorf("warning of %d octets: %q", len(r.Warning), r.Warning)
				}
			}
		})
	}
}

func beyondASCII(r rune) bool { return r < ' ' || r > '~' }

func FuzzRefusal(f *testing.F) {
	f.Add("mail.example.org", "mail.example.org", "octets", uint8(2))
	f.Add(longest().String(), "\r\n550 forged", "\u202e", uint8(5))
	f.Add(`a\(\)\\.example.org`, "\x00\xff", strings.Repeat("é", 600), uint8(8))
	f.Fuzz(func(t *testing.T, text, said, why string, which uint8) {
		name, err := dnsname.Parse(text)
		if err != nil {
			name = longest()
		}
		catalogue := finding.Catalogue()
		found := finding.Finding{Code: catalogue[int(which)%len(catalogue)].Code, Args: finding.Args{
			Address: client, Name: name, Names: []dnsname.Name{name, name}, Said: untrusted.New(said), Why: why, Parts: []string{why},
		}}
		site := reply.Site{AuthservID: "mx.example.net", URL: "https://gate.example.net"}
		for _, action := range []decision.Action{decision.Defer, decision.Reject} {
			checkRefusal(t, site.Of(refusal(action, found)), action, ". See https://gate.example.net/r/"+ref)
		}
	})
}
