package bounce_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/bounce"
)

// TestReports reads the reports of testdata/reports, in the forms in which mail
// servers write them.
func TestReports(t *testing.T) {
	r := open(t)
	seen := []string{}
	for _, tt := range []struct {
		file, format, rule, address string
		found                       bounce.Found
		receiver, receiverAddress   string
		code                        int
		enhanced                    string
		recipient, domain, ptr      string
		quote                       string // a piece of it
	}{
		{"postfix.eml", "dsn", "gmail-ptr", "192.0.2.25", bounce.InRefusal, "mx.example.org", "198.51.100.9", 550, "5.7.25", "example.org", "example.net", "", "As a policy"},
		{"forwarded.eml", "dsn", "gmail-ptr", "192.0.2.25", bounce.InRefusal, "mx.example.org", "198.51.100.9", 550, "5.7.25", "example.org", "example.net", "", "As a policy"},
		{"exim.eml", "dsn", "postfix-noptr", "2001:db8::25", bounce.InRefusal, "mx.example.org", "2001:db8:f::9", 550, "5.7.1", "example.org", "example.net", "", "cannot find your reverse"},
		{"exchange.eml", "dsn", "exo-v6", "2001:db8::25", bounce.InRefusal, "mx.example.org", "", 550, "5.7.25", "example.org", "example.net", "", "Service unavailable"},
		{"gmail.eml", "dsn", "", "192.0.2.25", bounce.InRefusal, "mx.example.org", "198.51.100.9", 554, "5.7.1", "example.org", "example.net", "", "DNSBL"},
		{"qmail.eml", "dsn", "fix-reverse-dns", "192.0.2.25", bounce.InRefusal, "", "198.51.100.9", 550, "5.7.1", "example.org", "example.net", "", "Fix reverse DNS"},
		{"sendmail.eml", "dsn", "gmx-webde", "192.0.2.25", bounce.InRefusal, "mx.example.org", "", 554, "5.0.0", "example.org", "example.net", "", "Bad DNS PTR"},
		{"hmailserver.eml", "dsn", "postfix-nohost", "192.0.2.25", bounce.InRefusal, "", "198.51.100.9", 450, "4.7.25", "example.org", "", "", "cannot find your hostname"},
		{"quoted.txt", "dsn", "gmx-webde", "192.0.2.25", bounce.InRefusal, "mx.example.org", "198.51.100.9", 554, "5.0.0", "example.org", "", "", "Bad DNS PTR"},
		{"html.eml", "dsn", "postfix-noptr", "192.0.2.25", bounce.InRefusal, "", "", 554, "5.7.1", "example.org", "", "", "cannot find your reverse"},
		{"source.txt", "dsn", "gmail-v6", "2001:db8::25", bounce.InRefusal, "mx.example.org", "2001:db8:f::9", 550, "5.7.1", "example.org", "example.com", "", "IPv6 sending guidelines"},
		{"silent.eml", "dsn", "dsn-7-25", "192.0.2.25", bounce.InReceived, "", "", 0, "5.7.25", "example.org", "example.net", "", ""},
	} {
		seen = append(seen, tt.file)
		t.Run(tt.file, func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join("testdata/reports", tt.file))
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Read(string(body))
			if err != nil {
				t.Fatal(err)
			}
			for what, pair := range map[string][2]string{
				"format": {got.Format, tt.format}, "rule": {got.Rule, tt.rule}, "found": {string(got.Found), string(tt.found)},
				"address": {valid(got.Address), tt.address}, "receiver address": {valid(got.ReceiverAddress), tt.receiverAddress},
				"receiver": {got.Receiver.String(), tt.receiver}, "enhanced code": {got.Enhanced, tt.enhanced},
				"recipient": {got.Recipient.String(), tt.recipient}, "domain": {got.Domain.String(), tt.domain}, "PTR": {got.PTR.String(), tt.ptr},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
				}
			}
			if got.Code != tt.code || !strings.Contains(got.Quote.String(), tt.quote) {
				t.Errorf("code %d, quote %q; want %d, %q", got.Code, got.Quote, tt.code, tt.quote)
			}
		})
	}
	files, err := os.ReadDir("testdata/reports")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !slices.Contains(seen, f.Name()) {
			t.Errorf("testdata/reports/%s is in no test", f.Name())
		}
	}
}

func valid(a interface {
	IsValid() bool
	String() string
},
) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
