package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manName returns the name of a command's manual page: arpagate-config-check.
func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage returns a command's manual page, in the man(7) macros.
func manPage(cmd *cobra.Command) []byte {
	var b strings.Builder
	b.WriteString(".\\\" Made by `make docs` from cmd/arpagate.\n")
	fmt.Fprintf(&b, ".TH %s 1 \"\" Arpagate \"Arpagate manual\"\n.nh\n.ad l\n", strings.ToUpper(roff(manName(cmd))))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(manName(cmd)), roff(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(synopsis(cmd)))
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s", manText(description(cmd)))
	manCommands(&b, cmd)
	manFlags(&b, cmd)
	if cmd.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s.fi\n", roff(cmd.Example+"\n"))
	}
	b.WriteString(".SH EXIT STATUS\n")
	for _, e := range exitMeanings {
		fmt.Fprintf(&b, ".TP\n.B %d\n%s\n", int(e.code), roff(e.meaning))
	}
	b.WriteString(".SH FILES\n.TP\n.I " + roff(defaultConfig) + "\n" + roff("the configuration, see arpagate.toml(5)") + "\n")
	b.WriteString(".SH SEE ALSO\n" + strings.Join(seeAlso(cmd), ",\n") + "\n")
	return []byte(b.String())
}

func synopsis(cmd *cobra.Command) string {
	line := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		line += " COMMAND"
	}
	return line + " [OPTION]..."
}

// description is the long text without the table of exit codes, which has a
// section of its own.
func description(cmd *cobra.Command) string {
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	return strings.TrimSpace(strings.ReplaceAll(text, exitHelp(), ""))
}

// manText makes paragraphs; indented lines stay lines.
func manText(text string) string {
	var b strings.Builder
	for _, paragraph := range strings.Split(text, "\n\n") {
		paragraph = strings.Trim(paragraph, "\n")
		if strings.HasPrefix(paragraph, " ") || strings.HasPrefix(paragraph, "\t") {
			fmt.Fprintf(&b, ".nf\n%s\n.fi\n", roff(paragraph))
			continue
		}
		fmt.Fprintf(&b, ".PP\n%s\n", roff(paragraph))
	}
	return b.String()
}

func manCommands(b *strings.Builder, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	b.WriteString(".SH COMMANDS\n")
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(sub.Name()), roff(sub.Short))
		}
	}
}

func manFlags(b *strings.Builder, cmd *cobra.Command) {
	b.WriteString(".SH OPTIONS\n")
	each := func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		argument, usage := pflag.UnquoteUsage(f)
		if argument != "" {
			name += " " + argument
		}
		if usual := f.DefValue; usual != "" && usual != "false" && usual != "[]" {
			usage += fmt.Sprintf(" (default %s)", usual)
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(name), roff(usage))
	}
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	cmd.NonInheritedFlags().VisitAll(each)
	cmd.InheritedFlags().VisitAll(each)
}

// seeAlso names the pages of the parent and of the commands below.
func seeAlso(cmd *cobra.Command) []string {
	var out []string
	add := func(name, section string) { out = append(out, fmt.Sprintf(".BR %s (%s)", roff(name), section)) }
	if cmd.HasParent() {
		add(manName(cmd.Parent()), "1")
	}
	for _, sub := range documented(cmd.Root()) {
		if sub.Parent() == cmd {
			add(manName(sub), "1")
		}
	}
	add("arpagate.toml", "5")
	return slices.Compact(out)
}

// roff escapes text, line by line: backslashes, hyphens that must stay ASCII,
// and the control characters at the beginning of a line.
func roff(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line = strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(line)
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}
