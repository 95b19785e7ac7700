package main

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/remedy"
	"github.com/arpagate/arpagate/internal/report"
)

// checkFlags are the flags of check.
type checkFlags struct {
	form    outputFlags
	servers []string
	helo    *string // nil without the flag; "" is a client that gives no name
	name    string
	mta     string
	holder  string // --provider
	bounce  string
	list    string
	me      bool
	own     bool
	relay   bool
	noSMTP  bool
	noLists bool
	lab     bool
	timeout time.Duration // 0: that of the configuration
}

// What --timeout may be is what doctor.timeout may be.
const (
	leastTimeout = time.Second
	mostTimeout  = 5 * time.Minute
)

const checkLong = `Examine how the world sees a mail server: its PTR record and the names that
lead back, the name servers of both zones one by one, DNS lists, and port 25;
say what is wrong, who can put it right and how, and from which hour it shows.

TARGET is an address (203.0.113.9, 2001:db8::9), the name of a host (its
addresses are examined, with the name as HELO), a mail domain (the hosts of its
MX records and the senders of its SPF record), or a mail address (its domain).
In place of it there may be --bounce with what came back, --me, or --list. A
TARGET beside --bounce is examined in place of the address that the receiver
saw, where the text does not tell it.

The exit code is 0 when all is well, 1 with findings that refuse nobody, 2
where mail would be refused, 3 where it could not be told, or where there was
nothing to examine; of several targets it is that of the worst. Interrupted, it
prints what is known by then.`

func newCheckCommand(a *app) *cobra.Command {
	var flags checkFlags
	var helo string
	cmd := &cobra.Command{
		Use:   "check TARGET",
		Short: "Examine a mail server's identity, and say how to put it right",
		Long:  checkLong,
		Example: "  arpagate check 203.0.113.9\n  arpagate check --lab 203.0.113.9\n" +
			"  arpagate check --bounce bounce.eml --ticket\n  arpagate check --html report.html mail.example.org",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("there are %d targets, and it takes one: write them into a file, one a line, and say --list FILE", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("helo") {
				flags.helo = &helo
			}
			for _, name := range []string{"name", "mta", "provider", "bounce", "list", "html", "format"} {
				if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
					return usagef("check: --%s is empty", name)
				}
			}
			if t := flags.timeout; cmd.Flags().Changed("timeout") && (t < leastTimeout || t > mostTimeout) {
				return usagef("check: --timeout %s is not between %s and %s", t, report.Span(leastTimeout), report.Span(mostTimeout))
			}
			return a.check(cmd.Context(), args, flags)
		},
	}
	f := cmd.Flags()
	flags.form.register(f)
	f.StringArrayVar(&flags.servers, "dns", nil, "ask this DNS server, `ADDR:PORT` (may be repeated)")
	f.StringVar(&helo, "helo", "", "examine this HELO `NAME`, which the server says when it sends")
	f.StringVar(&flags.name, "name", "", "the `NAME` that the address should have")
	f.StringVar(&flags.mta, "mta", "", "write the steps for this mail server, `MTA` such as postfix, when its greeting does not tell")
	f.StringVar(&flags.holder, "provider", "", "write the steps for this `PROVIDER` such as hetzner, when the address does not tell")
	f.StringVar(&flags.bounce, "bounce", "", "read a non-delivery report, SMTP reply or log line from `FILE`, - for standard input, and examine the sender in it")
	f.StringVar(&flags.list, "list", "", fmt.Sprintf("examine the targets in `FILE`, - for standard input, one a line and at most %d", maxListed))
	f.BoolVar(&flags.me, "me", false, "examine the addresses that this machine sends from")
	f.BoolVar(&flags.own, "own", false, "I run these servers: try VRFY, EXPN, mail to postmaster and abuse, and a command slipped in before TLS")
	f.BoolVar(&flags.relay, "relay-test", false, "try whether they relay for strangers; implies --own, and stops before any message")
	f.BoolVar(&flags.noSMTP, "no-smtp", false, "don't connect to port 25")
	f.BoolVar(&flags.noLists, "no-lists", false, "don't ask DNS lists")
	f.BoolVar(&flags.lab, "lab", false, "examine the lab world, for trying things out: no packet leaves this machine")
	f.DurationVar(&flags.timeout, "timeout", 0, "print what is known after this `TIME`, 1s to 5m (default 20s, or doctor.timeout)")
	complete := func(flag string, values func() []string) {
		_ = cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return values(), cobra.ShellCompDirectiveNoFileComp
		})
	}
	complete("format", func() []string { return append(remedy.Formats(), "all") })
	complete("mta", func() []string { return knownTo((*remedy.Book).Servers) })
	complete("provider", func() []string { return knownTo((*remedy.Book).Providers) })
	return cmd
}

// knownTo lists what the recipes know, for completion.
func knownTo(list func(*remedy.Book) []string) []string {
	recipes, err := remedy.Open()
	if err != nil {
		return nil
	}
	return list(recipes)
}

func (a *app) check(ctx context.Context, args []string, flags checkFlags) error {
	if err := flags.form.check(); err != nil {
		return err
	}
	job, err := a.targets(args, &flags)
	if err != nil {
		return err
	}
	c, path, err := a.loadConfig()
	if err != nil {
		return err
	}
	if flags.timeout > 0 {
		c.Doctor.Timeout = flags.timeout
	}
	// The first Ctrl-C ends the examination, the second one the program.
	interruptible, stop := signal.NotifyContext(ctx, syscall.SIGINT)
	defer stop()
	context.AfterFunc(interruptible, stop)
	progress := a.newProgress()
	defer progress.clear()
	x, err := a.openExaminer(ctx, c, examinerOptions{
		servers: flags.servers, mta: flags.mta, provider: flags.holder, noSMTP: flags.noSMTP, noLists: flags.noLists, lab: flags.lab, gate: path != "", progress: progress.tell,
	})
	if err != nil {
		return err
	}
	defer x.close()
	if flags.me {
		if job.targets[0].Egress, err = x.egress(interruptible); err != nil {
			return err
		}
	}
	found := a.examineAll(interruptible, x, job, progress)
	progress.clear()
	if err := a.write(found, x, &flags.form, job.listed); err != nil {
		return err
	}
	if interruptible.Err() != nil {
		return exitInterrupted
	}
	worst := found[0].Verdict
	for _, e := range found {
		worst = worse(worst, e.Verdict)
	}
	return verdictExit(worst)
}

// examineAll examines the targets one after the other: each has its own time,
// and they would only take it from each other.
func (a *app) examineAll(ctx context.Context, x *examiner, job *job, p *progress) []*doctor.Examination {
	found := make([]*doctor.Examination, 0, len(job.targets))
	for i, t := range job.targets {
		p.begin(t.String(), i+1, len(job.targets))
		found = append(found, x.examine(ctx, t))
		if ctx.Err() != nil {
			break
		}
	}
	return found
}

// worse returns the worse of two verdicts. What is unknown may be as bad as can
// be, but a failure is certain.
func worse(a, b doctor.Verdict) doctor.Verdict {
	rank := map[doctor.Verdict]int{doctor.Pass: 0, doctor.Warn: 1, doctor.Unknown: 2, doctor.Fail: 3}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// wanted reads the name of --name, the zero Name for none.
func wanted(s string) (dnsname.Name, error) {
	if s == "" {
		return dnsname.Name{}, nil
	}
	name, err := dnsname.Parse(s)
	if err != nil || name.HostFault() != dnsname.Usable {
		return dnsname.Name{}, usagef("check: --name %+q is not the full name of a host, such as mail.example.org", s)
	}
	return name, nil
}
