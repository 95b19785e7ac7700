package arpagate_test

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// The tests at the root read the files themselves. What a test reads is part
// of its cache key, what `go list` or `git ls-files` would print to it is not.

// modulePath is the import path of the root.
const modulePath = "github.com/arpagate/arpagate"

// source is one parsed Go file.
type source struct {
	path      string // from the root, with slashes
	room      string // the folder below internal, "cmd" or "." for the root
	test      bool   // in a test binary only
	generated bool
	file      *ast.File
}

// text is one text file of any kind, Go included.
type text struct {
	path string
	body string
}

// tree is everything that the conventions are checked on.
type tree struct {
	fset    *token.FileSet
	sources []source
	texts   []text
	broken  []string // files that don't parse, with the reason
}

var readTree = sync.OnceValues(func() (*tree, error) {
	tr := &tree{fset: token.NewFileSet()}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // a test beside us has cleaned up
			return nil
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "bin", "dist", "node_modules"}, d.Name()):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		return tr.add(filepath.ToSlash(name))
	})
	return tr, err
})

// loadTree returns the tree, read once for all tests.
func loadTree(t *testing.T) *tree {
	t.Helper()
	tr, err := readTree()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range tr.broken {
		t.Error(b)
	}
	return tr
}

func (tr *tree) add(name string) error {
	body, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if bytes.IndexByte(body, 0) >= 0 || !utf8.Valid(body) {
		return nil
	}
	tr.texts = append(tr.texts, text{path: name, body: string(body)})
	if path.Ext(name) != ".go" || strings.Contains(name, "testdata/") {
		return nil
	}
	file, err := parser.ParseFile(tr.fset, name, body, parser.ParseComments)
	if err != nil {
		tr.broken = append(tr.broken, err.Error())
		return nil
	}
	room := roomOf(path.Dir(name))
	tr.sources = append(tr.sources, source{
		path: name, room: room, file: file,
		test:      strings.HasSuffix(name, "_test.go") || testRooms[room],
		generated: ast.IsGenerated(file),
	})
	return nil
}

// roomOf names the room of a folder: subfolders belong to their room.
func roomOf(dir string) string {
	parts := strings.Split(dir, "/")
	if parts[0] == "internal" && len(parts) > 1 {
		return parts[1]
	}
	return parts[0]
}

// at prints a position as file:line.
func (tr *tree) at(pos token.Pos) string {
	p := tr.fset.Position(pos)
	p.Column = 0
	return p.String()
}

// product returns the files of the program, without tests and generated ones.
func (tr *tree) product() []source {
	return slices.DeleteFunc(slices.Clone(tr.sources), func(s source) bool { return s.test || s.generated })
}
