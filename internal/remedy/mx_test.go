package remedy_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/remedy"
)

// domain is example.org with two MX hosts, of which the second is an alias.
func domain() *evidence.MailDomain {
	return &evidence.MailDomain{
		Name: name("example.org"),
		MX: evidence.Answer{
			Question: evidence.Question{Name: name("example.org"), Type: evidence.MX}, State: evidence.Found, TTL: 20 * time.Minute,
			Names: []dnsname.Name{name("mx1.example.org"), name("alias.example.org")}, Preferences: []uint16{10, 20}, Total: 2,
		},
		Hosts: []evidence.MailHost{{Name: name("mx1.example.org"), A: addrs(time.Hour, "203.0.113.9")}, {Name: name("alias.example.org"), A: addrs(time.Hour, "203.0.113.10")}},
	}
}

func ofDomain(code finding.Code, d *evidence.MailDomain, host string, aliases ...string) remedy.Input {
	in := remedy.Input{Finding: finding.Finding{Code: code, Args: finding.Args{Name: d.Name, State: d.MX.State}}, Domain: d, Now: noon}
	if host != "" {
		in.Finding.Args.Host = name(host)
	}
	for _, a := range aliases {
		in.Finding.Args.Names = append(in.Finding.Args.Names, name(a))
	}
	return in
}

// TestMXRecords: the record to paste, in every format, and all others that stay.
func TestMXRecords(t *testing.T) {
	r := open(t).For(ofDomain("mx-cname", domain(), "alias.example.org", "mid.example.org", "mx2.example.org"))
	for format, want := range map[string][]string{
		"bind":       {"; there already: example.org. 1200 IN MX 10 mx1.example.org.\n", "; take out: example.org. IN MX 20 alias.example.org.\nexample.org. 1200 IN MX 20 mx2.example.org.\n"},
		"nsupdate":   {"update delete example.org. MX 20 alias.example.org.\nupdate add example.org. 1200 MX 20 mx2.example.org.\nsend\n"},
		"tinydns":    {"@example.org::mx2.example.org:20:1200\n"},
		"dnscontrol": {`D_EXTEND("example.org", MX("@", 20, "mx2.example.org.", TTL(1200)));`},
		"octodns":    {"  type: MX\n  values:\n    - exchange: \"mx1.example.org.\"\n      preference: 10\n    - exchange: \"mx2.example.org.\"\n      preference: 20\n"},
		"terraform":  {`resource "dns_mx_record_set" "mx_example_org" {`, "  mx {\n    preference = 10\n    exchange   = \"mx1.example.org.\"\n  }\n  mx {\n    preference = 20\n    exchange   = \"mx2.example.org.\"\n  }\n"},
	} {
		for _, w := range want {
			if !strings.Contains(r.Texts[format], w) {
				t.Errorf("%s: no %q in\n%s", format, w, r.Texts[format])
			}
		}
	}
	if got := readBind(t, r.Texts["bind"]); len(got) != 1 || got[0].data != "20 mx2.example.org" {
		t.Errorf("read %v", got)
	}
	if r.Visible.Last.Sub(noon) != 20*time.Minute {
		t.Errorf("%+v", r.Visible)
	}
}

func TestMXOfUnknownHost(t *testing.T) {
	b := open(t)
	for label, tc := range map[string]struct {
		in   remedy.Input
		want string
	}{
		"an address in the record": {func() remedy.Input {
			d := domain()
			d.MX.Names[1] = name("203.0.113.10")
			return ofDomain("mx-literal", d, "203.0.113.10")
		}(), "; take out: example.org. IN MX 20 203.0.113.10.\nexample.org. 1200 IN MX 20 MAIL.YOUR-DOMAIN.\n"},
		"no MX record": {func() remedy.Input {
			d := domain()
			d.MX, d.Hosts = evidence.Answer{State: evidence.NoData, TTL: 5 * time.Minute}, nil
			return ofDomain("mx-missing", d, "")
		}(), "example.org. 3600 IN MX 10 MAIL.YOUR-DOMAIN.\n"},
		"no MX record, but an address": {func() remedy.Input {
			d := domain()
			d.MX, d.Hosts = evidence.Answer{State: evidence.NoData, TTL: 5 * time.Minute}, []evidence.MailHost{{Name: d.Name, A: evidence.Answer{State: evidence.Found, Addrs: []netip.Addr{netip.MustParseAddr("203.0.113.9")}}}}
			return ofDomain("mx-missing", d, "")
		}(), "example.org. 3600 IN MX 10 example.org.\n"},
	} {
		t.Run(label, func(t *testing.T) {
			if r := b.For(tc.in); !strings.Contains(r.Texts["bind"], tc.want) {
				t.Errorf("%s", show(r))
			}
		})
	}
}

// TestNoSuchDomain: who mistyped a domain is not told to publish records in it.
func TestNoSuchDomain(t *testing.T) {
	d := domain()
	d.MX, d.Hosts = evidence.Answer{State: evidence.NXDomain}, nil
	r := open(t).For(ofDomain("mx-missing", d, ""))
	if !strings.HasPrefix(r.Do, "See whether example.org is spelled right and still registered") || r.Texts != nil || !strings.Contains(r.Steps[0].Say, "expired") {
		t.Errorf("%s", show(r))
	}
}

func TestMailTTL(t *testing.T) {
	d := domain()
	d.SPF = &evidence.SPF{Answers: []evidence.Answer{{Question: evidence.Question{Name: d.Name, Type: evidence.TXT}, State: evidence.Found, TTL: 3 * time.Minute}}}
	for code, want := range map[finding.Code]time.Duration{"mx-private": time.Hour, "mx-unusable": 20 * time.Minute, "spf-unreadable": 3 * time.Minute} {
		if got := open(t).For(ofDomain(code, d, "mx1.example.org")).Visible.Last.Sub(noon); got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
	}
}
