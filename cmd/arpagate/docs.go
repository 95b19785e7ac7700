package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/arpagate/arpagate/internal/config"
	"github.com/arpagate/arpagate/internal/remedy"
)

func newDocsCommand(a *app) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:    "docs --out DIR",
		Short:  "Write the manual pages, the configuration reference and the completions",
		Hidden: true, // for make docs
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				return usagef("docs: --out DIR is missing")
			}
			pages, err := generated(cmd.Root())
			if err != nil {
				return err
			}
			return writePages(dir, pages)
		},
	}
	cmd.Flags().StringVar(&dir, "out", "", "folder to write to")
	return cmd
}

// page is one generated file.
type page struct {
	path string // below the folder, with slashes
	body []byte
}

// generated makes every page that is generated.
func generated(root *cobra.Command) ([]page, error) {
	recipes, err := remedy.Open()
	if err != nil {
		return nil, err
	}
	pages := []page{
		{"config-reference.md", []byte(config.Reference())},
		{"remedies.md", []byte(recipes.Reference())},
		{"man/arpagate.toml.5", config.Man()},
	}
	for _, cmd := range documented(root) {
		pages = append(pages, page{"man/" + manName(cmd) + ".1", manPage(cmd)})
	}
	var bash, zsh, fish bytes.Buffer
	err = errors.Join(root.GenBashCompletionV2(&bash, true), root.GenZshCompletion(&zsh), root.GenFishCompletion(&fish, true))
	if err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	return append(pages,
		page{"completion/arpagate.bash", bash.Bytes()},
		page{"completion/_arpagate", zsh.Bytes()},
		page{"completion/arpagate.fish", fish.Bytes()},
	), nil
}

// documented returns the commands that have a manual page, parents first.
func documented(cmd *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		switch {
		case sub.Hidden, sub.Name() == "help":
		case sub.Name() == "completion":
			out = append(out, sub) // its commands, one for each shell, are told in its text
		default:
			out = append(out, documented(sub)...)
		}
	}
	return out
}

func writePages(dir string, pages []page) error {
	for _, p := range pages {
		path := filepath.Join(dir, filepath.FromSlash(p.path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("docs: %w", err)
		}
		if err := os.WriteFile(path, p.body, 0o644); err != nil {
			return fmt.Errorf("docs: %w", err)
		}
	}
	return nil
}
