package watch

import (
	"fmt"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/doctor"
)

// Subject says the change in one line.
func (c *Change) Subject() string {
	switch {
	case c.First && len(c.Appeared) > 0:
		return fmt.Sprintf("%s: %s, %s", c.Target, c.To, count(len(c.Appeared), "problem"))
	case c.First:
		return fmt.Sprintf("%s: %s", c.Target, c.To)
	case len(c.Appeared) == 1:
		return fmt.Sprintf("%s: %s: %s", c.Target, c.To, c.Appeared[0].Title)
	case len(c.Appeared) > 1:
		return fmt.Sprintf("%s: %s, %s", c.Target, c.To, count(len(c.Appeared), "new problem"))
	case c.To == doctor.Pass:
		return fmt.Sprintf("%s: well again", c.Target)
	default:
		return fmt.Sprintf("%s: %s, %s fewer", c.Target, c.To, count(len(c.Vanished), "problem"))
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Text says the change in full, in lines of plain text.
func (c *Change) Text() string {
	var b strings.Builder
	was := ""
	if !c.First && c.From != c.To {
		was = fmt.Sprintf(" (was %s)", c.From)
	}
	fmt.Fprintf(&b, "%s  %s%s\nseen %s\n", c.Target, c.To, was, c.At.UTC().Format(time.RFC1123))
	section(&b, "New", c.Appeared, true)
	section(&b, "Gone", c.Vanished, false)
	section(&b, "Still there", c.Left, false)
	return b.String()
}

func section(b *strings.Builder, head string, problems []Problem, full bool) {
	if len(problems) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s:\n", head)
	for _, p := range problems {
		fmt.Fprintf(b, "- %s: %s [%s]\n", p.Subject, p.Title, p.Code)
		if !full {
			continue
		}
		fmt.Fprintf(b, "  %s\n", p.Text)
		if p.Do != "" {
			fmt.Fprintf(b, "  %s\n", p.Do)
		}
		if p.Who != "" {
			fmt.Fprintf(b, "  Who: %s\n", p.Who)
		}
	}
}
