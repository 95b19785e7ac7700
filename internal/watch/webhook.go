package watch

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// Dial opens a connection to an address: the guarded dialer.
type Dial func(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error)

// Route leads from a name to a connection: the name is looked up by our own
// resolver, and the address is dialled by the guarded dialer, which refuses
// what a name in strange hands may lead to.
type Route struct {
	DNS  evidence.DNS
	Dial Dial
}

// notifyTimeout bounds one message to a webhook or relay.
const notifyTimeout = 20 * time.Second

// connect dials host, a name or an address, at port.
func (r Route) connect(ctx context.Context, host string, port uint16) (net.Conn, error) {
	addrs, err := r.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	var failed error
	for _, addr := range addrs {
		conn, err := r.Dial(ctx, "tcp", netip.AddrPortFrom(addr, port))
		if err == nil {
			return conn, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

// maxDialled bounds the addresses of one name that are tried.
const maxDialled = 4

func (r Route) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	name, err := dnsname.Parse(host)
	if err != nil {
		return nil, fmt.Errorf("watch: host %q: %w", host, err)
	}
	var addrs []netip.Addr
	answers := r.DNS.Ask(ctx, evidence.Question{Name: name, Type: evidence.A}, evidence.Question{Name: name, Type: evidence.AAAA}).Wait()
	for i := range answers {
		addrs = append(addrs, answers[i].Addrs...)
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("watch: host %q: no address: A %s, AAAA %s", host, answers[0].State.Mnemonic(), answers[1].State.Mnemonic())
	}
	return addrs[:min(len(addrs), maxDialled)], nil
}

// Webhook posts each change as a JSON document to a URL. Redirects are not
// followed; any reply but 2xx is a failure.
type Webhook struct {
	URL   *url.URL
	Agent string // the User-Agent field
	// Roots for https; nil for those of the machine.
	TLS    *tls.Config
	client *http.Client
}

// NewWebhook makes a notifier that posts to the URL over the route.
func NewWebhook(to *url.URL, agent string, route Route, config *tls.Config) *Webhook {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, hostport string) (net.Conn, error) {
			host, service, err := net.SplitHostPort(hostport)
			if err != nil {
				return nil, fmt.Errorf("watch: %w", err)
			}
			port, err := strconv.ParseUint(service, 10, 16)
			if err != nil {
				return nil, fmt.Errorf("watch: port %q: %w", service, err)
			}
			return route.connect(ctx, host, uint16(port))
		},
		TLSClientConfig:        config,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 16 << 10,
	}
	return &Webhook{URL: to, Agent: agent, TLS: config, client: &http.Client{
		Transport:     transport,
		Timeout:       notifyTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Name returns "webhook".
func (*Webhook) Name() string { return "webhook" }

// Message is the document that a webhook gets. Text says the same in words, for
// chat services that show nothing else.
type Message struct {
	Schema int    `json:"schema"` // 1
	Text   string `json:"text"`
	Change
}

// Notify posts the change.
func (h *Webhook) Notify(ctx context.Context, c Change) error {
	body, err := json.Marshal(Message{Schema: 1, Text: c.Subject(), Change: c})
	if err != nil {
		return fmt.Errorf("watch: webhook: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("watch: webhook at %s: %w", h.URL.Host, bare(err))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", h.Agent)
	resp, err := h.client.Do(req)
	if err != nil {
		return fmt.Errorf("watch: webhook at %s: %w", h.URL.Host, bare(err))
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("watch: webhook at %s: %q", h.URL.Host, resp.Status)
	}
	return nil
}

// bare takes the URL out of an error of net/http: its path or query is the key
// to the webhook, and errors are logged.
func bare(err error) error {
	var with *url.Error
	if errors.As(err, &with) {
		return with.Err
	}
	return err
}

var _ Notifier = (*Webhook)(nil)
