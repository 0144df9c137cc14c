package fences

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"strconv"
	"strings"
)

// checkRooms holds every import of ours against the table of rooms.
func checkRooms(files []*source) []breach {
	var out []breach
	for _, s := range files {
		if s.test || helper(s.pkg) {
			continue
		}
		r, ok := roomOf(s.pkg)
		if !ok {
			out = append(out, breach{"room", s.at(s.file.Name.Pos()), fmt.Sprintf("package %s is in no room: enter it in rooms_test.go", s.pkg)})
			continue
		}
		for _, im := range s.file.Imports {
			p, err := strconv.Unquote(im.Path.Value)
			if err != nil {
				continue // the parser has seen to it
			}
			ours, ok := strings.CutPrefix(p, module+"/")
			if !ok {
				continue
			}
			if !mayImport(r, ours) {
				out = append(out, breach{"room", s.at(im.Pos()), fmt.Sprintf("%s imports %s; it may import of ours: %v", s.pkg, ours, r.may)})
			}
		}
	}
	return out
}

func mayImport(r room, pkg string) bool {
	if helper(pkg) {
		return fits("test/...", r.path)
	}
	for _, m := range r.may {
		if fits(m, pkg) {
			return true
		}
	}
	return false
}

// listed is what `go list -deps -json` says of a package, as far as walls want to know.
type listed struct {
	ImportPath string
	Standard   bool
	Error      *struct{ Err string }
}

// checkWalls looks at everything that a package pulls in, over any number of steps. It asks the go command, which knows
// the packages of others.
func checkWalls(root string, files []*source) ([]breach, error) {
	var out []breach
	for _, w := range walls {
		if !has(files, w.path) {
			continue
		}
		pkgs, err := listDeps(root, w.path)
		if err != nil {
			return nil, err
		}
		self := path.Join(module, w.path)
		for _, p := range pkgs {
			switch {
			case w.only && !p.Standard && p.ImportPath != self:
			case w.never != "" && fits(w.never+"/...", p.ImportPath):
			default:
				continue
			}
			out = append(out, breach{"wall", w.path, fmt.Sprintf("%s depends on %s: %s", w.path, p.ImportPath, w.reason)})
		}
	}
	return out, nil
}

func has(files []*source, pkg string) bool {
	for _, s := range files {
		if s.pkg == pkg && !s.test {
			return true
		}
	}
	return false
}

func listDeps(root, pkg string) ([]listed, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Error", "./"+pkg)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list -deps %s: %w: %s", pkg, err, stderr.Bytes())
	}
	var out []listed
	dec := json.NewDecoder(bytes.NewReader(text))
	for {
		var p listed
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, fmt.Errorf("go list -deps %s: %w", pkg, err)
		case p.Error != nil:
			return nil, fmt.Errorf("go list -deps %s: %s: %s", pkg, p.ImportPath, p.Error.Err)
		}
		out = append(out, p)
	}
}
