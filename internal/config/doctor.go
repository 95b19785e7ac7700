package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
)

// Doctor says how check and the watch examine a host, beyond what the gate
// asks.
type Doctor struct {
	// Timeout bounds one examination.
	Timeout time.Duration
	// Helo is the name, or address literal, that the doctor says in EHLO; empty
	// for site.name, and without that for this machine's.
	Helo string
	// List are the DNS lists to ask.
	List []DNSList
	// Origin are the zones that tell who announces an address; the zero Name for
	// none.
	OriginIPv4, OriginIPv6, OriginAS dnsname.Name
	// RDAP are the base URLs of the RDAP servers that may be asked; none for off.
	RDAP []string
	// Egress is a question whose answer is the address that it came from.
	Egress Egress
	// Map leads the addresses of a lab to loopback ports.
	Map []Mapping
}

// DNSList is a list of addresses (RFC 5782).
type DNSList struct {
	Zone dnsname.Name
	// Kind is BlockList or AllowList.
	Kind string
	// IPv6 says that it files IPv6 addresses too.
	IPv6 bool
	// Page is where an address is looked up, %s standing for it; empty for none.
	Page string
}

// The kinds of a DNSList.
const (
	BlockList = "block"
	AllowList = "allow"
)

// Egress is a question to a server that answers with the address of whoever
// asks; without a server nothing is asked.
type Egress struct {
	Servers []netip.AddrPort
	Name    dnsname.Name
	// Type is "A" (AAAA over IPv6) or "TXT".
	Type string
}

// Mapping leads an address to a loopback port.
type Mapping struct{ From, To netip.AddrPort }

// String returns what parseMapping reads.
func (m Mapping) String() string { return m.From.String() + "=" + m.To.String() }

// defaultDoctor is the [doctor] of an empty file. The lists and zones are well
// known and asked by many; their terms are theirs to set.
func defaultDoctor() Doctor {
	return Doctor{
		Timeout:    20 * time.Second,
		List:       DefaultLists(),
		OriginIPv4: dnsname.MustParse("origin.asn.cymru.com"),
		OriginIPv6: dnsname.MustParse("origin6.asn.cymru.com"),
		OriginAS:   dnsname.MustParse("asn.cymru.com"),
		Egress:     Egress{Type: "A"},
	}
}

// DefaultLists returns the DNS lists of an empty file.
func DefaultLists() []DNSList {
	return []DNSList{
		{Zone: dnsname.MustParse("zen.spamhaus.org"), Kind: BlockList, IPv6: true, Page: "https://check.spamhaus.org/results/?query=%s"},
		{Zone: dnsname.MustParse("bl.spamcop.net"), Kind: BlockList, Page: "https://www.spamcop.net/w3m?action=checkblock&ip=%s"},
		{Zone: dnsname.MustParse("list.dnswl.org"), Kind: AllowList, IPv6: true, Page: "https://www.dnswl.org/s/?s=%s"},
	}
}

func doctorSettings(d *Doctor) []setting {
	zone := func(name string, field *dnsname.Name, doc string) setting {
		return scalar(name, field, "a domain name, or empty", doc, ofText(parseZone), func(n dnsname.Name) string { return tomlString(n.String()) })
	}
	return []setting{
		measured("timeout", &d.Timeout, durations("20s", time.Second, 5*time.Minute),
			"Time for one examination. What is not known by then is said to be missing."),
		text("helo", &d.Helo, "a host name, or an address literal such as \"[192.0.2.1]\"",
			"Name that the doctor says in EHLO to the mail servers that it examines. Without it site.name is said, and without that this machine's name.",
			parseHelo).like(`"doctor.example.org"`),
		zone("origin_ipv4", &d.OriginIPv4,
			"Zone that tells by TXT records which network announces an IPv4 address. Empty: nobody is asked. Documentation addresses are asked about nowhere, unless the file names the zones or lists."),
		zone("origin_ipv6", &d.OriginIPv6, "The same for IPv6 addresses."),
		zone("origin_as", &d.OriginAS, "Zone that tells the name of an autonomous system."),
		list("rdap", &d.RDAP, "a list of https:// URLs",
			"RDAP servers (RFC 9082) that may be asked who holds an address, in this order. They learn which addresses you examine; with an empty list, the default, nobody is asked.",
			parseRDAP, func(s string) string { return s }).like(`["https://rdap.example.net/"]`),
		list("egress_servers", &d.Egress.Servers, `a list of addresses such as "192.0.2.53" or "[2001:db8::53]:53"`,
			"DNS servers that answer egress_name with the address of whoever asks, for check --me behind a gateway. None is asked by default.",
			parseServer, netip.AddrPort.String).like(`["192.0.2.53", "[2001:db8::53]:53"]`),
		scalar("egress_name", &d.Egress.Name, "a domain name", "Name to ask them for.", ofText(parseZone),
			func(n dnsname.Name) string { return tomlString(n.String()) }).like(`"whoami.example.net"`),
		choice("egress_type", &d.Egress.Type, []string{"A", "TXT"}, "Type of the record with the address; A stands for AAAA over IPv6."),
		list("map", &d.Map, `a list of "ADDRESS:PORT=LOOPBACK:PORT"`,
			"For labs: leads connections to other hosts to loopback ports. With a map no other address is connected to.",
			parseMapping, Mapping.String).like(`["203.0.113.1:25=127.0.0.1:10025"]`),
		table("list", &d.List,
			"DNS lists to ask about an address. Tables in the file replace the default ones; list = [] asks none. "+
				"The operators of the default lists allow small numbers of questions without a contract, and refuse resolvers that many share: such a refusal is told, and never taken for a listing. See their terms.",
			listSettings, checkList),
	}
}

func listSettings(l *DNSList) []setting {
	return []setting{
		scalar("zone", &l.Zone, "a domain name", "Zone of the list.", ofText(parseName),
			func(n dnsname.Name) string { return tomlString(n.String()) }).like(`"list.example.net"`),
		choice("kind", &l.Kind, []string{BlockList, AllowList}, "Whether a listing speaks against the address or for it; block where it is left out.").like(`"block"`),
		boolean("ipv6", &l.IPv6, "Whether the list files IPv6 addresses too."),
		text("page", &l.Page, "an https:// URL", "Page where an address is looked up and taken off, %s standing for it.", parsePage).
			like(`"https://list.example.net/?ip=%s"`),
	}
}

func checkList(l DNSList) error {
	if l.Zone.IsZero() {
		return errors.New("a list needs a zone")
	}
	return nil
}

// maxLists bounds the DNS lists: each costs four questions for each address.
const maxLists = 20

// checkDoctor tells what is wrong between settings of [doctor].
func (r *reader) checkDoctor(d *Doctor) {
	for i, l := range d.List {
		if slices.ContainsFunc(d.List[:i], func(o DNSList) bool { return o.Zone == l.Zone }) {
			r.problem(element("doctor.list", i), quote(l.Zone.String())+" is listed twice")
		}
		if l.Kind == "" {
			d.List[i].Kind = BlockList
		}
	}
	if len(d.List) > maxLists {
		r.problem("doctor.list", fmt.Sprintf("lists %d DNS lists; %d are the most", len(d.List), maxLists))
	}
	if len(d.Egress.Servers) > 0 && d.Egress.Name.IsZero() {
		r.problem("doctor.egress_servers", "needs egress_name, the name to ask for")
	}
	for i, m := range d.Map {
		if slices.ContainsFunc(d.Map[:i], func(o Mapping) bool { return o.From == m.From }) {
			r.problem(element("doctor.map", i), quote(m.From.String())+" is led to two places")
		}
	}
}

// parseZone is parseName that takes an empty name for none.
func parseZone(s string) (dnsname.Name, error) {
	if s == "" {
		return dnsname.Name{}, nil
	}
	return parseName(s)
}

// parseHelo reads a name or an address literal (RFC 5321 §4.1.3).
func parseHelo(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		six, tagged := strings.CutPrefix(inner, "IPv6:")
		addr, err := netip.ParseAddr(six)
		if err != nil || !closed || addr.Is6() != tagged || addr.Zone() != "" {
			return "", fmt.Errorf(`%s is not an address literal such as "[192.0.2.1]" or "[IPv6:2001:db8::1]"`, quote(s))
		}
		return s, nil
	}
	return parseFQDN(s)
}

func parseRDAP(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Port() != "" {
		return "", fmt.Errorf(`%s is not the base of an RDAP server such as "https://rdap.example.net/"`, quote(s))
	}
	return strings.TrimRight(s, "/") + "/", nil
}

func parsePage(s string) (string, error) {
	u, err := url.Parse(strings.ReplaceAll(s, "%s", "x"))
	if s != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })) {
		return "", fmt.Errorf(`%s is not a URL such as "https://list.example.net/?ip=%%s"`, quote(s))
	}
	return s, nil
}

// parseMapping reads "203.0.113.1:25=127.0.0.1:10025".
func parseMapping(s string) (Mapping, error) {
	from, to, _ := strings.Cut(s, "=")
	m := Mapping{}
	var err, toErr error
	m.From, err = netip.ParseAddrPort(from)
	m.To, toErr = netip.ParseAddrPort(to)
	if err != nil || toErr != nil || m.From.Port() == 0 || m.To.Port() == 0 {
		return Mapping{}, fmt.Errorf(`%s is not like "203.0.113.1:25=127.0.0.1:10025"`, quote(s))
	}
	if !m.To.Addr().IsLoopback() {
		return Mapping{}, fmt.Errorf("%s leads to %s, which is no loopback address: a map is for labs on this machine", quote(s), strconv.Quote(m.To.Addr().String()))
	}
	return m, nil
}
