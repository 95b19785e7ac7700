package listen_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/listen"
)

// childVariable makes the test binary act as a service that systemd starts.
const childVariable = "ARPAGATE_LISTEN_CHILD"

// TestInheritedChild is the service, not a test: it takes the sockets it was
// given, answers one connection on each, and prints what it saw.
func TestInheritedChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		return
	}
	// systemd sets LISTEN_PID between fork and exec, which os/exec cannot.
	t.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
	in := listen.Inherit()
	fmt.Printf("names %q\n", in.Names())
	for _, spec := range []string{"systemd:policy", "systemd:policy", "systemd:datagram", "systemd:milter"} {
		ln, err := listen.Open(context.Background(), mustParse(t, spec), listen.Options{Inherited: in})
		if err != nil {
			fmt.Println("error", err)
			continue
		}
		c, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte("hello\n"))
		_ = c.Close()
		_ = ln.Close()
	}
	fmt.Printf("left %q, LISTEN_FDS %q\n", in.Names(), os.Getenv("LISTEN_FDS"))
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

func TestInherited(t *testing.T) {
	path := filepath.Join(shortDir(t), "policy.sock")
	unixLn, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unixLn.Close() }()
	tcpLn, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tcpLn.Close() }()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestInheritedChild$")
	cmd.Env = append(os.Environ(), childVariable+"=1", "LISTEN_FDS=4", "LISTEN_FDNAMES=policy:policy:datagram:spare")
	for _, s := range []interface{ File() (*os.File, error) }{
		unixLn.(*net.UnixListener), tcpLn.(*net.TCPListener), udp.(*net.UDPConn), tcpLn.(*net.TCPListener),
	} {
		f, err := s.File()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	greeting(t, "unix", path)
	greeting(t, "tcp", tcpLn.Addr().String())
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		`names ["policy" "policy" "datagram" "spare"]`,
		`error listen: "systemd:datagram": the socket that systemd passed is not a listening stream socket`,
		`error listen: "systemd:milter": systemd passed no socket of this name, but "spare": set FileDescriptorName=milter`,
		`left ["spare"], LISTEN_FDS ""`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the service did not say %q but\n%s", want, out.String())
		}
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the service removed the socket that systemd owns: %v", err)
	}
}

func greeting(t *testing.T, network, address string) {
	t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if got, err := bufio.NewReader(c).ReadString('\n'); got != "hello\n" {
		t.Errorf("%s: greeting %q, %v", network, got, err)
	}
}

func TestNothingInherited(t *testing.T) {
	for _, in := range []*listen.Inherited{nil, listen.Inherit()} {
		_, err := listen.Open(t.Context(), mustParse(t, "systemd:policy"), listen.Options{Inherited: in})
		if err == nil || !strings.Contains(err.Error(), "start the service through its .socket unit") {
			t.Errorf("error %v", err)
		}
		if names := in.Names(); len(names) != 0 {
			t.Errorf("Names() = %q", names)
		}
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	}
}
