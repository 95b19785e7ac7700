package report

import (
	"reflect"
	"strings"

	"github.com/arpagate/arpagate/internal/finding"
)

// screen is the number of lines of a small terminal.
const screen = 24

// again says at the end of a long report what is to be done: what stands at its
// top has left the screen.
func (t *text) again(s *sheet) {
	if strings.Count(t.String(), "\n") <= screen {
		return
	}
	said := map[string]bool{}
	for i := range s.Subjects {
		for j := range s.Subjects[i].Problems {
			p := &s.Subjects[i].Problems[j]
			do := p.Catalogue
			if p.Remedy != nil {
				do = p.Remedy.Do
			}
			if do == "" || said[do] {
				continue
			}
			if len(said) == 0 {
				t.blank()
				t.line("%s", t.paint.Bold("To do, as above"))
			}
			said[do] = true
			t.wrapped(indent+t.paint.severity(p.Severity)+pad("", len(finding.Unknown)-len(p.Severity))+"  ", do, plain)
		}
	}
}

// told returns a subject before this one with a problem of the same cause, and
// the problem; nil where there is none. In full detail nothing is left out.
func (t *text) told(p *problem) (*subject, *problem) {
	if t.options.Verbose || p.Remedy == nil {
		return nil, nil
	}
	for _, s := range t.before {
		for i := range s.Problems {
			if q := &s.Problems[i]; q.Code == p.Code && q.Severity == p.Severity && q.Remedy != nil && s.Title != "" {
				return s, q
			}
		}
	}
	return nil, nil
}

// without returns the remedy without what is the same in another one, and names
// what was left out.
func (r *remedyWords) without(other *remedyWords) (rest *remedyWords, left []string) {
	c := *r
	leave := func(what string, mine, theirs any, forget func()) {
		if v := reflect.ValueOf(mine); !v.IsZero() && reflect.DeepEqual(mine, theirs) {
			left = append(left, what)
			forget()
		}
	}
	leave("name", r.Name, other.Name, func() { c.Name = "" })
	leave("who", r.Who, other.Who, func() { c.Who = "" })
	leave("contact", r.Contact, other.Contact, func() { c.Contact = "" })
	leave("steps", r.Steps, other.Steps, func() { c.Steps, c.Recipe = nil, "" })
	leave("cautions", r.Cautions, other.Cautions, func() { c.Cautions = nil })
	leave("hours", joinNonEmpty("\n", append([]string{r.Visible}, r.Because...)...), joinNonEmpty("\n", append([]string{other.Visible}, other.Because...)...), func() { c.Visible, c.Because = "", nil })
	return &c, left
}

// mostAside is how many receivers may differ between two addresses that are told
// together.
const mostAside = 5

// receiversOf writes the receivers of a subject: what differs from a subject
// before this one, where it is little.
func (t *text) receiversOf(s *subject) {
	for _, b := range t.before {
		if t.options.Verbose || len(s.Receivers) == 0 || b.Title == "" || len(b.Receivers) == 0 {
			continue
		}
		had := map[string]bool{}
		for _, g := range b.Receivers {
			for _, name := range g.Names {
				had[string(g.Effect)+" "+name] = true
			}
		}
		var aside []group
		n := 0
		for _, g := range s.Receivers {
			other := group{Effect: g.Effect}
			for _, name := range g.Names {
				if !had[string(g.Effect)+" "+name] {
					other.Names = append(other.Names, name)
				}
			}
			if n += len(other.Names); len(other.Names) > 0 {
				aside = append(aside, other)
			}
		}
		if n > mostAside {
			continue
		}
		t.blank()
		if n == 0 {
			t.wrapped(t.paint.Bold("Receivers")+"  ", "as for "+b.short(), plain)
			return
		}
		t.wrapped(t.paint.Bold("Receivers")+"  ", "as for "+b.short()+", but", plain)
		for _, g := range aside {
			t.wrapped(indent+t.effect(g)+"  ", g.Receivers(), plain)
		}
		return
	}
	t.receivers(s.Receivers)
}

// short is the title without the name.
func (s *subject) short() string {
	short, _, _ := strings.Cut(s.Title, "  ")
	return short
}
