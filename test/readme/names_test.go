package readme

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"twinbridge/cloud"
	"twinbridge/edge"
	gpioline "twinbridge/edge/mapper/driver/line"
	"twinbridge/internal/config"
	"twinbridge/internal/manifest"
	"twinbridge/twin"
)

var (
	fileSection = regexp.MustCompile(`^(\w+):$`)
	fileKey     = regexp.MustCompile(`^  #?(\w+): `)
	fileDefault = regexp.MustCompile(`\(default (.*)\)$`)
)

// The parts of twinbridge.yaml under names of their own.
type (
	node = edge.Config
	hub  = cloud.Config
)

// written gives the keys of the configuration as it is written, with their defaults.
func written(t *testing.T) map[string]string {
	t.Helper()
	var text bytes.Buffer
	if err := config.Write(&text, struct {
		node
		hub
	}{edge.Defaults(), cloud.Defaults()}, nil); err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	section, comment := "", ""
	for l := range strings.Lines(text.String()) {
		l = strings.TrimRight(l, "\n")
		if m := fileSection.FindStringSubmatch(l); m != nil {
			section, comment = m[1], ""
		} else if m := fileKey.FindStringSubmatch(l); m != nil {
			def := fileDefault.FindStringSubmatch(comment)
			if section == "" || def == nil {
				t.Fatalf("key %s.%s: no default in %q", section, m[1], comment)
			}
			keys[section+"."+m[1]], comment = def[1], ""
		} else if c, ok := strings.CutPrefix(strings.TrimSpace(l), "# "); ok {
			comment = strings.TrimSpace(comment + " " + c)
		}
	}
	return keys
}

// checkKeys compares the table below "Configuration" with the keys that there are.
func checkKeys(p *page, keys map[string]string) (problems []string) {
	named := map[string]bool{}
	for _, l := range p.section("Configuration") {
		row := cells(l.text)
		if len(row) < 3 || !strings.HasPrefix(row[0], "`") {
			continue
		}
		key := strings.Trim(row[0], "`")
		def, ok := keys[key]
		named[key] = true
		switch {
		case !ok:
			problems = append(problems, "there is no key "+key)
		case key != "node.name" && strings.Trim(row[1], "`") != def: // the host's name
			problems = append(problems, fmt.Sprintf("%s: the default is %s, not %s", key, def, row[1]))
		}
	}
	for key := range keys {
		if !named[key] {
			problems = append(problems, "key "+key+" is not in the table")
		}
	}
	return problems
}

func TestConfiguration(t *testing.T) {
	keys := written(t)
	r := readme(t)
	report(t, checkKeys(&r, keys))

	planted := parse("planted", "## Configuration\n\n| `mqtt.listn` | none | |\n| `log.level` | `loud` | |\n")
	if got := checkKeys(&planted, keys); len(got) != len(keys)+1 {
		t.Errorf("planted: %q", got)
	}
}

// TestManifests: what the pages show can be applied.
func TestManifests(t *testing.T) {
	seen := 0
	for _, p := range pages(t) {
		for _, text := range p.blocks("yaml") {
			if !strings.Contains(text, "apiVersion:") {
				continue
			}
			set, err := manifest.Read(p.name, []byte(text))
			if err != nil {
				t.Error(err)
			}
			for _, d := range set.Devices {
				seen++
				if d.Device.Protocol.Protocol != "gpio" {
					continue
				}
				if _, err := gpioline.ParseChip(d.Device.Protocol.Config); err != nil {
					t.Errorf("%s: %v", p.name, err)
				}
				for i := range d.Device.Properties {
					v := &d.Device.Properties[i]
					if _, err := gpioline.ParseConfig(v.Name, v.Visitor.Config); err != nil {
						t.Errorf("%s: %v", p.name, err)
					}
				}
			}
		}
		for _, text := range p.blocks("json") {
			for l := range strings.Lines(text) {
				if !json.Valid([]byte(l)) {
					t.Errorf("%s: not JSON: %s", p.name, l)
				}
			}
		}
	}
	if seen < 2 {
		t.Errorf("%d devices found; the pages have more", seen)
	}
}

func TestAnnotations(t *testing.T) {
	r := readme(t)
	seen := 0
	for _, l := range r.section("Manifests") {
		row := cells(l.text)
		if len(row) < 3 {
			continue
		}
		key, ok := strings.CutPrefix(strings.Trim(row[0], "`"), twin.AnnotationPrefix)
		if !ok {
			continue
		}
		seen++
		if _, err := twin.ParsePolicy(map[string]string{key: strings.Trim(row[1], "`")}); err != nil {
			t.Error(err)
		}
	}
	if seen < 10 {
		t.Errorf("%d annotations found; the table has more", seen)
	}
}

// TestMap: the map of the house names every package that there is, and no other.
func TestMap(t *testing.T) {
	var rooms []string
	r := readme(t)
	for _, l := range r.section("The map of the house") {
		if row := cells(l.text); len(row) == 3 && strings.HasPrefix(row[0], "`") {
			rooms = append(rooms, strings.Trim(row[0], "`"))
		}
	}
	used := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return errorOr(err, fs.SkipDir)
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		pkg := filepath.ToSlash(filepath.Dir(strings.TrimPrefix(path, root+string(filepath.Separator))))
		i := slices.IndexFunc(rooms, func(room string) bool {
			tree, all := strings.CutSuffix(room, "/...")
			return pkg == room || all && (pkg == tree || strings.HasPrefix(pkg, tree+"/"))
		})
		if i < 0 {
			used[pkg] = false
			return fs.SkipDir
		}
		used[rooms[i]] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg, ok := range used {
		if !ok {
			t.Errorf("package %s is not in the map of the house", pkg)
		}
	}
	for _, room := range rooms {
		if !used[room] {
			t.Errorf("the map of the house names %s, where no Go file is", room)
		}
	}
}

func errorOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

var (
	makeWord   = regexp.MustCompile(`\bmake ([a-z][a-z-]*)`)
	makeTarget = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
)

func TestMakeTargets(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range makeTarget.FindAllStringSubmatch(string(text), -1) {
		targets[m[1]] = true
	}
	for _, p := range pages(t) {
		for _, l := range p.lines {
			code := spans(l.text)
			if l.fence != "" {
				code = []string{l.text}
			}
			for _, c := range code {
				if m := makeWord.FindStringSubmatch(c); m != nil && !targets[m[1]] {
					t.Errorf("%s: %q: make has no target %s", p.name, c, m[1])
				}
			}
		}
	}
}
