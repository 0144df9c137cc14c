package fences

import (
	"go/ast"
	"go/token"
)

// checkSleep: no test sleeps against the wall clock. In a bubble of testing/synctest the clock is virtual, so that a
// sleep is what moves it; a bubble is what is handed to synctest.Test, or to a function of the same folder that does so,
// and each function that is used in bubbles only.
func checkSleep(files []*source) []breach {
	folders := map[string][]*source{}
	for _, s := range files {
		if s.test || helper(s.pkg) {
			folders[s.pkg] = append(folders[s.pkg], s)
		}
	}
	virtual := map[string]map[*source]spans{} // by package, where somebody sleeps
	var out []breach
	for _, s := range files {
		if !s.test && !helper(s.pkg) {
			continue
		}
		s.uses("time", "Sleep", func(sel *ast.SelectorExpr) {
			if virtual[s.pkg] == nil {
				virtual[s.pkg] = bubbles(folders[s.pkg])
			}
			if !virtual[s.pkg][s].holds(sel) {
				out = append(out, breach{"sleep", s.at(sel.Pos()), "time.Sleep in a test: wait for what it waits for, with a deadline"})
			}
		})
	}
	return out
}

// spans are stretches of one file.
type spans [][2]token.Pos

func (s spans) holds(n ast.Node) bool {
	for _, b := range s {
		if b[0] <= n.Pos() && n.End() <= b[1] {
			return true
		}
	}
	return false
}

// bubbles finds the stretches of a folder's tests whose clock is virtual. It goes by names and not by types: a name that
// is used outside of bubbles too counts as outside.
func bubbles(files []*source) map[*source]spans {
	out := map[*source]spans{}
	// Functions that make a bubble of what they are given.
	makers := map[string]bool{}
	for _, s := range files {
		as := s.imports("testing/synctest")
		if as == "" {
			continue
		}
		for _, d := range s.file.Decls {
			ast.Inspect(d, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				sel, ok := call.Fun.(*ast.SelectorExpr)
				if !ok || sel.Sel.Name != "Test" {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); !ok || x.Name != as {
					return true
				}
				out[s] = append(out[s], [2]token.Pos{call.Lparen, call.Rparen})
				if fn, ok := d.(*ast.FuncDecl); ok {
					makers[fn.Name.Name] = true
				}
				return true
			})
		}
	}
	for _, s := range files {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && makers[called(call)] {
				out[s] = append(out[s], [2]token.Pos{call.Lparen, call.Rparen})
			}
			return true
		})
	}
	used := names(files)
	for grown := true; grown; {
		grown = false
		for _, s := range files {
			for _, d := range s.file.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Body == nil || out[s].holds(fn.Body) || !inBubblesOnly(used[fn.Name.Name], out) {
					continue
				}
				out[s] = append(out[s], [2]token.Pos{fn.Body.Pos(), fn.Body.End()})
				grown = true
			}
		}
	}
	return out
}

func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// use is a place where a name is used.
type use struct {
	in *source
	at *ast.Ident
}

// names gives where each name is used, the names of declared functions at their declaration left out.
func names(files []*source) map[string][]use {
	out := map[string][]use{}
	for _, s := range files {
		declared := map[*ast.Ident]bool{}
		for _, d := range s.file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				declared[fn.Name] = true
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && !declared[id] {
				out[id.Name] = append(out[id.Name], use{s, id})
			}
			return true
		})
	}
	return out
}

func inBubblesOnly(uses []use, inside map[*source]spans) bool {
	for _, u := range uses {
		if !inside[u.in].holds(u.at) {
			return false
		}
	}
	return len(uses) > 0
}
