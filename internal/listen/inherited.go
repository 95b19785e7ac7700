package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/coreos/go-systemd/v22/activation"
)

// Inherited holds the sockets that systemd passed to this process and that
// nobody has taken yet: sd_listen_fds(3). Its methods may be called at once
// from several goroutines, and on nil.
type Inherited struct {
	mu    sync.Mutex
	files []*os.File
}

// Inherit collects the sockets that systemd passed, and removes the variables
// that announced them from the environment. Call it once, at start.
func Inherit() *Inherited {
	return &Inherited{files: activation.Files(true)}
}

// Names returns the FileDescriptorNames of the sockets that nobody has taken,
// one entry for each socket. A socket that stays in it at the end of the start
// is one that the configuration forgot.
func (i *Inherited) Names() []string {
	if i == nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	var names []string
	for _, f := range i.files {
		names = append(names, f.Name())
	}
	return names
}

// Close closes the sockets that nobody has taken.
func (i *Inherited) Close() error {
	if i == nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	var errs []error
	for _, f := range i.files {
		errs = append(errs, f.Close())
	}
	i.files = nil
	return errors.Join(errs...)
}

// take returns the first socket of that name. A unit with several ListenStream
// lines passes several of one name: the address is then listed as many times.
func (i *Inherited) take(name string) (net.Listener, error) {
	names := i.Names()
	if !slices.Contains(names, name) {
		if len(names) == 0 {
			return nil, errors.New("systemd passed no socket (that is left): start the service through its .socket unit")
		}
		return nil, fmt.Errorf("systemd passed no socket of this name, but %q: set FileDescriptorName=%s in the .socket unit",
			strings.Join(names, " "), name)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	at := slices.IndexFunc(i.files, func(f *os.File) bool { return f.Name() == name })
	if at < 0 {
		return nil, errors.New("the socket was taken meanwhile")
	}
	f := i.files[at]
	i.files = slices.Delete(i.files, at, at+1)
	defer func() { _ = f.Close() }()
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("the socket that systemd passed is not a listening stream socket: use ListenStream= in the .socket unit: %w", err)
	}
	return ln, nil
}
