package main

import (
	"context"
	"time"
)

// state is a state of the gate itself in which strangers get something else
// than usual. It is told where people look: in the log when it begins and ends,
// on /healthz and at /metrics as long as it lasts.
type state struct {
	name   string // in the log and on /healthz
	metric string
	help   string
	now    func() (in bool, why string)
}

func (d *daemon) states() []state {
	return []state{
		{"DNS degraded", "arpagate_dns_degraded", "1 while our own DNS is held to be sick, and nobody is refused for good.", d.resolver.Sick},
		{"source masked", "arpagate_source_masked", "1 while most clients come from one address that is no client's.", d.mask.State},
	}
}

// trouble says what keeps the gate from its work, one sentence each.
func (d *daemon) trouble() []string {
	var out []string
	for _, s := range d.states() {
		if in, why := s.now(); in {
			out = append(out, s.name+": "+why)
		}
	}
	if h := d.store.Health(); !h.OK {
		out = append(out, "store: "+h.Why)
	}
	return out
}

// watchEvery is how often the log looks at the states.
const watchEvery = time.Second

// watch logs when a state begins and ends, and that lines of the log were lost,
// until ctx ends. The store logs its own troubles.
func (d *daemon) watch(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	since := make(map[string]time.Time)
	var lost uint64
	for {
		for _, s := range d.states() {
			d.logChange(s, since)
		}
		// Where this line is lost too, the next round tries again.
		if n := d.lines.Dropped(); n != lost {
			lost = n
			d.log.Warn("log lines lost", "total", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// logChange compares a state with what was logged of it; since holds the states
// that last.
func (d *daemon) logChange(s state, since map[string]time.Time) {
	in, why := s.now()
	began, lasts := since[s.name]
	switch {
	case in && !lasts:
		since[s.name] = d.now()
		d.log.Warn(s.name, "why", why)
	case !in && lasts:
		delete(since, s.name)
		d.log.Info(s.name+", no more", "lasted", d.now().Sub(began).Round(time.Second))
	}
}
