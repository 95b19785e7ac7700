package report

import (
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/remedy"
)

// problem is one cause in words.
type problem struct {
	Severity  finding.Severity
	Title     string
	Text      string
	Code      string // with the document that asks for it
	Effects   []string
	Remedy    *remedyWords
	Catalogue string // the catalogue's own sentence, where there is no remedy
}

// Verdict returns the verdict that the problem alone would earn.
func (p problem) Verdict() doctor.Verdict { return verdictOf(p.Severity) }

// rank orders problems: what is serious first, and last an answer that was
// rewritten on its way to us. It leaves the verdict open, but is no cause of
// anything that receivers see.
func (p problem) rank() int {
	if strings.HasPrefix(p.Code, string(finding.ListRewritten)) {
		return rank(finding.Info)
	}
	return rank(p.Severity)
}

func verdictOf(s finding.Severity) doctor.Verdict {
	switch s {
	case finding.Failure:
		return doctor.Fail
	case finding.Unknown:
		return doctor.Unknown
	case finding.Warn:
		return doctor.Warn
	default:
		return doctor.Pass
	}
}

// rank orders severities, the worst first.
func rank(s finding.Severity) int {
	return slices.Index([]finding.Severity{finding.Failure, finding.Unknown, finding.Warn, finding.Info}, s)
}

// aside are findings that a DNS list told us nothing: they say something of our
// resolver, or of the list, and nothing of the server.
var aside = []finding.Code{finding.ListRefused, finding.ListBroken, finding.ListSilent}

// problems splits what must be put right from what is only worth knowing.
func (w words) problems(list []doctor.Problem) (wrong, notices []problem) {
	for i := range list {
		p := w.problem(&list[i])
		if p.Severity == finding.Info || slices.Contains(aside, list[i].Cause.Code) {
			notices = append(notices, p)
		} else {
			wrong = append(wrong, p)
		}
	}
	slices.SortStableFunc(wrong, func(a, b problem) int { return a.rank() - b.rank() })
	return wrong, notices
}

func (w words) problem(p *doctor.Problem) problem {
	e := p.Cause.Entry()
	out := problem{
		Severity: p.Cause.Severity, Title: e.Title, Text: p.Cause.Text(),
		Code: joinNonEmpty(", ", string(p.Cause.Code), e.RFC), Catalogue: e.Remedy,
	}
	for _, effect := range p.Effects {
		if title := lowerFirst(effect.Title()); !slices.Contains(out.Effects, title) {
			out.Effects = append(out.Effects, title)
		}
	}
	if p.Remedy != nil {
		out.Remedy = w.remedy(p.Remedy)
	}
	return out
}

// lowerFirst makes a title part of a sentence; abbreviations stay as they are.
func lowerFirst(s string) string {
	if len(s) < 2 || s[1] < 'a' || s[1] > 'z' {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// remedyWords is a remedy in words.
type remedyWords struct {
	Who      string
	Contact  string
	Do       string
	Steps    []remedy.Step
	Cautions []string
	Texts    []formatText
	Ready    string // whether the PTR record can be set now; empty where none is to be set
	ReadyOK  bool
	NotReady []string
	Visible  string
	Because  []string
	Ticket   string
	Recipe   string
	Name     string // which name was chosen, and why
	Nameless bool   // a name is needed, and none was found
	Others   []way
	// Delegation are both sides of a classless delegation (RFC 2317).
	Delegation []formatText
}

// way is another recipe of the same party.
type way struct {
	Title    string
	Steps    []remedy.Step
	Cautions []string
}

// formatText is the records in one format.
type formatText struct{ Name, Title, Text string }

// formatTitles say what the formats are for; the rest stand under their names.
var formatTitles = map[string]string{
	"bind":       "zone file (BIND, NSD, Knot)",
	"nsupdate":   "script for nsupdate (RFC 2136)",
	"tinydns":    "tinydns data",
	"dnscontrol": "dnsconfig.js of dnscontrol",
	"octodns":    "zone file of octoDNS",
	"terraform":  "Terraform",
}

// partyWords name a party that nobody knows more about.
var partyWords = map[remedy.Party]string{
	remedy.AddressHolder: "the holder of the address: your provider, or whoever runs its reverse zone",
	remedy.ZoneOperator:  "whoever runs the DNS zone of the name",
	remedy.MailAdmin:     "whoever configures the mail server",
	remedy.ListOperator:  "the operator of the DNS list",
	remedy.OurDNS:        "whoever runs the DNS server that was asked",
	remedy.Nobody:        "nobody: there is nothing to do",
}

func (w words) remedy(r *remedy.Remedy) *remedyWords {
	out := &remedyWords{
		Who: r.Who, Contact: r.Contact, Do: r.Do, Steps: r.Steps, Cautions: r.Cautions,
		Texts: w.texts(r.Texts), Ticket: strings.TrimSpace(r.Ticket), Recipe: recipe(r.Recipe),
	}
	if r.Wanted != nil {
		out.Nameless = r.Wanted.Name.IsZero()
		out.Name = joinNonEmpty(": ", r.Wanted.Name.String(), r.Wanted.Why)
	}
	if c := r.Classless; c != nil {
		out.Delegation = []formatText{
			{"parent", "for the zone of the provider, " + c.Parent.String(), strings.Trim(c.ParentText, "\n")},
			{"own", "for the zone below it, " + c.Child.String(), strings.Trim(c.OwnText, "\n")},
		}
		out.Cautions = append(slices.Clone(out.Cautions), c.Cautions...)
	}
	for _, o := range r.Others {
		out.Others = append(out.Others, way{o.Recipe.Title, o.Steps, o.Cautions})
	}
	if out.Who == "" {
		out.Who = partyWords[r.Party]
	}
	if strings.Contains(out.Who, out.Contact) {
		out.Contact = ""
	}
	if r.Ready != nil {
		out.ReadyOK, out.NotReady = r.Ready.OK, r.Ready.Why
		switch {
		case r.Ready.OK:
			out.Ready = "yes: every name server of the name answers with the address"
		case r.Ready.Unknown:
			out.Ready = "not known"
		default:
			out.Ready = "not yet"
		}
	}
	if r.Visible != nil {
		out.Visible, out.Because = w.span(r.Visible.First, r.Visible.Last), r.Visible.Because
	}
	return out
}

// texts returns the records in the formats that are asked for.
func (w words) texts(all map[string]string) []formatText {
	var out []formatText
	for _, name := range remedy.Formats() {
		if want := w.options.format(); all[name] != "" && (want == name || want == "all") {
			out = append(out, formatText{name, orElse(formatTitles[name], name), strings.Trim(all[name], "\n")})
		}
	}
	return out
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func recipe(r *remedy.Recipe) string {
	if r == nil {
		return ""
	}
	return joinNonEmpty(", ", r.Title, r.Date, r.Source)
}
