package httpd_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/httpd"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// hostile is a case in which every text from the network is an attack.
func hostile() *decision.Case {
	client := netip.MustParseAddr("203.0.113.5")
	name := dnsname.MustParse(`<script>alert\(1\)<\047script>.example.org`)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ptr := evidence.Answer{
		Question: evidence.Question{Name: dnsname.Reverse(client), Type: evidence.PTR}, State: evidence.Found,
		Names: []dnsname.Name{name}, Total: 1, TTL: time.Hour, At: at, Server: netip.MustParseAddrPort("127.0.0.1:53"),
	}
	return &decision.Case{
		Ref: "7K3QX9M2TB", At: at,
		Conn: facts.Conn{Client: client, Helo: untrusted.New(`"><img src=x onerror=alert(1)>`), HeloKnown: true},
		Evidence: evidence.Evidence{
			At: at, View: &evidence.View{
				Source: evidence.Source{Kind: "public"},
				IPRev: evidence.IPRev{
					Result: evidence.PermError, Address: client, PTR: ptr, Total: 1,
					Names: []evidence.PTRName{{Name: name, State: evidence.NameUnusable, Fault: dnsname.BadCharacter}},
				},
				Helo: evidence.ReadHelo(untrusted.New(`"><img src=x onerror=alert(1)>`)),
			},
		},
		Findings: []finding.Finding{{
			Code: finding.PTRUnusable, Severity: finding.Failure, Complete: true,
			Args: finding.Args{Address: client, Name: name, Why: string(dnsname.BadCharacter)},
		}},
		Decision: decision.Decision{Action: decision.Reject, Would: decision.Reject},
	}
}

func serve(t *testing.T, c httpd.Config, method, path string) *http.Response {
	t.Helper()
	if c.Metrics == nil {
		c.Metrics = http.NotFoundHandler()
	}
	if c.Trouble == nil {
		c.Trouble = func() []string { return nil }
	}
	w := httptest.NewRecorder()
	httpd.New(c).ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := r.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return b.String()
		}
	}
}

func TestPageEscapesWhatStrangersWrote(t *testing.T) {
	c := httpd.Config{Site: "mx.example.net", Case: func(_ context.Context, ref string) (*decision.Case, error) {
		if ref != "7K3QX9M2TB" {
			t.Errorf("asked for %q", ref)
		}
		return hostile(), nil
	}}
	r := serve(t, c, "GET", "/r/7K3QX9M2TB")
	page := body(t, r)
	if r.StatusCode != 200 || !strings.Contains(page, "203.0.113.5") || !strings.Contains(page, "&lt;script&gt;alert(1)") {
		t.Errorf("status %d, page:\n%s", r.StatusCode, page)
	}
	for _, raw := range []string{"<script", "<img", `onerror="`} {
		if strings.Contains(page, raw) {
			t.Errorf("page holds %q raw:\n%s", raw, page)
		}
	}
	if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("Content-Security-Policy %q", csp)
	}
	if dir := os.Getenv("ARPAGATE_PAGES"); dir != "" {
		if err := os.WriteFile(dir+"/case.html", []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPagesWithoutCase(t *testing.T) {
	none := func(context.Context, string) (*decision.Case, error) { return nil, nil }
	broken := func(context.Context, string) (*decision.Case, error) { return nil, errors.New("disk on fire") }
	for _, tt := range []struct {
		name, method, path string
		cases              func(context.Context, string) (*decision.Case, error)
		status             int
		holds              string
	}{
		{"unknown reference", "GET", "/r/0000000000", none, 404, "not known"},
		{"overlong reference", "GET", "/r/" + strings.Repeat("A", 9000), broken, 404, "not known"},
		{"store broken", "GET", "/r/7K3QX9M2TB", broken, 503, "try again"},
		{"wrong method", "POST", "/r/7K3QX9M2TB", broken, 405, ""},
		{"TRACE", "TRACE", "/r/7K3QX9M2TB", broken, 405, ""},
		{"no such path", "GET", "/admin", broken, 404, ""},
		{"out of the tree", "GET", "/static/../templates/case.html", broken, 307, ""},
		{"templates are not files", "GET", "/static/case.html", broken, 404, ""},
		{"style", "GET", "/static/style.css", broken, 200, "font:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := serve(t, httpd.Config{Case: tt.cases}, tt.method, tt.path)
			page := body(t, r)
			if r.StatusCode != tt.status || !strings.Contains(page, tt.holds) || strings.Contains(page, "fire") {
				t.Errorf("status %d, want %d with %q:\n%s", r.StatusCode, tt.status, tt.holds, page)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	sick := httpd.Config{
		Trouble: func() []string { return []string{"DNS degraded: canary failed", "source masked: 10.0.0.1"} },
		Ready:   func() bool { return false },
	}
	if r := serve(t, sick, "GET", "/healthz"); r.StatusCode != 200 || !strings.Contains(body(t, r), "DNS degraded: canary failed\n") {
		t.Errorf("healthz of a sick gate: %d", r.StatusCode)
	}
	if r := serve(t, sick, "GET", "/readyz"); r.StatusCode != 503 {
		t.Errorf("readyz before the doors are open: %d", r.StatusCode)
	}
	well := httpd.Config{Ready: func() bool { return true }}
	if r := serve(t, well, "GET", "/healthz"); body(t, r) != "ok\n" {
		t.Error("healthz of a healthy gate is not ok")
	}
	if r := serve(t, well, "GET", "/readyz"); r.StatusCode != 200 {
		t.Errorf("readyz of an open gate: %d", r.StatusCode)
	}
}
