package arpagate_test

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strings"
	"testing"
)

// TestPackageDoc asks for one package comment in each package.
func TestPackageDoc(t *testing.T) {
	docs := map[string][]string{}
	for _, s := range loadTree(t).sources {
		dir := path.Dir(s.path)
		if strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		docs[dir] = append(docs[dir], packageDoc(s)...)
	}
	for dir, found := range docs {
		switch len(found) {
		case 0:
			t.Errorf("%s: no package comment", dir)
		case 1:
		default:
			t.Errorf("%s: package comments in several files: %s", dir, strings.Join(found, ", "))
		}
	}
}

func packageDoc(s source) []string {
	if s.file.Doc == nil {
		return nil
	}
	return []string{s.path}
}

// TestExportedDoc asks for a comment on every exported name, one that opens
// with the name (or an article and the name) for types and functions. A group
// of constants or variables is documented by the group's comment.
func TestExportedDoc(t *testing.T) {
	tr := loadTree(t)
	for _, s := range tr.sources {
		if s.test && !testRooms[s.room] || s.generated || strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && receiverExported(d) {
					checkDoc(t, tr, d.Name, d.Doc)
				}
			case *ast.GenDecl:
				checkGenDecl(t, tr, d)
			}
		}
	}
}

func checkGenDecl(t *testing.T, tr *tree, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch sp := spec.(type) {
		case *ast.TypeSpec:
			doc := sp.Doc
			if doc == nil && !d.Lparen.IsValid() {
				doc = d.Doc
			}
			if sp.Name.IsExported() {
				checkDoc(t, tr, sp.Name, doc)
			}
		case *ast.ValueSpec:
			for _, name := range sp.Names {
				if name.IsExported() && sp.Doc == nil && sp.Comment == nil && d.Doc == nil {
					t.Errorf("%s: exported %s %s has no comment, nor has its group", tr.at(name.Pos()), d.Tok, name.Name)
				}
			}
		}
	}
}

func checkDoc(t *testing.T, tr *tree, name *ast.Ident, doc *ast.CommentGroup) {
	if doc == nil || strings.TrimSpace(doc.Text()) == "" {
		t.Errorf("%s: exported %s has no comment", tr.at(name.Pos()), name.Name)
		return
	}
	opening := regexp.MustCompile(`^((A|An|The) )?` + name.Name + `\b`)
	if !opening.MatchString(doc.Text()) {
		t.Errorf("%s: the comment of %s should open with the name", tr.at(name.Pos()), name.Name)
	}
}

// receiverExported reports whether d is a function or a method of an exported
// type: only those are seen from outside.
func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	found := false
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && !found {
			found = id.IsExported()
			return false
		}
		return true
	})
	return found
}

// TestNoExportedVariables keeps state out of packages: what is exported and
// can be assigned to is an error value or nothing.
func TestNoExportedVariables(t *testing.T) {
	tr := loadTree(t)
	for _, s := range tr.product() {
		for _, decl := range s.file.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok || d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if name.IsExported() && !strings.HasPrefix(name.Name, "Err") {
						t.Errorf("%s: exported variable %s: hand the value in, or make it a function", tr.at(name.Pos()), name.Name)
					}
				}
			}
		}
	}
}
