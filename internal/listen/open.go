package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// DefaultMode is the mode of a UNIX socket whose Options name none: its owner
// and its group may connect.
const DefaultMode fs.FileMode = 0o660

// probeTimeout bounds the question whether somebody listens on a UNIX socket.
const probeTimeout = 2 * time.Second

// Options are the choices that an Address leaves open.
type Options struct {
	// Mode holds the permission bits of a UNIX socket, DefaultMode where it is
	// 0. Who may write to the socket may connect: unix(7).
	Mode fs.FileMode

	// Inherited holds the sockets that systemd passed, for addresses of the
	// form systemd:NAME. Nil means none.
	Inherited *Inherited
}

// Open listens on a. A UNIX socket that a dead process left behind is replaced;
// one that somebody listens on, and anything else in its place, is an error and
// stays untouched. Closing the listener removes the UNIX socket, unless systemd
// passed it.
func Open(ctx context.Context, a Address, opts Options) (net.Listener, error) {
	ln, err := open(ctx, a, opts)
	if err != nil {
		return nil, fmt.Errorf("listen: %q: %w", a.String(), explain(err))
	}
	return ln, nil
}

// explain adds to the commonest errors of bind(2) what can be done; the address
// is told already.
func explain(err error) error {
	var call *os.SyscallError
	if !errors.As(err, &call) || call.Syscall != "bind" {
		return err
	}
	for errno, advice := range map[syscall.Errno]string{
		syscall.EADDRINUSE:    "another program listens there, perhaps another arpagate: stop it or give another port",
		syscall.EADDRNOTAVAIL: "this machine does not have that address",
		syscall.EACCES:        "this user may not: ports below 1024 need root or a socket from systemd, and a UNIX socket a directory that may be written to",
	} {
		if errors.Is(err, errno) {
			return fmt.Errorf("%w: %s", errno, advice)
		}
	}
	return err
}

func open(ctx context.Context, a Address, opts Options) (net.Listener, error) {
	switch a.kind {
	case tcp:
		return openTCP(ctx, a.text)
	case unix:
		mode := opts.Mode.Perm()
		if mode == 0 {
			mode = DefaultMode
		}
		return openUnix(ctx, a.text, mode)
	case systemd:
		return opts.Inherited.take(a.text)
	}
	return nil, errForm
}

func openTCP(ctx context.Context, text string) (net.Listener, error) {
	ap, err := netip.ParseAddrPort(text)
	if err != nil {
		return nil, err
	}
	// Given "tcp", the net package would make 0.0.0.0 listen on IPv6 as well.
	network := "tcp6"
	if ap.Addr().Is4() {
		network = "tcp4"
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, network, text)
}

func openUnix(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	if err := clearPath(ctx, path); err != nil {
		return nil, err
	}
	// The mode of the descriptor becomes that of the file when it is bound, so
	// that there is no moment at which strangers may connect. The umask can only
	// take bits away, and Chmod puts them back. Systems other than Linux refuse
	// the first call and have the second.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), uint32(mode)) })
	}}
	ln, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil {
		_ = ln.Close()
		return nil, err
	}
	return ln, nil
}

// clearPath makes sure that path is free, and removes the socket of a dead
// process from it.
func clearPath(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return checkParent(filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return errors.New("the path is a symbolic link, which is not followed: give the path it points to")
	case info.Mode()&fs.ModeSocket == 0:
		return fmt.Errorf("the path exists and is not a socket (%s): move it away or give another path", info.Mode().Type())
	}
	return removeStale(ctx, path)
}

func checkParent(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the directory %q does not exist: create it first", dir)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%q is not a directory", dir)
	}
	return nil
}

func removeStale(ctx context.Context, path string) error {
	d := net.Dialer{Timeout: probeTimeout}
	c, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		_ = c.Close()
		return errors.New("another process listens on the socket: stop it or give another path")
	}
	// Only a refusal proves that nobody listens: a full queue, a time-out or
	// missing rights do not.
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("cannot tell whether another process listens on the socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("a dead process left the socket behind, and it cannot be removed: %w", err)
	}
	return nil
}
