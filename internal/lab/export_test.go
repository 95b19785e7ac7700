package lab

import (
	"slices"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/miekg/dns"
)

// Names returns every name that exists in the world, in order.
func (w *World) Names() []dnsname.Name {
	var out []dnsname.Name
	for name := range w.names {
		out = append(out, name)
	}
	slices.SortFunc(out, func(a, b dnsname.Name) int { return slices.Compare(a.Labels(), b.Labels()) })
	return out
}

// Packs asks every name server, and reports whether what each says can be packed
// into a message.
func (w *World) Packs(q evidence.Question) error {
	for _, s := range w.servers {
		d := w.direct(s, q)
		m := new(dns.Msg).SetQuestion(dns.Fqdn(q.Name.String()), uint16(q.Type))
		m.Rcode, m.Answer, m.Ns, m.Extra = d.rcode, copies(d.answer), copies(d.authority), copies(d.glue)
		m.Compress = true
		m.Truncate(dns.MaxMsgSize)
		if _, err := m.Pack(); err != nil {
			return err
		}
	}
	return nil
}
