package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/arpagate/arpagate/internal/lab"
)

// TestScripts runs testdata/*.txtar: what a user types, and what is seen. The
// lab world's DNS is at $DNS, on a port of its own for each script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			server, err := lab.Listen(context.Background(), lab.Default(), "127.0.0.1:0", lab.Options{})
			if err != nil {
				return err
			}
			env.Defer(server.Close)
			env.Setenv("DNS", server.Addr().String())
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "world": world, "expand": expand, "ask": ask,
		},
	})
}

// exits is the script command "exits CODE PROGRAM ARG...": the program must end
// with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit interface{ ExitCode() int }
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got := fmt.Sprint(code); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// world is the script command "world FILE": from then on the DNS of that world
// is at $DNS.
func world(ts *testscript.TestScript, _ bool, args []string) {
	w, err := lab.Parse(ts.ReadFile(args[0]))
	ts.Check(err)
	server, err := lab.Listen(context.Background(), w, "127.0.0.1:0", lab.Options{})
	ts.Check(err)
	ts.Defer(server.Close)
	ts.Setenv("DNS", server.Addr().String())
}

// expand is the script command "expand FILE": it puts the values of variables
// in their place.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

var linked = regexp.MustCompile(`/r/([0-9A-Z]+)`)

// ask is the script command "ask SOCKET PATTERN ATTRIBUTE=VALUE...": a policy
// request to a gate that may still be starting, or about to learn of a change,
// until the reply fits the pattern. The reference in it is then in $REF.
func ask(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(args[1])
	request := strings.Join(slices.Concat([]string{"request=smtpd_access_policy", "protocol_state=RCPT"}, args[2:], []string{"", ""}), "\n")
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		got, err := asked(ts.MkAbs(args[0]), request)
		if err == nil && want.MatchString(got) {
			if ref := linked.FindStringSubmatch(got); ref != nil {
				ts.Setenv("REF", ref[1])
			}
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("the gate says %q, %v; want %q", got, err, args[1])
		}
	}
}

func asked(socket, request string) (string, error) {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return "", err
	}
	buffer := make([]byte, 2048)
	n, err := conn.Read(buffer)
	return string(buffer[:n]), err
}
