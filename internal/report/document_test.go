package report_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/report"
)

// TestTopOfDocument wants the worst address at the top, with every finding of
// the target as a whole, causes before their effects.
func TestTopOfDocument(t *testing.T) {
	for what, want := range map[string]struct {
		address string
		codes   []string
	}{
		"nameless": {"203.0.113.9", []string{"ptr-missing", "helo-not-ptr"}},
		"domain":   {"203.0.113.9", []string{"ptr-several", "ptr-missing", "helo-not-ptr"}},
		"healthy":  {"203.0.113.1", nil},
		"nothing":  {"", nil},
	} {
		var out bytes.Buffer
		if err := report.JSON(&out, examinations(t)[what], report.Options{}); err != nil {
			t.Fatal(err)
		}
		for _, never := range []string{": null", `"ref"`, "Reference"} {
			if strings.Contains(out.String(), never) {
				t.Errorf("%s: there is %s in\n%s", what, never, &out)
			}
		}
		var document struct {
			IPRev struct {
				Address string `json:"address"`
			} `json:"iprev"`
			Findings []struct {
				Code string `json:"code"`
			} `json:"findings"`
		}
		if err := json.Unmarshal(out.Bytes(), &document); err != nil {
			t.Fatal(err)
		}
		var codes []string
		for _, f := range document.Findings {
			codes = append(codes, f.Code)
		}
		if document.IPRev.Address != want.address || !slices.Equal(codes, want.codes) {
			t.Errorf("%s: got %s, %v; want %s, %v", what, document.IPRev.Address, codes, want.address, want.codes)
		}
	}
}
