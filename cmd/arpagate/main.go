// Command arpagate decides whether a mail server is who its DNS says it is,
// says why, and helps to put it right. This package is where the rooms meet:
// one file for each subcommand.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}
