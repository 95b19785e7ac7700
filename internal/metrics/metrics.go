// Package metrics counts cases and shows the state of the program in the
// Prometheus exposition format. Labels come from closed sets only: never an
// address, a name or a server.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// Metrics counts cases; it is a decision.Recorder.
type Metrics struct {
	registry *prometheus.Registry
	cases    map[facts.Door]*[decision.Reject + 1][evidence.PermError + 1]prometheus.Counter
	exempt   map[decision.Exemption]prometheus.Counter
	findings map[finding.Code]prometheus.Counter
	seconds  prometheus.Histogram
	would    prometheus.Counter
	differs  prometheus.Counter
}

// exemptions are the reasons that have a counter: all of them.
var exemptions = []decision.Exemption{
	decision.Authenticated, decision.SpecialSource, decision.NoAddress, decision.OwnNetwork,
	decision.AllowListed, decision.RoleRecipient, decision.SourceMasked,
}

// unconfirmed is what Postfix says instead of a client name that does not lead
// back to the address (SMTPD_POLICY_README).
var unconfirmed = untrusted.New("unknown")

// New makes the counters, each at zero from the start.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		cases:    make(map[facts.Door]*[decision.Reject + 1][evidence.PermError + 1]prometheus.Counter),
		findings: make(map[finding.Code]prometheus.Counter),
		exempt:   make(map[decision.Exemption]prometheus.Counter),
	}
	cases := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "arpagate_cases_total", Help: "Judged connections by door, action and iprev result.",
	}, []string{"door", "action", "iprev"})
	for _, door := range []facts.Door{facts.Policy, facts.Milter} {
		var table [decision.Reject + 1][evidence.PermError + 1]prometheus.Counter
		for action := range table {
			for result := range table[action] {
				table[action][result] = cases.WithLabelValues(string(door), decision.Action(action).String(), evidence.Result(result).String())
			}
		}
		m.cases[door] = &table
	}
	findings := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "arpagate_findings_total", Help: "Findings by code.",
	}, []string{"code"})
	for _, entry := range finding.Catalogue() {
		m.findings[entry.Code] = findings.WithLabelValues(string(entry.Code))
	}
	exempt := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "arpagate_exempt_total", Help: "Connections let through whatever the findings, by reason.",
	}, []string{"reason"})
	for _, reason := range exemptions {
		m.exempt[reason] = exempt.WithLabelValues(string(reason))
	}
	m.seconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "arpagate_decision_seconds", Help: "Time from question to decision.",
		Buckets: []float64{1e-5, 1e-4, 1e-3, 1e-2, 0.05, 0.1, 0.25, 0.5, 1, 2, 5},
	})
	m.would = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "arpagate_would_refuse_total", Help: "Connections accepted that would have been deferred or rejected without monitor mode and exemptions.",
	})
	m.differs = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "arpagate_mta_differs_total", Help: "Clients confirmed here whose name the MTA could not confirm: its resolver sees another DNS, or it tries one PTR name only.",
	})
	m.registry.MustRegister(cases, findings, exempt, m.seconds, m.would, m.differs,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Record counts one case.
func (m *Metrics) Record(c *decision.Case) {
	if table := m.cases[c.Conn.Door]; table != nil {
		table[c.Decision.Action][c.Evidence.IPRev.Result].Inc()
	}
	for i := range c.Findings {
		if counter := m.findings[c.Findings[i].Code]; counter != nil {
			counter.Inc()
		}
	}
	if counter := m.exempt[c.Decision.Exempt]; counter != nil {
		counter.Inc()
	}
	if c.Decision.Would > decision.Tag && c.Decision.Action <= decision.Tag {
		m.would.Inc()
	}
	if c.Evidence.IPRev.Result == evidence.Pass && c.Conn.MTAName == unconfirmed {
		m.differs.Inc()
	}
	m.seconds.Observe(c.Took.Seconds())
}

// Gauge shows a value that is read at each scrape; labels are fixed pairs.
func (m *Metrics) Gauge(name, help string, value func() float64, labels map[string]string) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: name, Help: help, ConstLabels: labels,
	}, value))
}

// Counter shows a value that only grows and is read at each scrape.
func (m *Metrics) Counter(name, help string, value func() float64, labels map[string]string) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: name, Help: help, ConstLabels: labels,
	}, value))
}

// Gatherer returns the registry, for linting.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Handler answers a scrape.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

var _ decision.Recorder = (*Metrics)(nil)
