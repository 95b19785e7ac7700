package evidence

import (
	"context"
	"net/netip"
	"strconv"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// OriginZones are the zones in which somebody publishes, as TXT records, who
// announces an address: "64496 | 203.0.113.0/24 | ZZ | registry | date" under its
// reversed name, and "64496 | ZZ | registry | date | NAME" under AS64496. A zone
// that is not set is not asked.
type OriginZones struct {
	IPv4 dnsname.Name
	IPv6 dnsname.Name
	AS   dnsname.Name
}

// OriginOf finds out who announces an address, with two questions at most. It is
// nil where there is no zone to ask; what could not be found out shows in
// Origin.Answer.
func OriginOf(ctx context.Context, dns DNS, addr netip.Addr, zones OriginZones) *Origin {
	addr = addr.Unmap().WithZone("")
	zone := zones.IPv4
	if addr.Is6() {
		zone = zones.IPv6
	}
	name := dnsname.DNSBL(addr, zone)
	if name.IsZero() {
		return nil
	}
	answer := dns.Ask(ctx, Question{name, TXT}).Wait()[0]
	o := &Origin{Answer: &answer}
	for _, text := range answer.Texts {
		o.read(addr, text)
	}
	if o.ASN == 0 || zones.AS.IsZero() {
		return o
	}
	as, err := dnsname.Parse("as" + strconv.FormatUint(uint64(o.ASN), 10) + "." + zones.AS.String())
	if err != nil {
		return o
	}
	for _, text := range dns.Ask(ctx, Question{as, TXT}).Wait()[0].Texts {
		fields := split(text)
		if asn, ok := number(fields[0]); ok && asn == o.ASN && len(fields) >= 5 {
			o.Org = untrusted.New(fields[4])
			break
		}
	}
	return o
}

// read takes one record, if it speaks of the address, and more closely than those
// before. Of several systems that announce the prefix the first counts.
func (o *Origin) read(addr netip.Addr, text untrusted.Text) {
	fields := split(text)
	if len(fields) < 2 {
		return
	}
	asn, ok := number(fields[0])
	prefix, err := netip.ParsePrefix(fields[1])
	if !ok || err != nil || !prefix.Contains(addr) || o.ASN != 0 && prefix.Bits() <= o.Prefix.Bits() {
		return
	}
	o.ASN, o.Prefix = asn, prefix.Masked()
}

// split cuts a record into its fields.
func split(text untrusted.Text) []string {
	fields := strings.Split(text.Raw(), "|")
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	return fields
}

// number reads the first number of a field, which may hold several.
func number(field string) (uint32, bool) {
	first, _, _ := strings.Cut(field, " ")
	n, err := strconv.ParseUint(first, 10, 32)
	return uint32(n), err == nil && n > 0
}
