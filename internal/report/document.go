package report

import (
	"encoding/json"
	"io"
	"net/netip"
	"time"

	"github.com/arpagate/arpagate/internal/bounce"
	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/receivers"
)

// document is the JSON document of check, schema 1: docs/schema/check-1.json.
// Its iprev, decision, helo and source are those of the worst address, and its
// findings those of the target as a whole and of that address.
type document struct {
	Schema   int                  `json:"schema"`
	Target   string               `json:"target"`
	Verdict  doctor.Verdict       `json:"verdict"`
	At       time.Time            `json:"at"`
	Took     float64              `json:"took_ms"`
	Partial  bool                 `json:"partial"`
	IPRev    *evidence.IPRev      `json:"iprev,omitempty"`
	Findings []finding.Finding    `json:"findings"`
	Decision *decision.Decision   `json:"decision,omitempty"`
	Helo     *evidence.Helo       `json:"helo,omitempty"`
	Source   *evidence.Source     `json:"source,omitempty"`
	Error    string               `json:"error,omitempty"`
	Notes    []string             `json:"notes,omitempty"`
	Bounce   *bounce.Reading      `json:"bounce,omitempty"`
	Now      *doctor.Comparison   `json:"now,omitempty"`
	Domain   *evidence.MailDomain `json:"domain,omitempty"`
	Problems []doctor.Problem     `json:"problems"`
	Lookups  []evidence.Answer    `json:"lookups,omitempty"`

	Addresses []addressDocument `json:"addresses"`
	Servers   []serverDocument  `json:"servers"`
}

// addressDocument is the examination of one address.
type addressDocument struct {
	Address   netip.Addr            `json:"address"`
	Host      dnsname.Name          `json:"host,omitzero"`
	Role      doctor.Role           `json:"role"`
	Verdict   doctor.Verdict        `json:"verdict"`
	IPRev     evidence.IPRev        `json:"iprev"`
	Helo      evidence.Helo         `json:"helo"`
	Assumed   bool                  `json:"helo_assumed,omitempty"`
	Source    evidence.Source       `json:"source"`
	Findings  []finding.Finding     `json:"findings"`
	Decision  decision.Decision     `json:"decision"`
	Reply     string                `json:"reply,omitempty"`
	Problems  []doctor.Problem      `json:"problems"`
	Reverse   *zoneDocument         `json:"reverse,omitempty"`
	Forward   []*zoneDocument       `json:"forward,omitempty"`
	Lists     []evidence.ListAnswer `json:"lists,omitempty"`
	Origin    *evidence.Origin      `json:"origin,omitempty"`
	Receivers []receivers.Verdict   `json:"receivers,omitempty"`
	// Unforeseen says why there are none.
	Unforeseen string `json:"receivers_unknown,omitempty"`
}

// serverDocument is the examination of one mail server.
type serverDocument struct {
	SMTP     *evidence.SMTP    `json:"smtp"`
	Verdict  doctor.Verdict    `json:"verdict"`
	Findings []finding.Finding `json:"findings"`
	Problems []doctor.Problem  `json:"problems"`
}

// zoneDocument adds the TTLs of the aliases, in seconds.
type zoneDocument struct {
	*evidence.Zone
	Chain []aliasDocument `json:"chain,omitempty"`
}

type aliasDocument struct {
	evidence.Alias
	TTL int64 `json:"ttl"`
}

// JSON writes the document of docs/check.md, in lines.
func JSON(w io.Writer, x *doctor.Examination, o Options) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(newDocument(x, o))
}

func newDocument(x *doctor.Examination, o Options) *document {
	d := &document{
		Schema: 1, Target: x.Target, Verdict: x.Verdict, At: x.At.UTC(), Took: inMilliseconds(x.Took), Partial: x.Partial,
		Findings: flat(x.Problems), Error: x.Error, Notes: x.Missing, Bounce: x.Bounce, Now: x.Now, Domain: x.Domain,
		Problems: all(x.Problems), Lookups: x.Lookups, Addresses: []addressDocument{}, Servers: []serverDocument{},
	}
	worst := -1
	for i := range x.Addresses {
		d.Addresses = append(d.Addresses, newAddress(&x.Addresses[i], o))
		if worst < 0 || rank(severityOf(x.Addresses[i].Verdict)) < rank(severityOf(x.Addresses[worst].Verdict)) {
			worst = i
		}
	}
	for i := range x.Servers {
		d.Servers = append(d.Servers, newServer(&x.Servers[i]))
	}
	if worst >= 0 {
		a := &d.Addresses[worst]
		d.IPRev, d.Decision, d.Helo, d.Source = &a.IPRev, &a.Decision, &a.Helo, &a.Source
		d.Findings = append(d.Findings, a.Findings...)
	}
	return d
}

func newAddress(a *doctor.Address, o Options) addressDocument {
	d := addressDocument{
		Address: a.Address, Host: a.Host, Role: a.Role, Verdict: a.Verdict, Assumed: a.Assumed,
		Findings: flat(a.Problems), Problems: all(a.Problems), Reverse: newZone(a.Reverse),
		Lists: a.Lists, Origin: a.Origin, Receivers: a.Receivers, Unforeseen: a.Unforeseen,
	}
	for _, z := range a.Forward {
		d.Forward = append(d.Forward, newZone(z))
	}
	if a.Case != nil && a.Case.Evidence.View != nil {
		v := a.Case.Evidence.View
		d.IPRev, d.Helo, d.Source, d.Decision = v.IPRev, v.Helo, v.Source, a.Case.Decision
		unkept := *a.Case
		unkept.Ref = "" // nobody keeps the case of an examination
		d.Reply = Answer(o.Words, &unkept)
	}
	return d
}

func newServer(s *doctor.Server) serverDocument {
	return serverDocument{SMTP: s.SMTP, Verdict: s.Verdict, Findings: flat(s.Problems), Problems: all(s.Problems)}
}

func newZone(z *evidence.Zone) *zoneDocument {
	if z == nil {
		return nil
	}
	d := &zoneDocument{Zone: z}
	for _, alias := range z.Chain {
		d.Chain = append(d.Chain, aliasDocument{alias, int64(alias.TTL / time.Second)})
	}
	return d
}

// flat lists every finding of the problems, causes before their effects.
func flat(problems []doctor.Problem) []finding.Finding {
	out := []finding.Finding{}
	for i := range problems {
		out = append(append(out, problems[i].Cause), problems[i].Effects...)
	}
	return out
}

// all returns an empty list for none: in JSON it is [], never null.
func all(problems []doctor.Problem) []doctor.Problem {
	if problems == nil {
		return []doctor.Problem{}
	}
	return problems
}

func inMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
