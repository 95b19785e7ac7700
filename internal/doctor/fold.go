package doctor

import (
	"slices"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/finding"
)

// rule says that one finding is the cause of another one, so that the effect
// needs no remedy of its own.
type rule struct {
	cause, effect finding.Code
	// when holds them against each other; nil: wherever both are found.
	when func(cause, effect finding.Args) bool
}

// rules are searched in their order; the first cause that is there counts. An
// effect may have effects itself: all of them stand under the first cause.
var rules = []rule{
	// What the servers of a zone do wrong is why a question ended in trouble.
	{finding.ZoneSilent, finding.DNSTrouble, sameZone},
	{finding.ZoneLame, finding.DNSTrouble, sameZone},
	{finding.ZoneBogus, finding.DNSTrouble, sameZone},
	{finding.PTRLongChain, finding.DNSTrouble, sameName},
	{finding.PTRLongChain, finding.ZoneUnfound, sameName},
	// Without any answers from our DNS nothing else can be found out through it.
	{finding.DNSTrouble, finding.ZoneUnfound, nil},
	{finding.DNSTrouble, finding.ListSilent, nil},
	{finding.DNSTrouble, finding.SPFUnreadable, uncertain},
	{finding.DNSTrouble, finding.DNSTrouble, wider},

	// A server that is behind answers otherwise; what receivers see is chance.
	{finding.ZoneLag, finding.ZoneDisagrees, sameApex},
	{finding.ZoneDisagrees, finding.PTRMissing, sameName},
	{finding.ZoneDisagrees, finding.PTRUnusable, ofAddress},
	{finding.ZoneDisagrees, finding.PTRUnconfirmed, amongNames},
	{finding.ZoneDisagrees, finding.HeloUnresolvable, sameName},
	{finding.ZoneDisagrees, finding.HeloNotClient, sameName},
	{finding.ResolverDiffers, finding.PTRMissing, sameName},
	{finding.ResolverDiffers, finding.PTRUnusable, ofAddress},
	{finding.ResolverDiffers, finding.PTRUnconfirmed, amongNames},
	{finding.ResolverDiffers, finding.PTRGeneric, ofAddress},
	{finding.ResolverDiffers, finding.PTRGenericStatic, ofAddress},
	{finding.ResolverDiffers, finding.PTRSeveral, ofAddress},
	{finding.ResolverDiffers, finding.PTRTooMany, ofAddress},
	{finding.ResolverDiffers, finding.HeloUnresolvable, sameName},
	{finding.ResolverDiffers, finding.HeloNotClient, sameName},
	{finding.ResolverDiffers, finding.HeloNotPTR, ofAddress},

	// A missing or wrong PTR record.
	{finding.PTRMissing, finding.IPv6NoPTR, ofAddress},
	{finding.PTRTooMany, finding.PTRSeveral, nil},
	{finding.PTRUnconfirmed, finding.PTRGeneric, nil},
	{finding.PTRUnconfirmed, finding.PTRGenericStatic, nil},
	{finding.PTRGenericStatic, finding.HeloNotPTR, nil},
	{finding.PTRGenericStatic, finding.BannerNotPTR, nil},
	{finding.PTRUnconfirmed, finding.HeloUnresolvable, amongNames2},
	{finding.PTRUnconfirmed, finding.HeloNotClient, amongNames2},
	{finding.PTRGeneric, finding.HeloNotPTR, nil},
	{finding.PTRGeneric, finding.BannerNotPTR, nil},
	{finding.PTRSeveral, finding.HeloNotPTR, nil},
	{finding.PTRSeveral, finding.BannerNotPTR, nil},
	{finding.HeloNotPTR, finding.BannerNotPTR, sameName},
	{finding.BannerNotPTR, finding.EHLONotAddress, sameName},
	{finding.HeloUnresolvable, finding.EHLONotAddress, sameName},
	{finding.HeloNotClient, finding.EHLONotAddress, sameName},

	// Port 25.
	{finding.Port25Blocked, finding.SMTPClosed, nil},
	{finding.SMTPDelayed, finding.SMTPSlow, nil},
	{finding.BannerName, finding.EHLOName, sameSaid},
	{finding.TLSUntrusted, finding.TLSName, nil},
	{finding.TLSExpired, finding.TLSUntrusted, nil},
	{finding.TLSExpired, finding.TLSName, nil},

	// A domain's MX records.
	{finding.MXCNAME, finding.MXNoAddress, sameHost},
}

// sameZone: the name in trouble lies in the zone, or is the one whose alias
// leads there.
func sameZone(c, e finding.Args) bool { return e.Name == c.Name || e.Name.Under(c.Zone) }

func sameName(c, e finding.Args) bool { return c.Name == e.Name }

func sameApex(c, e finding.Args) bool { return c.Zone == e.Zone && c.Name == e.Name }

func sameHost(c, e finding.Args) bool { return c.Host == e.Host }

func sameSaid(c, e finding.Args) bool { return c.Said == e.Said }

// ofAddress: the cause lies in the PTR record of the address.
func ofAddress(c, e finding.Args) bool {
	return c.Address == e.Address && c.Name == dnsname.Reverse(e.Address)
}

// amongNames: the cause lies in the PTR record, or in that of a PTR name.
func amongNames(c, e finding.Args) bool {
	return ofAddress(c, e) || slices.Contains(e.Names, c.Name)
}

// amongNames2: the effect is about one of the cause's PTR names.
func amongNames2(c, e finding.Args) bool { return slices.Contains(c.Names, e.Name) }

// uncertain: the effect is about answers that did not come.
func uncertain(_, e finding.Args) bool { return e.State.Trouble() }

// wider: what fails for the whole target fails for its parts.
func wider(c, e finding.Args) bool {
	return !c.Address.IsValid() && e.Address.IsValid() && c.Server == e.Server
}

// node is a finding in its place.
type node struct {
	finding.Finding
	scope int // 0: the target itself; then the addresses, each with its server
	smtp  bool
	cause int // index of the cause, -1 for none
}

// fold finds the cause of each finding.
func fold(nodes []node) {
	for e := range nodes {
		nodes[e].cause = -1
	}
	for e := range nodes {
		for _, r := range rules {
			if nodes[e].Code == r.effect && nodes[e].cause < 0 {
				nodes[e].cause = slices.IndexFunc(nodes, func(c node) bool { return r.links(c, nodes[e]) })
			}
		}
	}
}

// links reports whether c is the cause of e by the rule. A cause works in its own
// place, that of an address at its server too, and that of the target anywhere.
func (r *rule) links(c, e node) bool {
	return c.Code == r.cause && (c.scope == 0 || c.scope == e.scope && (!c.smtp || e.smtp)) && (r.when == nil || r.when(c.Args, e.Args))
}

// root follows the causes of a finding to the first.
func root(nodes []node, i int) int {
	for range rules { // longer than any chain of rules that has no circle
		if nodes[i].cause < 0 {
			break
		}
		i = nodes[i].cause
	}
	return i
}
