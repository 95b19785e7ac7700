package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/miekg/dns"
)

// nameServer is one authoritative server, by its address.
type nameServer struct {
	zones  map[dnsname.Name]manner
	closed bool
	// sets are the record sets as this server alone has them; an empty one says
	// that it lacks what the world has.
	sets map[key][]dns.RR
}

// manner is how a server answers for one zone.
type manner struct {
	silent, noAA, upward bool
	rcode                int
	serial               *uint32
}

// isAddress reports whether a line is "WORD ADDRESS …", which no record is.
func isAddress(fields []string, word string) bool {
	if fields[0] != word || len(fields) < 2 {
		return false
	}
	first, _, _ := strings.Cut(fields[1], ",")
	_, err := netip.ParseAddr(first)
	return err == nil
}

func (w *World) server(address string) (*nameServer, error) {
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Zone() != "" {
		return nil, fmt.Errorf("bad address %q", address)
	}
	if w.servers[addr] == nil {
		w.servers[addr] = &nameServer{zones: map[dnsname.Name]manner{}, sets: map[key][]dns.RR{}}
	}
	return w.servers[addr], nil
}

// nameServer reads "ns ADDRESS[,ADDRESS...] ZONE [WORD ...]".
func (w *World) nameServer(fields []string) error {
	if len(fields) < 3 {
		return errors.New("want ns ADDRESS ZONE [WORD ...]")
	}
	zone, err := dnsname.Parse(fields[2])
	if err != nil {
		return fmt.Errorf("bad name %q: %w", fields[2], err)
	}
	m, closed, err := manners(fields[3:])
	if err != nil {
		return err
	}
	for _, address := range strings.Split(fields[1], ",") {
		s, err := w.server(address)
		if err != nil {
			return err
		}
		s.zones[zone] = m
		s.closed = s.closed || closed
	}
	return nil
}

// manners reads the words behind a name server's zone.
func manners(words []string) (m manner, closed bool, err error) {
	for _, word := range words {
		switch word {
		case "refused":
			m.rcode = dns.RcodeRefused
		case "servfail":
			m.rcode = dns.RcodeServerFailure
		case "silent":
			m.silent = true
		case "closed":
			closed = true
		case "noaa":
			m.noAA = true
		case "upward":
			m.upward = true
		default:
			number, ok := strings.CutPrefix(word, "serial=")
			serial, err := strconv.ParseUint(number, 10, 32)
			if !ok || err != nil {
				return m, false, fmt.Errorf("unknown word %q of a name server", word)
			}
			n := uint32(serial)
			m.serial = &n
		}
	}
	return m, closed, nil
}

// exception reads "at ADDRESS RECORD", "at ADDRESS ptr ADDRESS [TTL] NAME" and
// "at ADDRESS none NAME|ADDRESS [TYPE]".
func (w *World) exception(fields []string) error {
	s, err := w.server(fields[1])
	if err != nil {
		return err
	}
	if len(fields) < 4 {
		return errors.New("want at ADDRESS RECORD")
	}
	rest := fields[2:]
	if rest[0] == "none" {
		k, err := faultKey(rest[1:])
		if err != nil {
			return err
		}
		if k.kind == 0 {
			k.kind = evidence.PTR
		}
		s.sets[k] = nil
		return nil
	}
	text := strings.Join(rest, " ")
	if rest[0] == "ptr" {
		if text, err = pointer(rest); err != nil {
			return err
		}
	}
	zp := dns.NewZoneParser(strings.NewReader(text+"\n"), ".", "")
	zp.SetDefaultTTL(defaultTTL)
	rr, ok := zp.Next()
	if !ok {
		return fmt.Errorf("bad record %q", text)
	}
	name, err := nameOf(rr.Header().Name)
	if err != nil {
		return err
	}
	k := key{name, evidence.Type(rr.Header().Rrtype)}
	s.sets[k] = append(s.sets[k], rr)
	return nil
}

// known refuses exceptions of servers that have no zone; text is the world's.
func (w *World) known(text string) error {
	for i, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || !isAddress(fields, "at") {
			continue
		}
		if s, err := w.server(fields[1]); err != nil || len(s.zones) == 0 {
			return fmt.Errorf("lab: line %d: no ns line gives a zone to %s", i+1, fields[1])
		}
	}
	return nil
}

// direct is what one name server says to a question.
type direct struct {
	manner
	zone      dnsname.Name // the zone that it answers from
	rcode     int
	aa        bool
	answer    []dns.RR
	authority []dns.RR
	glue      []dns.RR
}

// direct answers as one of the name servers, which knows its own zones only (RFC
// 1034 §4.3.2).
func (w *World) direct(s *nameServer, q evidence.Question) direct {
	zone, ok := s.zoneOf(q)
	if !ok {
		return direct{rcode: dns.RcodeRefused}
	}
	d := direct{manner: s.zones[zone], zone: zone, aa: true}
	switch {
	case d.silent:
		return d
	case d.manner.rcode != 0:
		d.rcode, d.aa = d.manner.rcode, false
		return d
	case d.upward:
		d.aa = false
		d.authority = w.sets[key{dnsname.MustParse("."), evidence.NS}]
		return d
	}
	w.within(s, q, &d)
	if d.noAA {
		d.aa = false
	}
	return d
}

// zoneOf returns the zone of the server that holds the name. The DS records of a
// zone belong to the one above (RFC 4035 §3.1.4.1).
func (s *nameServer) zoneOf(q evidence.Question) (dnsname.Name, bool) {
	var own dnsname.Name
	for _, name := range ancestors(q.Name) {
		if _, ok := s.zones[name]; !ok {
			continue
		}
		if q.Type != evidence.DS || name != q.Name {
			return name, true
		}
		own = name
	}
	return own, !own.IsZero()
}

// set returns a record set as the server has it.
func (w *World) set(s *nameServer, name dnsname.Name, kind evidence.Type) []dns.RR {
	k := key{name, kind}
	if own, ok := s.sets[k]; ok {
		return own
	}
	return w.sets[k]
}

// within answers from the zone, and follows CNAMEs as far as the server's zones
// go.
func (w *World) within(s *nameServer, q evidence.Question, d *direct) {
	seen := map[dnsname.Name]bool{}
	for name := q.Name; !seen[name]; {
		seen[name] = true
		zone, ok := s.zoneOf(evidence.Question{Name: name, Type: q.Type})
		if !ok {
			return
		}
		if w.referral(s, zone, evidence.Question{Name: name, Type: q.Type}, d) {
			return
		}
		if set := w.set(s, name, q.Type); len(set) > 0 {
			d.answer = append(d.answer, s.serials(zone, set)...)
			return
		}
		alias := w.set(s, name, evidence.CNAME)
		if len(alias) == 0 {
			if !w.existsAt(s, name) {
				d.rcode = dns.RcodeNameError
			}
			d.authority = negative(s.serials(zone, w.set(s, zone, evidence.SOA)))
			return
		}
		d.answer = append(d.answer, alias[0])
		name = targetOf(alias[0])
	}
}

// referral fills in the delegation below the zone on the way to the name, the
// uppermost if there are several, and reports whether there is one.
func (w *World) referral(s *nameServer, zone dnsname.Name, q evidence.Question, d *direct) bool {
	var cut []dns.RR
	for _, name := range ancestors(q.Name) {
		if name == zone {
			break
		}
		if q.Type == evidence.DS && name == q.Name {
			continue
		}
		if set := w.set(s, name, evidence.NS); len(set) > 0 {
			cut = set
		}
	}
	if cut == nil {
		return false
	}
	d.aa, d.authority = len(d.answer) > 0, cut
	for _, rr := range cut {
		host := targetOf(rr)
		d.glue = slices.Concat(d.glue, w.set(s, host, evidence.A), w.set(s, host, evidence.AAAA))
	}
	return true
}

// existsAt reports whether the server has records at the name or below.
func (w *World) existsAt(s *nameServer, name dnsname.Name) bool {
	for k, set := range s.sets {
		if len(set) > 0 && k.name.Under(name) {
			return true
		}
	}
	for k := range w.sets {
		if _, differs := s.sets[k]; !differs && k.name.Under(name) {
			return true
		}
	}
	return false
}

// negative gives SOA records the TTL of what they deny: RFC 2308 §3.
func negative(set []dns.RR) []dns.RR {
	out := make([]dns.RR, len(set))
	for i, rr := range set {
		out[i] = dns.Copy(rr)
		if soa, ok := out[i].(*dns.SOA); ok {
			soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
		}
	}
	return out
}

// serials puts the serial of the server's own copy of a zone into its SOA record.
func (s *nameServer) serials(zone dnsname.Name, set []dns.RR) []dns.RR {
	serial := s.zones[zone].serial
	if serial == nil {
		return set
	}
	out := slices.Clone(set)
	for i, rr := range out {
		if soa, ok := rr.(*dns.SOA); ok {
			soa = dns.Copy(soa).(*dns.SOA)
			soa.Serial = *serial
			out[i] = soa
		}
	}
	return out
}
