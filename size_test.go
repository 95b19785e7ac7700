package arpagate_test

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// The lengths of docs/hacking.md. A function past longFunction is listed by
// go test -v, past longestFunction refused. Tests are measured alike, but may
// stand in long files.
const (
	longFunction    = 60
	longestFunction = 100
	longestFile     = 400
)

func TestFunctionLength(t *testing.T) {
	tr := loadTree(t)
	for _, s := range tr.sources {
		if s.generated {
			continue
		}
		for _, decl := range s.file.Decls {
			d, ok := decl.(*ast.FuncDecl)
			if !ok || d.Body == nil {
				continue
			}
			switch n := functionLines(tr.fset, d); {
			case n > longestFunction:
				t.Errorf("%s: %s has %d lines, at most %d", tr.at(d.Pos()), d.Name.Name, n, longestFunction)
			case n > longFunction:
				t.Logf("%s: %s has %d lines, better at most %d", tr.at(d.Pos()), d.Name.Name, n, longFunction)
			}
		}
	}
}

// functionLines counts the lines between the braces, less those inside of
// composite literals: a table may be as long as its subject.
func functionLines(fset *token.FileSet, d *ast.FuncDecl) int {
	lines := func(from, to token.Pos) int { return fset.Position(to).Line - fset.Position(from).Line }
	n := lines(d.Body.Lbrace, d.Body.Rbrace) - 1
	ast.Inspect(d.Body, func(node ast.Node) bool {
		lit, ok := node.(*ast.CompositeLit)
		if !ok {
			return true
		}
		n -= max(0, lines(lit.Lbrace, lit.Rbrace)-1)
		return false
	})
	return n
}

func TestFileLength(t *testing.T) {
	tr := loadTree(t)
	for _, s := range tr.product() {
		if n := tr.fset.Position(s.file.FileEnd).Line; n > longestFile {
			t.Errorf("%s: %d lines, at most %d: it holds two ideas", s.path, n, longestFile)
		}
	}
}

// TestNoInit keeps the start of the program in one readable place.
func TestNoInit(t *testing.T) {
	tr := loadTree(t)
	for _, s := range tr.sources {
		for _, decl := range s.file.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.Name == "init" {
				t.Errorf("%s: no init: call it from where it is needed", tr.at(d.Pos()))
			}
		}
	}
}

// TestNoLooseSkips lets only package testneed skip a test, for only there
// ARPAGATE_NEED_ALL turns the skip into a failure.
func TestNoLooseSkips(t *testing.T) {
	tr := loadTree(t)
	for _, s := range tr.sources {
		if s.room == "testneed" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			switch strings.TrimLeft(calledName(call), "tbfTB") {
			case ".Skip", ".Skipf", ".SkipNow":
				t.Errorf("%s: skip through internal/testneed, which make test turns into a failure", tr.at(call.Pos()))
			}
			return true
		})
	}
}

// TestNoOpenEnds refuses marks of work that was put off.
func TestNoOpenEnds(t *testing.T) {
	marks := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK:"}
	tr := loadTree(t)
	for _, s := range tr.sources {
		for _, group := range s.file.Comments {
			for _, mark := range marks {
				if strings.Contains(group.Text(), mark) {
					t.Errorf("%s: %s: do it, or write an issue", tr.at(group.Pos()), mark)
				}
			}
		}
	}
}
