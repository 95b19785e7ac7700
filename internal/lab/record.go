package lab

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/untrusted"
	"github.com/miekg/dns"
)

// seconds reads a TTL. RFC 2181 §8: with the highest bit set it is 0.
func seconds(ttl uint32) uint32 {
	if ttl >= 1<<31 {
		return 0
	}
	return ttl
}

func clamp(ttl uint32, most time.Duration) time.Duration {
	return max(minTTL, min(most, time.Duration(ttl)*time.Second))
}

// byPreference sorts MX records, and leaves the CNAMEs before them in place.
func byPreference(set []dns.RR) {
	slices.SortStableFunc(set, func(a, b dns.RR) int {
		x, isMX := a.(*dns.MX)
		y, areMX := b.(*dns.MX)
		if !isMX || !areMX {
			return 0
		}
		return cmp.Compare(x.Preference, y.Preference)
	})
}

// targetOf returns the name that a record points to, the zero Name for types
// that don't.
func targetOf(rr dns.RR) dnsname.Name {
	var target string
	switch rr := rr.(type) {
	case *dns.PTR:
		target = rr.Ptr
	case *dns.CNAME:
		target = rr.Target
	case *dns.NS:
		target = rr.Ns
	case *dns.MX:
		target = rr.Mx
	default:
		return dnsname.Name{}
	}
	name, err := nameOf(target)
	if err != nil {
		return dnsname.Name{}
	}
	return name
}

// addressOf returns the address that a record holds. A mapped one in an AAAA
// record stays mapped: it is not the address of an IPv4 client.
func addressOf(rr dns.RR) netip.Addr {
	switch rr := rr.(type) {
	case *dns.A:
		addr, _ := netip.AddrFromSlice(rr.A.To4())
		return addr
	case *dns.AAAA:
		addr, _ := netip.AddrFromSlice(rr.AAAA.To16())
		return addr
	}
	return netip.Addr{}
}

// textOf joins the character-strings of a TXT record (RFC 7208 §3.3), whose
// escapes the zone parser leaves as they are written.
func textOf(rr *dns.TXT) untrusted.Text {
	buf := make([]byte, dns.Len(rr)+16)
	n, err := dns.PackRR(dns.Copy(rr), buf, 0, nil, false)
	if err != nil {
		return untrusted.Text{}
	}
	header, err := dns.PackDomainName(rr.Hdr.Name, make([]byte, 256), 0, nil, false)
	if err != nil {
		return untrusted.Text{}
	}
	var joined []byte
	for data := buf[header+10 : n]; len(data) > 0; data = data[1+int(data[0]):] {
		joined = append(joined, data[1:1+int(data[0])]...)
	}
	return untrusted.Long(string(joined))
}

// startOf returns the first SOA record of the set, nil without one.
func startOf(set []dns.RR) *evidence.StartOfAuthority {
	for _, rr := range set {
		soa, ok := rr.(*dns.SOA)
		if !ok {
			continue
		}
		zone, _ := nameOf(soa.Hdr.Name)
		mname, _ := nameOf(soa.Ns)
		rname, _ := nameOf(soa.Mbox)
		return &evidence.StartOfAuthority{
			Zone: zone, MName: mname, RName: rname, Serial: soa.Serial, Refresh: soa.Refresh, Retry: soa.Retry,
			Expire: soa.Expire, Minimum: seconds(soa.Minttl), TTL: seconds(soa.Hdr.Ttl),
		}
	}
	return nil
}
