package rdap_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dialer"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/rdap"
)

// answer is what a registry says about 203.0.113.0/24.
const answer = `{"rdapConformance":["rdap_level_0"],"objectClassName":"ip network","handle":"NET-203-0-113-0-1","name":"EXAMPLE-NET",
	"startAddress":"203.0.113.0","endAddress":"203.0.113.255","entities":[
	{"objectClassName":"entity","roles":["registrant"],"vcardArray":["vcard",[["version",{},"text","4.0"],["fn",{},"text","Example Hosting"]]],
	 "entities":[{"roles":["abuse"],"vcardArray":["vcard",[["email",{"type":"work"},"text","abuse@example.net"]]]}]}]}`

var held = netip.MustParseAddr("203.0.113.9")

func TestParse(t *testing.T) {
	for _, test := range []struct{ name, body, holder, handle, abuse, fault string }{
		{"a registrant with a mailbox", answer, "Example Hosting", "NET-203-0-113-0-1", "abuse@example.net", ""},
		{"a network with a name only", `{"objectClassName":"ip network","name":"EXAMPLE-NET","startAddress":"203.0.113.0","endAddress":"203.0.113.255"}`, "EXAMPLE-NET", "", "", ""},
		{"a name with escapes", `{"objectClassName":"ip network","name":"a\u001b[2J","startAddress":"203.0.113.0","endAddress":"203.0.113.255"}`, `a\027[2J`, "", "", ""},
		{"vCards that are none", `{"objectClassName":"ip network","handle":"H","startAddress":"203.0.113.0","endAddress":"203.0.113.255","entities":[{"roles":["registrant"],"vcardArray":["vcard",[["fn"],[1,2,3,4],"x"]]},{"roles":["abuse"],"vcardArray":7}]}`, "", "H", "", ""},
		{"another network", strings.ReplaceAll(answer, "203.0.113", "198.51.100"), "", "", "", "another network"},
		{"a domain", `{"objectClassName":"domain"}`, "", "", "", "not about a network"},
		{"nobody", `{"objectClassName":"ip network","startAddress":"203.0.113.0","endAddress":"203.0.113.255"}`, "", "", "", "names nobody"},
		{"an error object", `{"errorCode":404}`, "", "", "", "not about a network"},
		{"no JSON", "<html>", "", "", "", "invalid character"},
		{"nothing", "", "", "", "", "unexpected end"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, err := rdap.Parse([]byte(test.body), held)
			if test.fault != "" {
				if err == nil || !strings.Contains(err.Error(), test.fault) {
					t.Errorf("got %+v, %v; want %q", h, err, test.fault)
				}
				return
			}
			if err != nil || h.Name.String() != test.holder || h.Handle.String() != test.handle || h.Abuse.String() != test.abuse {
				t.Errorf("got %q %q %q, %v", h.Name, h.Handle, h.Abuse, err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(answer))
	f.Add([]byte(`{"objectClassName":"ip network","name":"x","startAddress":"::","endAddress":"ff::","entities":[{"entities":[{}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := rdap.Parse(body, held)
		if (err == nil) == (h.Name.IsZero() && h.Handle.IsZero()) {
			t.Errorf("got %+v, %v", h, err)
		}
	})
}

// registry serves a handler as rdap.example.net, at 203.0.113.43.
func registry(t *testing.T, handler http.HandlerFunc, trusted bool, servers ...string) *rdap.Client {
	t.Helper()
	if len(servers) == 0 {
		servers = []string{"https://example.com/rdap/"}
	}
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	world, err := lab.Parse("example.com A 203.0.113.43\nempty.example.net TXT \"no host\"\n")
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	d, err := dialer.New(dialer.Config{
		Services: []dialer.Service{dialer.HTTPS()}, Map: map[netip.AddrPort]netip.AddrPort{netip.MustParseAddrPort("203.0.113.43:443"): at},
	})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if trusted {
		roots.AddCert(server.Certificate())
	}
	// The test server's certificate is for example.com.
	return rdap.New(rdap.Config{Dialer: d, DNS: world, Servers: servers, Roots: roots})
}

func TestHolder(t *testing.T) {
	c := registry(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/rdap/ip/203.0.113.9" || r.Header.Get("Accept") != "application/rdap+json" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(answer))
	}, true)
	h, err := c.Holder(t.Context(), netip.MustParseAddr("::ffff:203.0.113.9"))
	if err != nil || h.Name.String() != "Example Hosting" {
		t.Errorf("got %+v, %v", h, err)
	}
}

// TestHolderFails wants an error in time from servers of every bad kind.
func TestHolderFails(t *testing.T) {
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		trusted bool
		fault   string
	}{
		"not found": {func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, true, "status 404"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://192.0.2.1/", http.StatusFound)
		}, true, "status 302"},
		"a flood":         {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) }, true, "longer than 256 KiB"},
		"not trusted":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }, false, "certificate"},
		"a closed stream": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			if h, err := registry(t, test.handler, test.trusted).Holder(t.Context(), held); err == nil || !strings.Contains(err.Error(), test.fault) {
				t.Errorf("got %+v, %v; want %q", h, err, test.fault)
			}
		})
	}
}

// TestHolderInTime asks a server that never answers.
func TestHolderInTime(t *testing.T) {
	c := registry(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if h, err := c.Holder(ctx, held); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		t.Errorf("got %+v, %v; %v", h, err, ctx.Err())
	}
}

// TestSilentServer: a server that never answers leaves its time to the next one,
// and three quarters of the caller's to others.
func TestSilentServer(t *testing.T) {
	silent := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/silent/") {
			<-r.Context().Done()
			return
		}
		_, _ = w.Write([]byte(answer))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
	defer cancel()
	h, err := registry(t, silent, true, "https://example.com/silent/", "https://example.com/").Holder(ctx, held)
	if err != nil || h.Name.String() != "Example Hosting" {
		t.Errorf("got %+v, %v", h, err)
	}
	over := make(chan struct{})
	defer close(over)
	none := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/silent/ip/203.0.113.9" {
			<-over // not r.Context: what is left unsaid must not become an empty reply
			return
		}
		http.NotFound(w, r)
	}
	short, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	if _, err := registry(t, none, true, "https://example.com/silent/", "https://example.com/").Holder(short, held); !errors.Is(err, context.DeadlineExceeded) || short.Err() != nil {
		t.Errorf("error %v; the caller's time: %v", err, short.Err())
	}
}

// TestUnknownServers names servers that can't be asked.
func TestUnknownServers(t *testing.T) {
	world, err := lab.Parse("empty.example.net TXT \"no host\"\nprivate.example.net A 10.0.0.1\n")
	if err != nil {
		t.Fatal(err)
	}
	d, err := dialer.New(dialer.Config{Services: []dialer.Service{dialer.HTTPS()}, Map: map[netip.AddrPort]netip.AddrPort{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{"https://empty.example.net/", "https://nothere.example.net/", "https://private.example.net/", "https://10.0.0.1/", ""} {
		servers := []string{base}
		if base == "" {
			servers = nil
		}
		c := rdap.New(rdap.Config{Dialer: d, DNS: world, Servers: servers})
		if h, err := c.Holder(t.Context(), held); err == nil {
			t.Errorf("%q: got %+v", base, h)
		}
	}
}
