package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/arpagate/arpagate/internal/config"
	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/journal"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/listen"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// idleDaemon is a daemon over the lab world that does not serve.
func idleDaemon(t *testing.T) *daemon {
	t.Helper()
	server, err := lab.Listen(t.Context(), lab.Default(), "127.0.0.1:0", lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	c := config.Default()
	door, err := listen.Parse("tcp:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Listen.Policy, c.Listen.Milter, c.Listen.HTTP = []listen.Address{door}, nil, nil
	c.DNS.Servers, c.DNS.Canaries = []netip.AddrPort{server.Addr()}, nil
	c.Store.URL = "sqlite:" + filepath.Join(t.TempDir(), "store.db")
	d, err := newDaemon(t.Context(), c, nil, io.Discard, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.close(context.Background()) })
	return d
}

func gather(t *testing.T, d *daemon) []*dto.MetricFamily {
	t.Helper()
	families, err := d.metrics.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// TestMetricNames holds every metric to the conventions of Prometheus.
func TestMetricNames(t *testing.T) {
	families := gather(t, idleDaemon(t))
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, f := range families {
		if ours := strings.HasPrefix(f.GetName(), "arpagate_"); ours && !strings.HasSuffix(f.GetHelp(), ".") {
			t.Errorf("%s: the help text is no sentence: %q", f.GetName(), f.GetHelp())
		} else if !ours && !strings.HasPrefix(f.GetName(), "go_") && !strings.HasPrefix(f.GetName(), "process_") {
			t.Errorf("%s is neither ours nor one of the runtime", f.GetName())
		}
	}
}

// labelValues are the values that each label may have.
func labelValues() map[string][]string {
	values := map[string][]string{
		"verdict": {string(doctor.Pass), string(doctor.Warn), string(doctor.Unknown), string(doctor.Fail)},
		"door":    {"policy", "milter"},
		"reason": {
			string(decision.Authenticated), string(decision.SpecialSource), string(decision.NoAddress), string(decision.OwnNetwork),
			string(decision.AllowListed), string(decision.RoleRecipient), string(decision.SourceMasked),
		},
	}
	for a := decision.Accept; a <= decision.Reject; a++ {
		values["action"] = append(values["action"], a.String())
	}
	for r := evidence.Unjudged; r <= evidence.PermError; r++ {
		values["iprev"] = append(values["iprev"], r.String())
	}
	for _, entry := range finding.Catalogue() {
		values["code"] = append(values["code"], string(entry.Code))
	}
	return values
}

// TestLabels wants label values of closed sets, and no series more after
// strangers have said all kinds of things.
func TestLabels(t *testing.T) {
	d := idleDaemon(t)
	before := seriesOf(t, d)
	for _, host := range lab.Default().Hosts() {
		d.gate.Ask(t.Context(), facts.Conn{Door: facts.Policy, Stage: facts.Rcpt, Client: host.Address, Helo: untrusted.New(host.Helo), HeloKnown: true})
	}
	for _, helo := range []string{"", "\x00", `"} 1`, "a\nb", strings.Repeat("x", 300), "\xff"} {
		c := facts.Conn{Door: facts.Milter, Stage: facts.Rcpt, Client: netip.MustParseAddr("203.0.113.9"), Helo: untrusted.New(helo), HeloKnown: true}
		d.gate.Ask(t.Context(), c)
		c.AuthUser = untrusted.New(helo)
		d.gate.Ask(t.Context(), c)
	}
	if after := seriesOf(t, d); !slices.Equal(before, after) {
		t.Errorf("%d series before, %d after:\n%q", len(before), len(after), after)
	}
	allowed := labelValues()
	for _, f := range gather(t, d) {
		if !strings.HasPrefix(f.GetName(), "arpagate_") {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if !slices.Contains(allowed[l.GetName()], l.GetValue()) {
					t.Errorf("%s has a label %s=%q", f.GetName(), l.GetName(), l.GetValue())
				}
			}
		}
	}
}

func seriesOf(t *testing.T, d *daemon) []string {
	t.Helper()
	var out []string
	for _, f := range gather(t, d) {
		if strings.HasPrefix(f.GetName(), "arpagate_") {
			for _, m := range f.GetMetric() {
				out = append(out, f.GetName()+fmt.Sprint(m.GetLabel()))
			}
		}
	}
	slices.Sort(out)
	return out
}

// metricTable is every metric of ours with its labels.
func metricTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("\n| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, f := range gather(t, idleDaemon(t)) {
		if !strings.HasPrefix(f.GetName(), "arpagate_") {
			continue
		}
		labels := map[string]bool{}
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels["`"+l.GetName()+"`"] = true
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()),
			strings.Join(slices.Sorted(maps.Keys(labels)), ", "), f.GetHelp())
	}
	return b.String() + "\n"
}

// labelTable is the values of each label.
func labelTable(*testing.T) string {
	var b strings.Builder
	b.WriteString("\n| label | values |\n|---|---|\n")
	values := labelValues()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, strings.Join(values[name], ", "))
	}
	return b.String() + "\n"
}

// logTable is every field of the line of a case.
func logTable(*testing.T) string {
	var b strings.Builder
	b.WriteString("\n| field | meaning |\n|---|---|\n")
	for _, f := range journal.Fields() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", f.Name, f.Doc)
	}
	return b.String() + "\n"
}
