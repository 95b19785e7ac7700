package main_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	milter "github.com/emersion/go-milter"

	"github.com/arpagate/arpagate/internal/lab"
)

// patience bounds every wait of these tests; nothing takes nearly as long.
const patience = time.Minute

// settings is the file that the daemons of these tests read. DIR and DNS are
// replaced; a test changes it further with edit.
const settings = `
[site]
name = "mx.example.net"
url = "https://gate.example.net"
[listen]
policy = "unix:DIR/policy"
milter = "unix:DIR/milter"
http = "unix:DIR/http"
[dns]
servers = ["DNS"]
[[dns.canary]]
name = "canary.example.net"
type = "A"
expect = "found"
[store]
url = "sqlite:DIR/store.db"
[policy]
preset = "careful"
`

// edit replaces one part of a configuration, which must be there.
func edit(t *testing.T, text, old, with string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("the configuration holds no %q:\n%s", old, text)
	}
	return strings.Replace(text, old, with, 1)
}

// daemon is a running "arpagate serve".
type daemon struct {
	t    *testing.T
	dir  string // of the sockets, the store and the file
	file string // the configuration
	text string // what it held at first
	cmd  *exec.Cmd
	log  *output
	out  *output
	web  *http.Client
	gone chan struct{} // closed when it has ended, with err
	err  error
}

// output is what a program has written so far.
type output struct {
	mu   sync.Mutex
	body bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.body.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.body.String()
}

// prepare writes a configuration into a new folder, whose name is short enough
// for the paths of UNIX sockets, and makes the command that serves it.
func prepare(t *testing.T, dns, text string) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "gate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &daemon{
		t: t, dir: dir, file: filepath.Join(dir, "arpagate.toml"), log: &output{}, out: &output{}, gone: make(chan struct{}),
		text: strings.NewReplacer("DIR", dir, "DNS", dns).Replace(text),
	}
	d.write(d.text)
	d.cmd = exec.Command("arpagate", "serve", "--config", d.file)
	d.cmd.Stdout, d.cmd.Stderr = d.out, d.log
	d.web = &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", filepath.Join(dir, "http"))
		},
	}}
	return d
}

func (d *daemon) write(text string) {
	d.t.Helper()
	if err := os.WriteFile(d.file, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// start starts the daemon, waits until it is ready, and ends it with the test.
func (d *daemon) start() *daemon {
	d.t.Helper()
	d.launch()
	d.await("the daemon to be ready", func() bool {
		status, _, err := d.fetch("/readyz")
		return err == nil && status == http.StatusOK
	})
	return d
}

func (d *daemon) launch() {
	d.t.Helper()
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		defer close(d.gone)
		d.err = d.cmd.Wait()
	}()
	d.t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		<-d.gone
	})
}

// serve starts a daemon with settings over the lab world.
func serve(t *testing.T, text string) *daemon {
	t.Helper()
	return prepare(t, labWorld(t, lab.Default()).Addr().String(), text).start()
}

func labWorld(t *testing.T, world *lab.World) *lab.Server {
	t.Helper()
	server, err := lab.Listen(context.Background(), world, "127.0.0.1:0", lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

func parseWorld(t *testing.T, zone string) *lab.World {
	t.Helper()
	world, err := lab.Parse(zone)
	if err != nil {
		t.Fatal(err)
	}
	return world
}

// await waits until done reports true, or the daemon has ended.
func (d *daemon) await(what string, done func() bool) {
	d.t.Helper()
	for end := time.Now().Add(patience); !done(); {
		if time.Now().After(end) {
			d.t.Fatalf("waited %v for %s; the log:\n%s", patience, what, d.log)
		}
		select {
		case <-d.gone:
			if done() { // with its last words
				return
			}
			d.t.Fatalf("the daemon ended with %v before %s; the log:\n%s", d.err, what, d.log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// awaitLog waits for a text in the log.
func (d *daemon) awaitLog(text string) {
	d.t.Helper()
	d.await("the log to say "+text, func() bool { return strings.Contains(d.log.String(), text) })
}

// end waits until the daemon has ended and returns its exit code.
func (d *daemon) end() int {
	d.t.Helper()
	select {
	case <-d.gone:
		var exit *exec.ExitError
		if d.err != nil && !errors.As(d.err, &exit) {
			d.t.Fatal(d.err)
		}
		return d.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		d.t.Fatalf("the daemon has not ended after %v; the log:\n%s", patience, d.log)
		return 0
	}
}

func (d *daemon) signal(s os.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Fatalf("%v; the log:\n%s", err, d.log)
	}
}

// stop ends the daemon as a service manager does.
func (d *daemon) stop() {
	d.t.Helper()
	d.signal(syscall.SIGTERM)
	if code := d.end(); code != 0 {
		d.t.Errorf("exit code %d; the log:\n%s", code, d.log)
	}
}

func (d *daemon) fetch(path string) (status int, body string, err error) {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, "http://gate"+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	response, err := d.web.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// get fetches a page that must be there.
func (d *daemon) get(path string) string {
	d.t.Helper()
	status, body, err := d.fetch(path)
	if err != nil || status != http.StatusOK {
		d.t.Fatalf("GET %s: status %d, %v\n%s", path, status, err, body)
	}
	return body
}

// request is a question of Postfix at RCPT.
func request(client, helo string) string {
	return "request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=" + client + "\nhelo_name=" + helo +
		"\nsender=alice@example.org\nrecipient=bob@example.net\n\n"
}

// ask returns the answer of a policy door to one question.
func (d *daemon) ask(client, helo string) string {
	d.t.Helper()
	answer, err := talk(d.t, filepath.Join(d.dir, "policy"), request(client, helo))
	if err != nil {
		d.t.Fatalf("no answer about %s: %v; the log:\n%s", client, err, d.log)
	}
	return answer
}

// talk sends one question over a connection of its own.
func talk(t *testing.T, socket, question string) (string, error) {
	t.Helper()
	var dialer net.Dialer
	c, err := dialer.DialContext(t.Context(), "unix", socket)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return exchange(c, question)
}

// exchange returns the action for one question on a connection.
func exchange(c net.Conn, question string) (string, error) {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, question); err != nil {
		return "", err
	}
	var answer []byte
	for !bytes.HasSuffix(answer, []byte("\n\n")) {
		var b [1024]byte
		n, err := c.Read(b[:])
		if answer = append(answer, b[:n]...); err != nil {
			return string(answer), err
		}
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(answer), "action="), "\n\n"), nil
}

// milt returns the answer of a milter door at RCPT.
func (d *daemon) milt(client, helo string) *milter.Action {
	d.t.Helper()
	c := milter.NewClientWithOptions("unix", filepath.Join(d.dir, "milter"), milter.ClientOptions{
		ReadTimeout: patience, WriteTimeout: patience, ActionMask: milter.OptAddHeader | milter.OptChangeHeader,
	})
	defer c.Close()
	s, err := c.Session()
	if err != nil {
		d.t.Fatal(err)
	}
	defer s.Close()
	for _, step := range []func() (*milter.Action, error){
		func() (*milter.Action, error) { return s.Conn(helo, milter.FamilyInet, 40123, client) },
		func() (*milter.Action, error) { return s.Helo(helo) },
		func() (*milter.Action, error) { return s.Mail("alice@example.org", nil) },
	} {
		if act, err := step(); err != nil || act.Code != milter.ActContinue {
			d.t.Fatalf("before RCPT: %+v, %v", act, err)
		}
	}
	act, err := s.Rcpt("bob@example.net", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return act
}

const (
	passed   = "PREPEND Authentication-Results: mx.example.net; iprev=pass policy.iprev=203.0.113.1 (mail.example.org)"
	deferred = "450 4.7.25 Reverse DNS validation failed: 203.0.113.9 has no PTR record, please try again later. See https://gate.example.net/r/"
	rejected = "550 5.7.25 Reverse DNS validation failed: 203.0.113.9 has no PTR record. See https://gate.example.net/r/"
)

// TestServe asks both doors about hosts of the lab world, opens the page behind
// the link of a reply, and reads of it in metrics and log.
func TestServe(t *testing.T) {
	d := serve(t, settings)
	if got := d.ask("203.0.113.1", "mail.example.org"); got != passed {
		t.Errorf("policy says of a good host: %q", got)
	}
	refusal := d.ask("203.0.113.9", "nameless.example.org")
	if !strings.HasPrefix(refusal, deferred) {
		t.Errorf("policy says of a host without PTR: %q", refusal)
	}
	if got := d.ask("10.0.0.1", "desk.example.net"); got != "DUNNO" {
		t.Errorf("policy says of a private address: %q", got)
	}
	if act := d.milt("203.0.113.1", "mail.example.org"); act.Code != milter.ActContinue {
		t.Errorf("milter says of a good host: %+v", act)
	}
	if act := d.milt("203.0.113.9", "nameless.example.org"); act.Code != milter.ActReplyCode || act.SMTPCode != 450 ||
		!strings.HasPrefix("450 "+act.SMTPText, deferred) {
		t.Errorf("milter says of a host without PTR: %+v", act)
	}
	d.opens(refusal)
	if got := d.get("/healthz"); got != "ok\n" {
		t.Errorf("health: %q", got)
	}
	numbers := d.get("/metrics")
	for _, want := range []string{
		`arpagate_cases_total{action="accept",door="policy",iprev="pass"} 1`,
		`arpagate_cases_total{action="defer",door="policy",iprev="permerror"} 1`,
		`arpagate_cases_total{action="defer",door="milter",iprev="permerror"} 1`,
		`arpagate_exempt_total{reason="special-source"} 1`,
		`arpagate_findings_total{code="ptr-missing"} 2`,
		`arpagate_dns_degraded 0`,
		`arpagate_log_dropped_lines_total 0`,
	} {
		if !strings.Contains(numbers, want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
	d.stop()
	for text, want := range map[string]int{"msg=case ": 5, " client=203.0.113.9 action=defer ": 2, "msg=stopped\n": 1, "alice@": 0, "bob@": 0} {
		if got := strings.Count(d.log.String(), text); got != want {
			t.Errorf("the log says %q %d times, want %d:\n%s", text, got, want, d.log)
		}
	}
	if d.out.String() != "" {
		t.Errorf("said on standard output: %q", d.out)
	}
}

// opens follows the link of a refusal.
func (d *daemon) opens(refusal string) {
	d.t.Helper()
	link := regexp.MustCompile(`https://gate\.example\.net(/r/[0-9A-Z]{10})$`).FindStringSubmatch(refusal)
	if link == nil {
		d.t.Fatalf("no link at the end of %q", refusal)
	}
	var page string
	d.await("the case to be stored", func() bool {
		status, body, err := d.fetch(link[1])
		page = body
		return err == nil && status == http.StatusOK
	})
	if !strings.Contains(page, "203.0.113.9") || !strings.Contains(page, "no PTR record") {
		d.t.Errorf("the page behind the link:\n%s", page)
	}
	if status, _, err := d.fetch("/r/0000000000"); err != nil || status != http.StatusNotFound {
		d.t.Errorf("an unknown reference: status %d, %v", status, err)
	}
}

// slowZone has hosts whose reverse DNS takes its time to say that there is no
// PTR record.
const slowZone = `
canary.example.net A 192.0.2.80
!delay 2s 203.0.113.9
!delay 2s 203.0.113.10
`

// TestStopFinishesAnswers: what is being asked when the daemon is told to stop
// gets its answer, in full; a reload is not begun any more.
func TestStopFinishesAnswers(t *testing.T) {
	// covers: C153
	world := parseWorld(t, slowZone)
	d := prepare(t, labWorld(t, world).Addr().String(), settings).start()
	type result struct {
		answer string
		err    error
	}
	answers := make(chan result, 1)
	go func() {
		answer, err := talk(t, filepath.Join(d.dir, "policy"), request("203.0.113.9", "nameless.example.org"))
		answers <- result{answer, err}
	}()
	d.await("the question to reach the DNS", func() bool {
		for _, q := range world.Log() {
			if strings.HasPrefix(q.Name.String(), "9.113.0.203.") {
				return true
			}
		}
		return false
	})
	d.signal(syscall.SIGTERM)
	d.awaitLog("msg=stopping")
	d.signal(syscall.SIGHUP)
	if got := <-answers; got.err != nil || !strings.HasPrefix(got.answer, deferred) {
		t.Errorf("answer %q, %v", got.answer, got.err)
	}
	if code := d.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	log := d.log.String()
	if strings.Contains(log, "reloaded") || strings.Index(log, "msg=case") < strings.Index(log, "msg=stopping") {
		t.Errorf("the log:\n%s", log)
	}
	for _, socket := range []string{"policy", "milter", "http"} {
		if _, err := os.Lstat(filepath.Join(d.dir, socket)); err == nil {
			t.Errorf("the socket %s is left behind", socket)
		}
	}
}

// TestStartFails wants the reason and the exit code of a start that fails, and
// the daemon that is in the way left alone.
func TestStartFails(t *testing.T) {
	first := serve(t, settings)
	for _, tt := range []struct {
		name, text string
		code       int
		says       string
	}{
		{
			"the store is in use", strings.ReplaceAll(first.text, `"unix:`+first.dir, `"unix:DIR`), 69,
			`already serves "` + first.dir + `/store.db": stop it, or give this one another [store] url`,
		},
		{
			"the address is in use", strings.ReplaceAll(first.text, "sqlite:"+first.dir, "sqlite:DIR"), 69,
			first.dir + `/policy": another process listens on the socket: stop it or give another path`,
		},
		{"the configuration is wrong", edit(t, settings, `"careful"`, `"carefull"`), 78, `did you mean "careful"?`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := prepare(t, "127.0.0.1:53", tt.text)
			d.launch()
			if code := d.end(); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if got := d.log.String(); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, tt.says) {
				t.Errorf("said:\n%s", got)
			}
		})
	}
	if got := first.ask("203.0.113.1", "mail.example.org"); got != passed {
		t.Errorf("the daemon that was there says %q", got)
	}
	first.stop()
}
