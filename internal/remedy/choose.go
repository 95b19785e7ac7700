package remedy

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// Candidates are the names among which one is to be chosen for an address.
type Candidates struct {
	Address netip.Addr
	Asked   dnsname.Name // what the operator asked for
	PTR     []evidence.PTRName
	Generic dnsname.Name // the PTR name that looks assigned from a template
	EHLO    dnsname.Name
	// Assumed says that nobody has heard the EHLO name: it is that of the host.
	Assumed bool
	// Leads says that the EHLO name has the address.
	Leads bool
	Other []dnsname.Name // MX names and others in use
}

// Choice is the name that the PTR record should hold, and why.
type Choice struct {
	Name dnsname.Name `json:"name,omitzero"`
	// Change is the one thing to be changed: "ptr", "helo", or nothing.
	Change string `json:"change,omitempty"`
	Why    string `json:"why"`
}

// Choose returns the one name for an address. An address has one PTR record,
// the mail server's own name as it says it in EHLO, however many domains send
// through it: receivers compare the PTR name with the address and the EHLO
// name, never with the domain of a mailbox. Of PTR and EHLO only one is
// changed: a good PTR name stays, and EHLO follows it; a name from a template
// goes, and PTR follows EHLO.
func Choose(c Candidates) Choice {
	good := func(n dnsname.Name) bool { return safe(n) && n != c.Generic && !n.Local() }
	if good(c.Asked) {
		return Choice{c.Asked, changeFor(c, c.Asked), "it is the name that was asked for"}
	}
	for i := range c.PTR {
		if n := c.PTR[i]; n.State == evidence.Confirmed && good(n.Name) && (n.Name == c.EHLO || !anyEHLO(c, good)) {
			return Choice{n.Name, changeFor(c, n.Name), "it is the present PTR name, it leads back to the address and it looks like a name of your own"}
		}
	}
	if good(c.EHLO) {
		why := "the mail server says it in EHLO"
		if c.Assumed {
			why = "it is the name of the host"
		}
		if c.Leads {
			why += ", and it has the address already"
		}
		return Choice{c.EHLO, changeFor(c, c.EHLO), why}
	}
	for i := range c.PTR {
		if n := c.PTR[i].Name; good(n) {
			return Choice{n, changeFor(c, n), "it is the present PTR name, and looks like a name of your own"}
		}
	}
	for _, n := range c.Other {
		if good(n) {
			return Choice{n, "ptr", fmt.Sprintf("it is a name of the mail server in use%s", among(len(c.Other)))}
		}
	}
	return Choice{Why: "no name fit for a mail server was found"}
}

// anyEHLO reports whether a PTR name equals the EHLO name: then that one wins.
func anyEHLO(c Candidates, good func(dnsname.Name) bool) bool {
	return slices.ContainsFunc(c.PTR, func(n evidence.PTRName) bool {
		return n.State == evidence.Confirmed && n.Name == c.EHLO && good(n.Name)
	})
}

func changeFor(c Candidates, want dnsname.Name) string {
	confirmed := len(c.PTR) == 1 && c.PTR[0].Name == want && c.PTR[0].State == evidence.Confirmed
	switch {
	case confirmed && (c.EHLO == want || c.EHLO.IsZero()):
		return ""
	case confirmed:
		return "helo"
	default:
		return "ptr"
	}
}

func among(n int) string {
	if n < 2 {
		return ""
	}
	return fmt.Sprintf("; %d would do, and one is enough for all domains", n)
}

// candidates gathers the names of the input.
func (b *Book) candidates(in Input) Candidates {
	c := Candidates{Address: in.Address, Asked: in.Wanted}
	for _, n := range in.Names {
		// What a provider assigns is nobody's own name.
		if b.find(func(p *provider) bool { return p.assigns(n) }) == nil {
			c.Other = append(c.Other, n)
		}
	}
	if v := in.View; v != nil {
		c.PTR = v.IPRev.Names
		if len(v.Generic.Parts) > 0 {
			c.Generic = v.Generic.Name
		}
		if v.Helo.Kind == evidence.HeloName {
			c.EHLO, c.Assumed = v.Helo.Name, in.Assumed
			for i := range v.Helo.Answers {
				c.Leads = c.Leads || slices.Contains(v.Helo.Answers[i].Addrs, in.Address)
			}
		}
	}
	switch string(in.Finding.Code) {
	case "ptr-generic", "ptr-generic-static":
		c.Generic = in.Finding.Args.Name
	}
	if c.EHLO.IsZero() && in.SMTP != nil {
		if n, err := dnsname.Parse(in.SMTP.EHLOName.String()); err == nil && safe(n) {
			c.EHLO = n
		}
	}
	return c
}
