package remedy

import (
	"fmt"
	"strings"
)

// Reference returns the page of the manual that lists the recipes, in Markdown:
// what they are for, from when and from where, and which nobody has confirmed.
func (b *Book) Reference() string {
	var out strings.Builder
	out.WriteString(referenceHead)
	out.WriteString("| provider | product | who sets it | IPv6 | takes | date | source | confirmed |\n|---|---|---|---|---|---|---|---|\n")
	for i := range b.providers {
		p := &b.providers[i]
		for j := range p.Ways {
			w := &p.Ways[j]
			takes := "not known"
			if least, most, known := w.delay(); known {
				takes = span(least) + " to " + span(most)
			}
			cells(&out, p.ID, w.Title, w.By, w.IPv6, takes, w.Date, w.Source, yesNo(w.Confirmed))
		}
	}
	out.WriteString(referenceServers)
	out.WriteString("| word | mail server | recipes | recognised | date | source | confirmed |\n|---|---|---|---|---|---|---|\n")
	for i := range b.servers {
		s := &b.servers[i]
		word := s.ID
		for _, also := range s.Also {
			word += ", " + also
		}
		title := s.Title
		if over := b.named(s.Over); over != nil {
			title += " (around " + over.Title + ")"
		}
		cells(&out, word, title, b.tasksOf(s), yesNo(len(s.Banner) > 0), s.Date, s.Source, yesNo(s.Confirmed))
	}
	return out.String()
}

const referenceHead = `# Recipes

A remedy says who can put a finding right, and by which step. The steps at providers and in mail servers are data, a file
for each in [internal/remedy/data](../internal/remedy/data), each with its date and its source. This page is made from
them.

**Confirmed** means that the step was read in the source that is named. The others are general knowledge or the word of
third parties, and the report says so. Menus and commands change: if one is wrong, mend its file, with the new date and
source; the tests say what a file must have.

## Providers

A provider is recognised by the servers and the SOA record of the reverse zone first, for they alone say who is able to
change a record; then by the registration of the address, the autonomous system that announces it, and the present PTR
name. Where these name different parties, the report says so. *Who sets it*: the customer in a panel or by a command, the
support on request, or nobody, and then mail must go through a smarthost.

`

const referenceServers = `
## Mail servers

A mail server is recognised by its greeting where that is its own, or named by its word (` + "`--mta`" + `). The recipes: *helo*
for the name in EHLO, *banner* for the greeting, *relay* for a smarthost, *bind* for sending over IPv4 or from one address,
*tls*, *vrfy* (VRFY and EXPN), *roles* (postmaster and abuse), *closed* (no open relay). In italics stand those that nobody
has confirmed.

`

// tasksOf lists what a server has recipes for, by itself or through the one
// that it is built around.
func (b *Book) tasksOf(s *server) string {
	var out []string
	for _, name := range taskNames() {
		t, from := b.task(s, name)
		if t == nil {
			continue
		}
		confirmed := from.Confirmed
		if t.Confirmed != nil {
			confirmed = *t.Confirmed
		}
		if !confirmed {
			name = "*" + name + "*"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func taskNames() []string {
	return []string{"helo", "banner", "relay", "bind", "tls", "vrfy", "roles", "closed"}
}

func yesNo(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

// cells writes a row of a table.
func cells(out *strings.Builder, row ...string) {
	for i, cell := range row {
		row[i] = strings.ReplaceAll(cell, "|", `\|`)
	}
	fmt.Fprintf(out, "| %s |\n", strings.Join(row, " | "))
}
