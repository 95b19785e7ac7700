// Package httpd serves the page that a rejection links to, /metrics, /healthz
// and /readyz. Pages are rendered by html/template under a policy that allows
// no script; only paths below /r/ and /static/ are meant for strangers, the
// rest is for a loopback listener or a proxy that hides it.
package httpd

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/evidence"
)

//go:embed templates static
var assets embed.FS

// Config is what the pages need.
type Config struct {
	// Site is the name of the receiving site.
	Site string
	// Case returns the case of a reference; a nil one is not known.
	Case func(ctx context.Context, ref string) (*decision.Case, error)
	// Metrics answers /metrics.
	Metrics http.Handler
	// Trouble returns what keeps the gate from doing its work as it should, one
	// sentence each: /healthz shows it, and stays 200.
	Trouble func() []string
	// Ready reports whether the doors are open.
	Ready func() bool
}

// New returns the handler of all paths.
func New(c Config) http.Handler {
	pages := template.Must(template.New("").Funcs(template.FuncMap{
		"when":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"seconds": func(d time.Duration) string { return fmt.Sprintf("%d s", int64(d/time.Second)) },
		"answers": answers,
	}).ParseFS(assets, "templates/*.html"))
	mux := http.NewServeMux()
	mux.Handle("GET /r/{ref}", page{config: c, pages: pages})
	mux.HandleFunc("GET /static/style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, assets, "static/style.css")
	})
	mux.Handle("GET /metrics", c.Metrics)
	mux.HandleFunc("GET /healthz", c.health)
	mux.HandleFunc("GET /readyz", c.ready)
	return secure(mux)
}

// answers returns what the DNS said in a case, each question once: PTR and HELO
// often name the same host.
func answers(c *decision.Case) []evidence.Answer {
	var all []evidence.Answer
	if c.Evidence.IPRev.PTR.State != evidence.NotAsked {
		all = append(all, c.Evidence.IPRev.PTR)
	}
	for _, name := range c.Evidence.IPRev.Names {
		all = append(all, name.Forward...)
	}
	all = append(all, c.Evidence.Helo.Answers...)
	asked := make(map[evidence.Question]bool)
	return slices.DeleteFunc(all, func(a evidence.Answer) bool {
		again := asked[a.Question]
		asked[a.Question] = true
		return again
	})
}

// secure sets the headers that hold for every answer.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Robots-Tag", "noindex")
		next.ServeHTTP(w, r)
	})
}

func (c Config) health(w http.ResponseWriter, _ *http.Request) {
	trouble := c.Trouble()
	if len(trouble) == 0 {
		text(w, http.StatusOK, "ok\n")
		return
	}
	text(w, http.StatusOK, "degraded\n"+strings.Join(trouble, "\n")+"\n")
}

func (c Config) ready(w http.ResponseWriter, _ *http.Request) {
	if !c.Ready() {
		text(w, http.StatusServiceUnavailable, "not ready\n")
		return
	}
	text(w, http.StatusOK, "ready\n"+strings.Join(append(c.Trouble(), ""), "\n"))
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// page shows one case.
type page struct {
	config Config
	pages  *template.Template
}

// ServeHTTP answers /r/{ref}.
func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ref := r.PathValue("ref")
	if len(ref) > 16 {
		p.show(w, http.StatusNotFound, "missing.html", nil)
		return
	}
	found, err := p.config.Case(r.Context(), ref)
	switch {
	case err != nil:
		w.Header().Set("Retry-After", "60")
		p.show(w, http.StatusServiceUnavailable, "unavailable.html", nil)
	case found == nil:
		p.show(w, http.StatusNotFound, "missing.html", nil)
	default:
		p.show(w, http.StatusOK, "case.html", found)
	}
}

func (p page) show(w http.ResponseWriter, status int, name string, c *decision.Case) {
	var body bytes.Buffer
	err := p.pages.ExecuteTemplate(&body, name, struct {
		Site string
		Case *decision.Case
	}{p.config.Site, c})
	if err != nil {
		text(w, http.StatusServiceUnavailable, "this page can't be shown at the moment; the mail was refused for the reason given in the reply\n")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w)
}
