package main_test

import (
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// answers wants the reply to a host without PTR record to begin so.
func (d *daemon) answers(want string) {
	d.t.Helper()
	if got := d.ask("203.0.113.9", "nameless.example.org"); !strings.HasPrefix(got, want) {
		d.t.Errorf("answer %q, want %q…; the log:\n%s", got, want, d.log)
	}
}

// reload sends SIGHUP and waits until the log has said the text once more.
func (d *daemon) reload(text string) {
	d.t.Helper()
	before := strings.Count(d.log.String(), text)
	d.signal(syscall.SIGHUP)
	d.await("the log to say "+text, func() bool { return strings.Count(d.log.String(), text) > before })
}

// TestReload: a good file holds from the next question on, a bad one changes
// nothing, and what needs a restart is told.
func TestReload(t *testing.T) {
	// covers: C151-C152
	const done, refused = `msg="configuration reloaded"`, `msg="configuration not reloaded, the old one stays"`
	d := serve(t, settings)
	d.answers(deferred)
	strict := edit(t, d.text, `"careful"`, `"strict"`)
	d.write(strict)
	d.reload(done)
	d.answers(rejected)
	for name, bad := range map[string]struct{ text, why string }{
		"unknown preset":  {edit(t, d.text, `"careful"`, `"carefull"`), `did you mean \"careful\"?`},
		"unknown setting": {edit(t, d.text, "preset", "presett"), "arpagate.toml:18"},
		"no TOML":         {"\x00\xff", "arpagate.toml:1"},
		"empty door":      {edit(t, d.text, "unix:"+d.dir+"/policy", ""), "listen.policy"},
	} {
		d.write(bad.text)
		d.reload(refused)
		if !strings.Contains(d.log.String(), bad.why) {
			t.Errorf("%s: the log doesn't say why (%s):\n%s", name, bad.why, d.log)
		}
		d.answers(rejected)
	}
	if err := os.Remove(d.file); err != nil {
		t.Fatal(err)
	}
	d.reload(refused)
	d.answers(rejected)
	if strings.Contains(d.log.String(), "next start") {
		t.Errorf("a restart is asked for without need:\n%s", d.log)
	}
	d.write(edit(t, strict, "/policy", "/other"))
	d.reload(done)
	d.awaitLog("takes effect with the next start")
	d.answers(rejected)
	if _, err := os.Lstat(filepath.Join(d.dir, "other")); err == nil {
		t.Error("the new door is open without a restart")
	}
	d.stop()
}

// TestReloadStorm: a hundred SIGHUPs in a second do no harm, and what the file
// holds at the last one comes to hold.
func TestReloadStorm(t *testing.T) {
	// covers: C154
	d := serve(t, settings)
	strict := edit(t, d.text, `"careful"`, `"strict"`)
	asked := make(chan string)
	go func() {
		defer close(asked)
		for range 100 {
			answer, err := talk(t, filepath.Join(d.dir, "policy"), request("203.0.113.9", "nameless.example.org"))
			if err != nil {
				answer = err.Error()
			}
			asked <- answer
		}
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := range 100 {
		// Written aside and moved, as editors and configuration management do.
		text := d.text
		if n%2 == 1 {
			text = strict
		}
		if err := os.WriteFile(d.file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(d.file+".new", d.file); err != nil {
			t.Fatal(err)
		}
		d.signal(syscall.SIGHUP)
		<-tick.C
	}
	for answer := range asked {
		if !strings.HasPrefix(answer, deferred) && !strings.HasPrefix(answer, rejected) {
			t.Errorf("answer during reloads: %q", answer)
		}
	}
	d.await("the last file to hold", func() bool { return strings.HasPrefix(d.ask("203.0.113.9", "nameless.example.org"), rejected) })
	d.stop()
	log := d.log.String()
	if n := strings.Count(log, `msg="configuration reloaded"`); n < 1 || n > 100 || strings.Contains(log, "level=ERROR") {
		t.Errorf("%d reloads; the log:\n%s", n, log)
	}
}

// TestReloadDuringStart: a SIGHUP that comes while the store is being opened,
// or migrated, waits until the gate is at work.
func TestReloadDuringStart(t *testing.T) {
	// covers: C155
	d := prepare(t, labWorld(t, worldOfCanary(t)).Addr().String(), settings)
	// Whoever opens the store waits for another one that is at it.
	lock, err := os.OpenFile(filepath.Join(d.dir, "store.db.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	// Before the program has made its arrangements SIGHUP is ignored, as under
	// nohup: this test can't tell when that moment has passed.
	signal.Ignore(syscall.SIGHUP)
	d.launch()
	signal.Reset(syscall.SIGHUP)
	for range 20 {
		d.signal(syscall.SIGHUP)
		time.Sleep(100 * time.Millisecond)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	d.awaitLog(`msg="configuration reloaded"`)
	d.stop()
}
