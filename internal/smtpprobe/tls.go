package smtpprobe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// maxNames is how many names of a certificate are kept.
const maxNames = 20

// secure examines STARTTLS, where it is offered, and says EHLO again inside. A
// server that speaks SMTP but not TLS has spoken, so failures of the handshake
// are told in TLS.Error and are no other outcome. When the time for the whole
// runs out on the way, nothing is said of its TLS.
func (s *session) secure(host dnsname.Name) error {
	if !offers(s.out.Extensions, "STARTTLS") {
		s.out.TLS = &evidence.TLS{}
		return nil
	}
	reply, err := s.command(stepStartTLS, "STARTTLS")
	if err != nil {
		return s.tlsFailed(err)
	}
	t := &evidence.TLS{Offered: true}
	s.out.TLS = t
	if reply.Code != 220 {
		t.Error = untrusted.Long(said(reply))
		return nil
	}
	// No server has anything to say before ClientHello: what is there comes from a
	// server out of step, or from somebody on the way. It is odd and no more, for
	// it is the client that must not take it into the session (RFC 3207 §4.2), as
	// we don't; that a server takes our commands there is tried by inject.
	if s.in.pending() {
		s.note("starttls-data")
	}
	if err := s.handshake(host, t); err != nil {
		return s.tlsFailed(err)
	}
	reply, err = s.command(stepEHLOTLS, "EHLO "+s.prober.config.Name)
	if err != nil {
		return err
	}
	if !reply.Positive() {
		t.Error = untrusted.Long("EHLO inside TLS: " + said(reply))
	}
	return nil
}

// tlsFailed notes why there is no TLS session.
func (s *session) tlsFailed(err error) error {
	var e *ending
	if !errors.As(err, &e) || e.outcome == evidence.Turned || s.spent() {
		s.out.TLS = nil
		return err
	}
	if s.out.TLS == nil {
		s.out.TLS = &evidence.TLS{Offered: true}
	}
	s.out.TLS.Error, s.out.TLS.Late = untrusted.Long(e.why), e.outcome == evidence.Slow
	if e.outcome == evidence.Babble {
		return err
	}
	return &ending{evidence.Spoke, e.step, e.why}
}

// handshake starts TLS. Certificates are judged here and not by the handshake,
// for whatever is wrong with one is to be told; old versions and weak ciphers
// are let through for the same reason.
func (s *session) handshake(host dnsname.Name, t *evidence.TLS) error {
	name := host.String()
	if host.IsZero() || host.HostFault() != dnsname.Usable {
		name = ""
	}
	conn := tls.Client(s.raw, &tls.Config{
		ServerName: name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, CipherSuites: allCiphers(),
	})
	began := time.Now()
	s.renew()
	ctx, cancel := context.WithTimeout(s.ctx, s.prober.config.Step)
	defer cancel()
	err := conn.HandshakeContext(ctx)
	s.out.Steps = append(s.out.Steps, evidence.SMTPStep{Name: stepHandshake, Took: time.Since(began)})
	if err != nil {
		var timeout net.Error
		if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
			return &ending{evidence.Slow, stepHandshake, "no handshake in time"}
		}
		return s.broken(stepHandshake, err)
	}
	state := conn.ConnectionState()
	t.Version, t.Cipher = tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite)
	s.prober.certificates(t, state.PeerCertificates, name)
	s.over(conn)
	return nil
}

func allCiphers() []uint16 {
	var ids []uint16
	for _, c := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		ids = append(ids, c.ID)
	}
	return ids
}

// certificates tells what the server's certificate says, and who vouches for it.
func (p *Prober) certificates(t *evidence.TLS, chain []*x509.Certificate, host string) {
	if len(chain) == 0 {
		return
	}
	leaf := chain[0]
	t.Issuer = untrusted.New(leaf.Issuer.String())
	t.NotBefore, t.NotAfter = leaf.NotBefore, leaf.NotAfter
	t.SelfSigned = bytes.Equal(leaf.RawIssuer, leaf.RawSubject) &&
		leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil
	names := append([]string(nil), leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	// RFC 6125 §6.4.4: the common name counts for nothing, but shows what its
	// maker meant.
	if len(names) == 0 && leaf.Subject.CommonName != "" {
		names = []string{leaf.Subject.CommonName}
	}
	t.Total = len(names)
	for _, n := range names[:min(len(names), maxNames)] {
		t.Names = append(t.Names, untrusted.New(n))
	}
	t.Matches = host != "" && leaf.VerifyHostname(host) == nil
	t.Trusted = p.trusted(leaf, chain[1:])
}

// trusted reports whether the chain leads to an authority that we know. Whether
// the certificate is still valid is another question, so the time is moved into
// its life.
func (p *Prober) trusted(leaf *x509.Certificate, others []*x509.Certificate) bool {
	at := p.config.Now()
	if at.After(leaf.NotAfter) {
		at = leaf.NotAfter
	}
	if at.Before(leaf.NotBefore) {
		at = leaf.NotBefore
	}
	pool := x509.NewCertPool()
	for _, c := range others {
		pool.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: p.config.Roots, Intermediates: pool, CurrentTime: at})
	return err == nil
}
