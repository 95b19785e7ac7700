package milterd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// macros are those of the connect command that we read.
type macros struct {
	clientAddr netip.Addr
	daemon     untrusted.Text
	server     netip.Addr
	serverPort uint16
}

// macros reads the macros that come ahead of a command, or with a later one.
func (s *session) macros(body []byte) {
	if len(body) == 0 || !knownCommand(body[0]) {
		return
	}
	command := body[0]
	if command == cmdMail {
		s.auth = untrusted.Text{}
	}
	for name, value := range pairs(body[1:]) {
		switch string(name) {
		case "{auth_authen}":
			// A login of blanks is none: it would exempt a stranger.
			s.login(command, text(bytes.TrimSpace(value)))
		case "{client_addr}":
			if addr := facts.Address(string(value)); command == cmdConnect {
				s.announced.clientAddr = addr
			} else {
				s.compare(addr)
			}
		case "{daemon_name}":
			s.announced.daemon = text(value)
		case "{daemon_addr}":
			s.announced.server = facts.Address(string(value))
		case "{daemon_port}":
			s.announced.serverPort = port(string(value))
		}
	}
}

// login keeps the SASL login for the transaction that it belongs to: that
// which the MAIL command to come begins, or else the present one.
func (s *session) login(command byte, user untrusted.Text) {
	if command == cmdMail || s.message.instance.IsZero() {
		s.auth = user
	} else {
		s.message.auth = user
	}
}

// connect reads the connect command: host name, NUL, family, and in the
// families that have them port, address and NUL. It begins a new connection,
// of which nothing is known but the macros sent ahead.
func (s *session) connect(body []byte) error {
	ahead := s.announced
	s.forgetClient()
	name, rest, ok := bytes.Cut(body, []byte{0})
	if !ok || len(rest) == 0 {
		return fmt.Errorf("%w: connect command without family", errFrame)
	}
	s.client.MTAName = text(name)
	s.client.Daemon = ahead.daemon
	if ahead.server.IsValid() {
		s.client.Server = netip.AddrPortFrom(ahead.server, ahead.serverPort)
	}
	if family := rest[0]; family == familyIPv4 || family == familyIPv6 {
		addr, err := endpoint(family, rest[1:])
		if err != nil {
			return err
		}
		s.client.Client, s.client.ClientPort = addr.Addr(), addr.Port()
	}
	s.compare(ahead.clientAddr)
	return nil
}

// compare counts a {client_addr} that contradicts the connect command, which
// alone is believed.
func (s *session) compare(macro netip.Addr) {
	if macro.IsValid() && s.client.Client.IsValid() && macro != s.client.Client {
		s.h.count.addressMismatches.Add(1)
	}
}

// endpoint reads port, address and NUL. An address that is not one of its
// family is no address: guessing would judge a stranger.
func endpoint(family byte, b []byte) (netip.AddrPort, error) {
	if len(b) < 2 || bytes.IndexByte(b[2:], 0) < 0 {
		return netip.AddrPort{}, fmt.Errorf("%w: connect command without address", errFrame)
	}
	written, _ := cstring(b[2:])
	if (family == familyIPv6) != (bytes.IndexByte(written, ':') >= 0) {
		return netip.AddrPort{}, nil
	}
	return netip.AddrPortFrom(facts.Address(string(written)), binary.BigEndian.Uint16(b)), nil
}

// mailbox reads the first argument of MAIL or RCPT, without its brackets.
func mailbox(body []byte) untrusted.Text {
	arg, _ := cstring(body)
	if n := len(arg); n >= 2 && arg[0] == '<' && arg[n-1] == '>' {
		arg = arg[1 : n-1]
	}
	return text(arg)
}

// port reads a port number; what is none is 0.
func port(s string) uint16 {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// text copies no more of b than a Text keeps.
func text(b []byte) untrusted.Text {
	return untrusted.New(string(b[:min(len(b), untrusted.MaxLen)]))
}
