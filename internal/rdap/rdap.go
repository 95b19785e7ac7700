// Package rdap asks registries who holds an address (RFC 9082 §3.1.1, RFC 9083
// §5.4). It asks the servers that the operator names, over TLS and the guarded
// dialer, follows no redirect, and reads a name, a handle and a mailbox, no more.
package rdap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/arpagate/arpagate/internal/dialer"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// Config is what a Client is made of. Dialer must allow TCP port 443.
type Config struct {
	Dialer *dialer.Dialer
	// DNS finds the addresses of the servers.
	DNS evidence.DNS
	// Servers are base URLs, each with a final slash, in the order in which they
	// are asked.
	Servers []string
	// Roots are the authorities of certificates; nil means the system's.
	Roots *x509.CertPool
	// Now judges certificates; nil means time.Now.
	Now func() time.Time
}

// Client asks RDAP servers. It can be used by many at once.
type Client struct {
	config Config
	http   *http.Client
}

// Limits of one question.
const (
	maxBody      = 256 << 10
	maxTime      = 5 * time.Second // of a question to all servers
	timeShare    = 4               // who holds an address is worth a quarter of the time
	maxAddresses = 4               // of one server
)

// New makes a client.
func New(c Config) *Client {
	client := &Client{config: c}
	client.http = &http.Client{
		Timeout: maxTime,
		// A registry that does not know the address may lead anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            client.dial,
			TLSClientConfig:        &tls.Config{RootCAs: c.Roots, Time: c.Now, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    maxTime,
			ResponseHeaderTimeout:  maxTime,
			MaxResponseHeaderBytes: 32 << 10,
			DisableKeepAlives:      true,
		},
	}
	return client
}

// Holder returns who holds the address, of the first server that tells. It takes
// a quarter of the time that the context leaves, and no more than maxTime, of
// which each server gets its part. The error is that of all servers; it is
// context.DeadlineExceeded where one of them was silent.
func (c *Client) Holder(ctx context.Context, addr netip.Addr) (Holder, error) {
	if len(c.config.Servers) == 0 {
		return Holder{}, errors.New("rdap: no server to ask")
	}
	left := maxTime
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, max(time.Until(deadline)/timeShare, 0))
	}
	end := time.Now().Add(left)
	var errs []error
	for i, base := range c.config.Servers {
		part := time.Until(end) / time.Duration(len(c.config.Servers)-i)
		h, err := c.within(ctx, part, base, addr)
		if err == nil {
			return h, nil
		}
		if errs = append(errs, err); ctx.Err() != nil {
			break
		}
	}
	return Holder{}, errors.Join(errs...)
}

func (c *Client) within(ctx context.Context, part time.Duration, base string, addr netip.Addr) (Holder, error) {
	ctx, cancel := context.WithTimeout(ctx, part)
	defer cancel()
	return c.ask(ctx, base, addr)
}

func (c *Client) ask(ctx context.Context, base string, addr netip.Addr) (Holder, error) {
	// RFC 9082 §3.1.1: ip/ and the address.
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"ip/"+addr.Unmap().WithZone("").String(), nil)
	if err != nil {
		return Holder{}, fmt.Errorf("rdap: %w", err)
	}
	// RFC 7480 §4.2.
	request.Header.Set("Accept", "application/rdap+json")
	response, err := c.http.Do(request)
	if err != nil {
		return Holder{}, fmt.Errorf("rdap: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return Holder{}, fmt.Errorf("rdap: %s answers with status %d", request.URL.Host, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return Holder{}, fmt.Errorf("rdap: %w", err)
	}
	if len(body) > maxBody {
		return Holder{}, fmt.Errorf("rdap: the answer of %s is longer than %d KiB", request.URL.Host, maxBody>>10)
	}
	return Parse(body, addr)
}

// dial resolves with our resolver and connects through the guarded dialer.
func (c *Client) dial(ctx context.Context, network, to string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(to)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	addrs, err := c.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, addr := range addrs[:min(len(addrs), maxAddresses)] {
		var conn net.Conn
		if conn, err = c.config.Dialer.Dial(ctx, network, netip.AddrPortFrom(addr, uint16(number))); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

func (c *Client) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr.Unmap()}, nil
	}
	name, err := dnsname.Parse(host)
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	answers := c.config.DNS.Ask(ctx, evidence.Question{Name: name, Type: evidence.A}, evidence.Question{Name: name, Type: evidence.AAAA}).Wait()
	for i := range answers {
		out = append(out, answers[i].Addrs...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no address: %s", name, answers[0].State.Mnemonic())
	}
	return out, nil
}
