package reply_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/authres"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/reply"
)

// results is a parsed Authentication-Results field with one result.
type results struct {
	id, method, result, reason string
	props                      map[string]string
	comment                    string
}

// reader reads the grammar of RFC 8601 §2.2 to the letter.
type reader struct {
	rest    string
	comment string
}

var errSyntax = errors.New("not the grammar of RFC 8601")

func parseResults(s string) (out results, err error) {
	r := &reader{rest: s}
	out.props = map[string]string{}
	if out.id, err = r.value(); err != nil {
		return out, err
	}
	if err := errors.Join(r.cfws(), r.take(";"), r.cfws()); err != nil {
		return out, err
	}
	if out.method, out.result, err = r.pair(); err != nil {
		return out, err
	}
	for {
		before := r.rest
		if err := r.cfws(); err != nil {
			return out, err
		}
		if r.rest == "" {
			out.comment = r.comment
			return out, nil
		}
		if r.rest == before {
			return out, errSyntax
		}
		key, value, err := r.pair()
		switch {
		case err != nil:
			return out, err
		case key == "reason" && out.reason == "" && len(out.props) == 0: // the reason comes first
			out.reason = value
		case strings.Count(key, ".") == 1 && out.props[key] == "":
			out.props[key] = value
		default:
			return out, errSyntax
		}
	}
}

func (r *reader) take(s string) error {
	rest, ok := strings.CutPrefix(r.rest, s)
	if !ok {
		return errSyntax
	}
	r.rest = rest
	return nil
}

func (r *reader) pair() (key, value string, err error) {
	if key, err = r.token(); err != nil {
		return "", "", err
	}
	if err := r.take("="); err != nil {
		return "", "", err
	}
	value, err = r.value()
	return key, value, err
}

// token is that of RFC 2045 §5.1.
func (r *reader) token() (string, error) {
	n := strings.IndexFunc(r.rest, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`()<>@,;:\"/[]?=`, c) })
	if n < 0 {
		n = len(r.rest)
	}
	token := r.rest[:n]
	r.rest = r.rest[n:]
	if token == "" {
		return "", errSyntax
	}
	return token, nil
}

func (r *reader) value() (string, error) {
	if !strings.HasPrefix(r.rest, `"`) {
		return r.token()
	}
	return r.delimited(`"`, `"`)
}

// cfws is that of RFC 5322 §3.2.2, without folding and nested comments, which
// nobody needs to write.
func (r *reader) cfws() error {
	for {
		r.rest = strings.TrimLeft(r.rest, " ")
		if !strings.HasPrefix(r.rest, "(") {
			return nil
		}
		comment, err := r.delimited("(", ")")
		if err != nil {
			return err
		}
		r.comment += comment
	}
}

func (r *reader) delimited(begin, end string) (string, error) {
	if err := r.take(begin); err != nil {
		return "", err
	}
	var b strings.Builder
	for r.rest != "" {
		c := r.rest[:1]
		r.rest = r.rest[1:]
		switch {
		case c == end:
			return b.String(), nil
		case c == `\` && r.rest != "":
			c, r.rest = r.rest[:1], r.rest[1:]
		case c == begin || c == `\` || c < " " || c > "~":
			return "", errSyntax
		}
		b.WriteString(c)
	}
	return "", errSyntax
}

// judged is a case that passes with the given iprev result.
func judged(addr string, result evidence.Result, confirmed dnsname.Name) *decision.Case {
	a := netip.MustParseAddr(addr)
	return &decision.Case{Evidence: evidence.Evidence{View: &evidence.View{
		IPRev: evidence.IPRev{Result: result, Address: a, Confirmed: confirmed},
	}}}
}

// checkHeader wants a field that our own reader, which is strict, and a foreign
// one understand alike, and that fits on a line.
func checkHeader(t *testing.T, header string) results {
	t.Helper()
	if n := len("Authentication-Results: " + header); n > 998 || strings.ContainsFunc(header, beyondASCII) {
		t.Fatalf("a line of %d octets: %q", n, header)
	}
	got, err := parseResults(header)
	if err != nil {
		t.Fatalf("%v: %q at %q", err, header, got)
	}
	id, list, err := authres.Parse(header)
	if err != nil || id != got.id || len(list) == 0 {
		t.Fatalf("a foreign reader: %q, %v, %v", id, list, err)
	}
	foreign, ok := list[0].(*authres.IPRevResult)
	if !ok || string(foreign.Value) != got.result || strings.Trim(foreign.IP, `"`) != got.props["policy.iprev"] {
		t.Errorf("a foreign reader understands %+v, not %+v", list[0], got)
	}
	return got
}

func TestHeader(t *testing.T) {
	site := reply.Site{AuthservID: "mx.example.net"}
	name := dnsname.MustParse("mail.example.org")
	tagged := judged("203.0.113.1", evidence.Pass, name)
	tagged.Decision.Action = decision.Tag
	tagged.Decision.Because = []decision.Cause{{Code: finding.PTRGeneric}, {Code: finding.HeloNotFQDN}}
	for _, tt := range []struct {
		name, want string
		c          *decision.Case
	}{
		{"pass", `mx.example.net; iprev=pass policy.iprev=203.0.113.1 (mail.example.org)`, judged("203.0.113.1", evidence.Pass, name)},
		{"pass, IPv6", `mx.example.net; iprev=pass policy.iprev="2001:db8::1" (mail.example.org)`, judged("2001:db8::1", evidence.Pass, name)},
		{"fail", `mx.example.net; iprev=fail policy.iprev=203.0.113.1`, judged("203.0.113.1", evidence.Fail, dnsname.Name{})},
		{"temperror", `mx.example.net; iprev=temperror policy.iprev=203.0.113.1`, judged("203.0.113.1", evidence.TempError, dnsname.Name{})},
		{"permerror", `mx.example.net; iprev=permerror policy.iprev=203.0.113.1`, judged("203.0.113.1", evidence.PermError, dnsname.Name{})},
		{"tagged", `mx.example.net; iprev=pass reason="tag: ptr-generic helo-not-fqdn" policy.iprev=203.0.113.1 (mail.example.org)`, tagged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := site.Of(tt.c)
			if r.Header != tt.want || r.Verb != reply.Pass || r.AuthservID != "mx.example.net" {
				t.Errorf("%+v, want header %q", r, tt.want)
			}
			got := checkHeader(t, r.Header)
			ip := &tt.c.Evidence.IPRev
			if got.method != "iprev" || got.result != ip.Result.String() || got.props["policy.iprev"] != ip.Address.String() ||
				len(got.props) != 1 || got.comment != ip.Confirmed.String() {
				t.Errorf("read back as %+v", got)
			}
		})
	}
}

// TestNoHeader wants no field where nothing was judged, and none without a name
// for ourselves.
func TestNoHeader(t *testing.T) {
	for _, tt := range []struct {
		name string
		site reply.Site
		c    *decision.Case
	}{
		{"unjudged", reply.Site{AuthservID: "mx.example.net"}, judged("10.0.0.1", evidence.Unjudged, dnsname.Name{})},
		{"no authserv-id", reply.Site{}, judged("203.0.113.1", evidence.Pass, dnsname.MustParse("mail.example.org"))},
	} {
		if got := tt.site.Of(tt.c).Header; got != "" {
			t.Errorf("%s: header %q", tt.name, got)
		}
	}
}

// TestLongestHeader wants the longest names that can be, and every reason, on
// one line (RFC 5322 §2.1.1).
func TestLongestHeader(t *testing.T) {
	host := dnsname.MustParse(strings.Repeat(strings.Repeat("h", 62)+".", 3) + strings.Repeat("h", 61) + ".c")
	c := judged(client.String(), evidence.Pass, host)
	c.Decision.Action = decision.Tag
	for _, entry := range finding.Catalogue() {
		c.Decision.Because = append(c.Decision.Because, decision.Cause{Code: entry.Code})
	}
	got := checkHeader(t, reply.Site{AuthservID: host.String()}.Of(c).Header)
	if got.comment != host.String() || !strings.Contains(got.reason, string(finding.HeloNotPTR)) {
		t.Errorf("read back as %+v", got)
	}
}

func FuzzHeader(f *testing.F) {
	f.Add("mail.example.org")
	f.Add(`a(b)\(c\)\\\\.example.org`)
	f.Add(`a\010b\; iprev=pass.example.org`)
	f.Add("\u202e\x1b[2J\"quoted\".example.org")
	f.Fuzz(func(t *testing.T, text string) {
		name, err := dnsname.Parse(text)
		if err != nil || len(name.String()) > 400 {
			return
		}
		header := reply.Site{AuthservID: "mx.example.net"}.Of(judged("2001:db8::1", evidence.Pass, name)).Header
		got, err := parseResults(header)
		if err != nil {
			t.Fatalf("%v: %q", err, header)
		}
		if got.comment != name.String() || got.id != "mx.example.net" || got.result != "pass" || len(got.props) != 1 {
			t.Errorf("%q read back as %+v", header, got)
		}
	})
}
