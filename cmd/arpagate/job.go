package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/arpagate/arpagate/internal/bounce"
	"github.com/arpagate/arpagate/internal/doctor"
)

// job is what one call of check examines.
type job struct {
	targets []doctor.Target
	listed  bool // from a list: a line each is enough
}

// The most that is read of a file.
const (
	maxBounce = 1 << 20
	maxListed = 100
	maxList   = 128 << 10
)

// targets finds out what to examine: one of TARGET, --bounce, --me and --list, or
// a TARGET that stands for the address which a bounce does not tell.
func (a *app) targets(args []string, flags *checkFlags) (*job, error) {
	given := len(args)
	if flags.bounce != "" {
		given = 0
	}
	for _, flag := range []bool{flags.bounce != "", flags.me, flags.list != ""} {
		if flag {
			given++
		}
	}
	switch {
	case given == 0:
		return nil, &failure{
			code: exitUsage, err: errors.New("check: there is nothing to examine: name an address, a host or a domain"),
			hint: "arpagate check 203.0.113.9, or --bounce FILE, --me, --list FILE; arpagate check --help says more",
		}
	case given > 1:
		return nil, usagef("check: TARGET, --bounce, --me and --list exclude each other: give one of them (but a TARGET beside --bounce stands for the address that was refused)")
	case flags.lab && (flags.me || len(flags.servers) > 0):
		return nil, usagef("check: --lab has a DNS and hosts of its own: leave --me and --dns out")
	case flags.list != "" && flags.name != "":
		return nil, usagef("check: --name is the name of one host: leave --list out")
	case flags.list != "" && flags.form.html != "":
		return nil, usagef("check: --html is the page of one target: leave --list out")
	}
	name, err := wanted(flags.name)
	if err != nil {
		return nil, err
	}
	base := doctor.Target{Helo: flags.helo, Wanted: name, Own: flags.own || flags.relay, Relay: flags.relay}
	switch {
	case flags.bounce != "":
		if len(args) > 0 {
			t, err := parseTarget(args[0])
			if err != nil {
				return nil, err
			}
			base = t.of(base)
		}
		base.Bounce, err = a.readBounce(flags.bounce)
		return &job{targets: []doctor.Target{base}}, err
	case flags.me:
		return &job{targets: []doctor.Target{base}}, nil
	case flags.list != "":
		targets, err := a.readList(flags.list, base)
		return &job{targets: targets, listed: true}, err
	}
	t, err := parseTarget(args[0])
	return &job{targets: []doctor.Target{t.of(base)}}, err
}

// of puts the target into what the flags say.
func (t target) of(base doctor.Target) doctor.Target {
	base.Address, base.Name, base.Mailbox = t.Addr, t.Name, t.Mailbox
	return base
}

// open opens a file, or standard input for "-".
func (a *app) open(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(a.stdin), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	return f, nil
}

// readAll reads a file that must not be longer than most octets.
func (a *app) readAll(path string, most int64) ([]byte, error) {
	text, err := a.readSome(path, most+1)
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > most {
		return nil, usagef("check: %+q is longer than %d KiB", path, most>>10)
	}
	return text, nil
}

// readSome reads the first octets of a file.
func (a *app) readSome(path string, most int64) ([]byte, error) {
	f, err := a.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	return text, nil
}

// readBounce reads what came back. Of a long text, with the whole mail and what
// was attached to it, the beginning is enough, and the reading says so.
func (a *app) readBounce(path string) (*bounce.Reading, error) {
	text, err := a.readSome(path, maxBounce+1)
	if err != nil {
		return nil, err
	}
	reading, err := bounce.Read(string(text))
	switch {
	case errors.Is(err, bounce.ErrDelivered):
		return nil, nothingIn("check: --bounce %+q tells of mail that was delivered: there is no refusal in it", path)
	case errors.Is(err, bounce.ErrNothing) && len(text) > maxBounce:
		return nil, nothingIn("check: --bounce %+q: no refusal, report or log line stands in its first MiB", path)
	case errors.Is(err, bounce.ErrNothing):
		return nil, nothingIn("check: --bounce %+q: no refusal, report or log line stands in it", path)
	case err != nil:
		return nil, fmt.Errorf("check: --bounce %+q: %w", path, err)
	}
	return &reading, nil
}

// nothingIn is the failure for a text that holds nothing to examine: nobody wrote
// wrong arguments.
func nothingIn(format string, args ...any) error {
	return &failure{code: exitUnknown, err: fmt.Errorf(format, args...)}
}

// readList reads one target a line; what follows a # is a remark.
func (a *app) readList(path string, base doctor.Target) ([]doctor.Target, error) {
	text, err := a.readAll(path, maxList)
	if err != nil {
		return nil, err
	}
	var out []doctor.Target
	// Windows' editors begin a file with a byte order mark.
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	lines.Buffer(nil, maxList)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		t, err := parseTarget(line)
		if err != nil {
			return nil, usagef("check: --list %+q: line %d: %w", path, n, err)
		}
		out = append(out, t.of(base))
	}
	switch {
	case len(out) == 0:
		return nil, usagef("check: --list %+q names no target", path)
	case len(out) > maxListed:
		return nil, usagef("check: --list %+q names %d targets, %d are the most: more are the business of an audit", path, len(out), maxListed)
	}
	return out, nil
}
