package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/arpagate/arpagate/internal/lab"
)

// worldOfCanary is a world in which our DNS is well, and nobody has a PTR
// record.
func worldOfCanary(t *testing.T) *lab.World {
	t.Helper()
	return parseWorld(t, "canary.example.net A 192.0.2.80\n")
}

// shows wants a state told in the log, on /healthz and at /metrics, and the gate
// ready all the same.
func (d *daemon) shows(state, metric, why string) {
	d.t.Helper()
	d.awaitLog(`level=WARN msg="` + state + `" why=`)
	if got := d.get("/healthz"); !strings.HasPrefix(got, "degraded\n"+state+": ") || !strings.Contains(got, why) {
		d.t.Errorf("health: %q, want %s with %q", got, state, why)
	}
	if got := d.get("/readyz"); !strings.Contains(got, state) {
		d.t.Errorf("readiness: %q, want it to tell of %s", got, state)
	}
	if !strings.Contains(d.get("/metrics"), "\n"+metric+" 1\n") {
		d.t.Errorf("the metric %s is not 1", metric)
	}
	if !strings.Contains(d.log.String(), why) {
		d.t.Errorf("the log doesn't say why (%s):\n%s", why, d.log)
	}
}

// TestDNSDegraded takes the DNS away and brings it back: the state shows in the
// log, on /healthz and at /metrics, nobody is refused for good, and it ends.
func TestDNSDegraded(t *testing.T) {
	world := worldOfCanary(t)
	server, err := lab.Listen(context.Background(), world, "127.0.0.1:0", lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := edit(t, settings, "[dns]\n", "[dns]\ntimeout = \"1s\"\nstress_timeout = \"1s\"\n")
	text = edit(t, text, `"careful"`, `"strict"`) + "[log]\ncases = \"none\"\n"
	d := prepare(t, server.Addr().String(), text).start()
	d.answers(rejected)
	server.Close()
	n := 0
	d.await("the state", func() bool {
		d.strangers(n, 25)
		n += 25
		return strings.Contains(d.log.String(), "DNS degraded")
	})
	d.shows("DNS degraded", "arpagate_dns_degraded", "") // by the share of trouble, or by silence
	again, err := lab.Listen(context.Background(), world, server.Addr().String(), lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	d.awaitLog(`msg="DNS degraded, no more" lasted=`)
	if got := d.get("/healthz"); got != "ok\n" {
		t.Errorf("health after all is well: %q", got)
	}
	d.answers(rejected)
	d.stop()
	if n := strings.Count(d.log.String(), `msg="DNS degraded"`); n != 1 {
		t.Errorf("the state is logged %d times, want once:\n%s", n, d.log)
	}
}

// strangers asks about several hosts at the same time, of which none may be
// refused for good.
func (d *daemon) strangers(from, count int) {
	d.t.Helper()
	var group sync.WaitGroup
	for n := range count {
		group.Go(func() {
			got, err := talk(d.t, filepath.Join(d.dir, "policy"), request(fmt.Sprintf("198.51.100.%d", (from+n)%250+1), "mail.example.org"))
			if err != nil || strings.HasPrefix(got, "5") {
				d.t.Errorf("answer without DNS: %q, %v", got, err)
			}
		})
	}
	group.Wait()
}

// TestDNSLies has a DNS that denies what exists: it is held to be sick, too.
func TestDNSLies(t *testing.T) {
	world := parseWorld(t, "ns.example.net A 192.0.2.53\n")
	d := prepare(t, labWorld(t, world).Addr().String(), edit(t, settings, `"careful"`, `"strict"`)).start()
	d.shows("DNS degraded", "arpagate_dns_degraded", "canary.example.net")
	d.answers("450 4.7.25 ")
	d.stop()
}

// TestSourceMasked has all strangers come from one private address, as behind a
// NAT or a container's gateway.
func TestSourceMasked(t *testing.T) {
	d := prepare(t, labWorld(t, worldOfCanary(t)).Addr().String(), settings+"[log]\nformat = \"json\"\n").start()
	for range 60 {
		if got := d.ask("10.0.0.1", "mail.example.org"); got != "DUNNO" {
			t.Fatalf("answer %q", got)
		}
	}
	d.awaitLog(`"msg":"source masked"`)
	if got := d.get("/healthz"); !strings.Contains(got, "source masked: ") || !strings.Contains(got, "came from 10.0.0.1") {
		t.Errorf("health: %q", got)
	}
	if !strings.Contains(d.get("/metrics"), "\narpagate_source_masked 1\n") {
		t.Error("the metric arpagate_source_masked is not 1")
	}
	if got := d.ask("203.0.113.9", "nameless.example.org"); strings.HasPrefix(got, "4") || strings.HasPrefix(got, "5") {
		t.Errorf("refused while the source is masked: %q", got)
	}
	d.stop()
	for line := range strings.Lines(d.log.String()) {
		var fields struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields.Time == "" || fields.Level == "" || fields.Msg == "" {
			t.Errorf("no line of JSON: %v: %s", err, line)
		}
	}
}
