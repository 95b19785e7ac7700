package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/lab"
)

// TestServeWatches runs the gate with a target to watch:
//
//	serve --config with [watch] --- lab world's DNS
//	     |
//	     +--- webhook on loopback: is told once, and after a restart no more
func TestServeWatches(t *testing.T) {
	t.Parallel()
	told := make(chan map[string]any, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message map[string]any
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
			t.Error(err)
		}
		told <- message
	}))
	defer hook.Close()
	world := labWorld(t, lab.Default())
	d := prepare(t, world.Addr().String(), settings+`
[watch]
targets = ["203.0.113.9", "203.0.113.1"]
webhook = "`+hook.URL+`/hook"
[doctor]
map = ["192.0.2.254:53=127.0.0.1:9"]
`).start()

	message := <-told
	if message["target"] != "203.0.113.9" || message["to"] != "fail" || message["first"] != true {
		t.Errorf("told %v", message)
	}
	d.awaitMetric(`arpagate_watched_targets{verdict="fail"} 1`)
	d.awaitMetric(`arpagate_watched_targets{verdict="pass"} 1`)
	d.awaitMetric(`arpagate_watch_untold_changes 0`)
	if log := d.log.String(); !strings.Contains(log, "appeared=ptr-missing@203.0.113.9") {
		t.Errorf("the log does not tell of it:\n%s", log)
	}
	d.stop()

	d.cmd = exec.Command("arpagate", "serve", "--config", d.file)
	d.cmd.Stdout, d.cmd.Stderr, d.gone = d.out, d.log, make(chan struct{})
	d.start()
	d.awaitMetric(`arpagate_watched_targets{verdict="fail"} 1`)
	d.stop()
	if len(told) > 0 {
		t.Errorf("told again after a restart: %v", <-told)
	}
}

// awaitMetric waits for a line at /metrics.
func (d *daemon) awaitMetric(line string) {
	d.t.Helper()
	d.await(line, func() bool { return strings.Contains(d.get("/metrics"), line+"\n") })
}
