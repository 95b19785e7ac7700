package finding

import (
	"fmt"
	"net/netip"
	"strings"
)

// The codes of what authoritative servers show about the zone of a name.
const (
	ZoneUnfound   Code = "zone-unfound"
	ZoneBogus     Code = "zone-bogus"
	ZoneLame      Code = "zone-lame"
	ZoneSilent    Code = "zone-silent"
	ZoneLag       Code = "zone-lag"
	ZoneDisagrees Code = "zone-disagrees"
	ZoneSOA       Code = "zone-soa"
	ZoneIsland    Code = "zone-island"

	ResolverDiffers Code = "resolver-differs"
)

var zoneEntries = []Entry{
	{
		Code: ZoneUnfound, Title: "The zone could not be found", RFC: "RFC 1034 §4.2.1",
		Remedy: "If other zones can be found, whoever runs the name servers above this one must make them answer; if none can, the fault lies with the DNS server that was asked.",
		text: func(a Args) string {
			return fmt.Sprintf("Which zone holds %s could not be found out (%s)%s.", a.Name, a.State.Mnemonic(), because(a.Why))
		},
	},
	{
		Code: ZoneBogus, Title: "The zone's DNSSEC signatures do not hold", RFC: "RFC 4035 §4.3",
		Remedy: "Whoever runs the zone must sign it anew, or have the DS record at the parent replaced or removed. Until then receivers that validate see no answer at all.",
		text: func(a Args) string {
			return fmt.Sprintf("The zone %s does not validate%s: resolvers that check DNSSEC answer SERVFAIL for %s.", a.Zone, because(a.Why), a.Name)
		},
	},
	{
		Code: ZoneLame, Title: "Name servers of the zone do not serve it", RFC: "RFC 1912 §2.8",
		Remedy: "Whoever runs the zone must configure these name servers for it, or have them taken out of the delegation. While they stand there, some questions end in trouble and others do not.",
		text: func(a Args) string {
			return fmt.Sprintf("Of %d examined name servers of the zone %s, %d %s not serve it: %s.", a.Of, a.Zone, a.Count, verb(a.Count, "does", "do"), list(a.Parts))
		},
	},
	{
		Code: ZoneSilent, Title: "Name servers of the zone do not answer", RFC: "RFC 2182 §3.1",
		Remedy: "Whoever runs the zone must bring these name servers back, or have them taken out of the delegation. If every zone looks like this from here, it is our own way out that is shut (UDP and TCP port 53).",
		text: func(a Args) string {
			return fmt.Sprintf("Of %d examined name servers of the zone %s, %d gave no answer: %s.", a.Of, a.Zone, a.Count, list(a.Parts))
		},
	},
	{
		Code: ZoneLag, Title: "Name servers of the zone have different versions of it", RFC: "RFC 1034 §4.3.5",
		Remedy: "If the zone was changed a moment ago, wait until its refresh time is over. Otherwise whoever runs it must see why the secondary servers do not follow (NOTIFY, zone transfer, a serial number that was not raised).",
		text: func(a Args) string {
			return fmt.Sprintf("The serial numbers of the zone %s differ: %s.", a.Zone, list(a.Parts))
		},
	},
	{
		Code: ZoneDisagrees, Title: "Name servers of the zone answer differently", RFC: "RFC 2181 §5",
		Remedy: "Whoever runs the zone must give all its name servers the same records: which one a receiver asks is chance.",
		text: func(a Args) string {
			return fmt.Sprintf("Asked for %s, the name servers of the zone %s say: %s.", a.Name, a.Zone, strings.Join(a.Parts, "; "))
		},
	},
	{
		Code: ResolverDiffers, Title: "The DNS server asked here says otherwise than the zone's own", RFC: "RFC 1034 §5.3.1",
		Remedy: "If the record was changed a short while ago, the old answer is remembered until its time is over: look again then. Otherwise examine through another DNS server, for this one changes answers.",
		text: func(a Args) string {
			return fmt.Sprintf("Asked for %s, our DNS server%s says %s, but every name server of the zone %s says %s. The answer here may still be believed for %d s.", a.Name, at(a.Server), part(a, 0), a.Zone, part(a, 1), a.Count)
		},
	},
	{
		Code: ZoneSOA, Title: "The zone's SOA record has times that hinder a repair", RFC: "RFC 1912 §2.2",
		Remedy: "Nothing must be done for mail to flow; whoever runs the zone may set refresh 1 to 12 hours, retry a fraction of it, expire 2 to 4 weeks, minimum 1 hour.",
		text: func(a Args) string {
			return fmt.Sprintf("In the SOA record of %s: %s.", a.Zone, list(a.Parts))
		},
	},
	{
		Code: ZoneIsland, Title: "The zone is signed, but its parent does not say so", RFC: "RFC 4035 §4.3",
		Remedy: "Nothing must be done for mail to flow; to have the signatures count, give the DS record to the parent.",
		text: func(a Args) string {
			return fmt.Sprintf("The zone %s has a DNSKEY record, and its parent has no DS record for it, so that nobody checks the signatures.", a.Zone)
		},
	},
}

func at(server netip.AddrPort) string {
	if !server.IsValid() {
		return ""
	}
	return " " + server.String()
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func part(a Args, i int) string {
	if i < len(a.Parts) {
		return a.Parts[i]
	}
	return "something else"
}

// list writes the first few of many words.
func list(parts []string) string {
	if len(parts) <= shown {
		return strings.Join(parts, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(parts[:shown], ", "), len(parts)-shown)
}
