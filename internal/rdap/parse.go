package rdap

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/arpagate/arpagate/internal/untrusted"
)

// Holder is who holds an address, as a registry says.
type Holder struct {
	// Name is that of the registrant, or else of the network; Handle the key of
	// the network.
	Name   untrusted.Text
	Handle untrusted.Text
	// Abuse is the mailbox for complaints, empty where there is none.
	Abuse untrusted.Text
}

// network is an IP network object (RFC 9083 §5.4), as far as it is read.
type network struct {
	Class    string   `json:"objectClassName"`
	Handle   string   `json:"handle"`
	Name     string   `json:"name"`
	Start    string   `json:"startAddress"`
	End      string   `json:"endAddress"`
	Entities []entity `json:"entities"`
}

// entity is a party (RFC 9083 §5.1).
type entity struct {
	Roles    []string        `json:"roles"`
	VCard    json.RawMessage `json:"vcardArray"`
	Entities []entity        `json:"entities"`
}

// maxDepth bounds the entities within entities.
const maxDepth = 4

// Parse reads an IP network object that holds the address.
func Parse(body []byte, addr netip.Addr) (Holder, error) {
	addr = addr.Unmap().WithZone("")
	var n network
	if err := json.Unmarshal(body, &n); err != nil {
		return Holder{}, fmt.Errorf("rdap: %w", err)
	}
	if n.Class != "ip network" {
		return Holder{}, errors.New("rdap: the answer is not about a network")
	}
	start, errStart := netip.ParseAddr(n.Start)
	end, errEnd := netip.ParseAddr(n.End)
	if errStart != nil || errEnd != nil || addr.Less(start) || end.Less(addr) {
		return Holder{}, errors.New("rdap: the answer is about another network")
	}
	h := Holder{Name: untrusted.New(n.Name), Handle: untrusted.New(n.Handle)}
	h.parties(n.Entities, 0)
	if h.Name.IsZero() && h.Handle.IsZero() {
		return Holder{}, errors.New("rdap: the answer names nobody")
	}
	return h, nil
}

// parties looks for the registrant and for the mailbox for complaints (RFC 9083
// §10.2.4).
func (h *Holder) parties(list []entity, depth int) {
	if depth == maxDepth {
		return
	}
	for i := range list {
		e := &list[i]
		if slices.Contains(e.Roles, "registrant") && depth == 0 {
			if name := e.property("fn"); name != "" {
				h.Name = untrusted.New(name)
			}
		}
		if slices.Contains(e.Roles, "abuse") && h.Abuse.IsZero() {
			h.Abuse = untrusted.New(e.property("email"))
		}
		h.parties(e.Entities, depth+1)
	}
}

// property returns the first text of a property of a jCard, which is written
// ["vcard", [["fn", {}, "text", "Example Hosting"], …]] (RFC 7095 §3.3).
func (e *entity) property(name string) string {
	var card []json.RawMessage
	if json.Unmarshal(e.VCard, &card) != nil || len(card) < 2 {
		return ""
	}
	var properties [][]json.RawMessage
	if json.Unmarshal(card[1], &properties) != nil {
		return ""
	}
	for _, p := range properties {
		var key, value string
		if len(p) >= 4 && json.Unmarshal(p[0], &key) == nil && key == name && json.Unmarshal(p[3], &value) == nil && value != "" {
			return value
		}
	}
	return ""
}
