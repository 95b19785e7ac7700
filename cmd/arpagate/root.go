package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commands returns what makes the subcommands, in no order: help sorts them.
func commands() []func(*app) *cobra.Command {
	return []func(*app) *cobra.Command{
		newServeCommand,
		newCheckCommand,
		newClassifyCommand,
		newWatchCommand,
		newWhyCommand,
		newListCommand,
		newLabCommand,
		newConfigCommand,
		newVersionCommand,
		newDocsCommand,
	}
}

// app is what the subcommands have of the world.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	env    func(string) string
	now    func() time.Time

	terminal io.Writer      // what stdout writes to
	zone     *time.Location // of clock times in reports; nil for that of the machine
	config   once           // --config
}

// run is the program: it returns the exit code.
func run(args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	out := &output{w: stdout}
	a := &app{stdin: stdin, stdout: out, stderr: stderr, env: env, now: time.Now, terminal: stdout}
	defer func() {
		if value := recover(); value != nil {
			a.complain("error:", fmt.Sprintf("internal: %v", value))
			_, _ = stderr.Write(debug.Stack())
			a.complain("hint:", "this is a fault in arpagate: please report it with the lines above")
			code = int(exitInternal)
		}
	}()
	root := newRootCommand(a)
	root.SetArgs(args)
	if len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd) {
		unquote(root)
	}
	err := root.ExecuteContext(context.Background())
	if out.err != nil {
		err = out.err
	}
	return int(a.fail(err))
}

const rootLong = `Arpagate decides whether a mail server is who its DNS says it is, says why,
and helps to put it right.

The gate answers a receiving MTA about each SMTP client (serve); the doctor
examines a host for those who send (check).`

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:     "arpagate",
		Short:   "A gate for mail servers whose DNS does not name them",
		Long:    rootLong + "\n\n" + exitHelp(),
		Version: version(),
		Args:    cobra.ArbitraryArgs,
		RunE:    chooseCommand,
		// Errors are told once, in run, and never with a page of usage.
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetVersionTemplate("{{.Version}}\n")
	root.PersistentFlags().Var(&a.config, "config", "configuration `FILE` (default "+defaultConfig+", which may be missing)")
	for _, newCommand := range commands() {
		root.AddCommand(newCommand(a))
	}
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	prepare(root)
	return root
}

// unquote takes the marks around the names of arguments out of the words for
// flags: help and manual pages read them, and completion would show them.
func unquote(cmd *cobra.Command) {
	each := func(f *pflag.Flag) { _, f.Usage = pflag.UnquoteUsage(f) }
	cmd.Flags().VisitAll(each)
	cmd.PersistentFlags().VisitAll(each)
	for _, sub := range cmd.Commands() {
		unquote(sub)
	}
}

// exitHelp is the table of exit codes as text.
func exitHelp() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, e := range exitMeanings {
		fmt.Fprintf(&b, "  %3d  %s\n", int(e.code), e.meaning)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// chooseCommand runs for a command that only holds others.
func chooseCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	f := &failure{
		code: exitUsage,
		err:  fmt.Errorf("%s: there is no command %q", cmd.CommandPath(), args[0]),
		hint: helpHint(cmd),
	}
	// Cobra suggests for a distance of at most this.
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		f.hint = fmt.Sprintf("did you mean %s?", strings.Join(near, " or "))
	}
	return f
}

func helpHint(cmd *cobra.Command) string {
	return fmt.Sprintf("%s --help says what can be written", cmd.CommandPath())
}

// prepare gives every command the same manners about wrong arguments.
func prepare(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return wrongArgument(cmd, err) })
	cmd.DisableFlagsInUseLine = true
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			if err == nil {
				return nil
			}
			if !cmd.HasSubCommands() && strings.HasPrefix(err.Error(), "unknown command") {
				err = fmt.Errorf("it takes no argument, got %+q", args[0]) // Cobra knows no better word for it
			}
			return wrongArgument(cmd, err)
		}
	}
	if cmd.HasSubCommands() && cmd.RunE == nil && cmd.Run == nil {
		cmd.Args, cmd.RunE = cobra.ArbitraryArgs, chooseCommand
	}
	for _, sub := range cmd.Commands() {
		prepare(sub)
	}
}

func wrongArgument(cmd *cobra.Command, err error) error {
	return &failure{code: exitUsage, err: fmt.Errorf("%s: %w", cmd.CommandPath(), err), hint: helpHint(cmd)}
}

// once is a flag that may be given once: of two, one would be ignored.
type once struct {
	value string
	given bool
}

var errTwice = errors.New("it is given twice")

// Set takes the value of the flag.
func (o *once) Set(value string) error {
	switch {
	case o.given:
		return errTwice
	case value == "":
		return errors.New("it is empty")
	}
	o.value, o.given = value, true
	return nil
}

// String returns the value.
func (o *once) String() string { return o.value }

// Type names the value in help texts.
func (o *once) Type() string { return "string" }
