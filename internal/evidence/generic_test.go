package evidence_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/generic"
)

// The confirmed name is judged; without one, the first that could be a host's.
func TestGeneric(t *testing.T) {
	const head = "$TTL 60\n. SOA ns.example.net h.example.net 1 1 1 1 60\n"
	for _, tt := range []struct {
		name, zone, judged string
		degree             generic.Degree
		reason             string
	}{
		{
			"dynamic", "ptr 203.0.113.9 203-0-113-9.dsl.example.net\n203-0-113-9.dsl.example.net A 203.0.113.9\n",
			"203-0-113-9.dsl.example.net", generic.GenericDynamic, "octets 203-0-113-9",
		},
		{"static", "ptr 203.0.113.9 vps-203-0-113-9.example.net\n", "vps-203-0-113-9.example.net", generic.GenericStatic, "octets 203-0-113-9"},
		{"own", "ptr 203.0.113.9 mail.example.org\n", "", generic.Own, ""},
		{
			"the confirmed one is own", "ptr 203.0.113.9 203-0-113-9.dsl.example.net\nptr 203.0.113.9 mail.example.org\nmail.example.org A 203.0.113.9\n",
			"", generic.Own, "",
		},
		{
			"the first is no host's", "ptr 203.0.113.9 localhost\nptr 203.0.113.9 dyn-113-9.pool.example.net\n",
			"dyn-113-9.pool.example.net", generic.GenericDynamic, "last two octets 113-9",
		},
		{"no name", "", "", generic.Own, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, _ := gather(t, head+tt.zone, "203.0.113.9", "", false)
			g := e.Generic
			if g.Name.String() != tt.judged || g.Degree != tt.degree || (g.Score > 0.5) != (tt.degree != generic.Own) {
				t.Errorf("%s %s %v, want %s %s", g.Name, g.Degree, g.Score, tt.judged, tt.degree)
			}
			if tt.reason != "" && !slices.Contains(g.Reasons(), tt.reason) {
				t.Errorf("reasons %q of %q, want %q", g.Reasons(), g.Parts, tt.reason)
			}
			body, err := json.Marshal(g)
			if err != nil {
				t.Fatal(err)
			}
			var back evidence.Generic
			if err := json.Unmarshal(body, &back); err != nil || back.Degree != g.Degree || back.Name != g.Name {
				t.Errorf("%s: read back as %+v, %v", body, back, err)
			}
		})
	}
}
