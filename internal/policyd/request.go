package policyd

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// Limits of a request. Postfix sends less than 2 KiB.
const (
	maxRequest = 64 << 10 // octets, line ends included
	maxName    = 64       // octets of an attribute name
	maxValue   = untrusted.MaxLen
)

// accessPolicy is the only request that the protocol has.
const accessPolicy = "smtpd_access_policy"

// The ways in which a request is not one. SMTPD_POLICY_README: log, send
// nothing, disconnect.
var (
	errTooLarge  = fmt.Errorf("request of more than %d octets", maxRequest)
	errName      = errors.New("not an attribute name")
	errNoValue   = errors.New("line without =")
	errRequest   = errors.New("not " + accessPolicy)
	errNoRequest = errors.New("no request attribute")
)

// request is an incremental parser: feed gives it the octets as they come, in
// pieces of any size. It keeps the first maxValue octets of the attributes of
// interest and nothing else, so that its size has a bound.
//
// An attribute that comes twice keeps its first value, as the README allows;
// but a client address that is told in two ways is none, and a request of two
// kinds is malformed.
type request struct {
	size    int  // octets seen
	inValue bool // behind the = of a line
	at      field
	name    []byte // of a line whose = has not been seen yet
	text    []byte // the kept values, one behind the other
	begin   int    // in text: where the value being read starts
	value   [fields]span

	twoAddresses bool
}

// span is a value in text; set tells an empty value from an absent one.
type span struct {
	from, to int
	set      bool
}

func (r *request) reset() {
	r.size, r.inValue, r.at, r.begin, r.twoAddresses = 0, false, ignored, 0, false
	r.name, r.text = r.name[:0], r.text[:0]
	r.value = [fields]span{}
}

// started reports whether a part of a request has come.
func (r *request) started() bool { return r.size > 0 }

// feed reads b up to the end of a request, and returns the number of octets
// read and whether the request is complete. It reports garbage as soon as no
// continuation could make it a request.
func (r *request) feed(b []byte) (n int, done bool, err error) {
	for n < len(b) {
		var used int
		if r.inValue {
			used, err = r.feedValue(b[n:])
		} else {
			used, done, err = r.feedName(b[n:])
		}
		n += used
		if r.size += used; r.size > maxRequest {
			return n, false, errTooLarge
		}
		if done || err != nil {
			return n, done, err
		}
	}
	return n, false, nil
}

// feedName reads the part of a line up to its =, or the empty line.
func (r *request) feedName(b []byte) (n int, done bool, err error) {
	for n < len(b) && isNameOctet(b[n]) {
		n++
	}
	length := len(r.name) + n
	switch {
	case length > maxName:
		return n, false, fmt.Errorf("%w: %q", errName, r.excerpt(b))
	case n == len(b):
		r.name = append(r.name, b...)
		return n, false, nil
	case b[n] == '=' && length > 0:
		r.beginValue(b[:n])
		return n + 1, false, nil
	case b[n] == '\n' && length > 0:
		return n, false, fmt.Errorf("%w: %q", errNoValue, r.excerpt(b[:n]))
	case b[n] != '\n':
		return n, false, fmt.Errorf("%w: %q", errName, r.excerpt(b))
	case !r.value[fRequest].set:
		return n, false, errNoRequest
	}
	return n + 1, true, nil
}

// beginValue looks up the attribute whose name ends in rest.
func (r *request) beginValue(rest []byte) {
	name := rest
	if len(r.name) > 0 {
		r.name = append(r.name, rest...)
		name = r.name
	}
	r.at, r.begin, r.inValue = lookup(name), len(r.text), true
	r.name = r.name[:0]
}

// excerpt returns the beginning of a bad line for the log.
func (r *request) excerpt(b []byte) untrusted.Text {
	const enough = 32
	line := append(bytes.Clone(r.name), b...)
	return untrusted.New(string(line[:min(len(line), enough)]))
}

func isNameOctet(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// feedValue reads the rest of a line.
func (r *request) feedValue(b []byte) (int, error) {
	end := bytes.IndexByte(b, '\n')
	value := b
	if end >= 0 {
		value = b[:end]
	}
	if r.at != ignored {
		room := maxValue - (len(r.text) - r.begin)
		r.text = append(r.text, value[:min(len(value), room)]...)
	}
	if end < 0 {
		return len(b), nil
	}
	r.inValue = false
	return end + 1, r.endValue()
}

// endValue files the value at the end of text.
func (r *request) endValue() error {
	if r.at == ignored {
		return nil
	}
	v := r.text[r.begin:]
	if r.at == fRequest && string(v) != accessPolicy {
		return fmt.Errorf("%w: %q", errRequest, untrusted.New(string(v)))
	}
	first := &r.value[r.at]
	if !first.set {
		*first = span{from: r.begin, to: len(r.text), set: true}
		return nil
	}
	if r.at == fClientAddress && !bytes.Equal(v, r.text[first.from:first.to]) {
		r.twoAddresses = true
	}
	r.text = r.text[:r.begin]
	return nil
}

// stage returns the point of the SMTP dialogue, empty where Postfix asks at one
// that has no client to judge (VRFY, ETRN) or that we don't know.
func (r *request) stage() facts.Stage {
	switch v := r.value[fState]; string(r.text[v.from:v.to]) {
	case "RCPT":
		return facts.Rcpt
	case "CONNECT":
		return facts.Connect
	case "EHLO", "HELO":
		return facts.Ehlo
	case "MAIL":
		return facts.Mail
	case "DATA":
		return facts.Data
	case "END-OF-MESSAGE":
		return facts.EndOfMessage
	}
	return ""
}

// facts makes the question of a complete request. All its texts share one
// string.
func (r *request) facts() facts.Conn {
	all := string(r.text)
	raw := func(f field) string { return all[r.value[f].from:r.value[f].to] }
	text := func(f field) untrusted.Text { return untrusted.New(raw(f)) }
	c := facts.Conn{
		Door:       facts.Policy,
		Stage:      r.stage(),
		ClientPort: port(raw(fClientPort)),
		Helo:       text(fHelo),
		Sender:     text(fSender),
		Recipient:  text(fRecipient),
		// A login of blanks is none: it would exempt a stranger.
		AuthUser: untrusted.New(strings.TrimSpace(raw(fUsername))),
		MTAName:  text(fClientName),
		Daemon:   text(fContext),
		Instance: text(fInstance),
		Stress:   raw(fStress) == "yes",
	}
	// At CONNECT Postfix sends an empty helo_name, because there was none yet.
	c.HeloKnown = r.value[fHelo].set && c.Stage != facts.Connect
	if !r.twoAddresses {
		c.Client = facts.Address(raw(fClientAddress))
	}
	if addr := facts.Address(raw(fServerAddress)); addr.IsValid() {
		c.Server = netip.AddrPortFrom(addr, port(raw(fServerPort)))
	}
	return c
}

// port returns 0 for what is not a port.
func port(s string) uint16 {
	p, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(p)
}
