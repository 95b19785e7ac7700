package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/arpagate/arpagate/internal/config"
)

const defaultConfig = config.DefaultPath

func newConfigCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check, show and explain the configuration",
	}
	cmd.AddCommand(a.configCheck(), a.configShow(), a.configReference())
	return cmd
}

func (a *app) configCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Tell everything that is wrong with the configuration file",
		Long: `Read the configuration as "serve" does, and tell everything that is wrong with
it, by line. Warnings go to standard error too, and don't change the exit code.`,
		Example: "  arpagate config check --config ./arpagate.toml",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, path, err := a.loadConfig()
			if err != nil {
				return err
			}
			hostname, _ := os.Hostname()
			a.warn(c.Complete(hostname))
			said := path + ": ok"
			if path == "" {
				said = "there is no " + defaultConfig + ", so all defaults hold: ok"
			}
			_, err = fmt.Fprintln(a.stdout, said)
			return err
		},
	}
}

func (a *app) configShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Print the configuration that holds, as a file",
		Long: `Print every setting as it holds, in the form of a configuration file, with a
remark wherever the value is not the default.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, _, err := a.loadConfig()
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(a.stdout, c.Show())
			return err
		},
	}
}

func (a *app) configReference() *cobra.Command {
	var example bool
	cmd := &cobra.Command{
		Use:   "reference",
		Short: "Print what every setting means, with its default",
		Long: `Print the reference of the configuration file as Markdown, or with --example
as a commented file to start one's own from.`,
		Example: "  arpagate config reference --example >arpagate.toml",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text := config.Reference()
			if example {
				text = config.Example()
			}
			_, err := fmt.Fprint(a.stdout, text)
			return err
		},
	}
	cmd.Flags().BoolVar(&example, "example", false, "print a commented file instead")
	return cmd
}

// loadConfig reads the file of --config, and tells its warnings. Without the
// flag it reads the file at the default place; where there is none, the
// defaults hold and path is empty.
func (a *app) loadConfig() (c *config.Config, path string, err error) {
	path = defaultConfig
	if a.config.given {
		path = a.config.value
	}
	c, warnings, err := config.Load(path)
	switch {
	case err == nil:
		a.warn(warnings)
		return c, path, nil
	case errors.Is(err, fs.ErrNotExist) && !a.config.given:
		return config.Default(), "", nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", &failure{code: exitConfig, err: err, hint: "arpagate config reference --example prints a file to start from"}
	default:
		return nil, "", &failure{code: exitConfig, err: err, hint: "arpagate config reference says what every setting may be"}
	}
}

func (a *app) warn(warnings []config.Warning) {
	paint := a.paintFor(a.stderr)
	for _, w := range warnings {
		a.complain(paint.Warn("warning:"), w.String())
	}
}
