package fences

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// maxLines is the length at which a file of product code is no longer one thing.
const maxLines = 400

// rules are the fences that look at the source alone.
var rules = []struct {
	name  string
	check func([]*source) []breach
}{
	{"room", checkRooms},
	{"package comment", checkComments},
	{"file length", each(checkLength)},
	{"certificate check", each(checkCertificates)},
	{"sleep", checkSleep},
	{"other programs", each(checkExec)},
	{"whole file write", each(checkWriteFile)},
	{"unbounded read", each(checkReadAll)},
	{"skip", each(checkSkip)},
}

// each makes a rule of something that looks at one file.
func each(check func(*source) []breach) func([]*source) []breach {
	return func(files []*source) []breach {
		var out []breach
		for _, s := range files {
			out = append(out, check(s)...)
		}
		return out
	}
}

// checkComments: each package has exactly one comment that explains it. Where a folder has nothing but tests, one of them
// carries it.
func checkComments(files []*source) []breach {
	packages := map[string][]*source{}
	for _, s := range files {
		if !s.test || !has(files, s.pkg) {
			packages[s.pkg] = append(packages[s.pkg], s)
		}
	}
	var out []breach
	for _, pkg := range slices.Sorted(maps.Keys(packages)) {
		first := ""
		for _, s := range packages[pkg] {
			if s.file.Doc == nil || strings.TrimSpace(s.file.Doc.Text()) == "" {
				continue
			}
			at := s.at(s.file.Doc.Pos())
			if first != "" {
				out = append(out, breach{"package comment", at, fmt.Sprintf("package %s has a second comment; the first is at %s", pkg, first)})
				continue
			}
			first = at
		}
		if s := packages[pkg][0]; first == "" {
			out = append(out, breach{"package comment", s.at(s.file.Name.Pos()), fmt.Sprintf("package %s has no comment that explains it", pkg)})
		}
	}
	return out
}

// checkLength: a file of product code is one thing. Generated files may be as long as they like.
func checkLength(s *source) []breach {
	if s.test || s.lines <= maxLines || ast.IsGenerated(s.file) {
		return nil
	}
	return []breach{{"file length", s.path + ":1", fmt.Sprintf("%d lines; at most %d", s.lines, maxLines)}}
}

// checkCertificates: nobody turns the check of a peer's certificate off, tests included: they carry a CA of their own.
func checkCertificates(s *source) []breach {
	var out []breach
	report := func(p token.Pos, value ast.Expr) {
		if id, ok := value.(*ast.Ident); ok && id.Name == "false" {
			return
		}
		out = append(out, breach{"certificate check", s.at(p), "InsecureSkipVerify is set"})
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if id, ok := n.Key.(*ast.Ident); ok && id.Name == "InsecureSkipVerify" {
				report(n.Pos(), n.Value)
			}
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				sel, ok := l.(*ast.SelectorExpr)
				if !ok || sel.Sel.Name != "InsecureSkipVerify" {
					continue
				}
				var value ast.Expr
				if len(n.Rhs) == len(n.Lhs) {
					value = n.Rhs[i]
				}
				report(n.Pos(), value)
			}
		}
		return true
	})
	return out
}

// checkExec: the product starts no other programs; tests and the commands may.
func checkExec(s *source) []breach {
	if s.test || helper(s.pkg) || fits("cmd/...", s.pkg) || fits("test/...", s.pkg) || s.imports("os/exec") == "" {
		return nil
	}
	return []breach{{"other programs", s.at(s.file.Name.Pos()), s.pkg + " imports os/exec"}}
}

// checkWriteFile: state is written to a temporary file, synced and renamed, which os.WriteFile does not do.
func checkWriteFile(s *source) []breach {
	if s.test || helper(s.pkg) || fits("test/...", s.pkg) {
		return nil
	}
	var out []breach
	s.uses("os", "WriteFile", func(sel *ast.SelectorExpr) {
		out = append(out, breach{"whole file write", s.at(sel.Pos()), "os.WriteFile: a power cut leaves half of it"})
	})
	return out
}

// checkReadAll: what is read to its end has a limit that is written beside it.
func checkReadAll(s *source) []breach {
	if s.test || helper(s.pkg) || fits("test/...", s.pkg) || s.imports("io") == "" {
		return nil
	}
	bounded := map[ast.Node]bool{}
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return true
		}
		arg, ok := call.Args[0].(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := arg.Fun.(*ast.SelectorExpr); ok && (sel.Sel.Name == "LimitReader" || sel.Sel.Name == "MaxBytesReader") {
			bounded[call.Fun] = true
		}
		return true
	})
	var out []breach
	s.uses("io", "ReadAll", func(sel *ast.SelectorExpr) {
		if !bounded[sel] {
			out = append(out, breach{"unbounded read", s.at(sel.Pos()), "io.ReadAll of something other than a LimitReader or MaxBytesReader"})
		}
	})
	return out
}

// checkSkip: a test skips only where a tool is missing and nobody promised that it is there, so that the function that
// skips looks at CI; or where somebody asked for a short run, which no target of the Makefile does.
func checkSkip(s *source) []breach {
	if !s.test && !helper(s.pkg) {
		return nil
	}
	var out []breach
	for _, d := range s.file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		looks := false
		ast.Inspect(fn, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				looks = looks || n.Value == `"CI"`
			case *ast.SelectorExpr:
				x, ok := n.X.(*ast.Ident)
				looks = looks || ok && x.Name == "testing" && n.Sel.Name == "Short"
			}
			return !looks
		})
		if looks {
			continue
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) && slices.Contains([]string{"t", "b", "f", "tb"}, x.Name) {
				out = append(out, breach{"skip", s.at(sel.Pos()), "a test is skipped without a look at CI"})
			}
			return true
		})
	}
	return out
}
