package config

import (
	"fmt"
	"strings"
)

// Man returns the manual page arpagate.toml(5), in the man(7) macros.
func Man() []byte {
	var b strings.Builder
	b.WriteString(".\\\" Made by `make docs` from internal/config/schema.go.\n")
	b.WriteString(".TH ARPAGATE.TOML 5 \"\" Arpagate \"Arpagate manual\"\n.nh\n.ad l\n")
	b.WriteString(".SH NAME\narpagate.toml \\- configuration of arpagate\n")
	b.WriteString(".SH DESCRIPTION\n" + roff(about) + ".PP\n" + roff(units))
	for _, s := range sections(Default()) {
		fmt.Fprintf(&b, ".SH [%s]\n%s", s.name, roff(s.doc))
		for _, setting := range s.settings {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s", roffLine(setting.name), roff(setting.doc))
			b.WriteString(setting.roff())
		}
	}
	b.WriteString(".SH FILES\n.TP\n.I " + roffLine(DefaultPath) + "\n" + roff("Read where no other file is named."))
	b.WriteString(".SH EXAMPLE\n.nf\n")
	b.WriteString(roffVerbatim("[site]\nurl = \"https://gate.example.org\"\nown_networks = [\"192.0.2.0/24\"]\n\n" +
		"[listen]\npolicy = \"unix:/run/arpagate/policy.sock\"\nmilter = []\n\n" +
		"[policy]\npreset = \"strict\"\n\n[[policy.rule]]\ncode = \"ptr-generic\"\naction = \"defer\"\n"))
	b.WriteString(".fi\n.SH SEE ALSO\n.BR arpagate (1),\n.BR arpagate\\-config\\-check (1)\n")
	return []byte(b.String())
}

func (s setting) roff() string {
	if s.rows == nil {
		return ".IP\n" + roff(fmt.Sprintf("Allowed: %s. Default: %s.", s.form, s.standard("")))
	}
	var b strings.Builder
	b.WriteString(".RS\n")
	for _, field := range s.blank() {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s", roffLine(field.name), roff(fmt.Sprintf("%s Allowed: %s.", field.doc, field.form)))
	}
	b.WriteString(".RE\n")
	return b.String()
}

// roff returns a paragraph, broken into lines and safe from being read as
// requests.
func roff(text string) string {
	return roffVerbatim(wrap(strings.ReplaceAll(text, "`", ""), ""))
}

func roffVerbatim(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		lines[i] = roffLine(line)
	}
	return strings.Join(lines, "")
}

// roffLine escapes one line of text: backslashes, hyphens that must stay ASCII,
// and the control characters at the beginning.
func roffLine(line string) string {
	line = strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(line)
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		line = `\&` + line
	}
	return line
}
