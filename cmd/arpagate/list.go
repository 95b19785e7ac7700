package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/arpagate/arpagate/internal/store"
)

func newListCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show and change the allow and block lists",
		Long: `Show and change the lists of networks and domains. An entry is a network
(192.0.2.0/24), an address, or a domain; a domain counts only for clients whose
name the DNS confirms. A running gate takes changes up within a second.`,
	}
	for _, list := range []store.List{store.Allow, store.Block} {
		sub := &cobra.Command{Use: string(list), Short: listShort[list]}
		sub.AddCommand(a.listAdd(list), a.listRemove(list), a.listShow(list))
		cmd.AddCommand(sub)
	}
	return cmd
}

var listShort = map[store.List]string{
	store.Allow: "Clients to let through whatever the findings are",
	store.Block: "Clients to refuse whatever the findings are",
}

func (a *app) listAdd(list store.List) *cobra.Command {
	var reason, owner, expires string
	cmd := &cobra.Command{
		Use:   "add ENTRY",
		Short: "Add an entry, or replace the one with the same network or domain",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			entry, err := parseEntry(list, args[0])
			if err != nil {
				return err
			}
			if entry.Expiry, err = parseExpiry(expires, a.now()); err != nil {
				return err
			}
			if owner == "" {
				owner = a.env("SUDO_USER")
			}
			entry.Reason, entry.Owner = reason, owner
			return a.withStore(cmd.Context(), func(ctx context.Context, db *store.Store) error {
				entries, err := db.Entries(ctx, list)
				if err != nil {
					return err
				}
				if err := db.Add(ctx, entry); err != nil {
					return err
				}
				done := "added"
				if slices.ContainsFunc(entries, func(e store.Entry) bool { return e.Text() == entry.Text() }) {
					done = "replaced"
				}
				_, err = fmt.Fprintf(a.stdout, "%s: %s %s\n", list, entry.Text(), done)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why (shown with each decision under the entry)")
	cmd.Flags().StringVar(&owner, "owner", "", "who answers for the entry (default $SUDO_USER)")
	cmd.Flags().StringVar(&expires, "expires", "never", "when it ends, `TIME`: "+`"never", a time from now as "30d" or "12h", or a date as "2027-01-31"`)
	return cmd
}

// parseEntry reads an entry; what can't be one is a wrong argument.
func parseEntry(list store.List, text string) (store.Entry, error) {
	entry, err := store.ParseEntry(list, text)
	if err != nil {
		return store.Entry{}, usagef("list %s: %s", list, strings.TrimPrefix(err.Error(), "store: "))
	}
	return entry, nil
}

// parseExpiry reads the flag --expires; all dates are UTC.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "never" {
		return time.Time{}, nil
	}
	if date, err := time.Parse("2006-01-02", text); err == nil && date.After(now) {
		return date, nil
	}
	var n int
	var unit string
	if _, err := fmt.Sscanf(text, "%d%1s", &n, &unit); err == nil && n > 0 && n < 100_000 {
		if span, ok := map[string]time.Duration{"h": time.Hour, "d": 24 * time.Hour}[unit]; ok && text == fmt.Sprintf("%d%s", n, unit) {
			return now.Add(time.Duration(n) * span), nil
		}
	}
	return time.Time{}, usagef(`list: --expires %q is no time to come: write "never", "12h", "30d" or "2027-01-31"`, text)
}

func (a *app) listRemove(list store.List) *cobra.Command {
	return &cobra.Command{
		Use:   "remove ENTRY",
		Short: "Remove an entry; exit code 1 when there is none",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			entry, err := parseEntry(list, args[0])
			if err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(ctx context.Context, db *store.Store) error {
				removed, err := db.Remove(ctx, list, entry.Text())
				if err != nil {
					return err
				}
				if !removed {
					return a.notListed(ctx, db, entry)
				}
				_, err = fmt.Fprintf(a.stdout, "%s: %s removed\n", list, entry.Text())
				return err
			})
		},
	}
}

// notListed tells of an entry that is not there, and of the wider ones that
// hold for it all the same.
func (a *app) notListed(ctx context.Context, db *store.Store, entry store.Entry) error {
	entries, err := db.Entries(ctx, entry.List)
	if err != nil {
		return err
	}
	said := "there is no entry " + entry.Text()
	for _, e := range entries {
		if covers(e, entry) {
			said += ", but " + e.Text() + " covers it"
		}
	}
	fmt.Fprintf(a.stderr, "%s: %s\n", entry.List, said)
	return exitFindings
}

// covers reports whether the wide entry holds for all of the narrow one.
func covers(wide, narrow store.Entry) bool {
	if narrow.Network.IsValid() {
		return wide.Network.IsValid() && wide.Network.Bits() <= narrow.Network.Bits() && wide.Network.Contains(narrow.Network.Addr())
	}
	return !wide.Domain.IsZero() && narrow.Domain.Under(wide.Domain)
}

func (a *app) listShow(list store.List) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the entries with reason, owner, expiry, hits and last use",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, db *store.Store) error {
				entries, err := db.Entries(ctx, list)
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(a.stdout).Encode(append([]store.Entry{}, entries...))
				}
				return a.printEntries(list, entries)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

func (a *app) printEntries(list store.List, entries []store.Entry) error {
	if len(entries) == 0 {
		_, err := fmt.Fprintf(a.stdout, "the %s list is empty\n", list)
		return err
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ENTRY\tEXPIRES\tHITS\tLAST USE\tOWNER\tREASON")
	for _, e := range entries {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", e.Text(), moment(e.Expiry, a.now()), e.Hits, moment(e.LastUse, time.Time{}), e.Owner, e.Reason)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := a.stdout.Write([]byte(b.String()))
	return err
}

// moment prints a time in UTC, a whole day as its date; one that lies before now
// has run out.
func moment(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	form := "2006-01-02 15:04"
	if t.Equal(t.Truncate(24 * time.Hour)) {
		form = "2006-01-02"
	}
	said := t.UTC().Format(form)
	if t.Before(now) {
		said += " (over)"
	}
	return said
}

// withStore opens the store beside a daemon or without one, for one command.
func (a *app) withStore(ctx context.Context, do func(context.Context, *store.Store) error) (err error) {
	c, _, err := a.loadConfig()
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, c.Store.URL, store.Options{Now: a.now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(ctx)) }()
	return do(ctx, db)
}
