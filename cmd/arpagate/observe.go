package main

import (
	"github.com/arpagate/arpagate/internal/listen"
	"github.com/arpagate/arpagate/internal/resolver"
)

// observe shows at /metrics what is counted elsewhere.
func (d *daemon) observe() {
	m := d.metrics
	for _, s := range d.states() {
		m.Gauge(s.metric, s.help, func() float64 {
			in, _ := s.now()
			return oneIf(in)
		}, nil)
	}
	d.observeDoors()
	d.observeStore()
	d.observeResolver()
	d.observeWatch()
	m.Counter("arpagate_log_dropped_lines_total", "Log lines lost because the log could not be written.", func() float64 {
		return float64(d.lines.Dropped())
	}, nil)
}

func (d *daemon) observeDoors() {
	for name, server := range map[string]*listen.Server{"policy": d.policyServer, "milter": d.milterServer} {
		labels := map[string]string{"door": name}
		d.metrics.Gauge("arpagate_connections", "Open connections of MTAs.", func() float64 { return float64(server.Stats().Active) }, labels)
		for metric, value := range map[string]func(listen.Stats) int64{
			"arpagate_connections_accepted_total": func(s listen.Stats) int64 { return s.Accepted },
			"arpagate_connections_refused_total":  func(s listen.Stats) int64 { return s.Refused },
			"arpagate_handler_panics_total":       func(s listen.Stats) int64 { return s.Panics },
		} {
			d.metrics.Counter(metric, doorHelp[metric], func() float64 { return float64(value(server.Stats())) }, labels)
		}
	}
	d.metrics.Counter("arpagate_policy_trouble_total", "Policy connections closed without an answer.", func() float64 {
		return float64(d.policy.Stats().Trouble)
	}, nil)
	for door, failed := range map[string]func() int64{
		"policy": func() int64 { return d.policy.Stats().AsksFailed },
		"milter": func() int64 { return d.milter.Stats().AsksFailed },
	} {
		d.metrics.Counter("arpagate_asks_failed_total", "Questions answered with 451 for trouble in the gate itself.", func() float64 {
			return float64(failed())
		}, map[string]string{"door": door})
	}
	d.metrics.Counter("arpagate_milter_forged_removed_total", "Forged Authentication-Results fields removed.", func() float64 {
		return float64(d.milter.Stats().ForgedRemoved)
	}, nil)
	d.metrics.Counter("arpagate_milter_frames_refused_total", "Milter connections closed for a bad frame.", func() float64 {
		return float64(d.milter.Stats().FramesRefused)
	}, nil)
}

var doorHelp = map[string]string{
	"arpagate_connections_accepted_total": "Connections handed to a handler.",
	"arpagate_connections_refused_total":  "Connections closed at once, over the limit.",
	"arpagate_handler_panics_total":       "Handlers that panicked.",
}

func (d *daemon) observeStore() {
	m := d.metrics
	m.Gauge("arpagate_store_healthy", "1 while the store takes what it is given.", func() float64 { return oneIf(d.store.Health().OK) }, nil)
	m.Gauge("arpagate_store_queued_cases", "Cases that wait for the disk.", func() float64 { return float64(d.store.Stats().Queue) }, nil)
	m.Gauge("arpagate_list_entries", "Entries of the allow and block lists.", func() float64 { return float64(d.store.Stats().Entries) }, nil)
	m.Counter("arpagate_store_dropped_cases_total", "Cases lost because the queue was full.", func() float64 { return float64(d.store.Stats().Dropped) }, nil)
	m.Counter("arpagate_store_spoiled_packs_total", "Damaged packs of list entries that were ignored, and their rows read.", func() float64 { return float64(d.store.Stats().Spoiled) }, nil)
	m.Counter("arpagate_store_written_cases_total", "Cases written to disk.", func() float64 { return float64(d.store.Stats().Cases) }, nil)
}

func (d *daemon) observeResolver() {
	for _, c := range []struct {
		name, help string
		value      func(resolver.Stats) uint64
	}{
		{"arpagate_dns_questions_total", "Questions asked of the resolver.", func(s resolver.Stats) uint64 { return s.Questions }},
		{"arpagate_dns_cache_hits_total", "Questions answered from memory.", func(s resolver.Stats) uint64 { return s.Hits }},
		{"arpagate_dns_troubled_total", "Questions that ended without a complete answer.", func(s resolver.Stats) uint64 { return s.Troubled }},
		{"arpagate_dns_failed_fast_total", "Questions not asked because our own DNS is sick.", func(s resolver.Stats) uint64 { return s.FailedFast }},
		{"arpagate_dns_overloaded_total", "Questions refused because too many were under way.", func(s resolver.Stats) uint64 { return s.Overloaded }},
		{"arpagate_dns_queries_total", "Datagrams sent to DNS servers.", func(s resolver.Stats) uint64 { return s.Queries }},
		{"arpagate_dns_tcp_total", "Questions asked over TCP.", func(s resolver.Stats) uint64 { return s.TCP }},
		{"arpagate_dns_strange_datagrams_total", "Datagrams that answer nothing that was asked.", func(s resolver.Stats) uint64 {
			return s.Short + s.WrongID + s.NotResponse + s.WrongOpcode + s.WrongCount + s.WrongClass + s.WrongQuestion + s.OtherCase
		}},
	} {
		d.metrics.Counter(c.name, c.help, func() float64 { return float64(c.value(d.resolver.Stats())) }, nil)
	}
	d.metrics.Gauge("arpagate_dns_in_flight", "Questions under way.", func() float64 { return float64(d.resolver.Stats().InFlight) }, nil)
	d.metrics.Gauge("arpagate_dns_cache_bytes", "Size of the memory of answers.", func() float64 { return float64(d.resolver.Stats().CacheBytes) }, nil)
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
