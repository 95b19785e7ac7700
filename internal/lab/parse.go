package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/miekg/dns"
)

const (
	// defaultTTL is that of records without one, unless $TTL says otherwise.
	defaultTTL = 3600
	// maxRecords bounds what a short text with $GENERATE can make.
	maxRecords = 70_000
	// rootSOA serves worlds that bring no SOA of their own for the root.
	rootSOA = ". 300 IN SOA ns.example.net. hostmaster.example.net. 1 3600 900 604800 300"
)

// Parse reads a world from text. It holds master-file lines (RFC 1035 §5.1) in
// class IN, names relative to the root, default TTL 3600 ($TTL sets it), and:
//
//	ptr ADDRESS [TTL] NAME         the PTR record of an address
//	!servfail NAME|ADDRESS [TYPE]  a fault on a name, or on the PTR of an address
//	!delay 300ms NAME|ADDRESS [TYPE]
//	;= ADDRESS HELO RESULT TITLE   a Host; "-" for a client without HELO
//	secure NAME                    the resolver vouches for what is below (AD)
//	ns ADDRESS[,...] ZONE [WORD ...]   name servers of a zone, see ListenNameServers
//	at ADDRESS [ptr] RECORD        a record set as that server alone has it
//	at ADDRESS none NAME|ADDRESS [TYPE]    one that it lacks
//	smtp ADDRESS[,...] [WORD|KEY=VALUE ...]    a mail server, see ListenSMTP
//
// The faults are servfail, refused, notimp, timeout (no answer), malformed,
// truncated (whole over TCP), bogus (SERVFAIL, EDE 6), filtered (NXDOMAIN, EDE
// 15) and delay; without TYPE they hold for every type. A fault met behind a
// CNAME counts for the whole question. The SOA of the nearest zone above a name
// gives the negative TTL; the root has one with 300 s.
//
// The words of a name server are refused, servfail (so it answers), silent (not at
// all), closed (nobody listens there), noaa (without authority), upward (refers to
// the root) and serial=N (of its SOA record).
//
// A mail server says name=NAME, or banner=NAME and ehlo=NAME apart, greets after
// delay=300ms, replies after slow=1s, or greets with reject=554. It is closed
// (nobody listens), silent, garbled, knows helo alone, or ends by hangup. Its
// certificate is tls=valid, selfsigned, expired, early, broken or none, for
// names=NAME,... (its EHLO name); with inject it carries commands over into TLS.
// It takes mail for domains=NAME,... (its name and the one above), refuses with
// postmaster=550 and abuse=550, tells with vrfy=on and expn=on, and takes mail
// for everybody with relay=open. Errors name the line.
func Parse(text string) (*World, error) {
	w := &World{
		Now: time.Now, sets: map[key][]dns.RR{}, names: map[dnsname.Name]bool{}, faults: map[key]fault{},
		servers: map[netip.Addr]*nameServer{}, mail: map[netip.Addr]mailHost{},
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		rest, err := w.directive(line)
		if err != nil {
			return nil, fmt.Errorf("lab: line %d: %w", i+1, err)
		}
		lines[i] = rest
	}
	if err := w.records(strings.Join(lines, "\n")); err != nil {
		return nil, err
	}
	if err := w.known(text); err != nil {
		return nil, err
	}
	if len(w.sets[key{dnsname.MustParse("."), evidence.SOA}]) == 0 {
		return w, w.records(rootSOA)
	}
	return w, nil
}

// directive reads a line of ours and returns what is left for the zone parser.
func (w *World) directive(line string) (string, error) {
	fields := strings.Fields(line)
	switch {
	case len(fields) == 0:
		return line, nil
	case fields[0] == ";=":
		h, err := parseHost(fields[1:])
		if err != nil {
			return "", err
		}
		w.hosts = append(w.hosts, h)
		return line, nil
	case fields[0] == "ptr":
		return pointer(uncomment(line))
	case fields[0] == "secure" && len(uncomment(line)) == 2:
		zone, err := dnsname.Parse(fields[1])
		w.secure = append(w.secure, zone)
		return "", err
	case isAddress(fields, "ns"):
		return "", w.nameServer(uncomment(line))
	case isAddress(fields, "at"):
		return "", w.exception(uncomment(line))
	case isAddress(fields, "smtp"):
		return "", w.mailServer(uncomment(line))
	case fields[0][0] == '!':
		return "", w.fault(uncomment(line))
	}
	return line, nil
}

// uncomment returns the fields before a comment. An escaped semicolon is
// written \059 in the lines of ours.
func uncomment(line string) []string {
	line, _, _ = strings.Cut(line, ";")
	return strings.Fields(line)
}

// pointer turns "ptr ADDRESS [TTL] NAME" into a master-file line.
func pointer(fields []string) (string, error) {
	if len(fields) != 3 && len(fields) != 4 {
		return "", errors.New("want ptr ADDRESS [TTL] NAME")
	}
	addr, err := netip.ParseAddr(fields[1])
	if err != nil || addr.Zone() != "" {
		return "", fmt.Errorf("bad address %q", fields[1])
	}
	last := len(fields) - 1
	ttl := strings.Join(fields[2:last], " ")
	return fmt.Sprintf("%s. %s PTR %s", dnsname.Reverse(addr), ttl, fields[last]), nil
}

// fault reads "!WORD [DURATION] NAME|ADDRESS [TYPE]".
func (w *World) fault(fields []string) error {
	word := fields[0][1:]
	f, ok := faults[word]
	if !ok {
		return fmt.Errorf("unknown fault %q", fields[0])
	}
	args := fields[1:]
	if word == "delay" {
		if len(args) == 0 {
			return errors.New("want !delay DURATION NAME [TYPE]")
		}
		d, err := time.ParseDuration(args[0])
		if err != nil || d < 0 || d > time.Hour {
			return fmt.Errorf("bad delay %q", args[0])
		}
		f.delay, args = d, args[1:]
	}
	if len(args) != 1 && len(args) != 2 {
		return fmt.Errorf("want %s NAME [TYPE]", fields[0])
	}
	k, err := faultKey(args)
	if err != nil {
		return err
	}
	w.faults[k] = w.faults[k].and(f)
	w.exists(k.name)
	return nil
}

func faultKey(args []string) (key, error) {
	var k key
	if addr, err := netip.ParseAddr(args[0]); err == nil {
		k.name = dnsname.Reverse(addr)
	} else if k.name, err = dnsname.Parse(args[0]); err != nil {
		return key{}, fmt.Errorf("bad name %q: %w", args[0], err)
	}
	if len(args) == 2 {
		kind, ok := dns.StringToType[strings.ToUpper(args[1])]
		if !ok {
			return key{}, fmt.Errorf("unknown type %q", args[1])
		}
		k.kind = evidence.Type(kind)
	}
	return k, nil
}

// exists notes the name and all names above it.
func (w *World) exists(name dnsname.Name) {
	for _, n := range ancestors(name) {
		if _, ok := w.names[n]; !ok {
			w.names[n] = false
		}
	}
}

// records feeds the master-file lines to the zone parser.
func (w *World) records(text string) error {
	in := &lineReader{Reader: strings.NewReader(text), line: 1}
	zp := dns.NewZoneParser(in, ".", "")
	zp.SetDefaultTTL(defaultTTL)
	n := 0
	for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
		if n++; n > maxRecords {
			return fmt.Errorf("lab: line %d: more than %d records", in.record(), maxRecords)
		}
		if err := w.add(rr); err != nil {
			return fmt.Errorf("lab: line %d: %w", in.record(), err)
		}
	}
	if err := zp.Err(); err != nil {
		text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "dns: "), " at line: ")
		return fmt.Errorf("lab: line %d: %s", in.record(), text)
	}
	return nil
}

func (w *World) add(rr dns.RR) error {
	h := rr.Header()
	if h.Class != dns.ClassINET {
		return fmt.Errorf("class %s of %q is not IN", dns.Class(h.Class), h.Name)
	}
	name, err := nameOf(h.Name)
	if err != nil {
		return err
	}
	if h.Rrtype == dns.TypeDNAME || strings.HasPrefix(name.String(), "*.") {
		return fmt.Errorf("%q: the lab knows no DNAME and no wildcard", h.Name)
	}
	k := key{name, evidence.Type(h.Rrtype)}
	alias := key{name, evidence.CNAME}
	// RFC 2181 §10.1: nothing beside a CNAME.
	if len(w.sets[alias]) > 0 || (k == alias && w.names[name]) {
		return fmt.Errorf("%q has a CNAME and other records", h.Name)
	}
	w.sets[k] = append(w.sets[k], rr)
	w.exists(name)
	w.names[name] = true
	return nil
}

// nameOf turns a name of the DNS library into one of ours.
func nameOf(s string) (dnsname.Name, error) {
	var buf [256]byte
	n, err := dns.PackDomainName(s, buf[:], 0, nil, false)
	if err != nil {
		return dnsname.Name{}, fmt.Errorf("bad name %q: %w", s, err)
	}
	name, _, err := dnsname.FromWire(buf[:n], 0)
	return name, err
}

// lineReader counts the lines that the zone parser has taken, octet by octet.
type lineReader struct {
	*strings.Reader
	line int
	ends bool // the last octet read was a newline
}

// ReadByte hands out the next octet.
func (r *lineReader) ReadByte() (byte, error) {
	b, err := r.Reader.ReadByte()
	if r.ends && err == nil {
		r.line++
	}
	r.ends = err == nil && b == '\n'
	return b, err
}

// record returns the line of the record that was read last.
func (r *lineReader) record() int { return r.line }
