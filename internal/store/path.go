package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrURL is wrapped by the errors of Open about the url or the place it names.
var ErrURL = errors.New("store: unusable place")

// ErrHeld is wrapped by the error of Open where another daemon serves the
// same file.
var ErrHeld = errors.New("store: in use")

// lockPatience is how long Open waits for another process that is opening the
// same file; a daemon is not waited for.
const lockPatience = 5 * time.Second

// pathOf returns the absolute path in a store url.
func pathOf(url string) (string, error) {
	path, ok := strings.CutPrefix(url, "sqlite:")
	switch {
	case strings.HasPrefix(url, "postgres:"), strings.HasPrefix(url, "postgresql:"):
		// The url may hold a password: it is not repeated.
		return "", fmt.Errorf("%w: PostgreSQL is not supported: write sqlite:/path", ErrURL)
	case !ok:
		return "", fmt.Errorf("%w: %q does not start with sqlite: (sqlite:/var/lib/arpagate/arpagate.db)", ErrURL, url)
	case path == "" || strings.HasSuffix(path, "/"):
		return "", fmt.Errorf("%w: %q names no file", ErrURL, url)
	case strings.Contains(path, ":memory:"):
		return "", fmt.Errorf("%w: %q would forget the lists at each start, and no command could reach them: name a file", ErrURL, url)
	case strings.HasPrefix(path, "//"):
		return "", fmt.Errorf("%w: %q: write one slash, a host has no meaning here", ErrURL, url)
	case strings.ContainsRune(path, 0):
		return "", fmt.Errorf("%w: %q has a NUL in its path", ErrURL, url)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("%w: %q: %w", ErrURL, url, err)
	}
	return abs, nil
}

// checkPlace says whether a database can live at path, before SQLite says it
// in its own words.
func checkPlace(path string) error {
	dir := filepath.Dir(path)
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: the directory %q does not exist: create it", ErrURL, dir)
	case err != nil:
		return fmt.Errorf("%w: the directory: %w", ErrURL, err)
	case !st.IsDir():
		return fmt.Errorf("%w: %q is not a directory", ErrURL, dir)
	case st.Mode().Perm()&0o002 != 0 && st.Mode()&fs.ModeSticky == 0:
		return fmt.Errorf("%w: everybody may write to the directory %q, and so replace the lists: chmod o-w it", ErrURL, dir)
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("%w: uid %d can't write to the directory %q, as SQLite must: %w", ErrURL, os.Geteuid(), dir, err)
	}
	var vfs unix.Statfs_t
	if err := unix.Statfs(dir, &vfs); err == nil {
		if name := networkFS(vfs.Type); name != "" {
			return fmt.Errorf("%w: %q is on %s, where SQLite's locks and shared memory can't be trusted: use a local disk", ErrURL, dir, name)
		}
	}
	return checkFile(path)
}

func checkFile(path string) error {
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", ErrURL, err)
	case st.IsDir():
		return fmt.Errorf("%w: %q is a directory: name a file in it", ErrURL, path)
	case st.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%w: %q is a symbolic link, and the files beside it would not be beside the database: name the file it leads to", ErrURL, path)
	case !st.Mode().IsRegular():
		return fmt.Errorf("%w: %q is not a regular file", ErrURL, path)
	}
	if err := unix.Access(path, unix.R_OK|unix.W_OK); err != nil {
		return fmt.Errorf("%w: uid %d can't read and write %q: %w", ErrURL, os.Geteuid(), path, err)
	}
	return nil
}

// networkFS names the network file systems by the magic numbers of statfs(2).
func networkFS[T int32 | int64 | uint32](magic T) string {
	switch uint32(magic) {
	case unix.NFS_SUPER_MAGIC:
		return "NFS"
	case unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC:
		return "SMB"
	case unix.AFS_SUPER_MAGIC, unix.CODA_SUPER_MAGIC, unix.V9FS_MAGIC, unix.CEPH_SUPER_MAGIC:
		return "a network file system"
	}
	return ""
}

// fileLock is the file <path>.lock. Whoever opens, repairs or migrates the
// database holds it meanwhile; a daemon keeps it, and leaves its pid in it.
// The kernel releases the lock of a killed process.
type fileLock struct{ f *os.File }

// acquire takes the lock. It returns nil and no error where a daemon holds it
// and daemon is false.
func acquire(ctx context.Context, path string, daemon bool) (*fileLock, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: lock file: %w", ErrURL, err)
	}
	if err := giveToOwner(f, filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	end := time.NewTimer(lockPatience)
	defer end.Stop()
	for last := 0; ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			_ = f.Truncate(0) // the pid of a killed process
			return &fileLock{f: f}, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("%w: lock file: %w", ErrURL, err), f.Close())
		}
		// Seen twice, it is not what a killed process has left for the moment.
		pid := holder(f)
		if pid > 0 && pid == last {
			if !daemon {
				return nil, f.Close()
			}
			return nil, errors.Join(fmt.Errorf("%w: process %d already serves %q: stop it, or give this one another [store] url",
				ErrHeld, pid, path), f.Close())
		}
		last = pid
		select {
		case <-time.After(20 * time.Millisecond):
		case <-end.C:
			return nil, errors.Join(fmt.Errorf("%w: another process has been opening %q for %s", ErrHeld, path, lockPatience), f.Close())
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("store: open: %w", ctx.Err()), f.Close())
		}
	}
}

// giveToOwner makes the owner of the directory the owner of a file that root
// creates there, so that a command run as root leaves a database that the
// daemon can open.
func giveToOwner(f *os.File, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	st, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrURL, err)
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && sys.Uid != 0 {
		err = f.Chown(int(sys.Uid), int(sys.Gid))
	}
	if err != nil {
		return fmt.Errorf("%w: owner of %q: %w", ErrURL, f.Name(), err)
	}
	return nil
}

// holder returns the pid in the lock file, 0 for none.
func holder(f *os.File) int {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 20))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid
}

// keep leaves our pid in the lock file.
func (l *fileLock) keep() error {
	if err := l.f.Truncate(0); err != nil {
		return fmt.Errorf("store: lock file: %w", err)
	}
	// On a full disk the lock holds all the same, only without a name.
	_, _ = l.f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return nil
}

// release gives the lock up; nil is nobody's lock.
func (l *fileLock) release() {
	if l == nil {
		return
	}
	// The file stays: to delete it would let two processes lock two files.
	_ = l.f.Truncate(0)
	_ = l.f.Close()
}
