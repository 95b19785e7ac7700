package metrics_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/metrics"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// series scrapes and returns the values by series, histograms and the metrics
// of the Go runtime left out.
func series(t *testing.T, m *metrics.Metrics) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d, %v", w.Code, err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(body)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok && strings.HasPrefix(name, "arpagate_") && !strings.HasPrefix(name, "arpagate_decision_seconds") {
			out[name] = value
		}
	}
	return out
}

func caseOf(door facts.Door, action decision.Action, result evidence.Result, exempt decision.Exemption, codes ...finding.Code) *decision.Case {
	c := &decision.Case{
		Conn: facts.Conn{Door: door}, Took: 3 * time.Millisecond,
		Evidence: evidence.Evidence{View: &evidence.View{IPRev: evidence.IPRev{Result: result}}},
		Decision: decision.Decision{Action: action, Exempt: exempt},
	}
	for _, code := range codes {
		c.Findings = append(c.Findings, finding.Finding{Code: code})
	}
	return c
}

// TestRecord counts one case of every kind. Every series is there from the
// start, at zero: a rate over a counter that appears at 1 misses the first
// event.
func TestRecord(t *testing.T) {
	m := metrics.New()
	want := series(t, m)
	for name, value := range want {
		if value != "0" {
			t.Errorf("%s is %s at the start", name, value)
		}
	}
	add := func(name string) {
		t.Helper()
		n, err := strconv.Atoi(want[name])
		if err != nil {
			t.Fatalf("no series %s at the start", name)
		}
		want[name] = strconv.Itoa(n + 1)
	}
	for _, door := range []facts.Door{facts.Policy, facts.Milter} {
		for action := decision.Accept; action <= decision.Reject; action++ {
			for result := evidence.Unjudged; result <= evidence.PermError; result++ {
				m.Record(caseOf(door, action, result, decision.NotExempt))
				add(fmt.Sprintf(`arpagate_cases_total{action=%q,door=%q,iprev=%q}`, action, door, result))
			}
		}
	}
	policyPass := `arpagate_cases_total{action="accept",door="policy",iprev="pass"}`
	for _, entry := range finding.Catalogue() {
		m.Record(caseOf(facts.Policy, decision.Accept, evidence.Pass, decision.NotExempt, entry.Code))
		add(policyPass)
		add(fmt.Sprintf(`arpagate_findings_total{code=%q}`, entry.Code))
	}
	for _, reason := range exemptions(t) {
		m.Record(caseOf(facts.Policy, decision.Accept, evidence.Pass, decision.Exemption(reason)))
		add(policyPass)
		add(fmt.Sprintf(`arpagate_exempt_total{reason=%q}`, reason))
	}
	// Postfix found no name, we did; and the rules would have refused.
	c := caseOf(facts.Policy, decision.Accept, evidence.Pass, decision.NotExempt)
	c.Conn.MTAName, c.Decision.Would = untrusted.New("unknown"), decision.Reject
	m.Record(c)
	add(policyPass)
	add("arpagate_mta_differs_total")
	add("arpagate_would_refuse_total")
	// What nobody should ever make adds no series, and stops nothing.
	m.Record(caseOf(facts.Check, decision.Accept, evidence.Pass, "because\nI say so", "no-such-code"))
	got := series(t, m)
	if len(got) != len(want) {
		t.Errorf("%d series, at the start there were %d", len(got), len(want))
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %s, want %s", name, got[name], value)
		}
	}
}

// exemptions reads the reasons from the source, so that a new one is not
// forgotten here.
func exemptions(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../decision/decision.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || fmt.Sprint(spec.Type) != "Exemption" {
			return true
		}
		for _, value := range spec.Values {
			if text, err := strconv.Unquote(value.(*ast.BasicLit).Value); err == nil && text != "" {
				out = append(out, text)
			}
		}
		return true
	})
	if len(out) < 7 {
		t.Fatalf("found the exemptions %q only", out)
	}
	return out
}

func TestHistogram(t *testing.T) {
	m := metrics.New()
	for _, took := range []time.Duration{0, 30 * time.Microsecond, 3 * time.Second, time.Hour} {
		c := caseOf(facts.Policy, decision.Accept, evidence.Pass, decision.NotExempt)
		c.Took = took
		m.Record(c)
	}
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`arpagate_decision_seconds_bucket{le="1e-05"} 1`,
		`arpagate_decision_seconds_bucket{le="0.0001"} 2`,
		`arpagate_decision_seconds_bucket{le="2"} 2`,
		`arpagate_decision_seconds_bucket{le="5"} 3`,
		`arpagate_decision_seconds_count 4`,
	} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
}

// TestFuncs shows values that are counted elsewhere.
func TestFuncs(t *testing.T) {
	m := metrics.New()
	value := 1.0
	m.Gauge("arpagate_test_open", "Things that are open.", func() float64 { return value }, map[string]string{"door": "policy"})
	m.Counter("arpagate_test_seen_total", "Things seen.", func() float64 { return 7 }, nil)
	value = 2
	got := series(t, m)
	if got[`arpagate_test_open{door="policy"}`] != "2" || got["arpagate_test_seen_total"] != "7" {
		t.Errorf("scraped %v", got)
	}
}

func TestLint(t *testing.T) {
	families, err := metrics.New().Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestTogether records and scrapes at the same time, for the race detector.
func TestTogether(t *testing.T) {
	m := metrics.New()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 500 {
				m.Record(caseOf(facts.Milter, decision.Reject, evidence.Fail, decision.NotExempt, finding.PTRUnconfirmed))
			}
		})
	}
	group.Go(func() {
		for range 10 {
			_, _ = m.Gatherer().Gather()
		}
	})
	group.Wait()
	if got := series(t, m)[`arpagate_cases_total{action="reject",door="milter",iprev="fail"}`]; got != "2000" {
		t.Errorf("counted %s, want 2000", got)
	}
}
