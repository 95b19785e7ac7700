package remedy

import (
	"maps"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/evidence"
)

// serverOf returns the recipe of the mail server: the one that was named, or
// the one whose banner it shows. sure is false where it is a guess.
func (b *Book) serverOf(in Input) (s *server, sure bool) {
	if word := strings.ToLower(strings.TrimSpace(in.MTA)); word != "" {
		return b.named(word), true
	}
	return b.recognise(in.SMTP), false
}

func (b *Book) named(word string) *server {
	word = strings.ToLower(strings.TrimSpace(word))
	for i := range b.servers {
		if s := &b.servers[i]; s.ID == word || slices.Contains(s.Also, word) {
			return s
		}
	}
	return nil
}

// recognise compares the text of the greeting and of the EHLO reply with the
// patterns of every recipe. A product wins over the server it is built around.
func (b *Book) recognise(said *evidence.SMTP) *server {
	if said == nil {
		return nil
	}
	var text strings.Builder
	for _, reply := range []*evidence.SMTPReply{said.Greeting, said.EHLO} {
		if reply != nil && len(reply.Lines) > 0 {
			text.WriteString(reply.Lines[0].String())
			text.WriteByte('\n')
		}
	}
	var found *server
	for i := range b.servers {
		s := &b.servers[i]
		for _, re := range s.patterns {
			if re.MatchString(text.String()) && (found == nil || s.Over != "") {
				found = s
			}
		}
	}
	return found
}

// task returns how to do something at the server, from its own recipe or from
// that of the server it is built around.
func (b *Book) task(s *server, name string) (*task, *server) {
	for range 3 { // a product around a product, at most
		if s == nil {
			return nil, nil
		}
		if t, ok := s.Tasks[name]; ok {
			return &t, s
		}
		s = b.named(s.Over)
	}
	return nil, nil
}

// configure adds the steps for a task at the mail server, or says in words what
// is to be set where no recipe is known.
func (j *job) configure(name, words string) {
	t, s := j.book.task(j.server, name)
	if t == nil {
		if words != j.out.Do {
			j.say("%s", words)
		}
		if j.server == nil {
			j.caution("The mail server's software is not known: name it (--mta) to see where this is set.")
		}
		return
	}
	confirmed := s.Confirmed
	if t.Confirmed != nil {
		confirmed = *t.Confirmed
	}
	recipe := &Recipe{ID: s.ID + "/" + name, Title: s.Title, Date: s.Date, Source: s.Source, Confirmed: confirmed}
	if j.out.Recipe == nil {
		j.out.Recipe = recipe
	}
	j.out.Cautions = append(j.out.Cautions, recipe.note()...)
	fill := maps.Clone(s.Fill)
	if fill == nil {
		fill = map[string]string{}
	}
	maps.Copy(fill, t.Fill)
	j.out.Steps = append(j.out.Steps, j.fill.steps(t.Steps, fill, j.Address)...)
	for _, c := range t.Cautions {
		j.out.Cautions = append(j.out.Cautions, j.fill.r.Replace(c))
	}
	if !j.sure {
		j.caution("The mail server was recognised by its greeting as %s; if it is another one, name it (--mta).", s.Title)
	}
}

// Server returns the word of Servers that the word means: one of them, or another
// name of the product, in whatever case.
func (b *Book) Server(word string) (string, bool) {
	if s := b.named(word); s != nil {
		return s.ID, true
	}
	return "", false
}

// Provider returns the word of Providers that the word means, in whatever case.
func (b *Book) Provider(word string) (string, bool) {
	word = strings.ToLower(strings.TrimSpace(word))
	return word, b.find(func(p *provider) bool { return p.ID == word }) != nil
}

// Providers returns the words that Input.Provider may be, in order.
func (b *Book) Providers() []string {
	out := make([]string, len(b.providers))
	for i := range b.providers {
		out[i] = b.providers[i].ID
	}
	return out
}

// Servers returns the words that Input.MTA may be, in order.
func (b *Book) Servers() []string {
	out := make([]string, len(b.servers))
	for i := range b.servers {
		out[i] = b.servers[i].ID
	}
	return out
}
