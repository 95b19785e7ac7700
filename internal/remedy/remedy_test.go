package remedy_test

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/remedy"
)

// noon is the time of all tests.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func open(t testing.TB) *remedy.Book {
	t.Helper()
	b, err := remedy.Open()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// missing is the case of an address without a PTR record.
func missing(addr, want string) remedy.Input {
	a := netip.MustParseAddr(addr)
	in := remedy.Input{
		Finding: finding.Finding{Code: finding.PTRMissing, Severity: finding.Failure, Complete: true, Args: finding.Args{
			Address: a, Name: dnsname.Reverse(a), State: evidence.NXDomain,
		}},
		Address: a, Now: noon,
	}
	if want != "" {
		in.Wanted = dnsname.MustParse(want)
	}
	return in
}

func TestSmoke(t *testing.T) {
	b := open(t)
	in := missing("203.0.113.9", "mail.example.org")
	in.Origin = &evidence.Origin{ASN: 24940}
	out, err := json.MarshalIndent(b.For(in), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", out)
}
