package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// maxFile is far more than the longest file that makes sense.
const maxFile = 1 << 20

// Load reads the file at path. The error wraps Problems, and fs.ErrNotExist
// where there is no such file.
func Load(path string) (*Config, []Warning, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, nil, &fileError{Problems{{File: path, Text: err.Error()}}, err}
	}
	return Parse(path, data)
}

// fileError is a Problems with its cause.
type fileError struct {
	Problems
	cause error
}

func (e *fileError) Unwrap() []error { return []error{e.Problems, e.cause} }

func readFile(path string) ([]byte, error) {
	// Without O_NONBLOCK, opening a FIFO would wait for somebody to write.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, bare(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, bare(err)
	}
	if err := checkFile(info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, bare(err)
	}
	if len(data) > maxFile {
		return nil, errTooLong
	}
	return data, nil
}

var errTooLong = fmt.Errorf("the file has more than %d octets: it can't be a configuration", maxFile)

func checkFile(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return errors.New("this is a directory: name the file in it")
	case !info.Mode().IsRegular():
		return fmt.Errorf("this is not a plain file (%s)", info.Mode().Type())
	case info.Mode().Perm()&0o002 != 0:
		return fmt.Errorf("every user of this machine may write to the file (mode %04o): take that away with chmod o-w", info.Mode().Perm())
	case info.Size() > maxFile:
		return errTooLong
	}
	return nil
}

// bare leaves out the path, which every problem names already.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
