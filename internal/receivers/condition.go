package receivers

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
)

// answer is what a condition says of a client.
type answer uint8

const (
	no answer = iota
	yes
	dark    // the DNS gave no answer that would tell
	unasked // the HELO name is not known
)

// condition is one word of a rule's "when".
type condition struct {
	holds   func(*client) answer
	points  func(*client) float64
	codes   []finding.Code // findings that say the same
	trouble bool           // it holds while the DNS gives no answer
}

// client is an identity, with what several conditions look at.
type client struct {
	Identity
	addr netip.Addr
	name string // the PTR name that a filter looks at: the confirmed, or the first
	sure bool   // name is confirmed
	helo string

	nameWeight, heloWeight int // of rspamd's words
}

func (b *Book) look(id Identity) *client {
	r := &id.View.IPRev
	c := &client{Identity: id, addr: r.Address, helo: strings.ToLower(id.View.Helo.Said.String())}
	switch {
	case !r.Confirmed.IsZero():
		c.name, c.sure = r.Confirmed.String(), true
	case len(r.Names) > 0:
		c.name = r.Names[0].Name.String()
	}
	c.nameWeight = b.weight(c.name)
	switch id.View.Helo.Kind {
	case evidence.HeloName, evidence.HeloNotFQDN:
		c.heloWeight = b.weight(c.helo)
		if privateName.MatchString(c.helo) {
			c.heloWeight = 5
		}
	}
	return c
}

// privateName finds the HELO names that rspamd thinks worst of: one label, or a
// suffix that is not of the public DNS.
var privateName = regexp.MustCompile(`^[^.]+$|\.(lan|local|home|localdomain|intra|in-addr.arpa|priv|user|veloxzon)$`)

// weight returns rspamd's weight of a name, 0 to 5.
func (b *Book) weight(name string) int {
	for w := len(b.weights); w > 0; w-- {
		if b.weights[w-1].MatchString(name) {
			return w
		}
	}
	return 0
}

// weightPoints are the points of rspamd's weights.
var weightPoints = [...]float64{0, 0.5, 1, 2, 2.5, 3}

// all combines the conditions of a rule: one "no" is enough.
func (c *client) all(when []condition) answer {
	worst := yes
	for _, w := range when {
		a := w.holds(c)
		if a == no {
			return no
		}
		worst = max(worst, a)
	}
	return worst
}

func (c *client) points(when []condition) float64 {
	for _, w := range when {
		if w.points != nil {
			return w.points(c)
		}
	}
	return 0
}

// code returns the finding that says what the rule fired on.
func (c *client) code(when []condition) finding.Code {
	for _, w := range when {
		for _, code := range w.codes {
			if c.found(code) {
				return code
			}
		}
	}
	return ""
}

func (c *client) found(code finding.Code) bool {
	return slices.ContainsFunc(c.Findings, func(f finding.Finding) bool { return f.Code == code })
}

func is(b bool) answer {
	if b {
		return yes
	}
	return no
}

// conditionOf returns the condition of a word: one of those below, or the code
// of a finding.
func conditionOf(word string) (condition, bool) {
	if c, ok := conditions[word]; ok {
		return c, true
	}
	code := finding.Code(word)
	if !finding.Known(code) {
		return condition{}, false
	}
	return condition{codes: []finding.Code{code}, holds: func(c *client) answer { return c.has(code) }}, true
}

// has says whether the finding is there, or can't be for lack of answers.
func (c *client) has(code finding.Code) answer {
	v := c.View
	helo := strings.HasPrefix(string(code), "helo-")
	switch {
	case c.found(code):
		return yes
	case helo && v.Helo.Kind == evidence.HeloUnknown:
		return unasked
	case code == finding.HeloUnresolvable && troubled(v.Helo.Answers):
		return dark
	case (!helo || code == finding.HeloNotPTR) && v.IPRev.PTR.State.Trouble() && v.IPRev.Result == evidence.TempError:
		return dark
	}
	return no
}

func troubled(answers []evidence.Answer) bool {
	return slices.ContainsFunc(answers, func(a evidence.Answer) bool { return a.State.Trouble() })
}

// conditions are the words of the data file that are no findings.
var conditions = map[string]condition{
	"v4": {holds: func(c *client) answer { return is(c.addr.Is4()) }},
	"v6": {holds: func(c *client) answer { return is(c.addr.Is6()) }},
	// The address has no PTR record.
	"no-ptr": {codes: []finding.Code{finding.PTRMissing}, holds: func(c *client) answer {
		return c.unless(c.ptrTrouble(), c.View.IPRev.PTR.State.Negative())
	}},
	// It has no PTR record, or one that names no host.
	"nameless": {codes: []finding.Code{finding.PTRMissing, finding.PTRUnusable}, holds: func(c *client) answer {
		return c.unless(c.ptrTrouble(), c.View.IPRev.Result == evidence.PermError)
	}},
	// It has PTR names, and none leads back.
	"forged": {codes: []finding.Code{finding.PTRUnconfirmed}, holds: func(c *client) answer {
		return c.unless(c.trouble(), c.View.IPRev.Result == evidence.Fail)
	}},
	// It has PTR names, and none is both usable and confirmed.
	"misnamed": {codes: []finding.Code{finding.PTRUnusable, finding.PTRUnconfirmed}, holds: func(c *client) answer {
		r := &c.View.IPRev
		return c.unless(c.trouble(), r.Result != evidence.Pass && !r.PTR.State.Negative())
	}},
	"not-confirmed": {codes: []finding.Code{finding.PTRMissing, finding.PTRUnusable, finding.PTRUnconfirmed}, holds: func(c *client) answer {
		return c.unless(c.trouble(), c.View.IPRev.Result != evidence.Pass)
	}},
	"trouble":     {trouble: true, codes: []finding.Code{finding.DNSTrouble}, holds: func(c *client) answer { return is(c.trouble()) }},
	"ptr-trouble": {trouble: true, codes: []finding.Code{finding.DNSTrouble}, holds: func(c *client) answer { return is(c.ptrTrouble()) }},
	"forward-trouble": {trouble: true, codes: []finding.Code{finding.DNSTrouble}, holds: func(c *client) answer {
		return is(c.trouble() && !c.ptrTrouble())
	}},
	"helo-trouble": {trouble: true, holds: func(c *client) answer { return is(troubled(c.View.Helo.Answers)) }},
	// The PTR name looks assigned from a template, dynamic or static.
	"generic": {codes: []finding.Code{finding.PTRGeneric, finding.PTRGenericStatic}, holds: func(c *client) answer {
		return max(c.has(finding.PTRGeneric), c.has(finding.PTRGenericStatic))
	}},
	// One of several PTR names leads back, another does not.
	"mixed": {codes: []finding.Code{finding.PTRSeveral, finding.PTRTooMany}, holds: func(c *client) answer {
		r := &c.View.IPRev
		return is(r.Result == evidence.Pass && slices.ContainsFunc(r.Names, func(n evidence.PTRName) bool { return n.State != evidence.Confirmed }))
	}},

	"rspamd-hostname": {
		codes:  []finding.Code{finding.PTRGeneric, finding.PTRGenericStatic},
		holds:  func(c *client) answer { return c.unless(c.ptrTrouble(), c.nameWeight > c.heloWeight) },
		points: func(c *client) float64 { return weightPoints[c.nameWeight] },
	},
	"rspamd-helo": {
		codes:  []finding.Code{finding.HeloNotFQDN},
		holds:  func(c *client) answer { return c.ofHelo(c.heloWeight > 0 && c.heloWeight >= c.nameWeight) },
		points: func(c *client) float64 { return weightPoints[c.heloWeight] },
	},
	"rspamd-helo-ip": {
		codes: []finding.Code{finding.HeloBareIP, finding.HeloLiteralMismatch},
		holds: func(c *client) answer { return c.ofHelo(c.heloAddress()) },
		points: func(c *client) float64 {
			if s := evidence.SourceOf(c.View.Helo.Address); s.Special() || s.Documentation {
				return 4.5
			}
			return 3
		},
	},
	"rspamd-helo-syntax": {codes: []finding.Code{finding.HeloMissing, finding.HeloNotFQDN}, holds: func(c *client) answer {
		k := c.View.Helo.Kind
		return c.ofHelo(c.heloWeight == 0 && k != evidence.HeloName && !c.heloAddress())
	}},
	"rspamd-helo-a": {codes: []finding.Code{finding.HeloNotClient, finding.HeloUnresolvable}, holds: func(c *client) answer {
		h := &c.View.Helo
		leadsHere := slices.ContainsFunc(h.Answers, func(a evidence.Answer) bool { return slices.Contains(a.Addrs, c.addr) })
		if h.Kind == evidence.HeloName && c.heloWeight == 0 && troubled(h.Answers) {
			return dark
		}
		return c.ofHelo(h.Kind == evidence.HeloName && c.heloWeight == 0 && !leadsHere)
	}},

	"sa-dynamic": {codes: []finding.Code{finding.PTRGeneric, finding.PTRGenericStatic}, holds: func(c *client) answer {
		return c.unless(c.trouble(), c.sure && saDynamic(c.name))
	}},
	"sa-maybe-dynamic": {codes: []finding.Code{finding.PTRGeneric, finding.PTRGenericStatic}, holds: func(c *client) answer {
		generic := c.found(finding.PTRGeneric) || c.found(finding.PTRGenericStatic)
		return is(c.sure && generic && !saDynamic(c.name) && !saStatic.MatchString(c.name))
	}},
	"sa-helo-dynamic": {holds: func(c *client) answer {
		return c.ofHelo(saHeloNumbers.MatchString(c.helo) && !strings.Contains(c.helo, "static"))
	}},
	"sa-helo-localhost": {codes: []finding.Code{finding.HeloNotFQDN}, holds: func(c *client) answer { return c.ofHelo(c.helo == "localhost") }},
	"sa-helo-label": {codes: []finding.Code{finding.HeloNotFQDN}, holds: func(c *client) answer {
		return c.ofHelo(c.View.Helo.Fault == dnsname.SingleLabel || c.helo == "localhost")
	}},
	"helo-bare-v4": {codes: []finding.Code{finding.HeloBareIP}, holds: func(c *client) answer { return c.ofHelo(c.bareV4()) }},
	"sa-helo-mismatch": {codes: []finding.Code{finding.HeloBareIP}, holds: func(c *client) answer {
		h := c.View.Helo.Address
		return c.ofHelo(c.bareV4() && c.addr.Is4() && !evidence.SourceOf(h).Special() && !netip.PrefixFrom(h, 24).Masked().Contains(c.addr))
	}},
}

func (c *client) trouble() bool { return c.View.IPRev.Result == evidence.TempError }

func (c *client) ptrTrouble() bool { return c.trouble() && c.View.IPRev.PTR.State.Trouble() }

func (c *client) unless(hidden, holds bool) answer {
	if hidden {
		return dark
	}
	return is(holds)
}

func (c *client) ofHelo(holds bool) answer {
	if c.View.Helo.Kind == evidence.HeloUnknown {
		return unasked
	}
	return is(holds)
}

func (c *client) bareV4() bool {
	h := &c.View.Helo
	return h.Kind == evidence.HeloBareIP && h.Address.Is4() && !h.Address.IsLoopback()
}

// heloAddress reports whether rspamd takes the HELO argument for an address: it
// strips the brackets, but does not know the tag IPv6.
func (c *client) heloAddress() bool {
	h := &c.View.Helo
	return h.Kind == evidence.HeloBareIP || h.Kind == evidence.HeloLiteral && h.Address.Is4()
}

// SpamAssassin's signs of a dial-in name, those that name no provider.
var (
	saNumbers     = regexp.MustCompile(`[0-9][^0-9][0-9]+[^0-9][0-9]+[^0-9][0-9].*\..+\..`)
	saWords       = regexp.MustCompile(`.[-.](dyn|dynamic|res|resnet|client|docsis|dhcp|cpe|catv)[-.]`)
	saStatic      = regexp.MustCompile(`fix|static`)
	saHeloNumbers = regexp.MustCompile(`^[a-z].*[0-9][^0-9][0-9]+[^0-9][0-9]+[^0-9][0-9]+[^0-9][^.]*\..+\..`)
)

func saDynamic(name string) bool {
	return (saNumbers.MatchString(name) || saWords.MatchString(name)) && !saStatic.MatchString(name)
}
