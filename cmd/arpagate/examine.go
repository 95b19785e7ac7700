package main

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/gate"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// examiner walks the corridor for the addresses of one target.
type examiner struct {
	dns  evidence.DNS // for what leads from a name to addresses
	gate *gate.Gate
}

// examine judges the target; helo is the HELO argument, nil for none said.
func (x *examiner) examine(ctx context.Context, t target, helo *string) checkResult {
	result := checkResult{
		Schema: 1, Target: t.String(), Verdict: verdictUnknown, Findings: []finding.Finding{}, Addresses: []addressResult{},
		assumed: helo == nil,
	}
	if t.Addr.IsValid() {
		result.Addresses = append(result.Addresses, addressResult{Address: t.Addr})
	} else {
		x.name(ctx, t.Name, &result)
	}
	var wait sync.WaitGroup
	for i := range result.Addresses {
		wait.Go(func() { x.address(ctx, &result.Addresses[i], helo) })
	}
	wait.Wait()
	result.sum()
	return result
}

// maxTargets bounds the addresses that one name leads to.
const maxTargets = 32

// name finds the addresses of a domain's MX hosts, or of the host itself.
func (x *examiner) name(ctx context.Context, name dnsname.Name, result *checkResult) {
	hosts := []dnsname.Name{name}
	mx := x.dns.Ask(ctx, evidence.Question{Name: name, Type: evidence.MX}).Wait()[0]
	result.Lookups = append(result.Lookups, mx)
	switch {
	// RFC 7505 §3: a single MX record with the root as its host.
	case mx.State == evidence.Found && len(mx.Names) == 1 && mx.Names[0].HostFault() == dnsname.Root:
		result.Error = "it says that it takes no mail (null MX, RFC 7505): name a host that sends"
		return
	case mx.State == evidence.Found:
		hosts = mx.Names
	case mx.State.Trouble():
		result.note(verdictUnknown, "its MX record could not be looked up (%s), so it is examined as a host", mx.State.Mnemonic())
	}
	var questions []evidence.Question
	for _, host := range hosts {
		questions = append(questions, evidence.Question{Name: host, Type: evidence.A}, evidence.Question{Name: host, Type: evidence.AAAA})
	}
	answers := x.dns.Ask(ctx, questions...).Wait()
	result.Lookups = append(result.Lookups, answers...)
	for i, host := range hosts {
		result.host(host, answers[2*i], answers[2*i+1])
	}
	if len(result.Addresses) == 0 && result.Error == "" {
		result.Error = "no address was found to examine"
	}
	if more := mx.Total - len(mx.Names); more > 0 {
		result.note(verdictUnknown, "%d more MX hosts were not examined", more)
	}
	if more := len(result.Addresses) - maxTargets; more > 0 {
		result.Addresses = result.Addresses[:maxTargets]
		result.note(verdictUnknown, "%d more addresses were not examined", more)
	}
}

// host adds the addresses of one host, and notes what it lacks.
func (r *checkResult) host(host dnsname.Name, answers ...evidence.Answer) {
	had := len(r.Addresses)
	var trouble []string
	for _, a := range answers {
		for _, addr := range a.Addrs {
			r.Addresses = append(r.Addresses, addressResult{Address: addr.Unmap(), Host: host})
		}
		if a.State.Trouble() {
			trouble = append(trouble, fmt.Sprintf("%s: %s", a.Type, a.State.Mnemonic()))
		}
	}
	itself := host.String() == r.Target
	switch {
	case len(trouble) > 0 && itself:
		r.note(verdictUnknown, "its addresses could not be looked up (%s)", strings.Join(trouble, ", "))
	case len(trouble) > 0:
		r.note(verdictUnknown, "the addresses of MX host %s could not be looked up (%s)", host, strings.Join(trouble, ", "))
	case len(r.Addresses) > had:
	case !itself:
		r.note(verdictWarn, "MX host %s has no address: %s", host, answers[0].State.Mnemonic())
	case answers[0].State == evidence.NXDomain:
		r.Error = "the name does not exist: NXDOMAIN"
	default:
		r.Error = "the name has no MX record and no address: NODATA"
	}
}

// note adds what limits the examination, and the best verdict that it allows.
func (r *checkResult) note(floor, format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
	r.floor = worse(r.floor, floor)
}

// address judges one address; without a HELO argument the host's name is it.
func (x *examiner) address(ctx context.Context, result *addressResult, helo *string) {
	conn := facts.Conn{Door: facts.Check, Stage: facts.Rcpt, Client: result.Address}
	switch {
	case helo != nil:
		conn.Helo, conn.HeloKnown = untrusted.New(*helo), true
	case !result.Host.IsZero():
		conn.Helo, conn.HeloKnown = untrusted.New(result.Host.String()), true
	}
	c := x.gate.Examine(ctx, conn)
	c.Ref = "" // nobody keeps the case
	result.judged, result.Verdict = c, verdictOf(c)
	result.IPRev, result.Helo, result.Source = c.Evidence.IPRev, c.Evidence.Helo, c.Evidence.Source
	result.Findings, result.Decision = append([]finding.Finding{}, c.Findings...), c.Decision
}

// sum lifts the worst address to the top of the document.
func (r *checkResult) sum() {
	var worst *addressResult
	for i := range r.Addresses {
		if a := &r.Addresses[i]; worst == nil || worse(worst.Verdict, a.Verdict) != worst.Verdict {
			worst = a
		}
	}
	if worst == nil {
		return
	}
	r.Verdict = worse(worst.Verdict, r.floor)
	r.IPRev, r.Findings, r.Decision = &worst.IPRev, worst.Findings, &worst.Decision
	r.Helo, r.Source = &worst.Helo, &worst.Source
}
