package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/arpagate/arpagate/internal/receivers"
	"github.com/arpagate/arpagate/internal/remedy"
)

// text writes a sheet for a terminal.
type text struct {
	writer
	paint   Palette
	options Options
	before  []*subject // those that were written
}

func newText(o Options) *text {
	return &text{writer: writer{width: o.width()}, paint: Palette{On: o.Color}, options: o}
}

const indent = "   "

func (t *text) sheet(s *sheet) {
	t.hanging(t.paint.Bold(clean(s.Target))+"  "+t.paint.Verdict(s.Verdict)+"  ", indent, s.Says, plain)
	t.rows(s.Rows)
	if s.Error != "" {
		t.wrapped(indent, s.Error, plain)
	}
	for _, missing := range s.Missing {
		t.wrapped(indent, sentence(missing), t.caution(s.Partial))
	}
	t.bounce(s.Bounce)
	if t.options.Verbose {
		t.details(s.Details)
	}
	for i := range s.Subjects {
		if !t.quiet(&s.Subjects[i]) {
			t.subject(&s.Subjects[i])
			t.before = append(t.before, &s.Subjects[i])
		}
	}
	t.quietOnes(s.Subjects)
	t.again(s)
	if len(s.Hints) > 0 && s.Error == "" {
		t.blank()
		for _, hint := range s.Hints {
			t.wrapped("", hint, t.paint.Dim)
		}
	}
}

// caution paints what is missing for want of time.
func (t *text) caution(partial bool) func(string) string {
	if partial {
		return t.paint.Warn
	}
	return plain
}

// rows writes the table of addresses and servers in columns.
func (t *text) rows(rows []row) {
	what, verdict := 0, 0
	for _, r := range rows {
		what, verdict = max(what, len(r.What)), max(verdict, len(r.Verdict))
	}
	for _, r := range rows {
		t.wrapped(indent+pad(clean(r.What), what)+"  "+t.paint.Verdict(r.Verdict)+pad("", verdict-len(r.Verdict))+"  ", r.Note, plain)
	}
}

func pad(s string, columns int) string {
	return s + strings.Repeat(" ", max(0, columns-utf8.RuneCountInString(s)))
}

func (t *text) bounce(b *bounceWords) {
	if b == nil {
		return
	}
	t.blank()
	t.line("%s", t.paint.Bold("What came back"))
	t.wrapped(indent, b.Said+". "+b.Class, plain)
	t.wrapped(indent, quoted(b.Quote), t.paint.Dim)
	for _, note := range b.Notes {
		t.wrapped(indent, note, t.paint.Dim)
	}
	if b.State != "" {
		paint := t.paint.Warn
		if b.State == "fine now" {
			paint = t.paint.good
		}
		t.wrapped(indent+paint(b.State)+"  ", b.Now, plain)
	}
	t.blank()
}

// quiet reports whether a part is fine altogether, so that the table and a line
// at the end tell of it.
func (t *text) quiet(s *subject) bool {
	return len(s.Problems) == 0 && len(s.Notices) == 0 && s.Title != "" && !t.options.Verbose
}

// quietOnes says in a few lines what is fine about the parts that are quiet.
func (t *text) quietOnes(subjects []subject) {
	t.blank()
	heading := t.paint.good("Fine")
	if slices.ContainsFunc(t.before, func(s *subject) bool { return len(s.Fine) > 0 }) {
		heading = t.paint.good("Fine altogether")
	}
	for i := range subjects {
		s := &subjects[i]
		if !t.quiet(s) || len(s.Fine) == 0 {
			continue
		}
		if heading != "" {
			t.line("%s", heading)
			heading = ""
		}
		t.hanging(indent, indent+indent, s.Title+": "+strings.Join(s.Fine, "; "), plain)
	}
}

// subject writes one part; what is fine about it is told in a line.
func (t *text) subject(s *subject) {
	if s.Title != "" {
		t.blank()
		t.line("%s", t.paint.Bold(clean(s.Title)))
	}
	t.remark(s.Remark)
	for i := range s.Problems {
		t.problem(&s.Problems[i])
	}
	t.notices(s.Notices)
	t.receiversOf(s)
	if s.Unforeseen != "" {
		t.blank()
		t.wrapped(t.paint.Bold("Receivers")+"  ", "can't be told: "+s.Unforeseen, plain)
	}
	if len(s.Fine) > 0 {
		t.blank()
		t.wrapped(t.paint.good("Fine")+"  ", strings.Join(s.Fine, "; "), plain)
	}
	t.gate(s.Gate)
	if t.options.Verbose {
		t.details(s.Details)
	}
}

func (t *text) problem(p *problem) {
	t.blank()
	word := t.paint.severity(p.Severity) + "  "
	t.wrapped(word, p.Title, t.paint.Bold)
	t.wrapped(indent, p.Text, plain)
	if len(p.Effects) > 0 {
		t.hanging(indent+"Follows from it: ", indent, strings.Join(p.Effects, "; "), t.paint.Dim)
	}
	if s, q := t.told(p); q != nil {
		rest, left := p.Remedy.without(q.Remedy)
		t.remedy(rest)
		if len(left) > 0 {
			t.wrapped(indent, "As for "+s.short()+", above: "+strings.Join(left, ", "), plain)
		}
	} else if p.Remedy != nil {
		t.remedy(p.Remedy)
	} else {
		t.wrapped(indent+t.paint.Bold("To do")+"  ", p.Catalogue, plain)
	}
	t.wrapped(indent, p.Code, t.paint.Dim)
}

// labelled writes a row of a remedy: "Who   the holder of the address …".
func (t *text) labelled(label, text string) {
	if text != "" {
		t.wrapped(indent+t.paint.Bold(label)+pad("", 7-len(label))+"  ", text, plain)
	}
}

func (t *text) remedy(r *remedyWords) {
	t.labelled("To do", r.Do)
	t.labelled("Name", r.Name)
	t.labelled("Who", r.Who)
	t.labelled("Contact", r.Contact)
	t.steps(r.Steps)
	for _, caution := range r.Cautions {
		t.wrapped(indent+t.paint.Warn("!")+" ", caution, plain)
	}
	for _, f := range r.Texts {
		t.wrapped(indent, "To paste, "+f.Title+":", plain)
		t.paste(f.Text)
	}
	t.when(r)
	if t.options.Verbose {
		t.more(r)
	}
	if r.Recipe != "" {
		t.wrapped(indent, "Steps from: "+r.Recipe, t.paint.Dim)
	}
	switch {
	case r.Ticket == "":
	case t.options.Ticket:
		t.wrapped(indent, "The message to send:", plain)
		t.paste(r.Ticket)
	default:
		t.labelled("Message", "ready to send, with --ticket")
	}
}

func (t *text) steps(steps []remedy.Step) {
	for i, step := range steps {
		t.wrapped(fmt.Sprintf("%s%d. ", indent, i+1), step.Say, plain)
		t.wrapped(indent+indent, step.Console, t.paint.copy)
		t.command(step.Command)
		if step.Lines != "" {
			t.wrapped(indent+indent, step.File, t.paint.Bold)
			t.paste(step.Lines)
		}
	}
}

// more writes what few will want: the provider's other products, and both sides
// of a classless delegation.
func (t *text) more(r *remedyWords) {
	for _, o := range r.Others {
		t.wrapped(indent, "If it is "+o.Title+":", t.paint.Bold)
		t.steps(o.Steps)
		for _, caution := range o.Cautions {
			t.wrapped(indent+t.paint.Warn("!")+" ", caution, plain)
		}
	}
	for _, d := range r.Delegation {
		t.wrapped(indent, "Delegation (RFC 2317), "+d.Title+":", plain)
		t.paste(d.Text)
	}
}

// when says whether the record can be set now, and from which hour on it shows.
func (t *text) when(r *remedyWords) {
	t.labelled("Ready", r.Ready)
	for _, why := range r.NotReady {
		t.wrapped(indent+pad("", 9), why, plain)
	}
	if r.Visible != "" {
		t.labelled("Visible", r.Visible+", if it is done now")
	}
	for _, because := range r.Because {
		t.wrapped(indent+pad("", 9), because, t.paint.Dim)
	}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// command writes a shell command, which blanks before it don't hurt.
func (t *text) command(s string) {
	for line := range strings.Lines(s) {
		t.line("%s%s", indent+indent, t.paint.copy(clean(strings.TrimRight(line, "\r\n"))))
	}
}

// paste writes what is to be copied, set off by blank lines.
func (t *text) paste(s string) {
	t.blank()
	t.verbatim(s, t.paint.copy)
	t.blank()
}

// notices are worth knowing, and no more.
func (t *text) notices(list []problem) {
	if len(list) == 0 {
		return
	}
	t.blank()
	for i := range list {
		t.hanging(t.paint.severity(list[i].Severity)+"  ", indent+indent, joinNonEmpty(". ", list[i].Title, list[i].Text), plain)
	}
}

// receivers writes who does what; where nobody minds, in one line.
func (t *text) receivers(groups []group) {
	if len(groups) == 0 {
		return
	}
	t.blank()
	if len(groups) == 1 && groups[0].Effect == receivers.Nothing {
		t.wrapped(t.paint.Bold("Receivers")+"  ", "none of the "+fmt.Sprint(len(groups[0].Names))+" that are known minds", plain)
		return
	}
	t.line("%s", t.paint.Bold("Receivers"))
	longest := 0
	for _, g := range groups {
		longest = max(longest, len(g.Says()))
	}
	for _, g := range groups {
		if g.Effect == receivers.Nothing && !t.options.Verbose {
			t.wrapped(indent, fmt.Sprintf("%d others don't mind", len(g.Names)), t.paint.Dim)
			continue
		}
		t.wrapped(indent+t.effect(g)+pad("", longest-len(g.Says()))+"  ", g.Receivers(), plain)
	}
}

// sentence makes one of what begins in lower case.
func sentence(s string) string {
	first, _, _ := strings.Cut(s, " ")
	if strings.ContainsAny(first, ".:") {
		return s // an address or a name
	}
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return s
}

func (t *text) effect(g group) string {
	switch g.Effect {
	case receivers.Reject, receivers.Defer:
		return t.paint.Bad(g.Says())
	case receivers.Nothing:
		return t.paint.good(g.Says())
	default:
		return t.paint.Warn(g.Says())
	}
}

func (t *text) remark(said string) { t.wrapped(indent, said, t.paint.Dim) }

func (t *text) gate(g *gateWords) {
	if g == nil {
		return
	}
	t.blank()
	t.hanging(t.paint.Bold(g.Title)+"  ", indent, g.Said, plain)
	t.wrapped(indent, g.Reply, plain)
	for _, note := range g.Notes {
		t.wrapped(indent, note, plain)
	}
}

// details writes the tables behind the report.
func (t *text) details(list []detail) {
	for _, d := range list {
		t.blank()
		t.line("%s", t.paint.Bold(clean(d.Title)))
		for _, e := range d.Entries {
			t.entry(e)
		}
	}
}

func (t *text) entry(e entry) {
	if e.Note == "" && e.Head != "" && len(indent)+utf8.RuneCountInString(e.Head+e.Said)+2 <= t.width {
		t.line("%s%s  %s", indent, clean(e.Head), clean(e.Said))
		return
	}
	if e.Head != "" {
		t.line("%s%s", indent, clean(e.Head))
	}
	note := ""
	if e.Note != "" {
		note = "(" + e.Note + ")"
	}
	const deep = "        "
	if n := utf8.RuneCountInString(e.Said) + utf8.RuneCountInString(note); len(deep)+n+2 <= t.width && e.Said != "" {
		t.line("%s", strings.TrimRight(deep+clean(e.Said)+"  "+t.paint.Dim(clean(note)), " "))
		return
	}
	t.wrapped(deep, e.Said, plain)
	t.wrapped(deep, note, t.paint.Dim)
}
