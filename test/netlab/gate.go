package netlab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// GateConfig is what tests vary in the configuration of a gate.
type GateConfig struct {
	// Name tells gates of one world apart in file names.
	Name string
	// Preset is monitor, careful or strict.
	Preset string
	// Policy, Milter and HTTP are where it listens: "tcp:127.0.0.1:10040".
	Policy, Milter, HTTP string
}

// Gate is a running `arpagate serve`.
type Gate struct {
	*Process
	w      *World
	binary string
	config string
	http   string
}

// Names of the gate that appear in its replies and headers.
const (
	SiteURL    = "https://gate.example.org"
	AuthservID = Hostname
)

const gateConf = `[site]
name = "gate.example.org"
url = %q
authserv_id = %q

[listen]
policy = [%q]
milter = [%q]
http = [%q]
unix_mode = "0666"

[dns]
servers = [%q]

[store]
url = %q

[policy]
preset = %q
`

// BuildGate compiles the binary, once for each world.
func (w *World) BuildGate(t testing.TB) string {
	t.Helper()
	binary := w.Path("arpagate")
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	root := moduleRoot(t)
	statSources(t, root)
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/arpagate")
	cmd.Dir = root
	run(t, cmd)
	return binary
}

// moduleRoot is the directory of go.mod above the test's.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the test")
	return ""
}

// statSources looks at everything that the binary is made of. The go command
// notes what a test looks at, and so does not answer from its cache when the
// gate has changed.
func statSources(t testing.TB, root string) {
	t.Helper()
	for _, dir := range []string{"go.mod", "cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			_, err = os.Stat(path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// StartGate writes the configuration, runs `arpagate serve` in the server
// namespace and returns when its doors are open.
func (w *World) StartGate(t testing.TB, c GateConfig) *Gate {
	t.Helper()
	dir := w.Path("gate-" + c.Name)
	conf := fmt.Sprintf(gateConf, SiteURL, AuthservID, c.Policy, c.Milter, c.HTTP, Resolver,
		"sqlite:"+filepath.Join(dir, "arpagate.db"), c.Preset)
	g := &Gate{w: w, binary: w.BuildGate(t), http: strings.TrimPrefix(c.HTTP, "tcp:")}
	g.config = w.write(t, conf, "gate-"+c.Name, "arpagate.toml")
	g.Process = w.Start(t, "gate-"+c.Name, g.binary, "serve", "--config", g.config)
	for _, door := range []string{c.Policy, c.Milter, c.HTTP} {
		network, target, _ := strings.Cut(door, ":")
		w.waitListening(t, g.Process, network, target)
	}
	return g
}

// CLI runs another command of the gate's binary with the gate's configuration,
// in its namespace, and returns the output; a failure fails the test.
func (g *Gate) CLI(t testing.TB, args ...string) string {
	t.Helper()
	return run(t, g.command(args))
}

// TryCLI is CLI for a command that may fail.
func (g *Gate) TryCLI(args ...string) (output string, ok bool) {
	out, err := g.command(args).CombinedOutput()
	return string(out), err == nil
}

func (g *Gate) command(args []string) *exec.Cmd {
	return g.w.Server.Command(g.binary, append(args, "--config", g.config)...)
}

// Get asks one of the gate's pages (/metrics, /healthz, /readyz).
func (g *Gate) Get(t testing.TB, path string) (status int, body string) {
	t.Helper()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, target string) (net.Conn, error) {
			return g.w.Server.Dial(ctx, netip.Addr{}, network, target)
		},
	}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.http+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}
