package fences

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A breach is a place where a rule is broken.
type breach struct {
	rule string
	pos  string // file:line, relative to the root of the module
	what string
}

func (b breach) String() string { return fmt.Sprintf("%s: %s (%s)", b.pos, b.what, b.rule) }

// A source is one parsed Go file.
type source struct {
	path  string // relative to the root, with slashes
	pkg   string // import path without the module; "" for the root
	test  bool
	lines int
	file  *ast.File
	fset  *token.FileSet
}

func (s *source) at(p token.Pos) string {
	return s.path + ":" + strconv.Itoa(s.fset.Position(p).Line)
}

// imports gives the name under which the file sees the package, "" if it does not import it.
func (s *source) imports(pkg string) string {
	for _, im := range s.file.Imports {
		if im.Path.Value != strconv.Quote(pkg) {
			continue
		}
		if im.Name != nil {
			return im.Name.Name
		}
		return path.Base(pkg)
	}
	return ""
}

// uses visits each use of pkg.name in the file.
func (s *source) uses(pkg, name string, visit func(*ast.SelectorExpr)) {
	as := s.imports(pkg)
	if as == "" {
		return
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == name {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == as {
				visit(sel)
			}
		}
		return true
	})
}

// parseTree reads every Go file of the module at root, whatever its build constraints say, but none of a module nested
// in it.
func parseTree(root string) ([]*source, error) {
	var out []*source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel == "." {
				return nil
			}
			if strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil {
				return fs.SkipDir
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		s := &source{path: rel, pkg: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"), fset: token.NewFileSet()}
		if s.pkg == "." {
			s.pkg = ""
		}
		if s.file, err = parser.ParseFile(s.fset, p, nil, parser.ParseComments); err != nil {
			return fmt.Errorf("parse %s: %w", rel, err)
		}
		s.lines = s.fset.File(s.file.Pos()).LineCount()
		out = append(out, s)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the module at %s: %w", root, err)
	}
	slices.SortFunc(out, func(a, b *source) int { return cmp.Compare(a.path, b.path) })
	return out, nil
}
