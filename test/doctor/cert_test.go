package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// authority is the one CA of the world; the binary is told to trust it.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func (s *site) newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example.org test CA"},
		NotBefore: time.Now().AddDate(0, 0, -400), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a.file = s.write(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), "certs", "ca.pem")
	return a
}

// certificate writes key and certificate of a host, and returns the path; ""
// for a host without.
func (s *site) certificate(t *testing.T, h host) string {
	t.Helper()
	if h.cert == noCert {
		return ""
	}
	file := s.Path("certs", h.name+"pem")
	if _, err := os.Stat(file); err == nil {
		return file
	}
	name := strings.TrimSuffix(h.name, ".")
	if h.cert == otherCert {
		name = "other.example.net"
	}
	names := []string{name}
	if h.also != "" {
		names = append(names, h.also)
	}
	until := time.Now().AddDate(0, 0, 90)
	if h.cert == expiredCert {
		until = time.Now().AddDate(0, 0, -10)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: names,
		NotBefore: until.AddDate(0, 0, -100), NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, s.ca.cert, &key.PublicKey, s.ca.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	s.write(t, string(text), "certs", h.name+"pem")
	// Exim reads its key as the user that it becomes.
	run(t, exec.Command("chown", fmt.Sprint(eximUser), file))
	return file
}
