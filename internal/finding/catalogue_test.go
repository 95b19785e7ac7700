package finding_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// hostile fills every argument that a text can show with an attack.
var hostile = finding.Args{
	Address: netip.MustParseAddr("203.0.113.9"), Name: dnsname.MustParse(`a\010b\027[2J.example.org`),
	Names: []dnsname.Name{dnsname.MustParse(`x\000.example.org`)}, Others: []netip.Addr{netip.MustParseAddr("198.51.100.1")},
	Said: untrusted.New("\r\nX-Evil: 1\x9b\u202e"), Count: 12, State: evidence.ServFail, Why: "numeric", Parts: []string{"octets 9"}, RFC: "RFC 1918",
}

func TestEveryEntryIsComplete(t *testing.T) {
	detail := regexp.MustCompile(`^[57]\.\d+$`)
	reference := regexp.MustCompile(`^RFC \d+ §[\d.]+$`)
	for _, e := range finding.All() {
		f := finding.Finding{Code: e.Code, Severity: finding.Warn, Args: hostile}
		if e.Title == "" || strings.HasSuffix(e.Title, ".") || detail.MatchString(e.Detail) == e.Doctor || !reference.MatchString(e.RFC) || !strings.HasSuffix(e.Remedy, ".") {
			t.Errorf("%s: %+v", e.Code, e)
		}
		if !strings.HasSuffix(f.Text(), ".") || strings.HasSuffix(f.Fact(), ".") {
			t.Errorf("%s: text %q ends in a dot, fact %q does not", e.Code, f.Text(), f.Fact())
		}
		for _, text := range []string{f.Text(), f.Fact()} {
			for i := range len(text) {
				if text[i] < ' ' || text[i] > '~' {
					t.Errorf("%s: %q holds octet %#x", e.Code, text, text[i])
				}
			}
		}
	}
	if finding.Known("ptr-mising") || !finding.Known(finding.PTRMissing) {
		t.Error("Known is wrong")
	}
}

// A code that no case of the corpus shows has not been thought through.
func TestEveryCodeHasACase(t *testing.T) {
	files, err := filepath.Glob("../gate/testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var corpus strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		corpus.Write(text)
	}
	for _, e := range finding.Catalogue() {
		if !strings.Contains(corpus.String(), "\n"+string(e.Code)+" ") {
			t.Errorf("%s has no case in ../gate/testdata", e.Code)
		}
	}
}

func TestJSONHoldsTheWords(t *testing.T) {
	f := finding.Finding{Code: finding.PTRMissing, Severity: finding.Failure, Complete: true, Args: hostile}
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var words map[string]any
	if err := json.Unmarshal(data, &words); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"code": "ptr-missing", "severity": "fail", "complete": true,
		"title": f.Title(), "text": f.Text(), "remedy": f.Entry().Remedy, "reference": f.Entry().RFC,
	} {
		if words[key] != want {
			t.Errorf("%s is %v, want %v", key, words[key], want)
		}
	}
	var back finding.Finding
	if err := json.Unmarshal(data, &back); err != nil || back.Text() != f.Text() || back.Severity != f.Severity {
		t.Errorf("came back as %+v: %v", back, err)
	}
}

// TestEndings: how a question ended is said in English, not in the words of the
// JSON.
func TestEndings(t *testing.T) {
	for state, want := range map[evidence.State]string{
		evidence.ServFail: "ended with SERVFAIL", evidence.Timeout: "ended without an answer", evidence.Bogus: "failed DNSSEC validation",
		evidence.Malformed: "brought an answer that can't be read", evidence.Filtered: "was filtered", evidence.Failed: "failed",
	} {
		f := finding.Finding{Code: finding.DNSTrouble, Args: finding.Args{Name: dnsname.MustParse("mail.example.org"), State: state}}
		if got := f.Text(); !strings.HasPrefix(got, "The question for mail.example.org "+want+".") {
			t.Errorf("%s: %s", state, got)
		}
	}
}
