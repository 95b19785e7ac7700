package listen

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// maxPath is what sun_path holds besides the final NUL: unix(7).
const maxPath = 107

// maxName is the longest FileDescriptorName: systemd.socket(5).
const maxName = 255

// Address says where to listen. The zero value listens nowhere; Parse makes the
// others. It is comparable: equal addresses are one socket.
type Address struct {
	kind kind
	text string // of tcp "127.0.0.1:10040", of unix the path, of systemd the name
}

type kind string

const (
	tcp     kind = "tcp"
	unix    kind = "unix"
	systemd kind = "systemd"
)

// Errors of Parse, each wrapped with the text it is about.
var (
	errForm     = errors.New("write tcp:127.0.0.1:10040, tcp:[::1]:10040, unix:/run/arpagate/policy.sock or systemd:policy")
	errNoHost   = errors.New("the address is missing: write tcp:127.0.0.1:10040, or tcp:0.0.0.0:10040 for every IPv4 address and tcp:[::]:10040 for every IPv6 address")
	errHostPort = errors.New("not an IP address and a port of 0 to 65535: write tcp:127.0.0.1:10040 or tcp:[::1]:10040; host and interface names are not looked up")
	errRelative = errors.New("the path must be absolute: write unix:/run/arpagate/policy.sock")
	errLong     = fmt.Errorf("the path has more than %d octets, which no UNIX socket can have: write a shorter one, such as unix:/run/arpagate/policy.sock", maxPath)
	errPath     = errors.New("the path must not contain control characters or end in a slash: write unix:/run/arpagate/policy.sock")
	errName     = errors.New("not a FileDescriptorName of a systemd socket: write systemd:policy")
)

// Parse reads an address:
//
//	tcp:127.0.0.1:10040    an IPv4 address; 0.0.0.0 is every IPv4 address and no IPv6 one
//	tcp:[::1]:10040        an IPv6 address; [::] is every IPv6 address and no IPv4 one
//	unix:/run/x/y.sock     an absolute path of at most 107 octets
//	systemd:policy         a socket that systemd passes, by its FileDescriptorName
//
// Port 0 is one of the kernel's choice. The error says what is wrong and shows
// a right one.
func Parse(spec string) (Address, error) {
	a, err := parse(spec)
	if err != nil {
		return Address{}, fmt.Errorf("listen: address %q: %w", spec, err)
	}
	return a, nil
}

func parse(spec string) (Address, error) {
	scheme, rest, _ := strings.Cut(spec, ":")
	switch kind(scheme) {
	case tcp:
		return parseTCP(rest)
	case unix:
		return parsePath(rest)
	case systemd:
		return parseName(rest)
	}
	return Address{}, errForm
}

func parseTCP(s string) (Address, error) {
	if strings.HasPrefix(s, ":") && !strings.HasPrefix(s, "::") {
		return Address{}, errNoHost
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return Address{}, errHostPort
	}
	ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	return Address{kind: tcp, text: ap.String()}, nil
}

func parsePath(s string) (Address, error) {
	switch {
	case !strings.HasPrefix(s, "/"):
		return Address{}, errRelative
	case len(s) > maxPath:
		return Address{}, errLong
	case strings.HasSuffix(s, "/") || strings.ContainsFunc(s, control):
		return Address{}, errPath
	}
	return Address{kind: unix, text: s}, nil
}

func parseName(s string) (Address, error) {
	// systemd.socket(5): printable ASCII without a colon.
	bad := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' }
	if s == "" || len(s) > maxName || strings.ContainsFunc(s, bad) {
		return Address{}, errName
	}
	return Address{kind: systemd, text: s}, nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// IsZero reports whether the address listens nowhere.
func (a Address) IsZero() bool { return a.kind == "" }

// String returns the form that Parse reads, empty for the zero Address.
func (a Address) String() string {
	if a.IsZero() {
		return ""
	}
	return string(a.kind) + ":" + a.text
}
