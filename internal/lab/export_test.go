package lab

import (
	"slices"

	"github.com/arpagate/arpagate/internal/dnsname"
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
