package evidence

import (
	"net/netip"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// heloOf reads the HELO argument without asking the DNS.
func heloOf(c facts.Conn) Helo {
	if !c.HeloKnown {
		return Helo{Kind: HeloUnknown}
	}
	return ReadHelo(c.Helo)
}

// ReadHelo classifies a HELO argument: RFC 5321 §4.1.1.1 asks for a fully
// qualified name or, failing that, an address literal (RFC 5321 §4.1.3).
func ReadHelo(said untrusted.Text) Helo {
	h := Helo{Said: said}
	raw := said.Raw()
	switch {
	case raw == "":
		h.Kind = HeloMissing
	case raw[0] == '[':
		h.Kind = HeloLiteral
		h.Address = literal(raw)
		if !h.Address.IsValid() {
			h.Kind, h.Fault = HeloNotFQDN, dnsname.BadCharacter
		}
	default:
		h.readName(raw)
	}
	return h
}

func (h *Helo) readName(raw string) {
	if addr, err := netip.ParseAddr(raw); err == nil {
		h.Kind, h.Address = HeloBareIP, addr.WithZone("").Unmap()
		return
	}
	name, err := dnsname.Parse(raw)
	if err != nil || strings.IndexByte(raw, '\\') >= 0 {
		h.Kind, h.Fault = HeloNotFQDN, dnsname.BadCharacter
		return
	}
	h.Kind = HeloName
	if h.Fault = name.HostFault(); h.Fault != dnsname.Usable {
		h.Kind = HeloNotFQDN
		return
	}
	h.Name = name
}

// literal reads an address literal; the zero Addr means that it is malformed.
func literal(raw string) netip.Addr {
	inner, ok := strings.CutSuffix(raw[1:], "]")
	if !ok {
		return netip.Addr{}
	}
	// RFC 5321 §4.1.3: IPv6 carries a tag, IPv4 does not.
	if tagged := len(inner) > 5 && strings.EqualFold(inner[:5], "IPv6:"); !tagged && strings.IndexByte(inner, ':') >= 0 {
		return netip.Addr{}
	}
	return facts.Address(inner)
}
