package doctor_test

import (
	"net/netip"
	"slices"
	"strings"
)

// host is one mail server. By default a Postfix listens at the address, with
// the right name and a certificate that fits.
type host struct {
	name    string // with final dot
	addr    netip.Addr
	second  netip.Addr // another address of the same server, if valid
	cert    certificate
	also    string   // a second name in the certificate
	options []string // of smtpd(8), in the farm
	mta     string   // "postfix", "exim", "opensmtpd": one of its own; "none": nobody listens
	says    string   // what that one calls itself
}

// addrs are all addresses at which the host listens, with their twins.
func (h host) addrs() []netip.Addr {
	out := []netip.Addr{h.addr, twin(h.addr)}
	if h.second.IsValid() {
		out = append(out, h.second, twin(h.second))
	}
	return out
}

// certificate says what is wrong with a host's.
type certificate int

const (
	goodCert certificate = iota
	noCert
	expiredCert
	otherCert
)

// fault is one problem that the report has to name, by its cause.
type fault struct {
	code  string
	party string
}

// world is a target with at most one planted fault.
type world struct {
	name string
	// fault says in words what was planted; empty where nothing was, or what
	// another world has too.
	fault string
	// addr is that of the mail server mail.NAME.example.net. It has a PTR record
	// and an address record, unless ptr, forward or dns say otherwise.
	addr string
	host host
	// dns plants the records instead of the usual ones.
	dns func(u *universe, h host)
	// target is what is examined, the address by default; args are further flags.
	target string
	args   []string
	list   string // the DNS list to ask, bl.example.org by default

	// want is the planted fault; those after it are of the world, and stay.
	want []fault
	// info are codes that are said besides, as information.
	info []string
	// mend applies the remedy as it is printed; nil where there is none to apply.
	mend func(m *mender)
}

// holds reports whether a report says what was planted, and nothing else.
func (w *world) holds(r *report) bool {
	faults, info := r.faults()
	return slices.Equal(faults, w.want) && slices.Equal(info, w.info)
}

// plant puts the world's records into the zones, and its host among the hosts.
func (w *world) plant(s *site) {
	if w.host.name == "" {
		w.host.name = "mail." + w.name + ".example.net."
	}
	if w.addr != "" {
		w.host.addr = netip.MustParseAddr(w.addr)
	}
	if w.target == "" {
		w.target = w.addr
	}
	w.target = strings.ReplaceAll(w.target, "HOST", strings.TrimSuffix(w.host.name, "."))
	if w.dns != nil {
		w.dns(s.universe, w.host)
	} else if w.host.addr.IsValid() {
		forwardAndReverse(s.universe, w.host)
	}
	if w.host.addr.IsValid() {
		s.hosts = append(s.hosts, w.host)
	}
}

// forwardAndReverse are the records as they should be.
func forwardAndReverse(u *universe, h host) {
	u.address(h.name, h.addr)
	u.ptr(h.addr, h.name)
}

// forwardOnly has no PTR record.
func forwardOnly(u *universe, h host) { u.address(h.name, h.addr) }

// ptrTo has PTR records that name others.
func ptrTo(names ...string) func(*universe, host) {
	return func(u *universe, h host) {
		u.address(h.name, h.addr)
		u.ptr(h.addr, names...)
	}
}
