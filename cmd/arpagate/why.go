package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/reply"
	"github.com/arpagate/arpagate/internal/report"
	"github.com/arpagate/arpagate/internal/store"
)

func newWhyCommand(a *app) *cobra.Command {
	var asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use:   "why REFERENCE|ADDRESS",
		Short: "Show a stored case, with the DNS as it was then",
		Long: `Show why a client got the answer that it got: the stored case of a reference
(the last part of the link in the reply), or the newest cases of an address.

The exit code is 0 when a case was found, 1 when none was.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.why(cmd.Context(), args[0], limit, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document a line")
	cmd.Flags().IntVar(&limit, "limit", 3, "show at most `N` cases of an address")
	return cmd
}

func (a *app) why(ctx context.Context, which string, limit int, asJSON bool) error {
	if limit < 1 || limit > 10_000 {
		return usagef("why: --limit %d is not between 1 and 10000", limit)
	}
	c, _, err := a.loadConfig()
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, c.Store.URL, store.Options{Now: a.now})
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	cases, err := findCases(ctx, db, which, limit)
	if err != nil {
		return err
	}
	if len(cases) == 0 {
		fmt.Fprintf(a.stderr, "no stored case of %q; cases are kept for %s, and a clean pass once an hour\n", which, days(c.Store.Retention))
		return exitCode(exitFindings)
	}
	if asJSON {
		encoder := json.NewEncoder(a.stdout)
		for _, found := range cases {
			if err := encoder.Encode(found); err != nil {
				return err
			}
		}
		return nil
	}
	options := report.Options{
		Width: a.width(), Color: a.palette().On, Words: reply.Site{AuthservID: c.Site.AuthservID, URL: c.Site.URL},
	}
	var texts []string
	for _, found := range cases {
		texts = append(texts, report.Case(found, options))
	}
	_, err = io.WriteString(a.stdout, strings.Join(texts, "\n"))
	return err
}

// refForm is what people make of ten letters of Crockford's base32.
var refForm = regexp.MustCompile(`^([0-9A-Za-z][- ]?){10}$`)

func findCases(ctx context.Context, db *store.Store, which string, limit int) ([]*decision.Case, error) {
	if addr, err := netip.ParseAddr(strings.Trim(which, "[]")); err == nil {
		return db.Cases(ctx, addr.WithZone("").Unmap(), limit)
	}
	// The whole link may be pasted.
	ref := which[strings.LastIndexByte(which, '/')+1:]
	if !refForm.MatchString(ref) {
		return nil, usagef("why: %q is neither a reference, ten letters and digits, nor an address", which)
	}
	found, err := db.Case(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []*decision.Case{found}, nil
}

// days writes a retention.
func days(d time.Duration) string {
	if d >= 48*time.Hour && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return report.Span(d)
}
