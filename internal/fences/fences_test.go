package fences

import (
	"os"
	"path/filepath"
	"testing"
)

// check holds every fence against the module at root.
func check(root string) ([]breach, error) {
	files, err := parseTree(root)
	if err != nil {
		return nil, err
	}
	var out []breach
	for _, r := range rules {
		out = append(out, r.check(files)...)
	}
	far, err := checkWalls(root, files)
	return append(out, far...), err
}

func TestFences(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatalf("the root of the module is not where this test looks for it: %v", err)
	}
	breaches, err := check(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range breaches {
		t.Error(b)
	}
}

func TestRoomOf(t *testing.T) {
	tests := []struct{ pkg, want string }{
		{"twin", "twin"},
		{"edge", "edge"},
		{"edge/eventbus", "edge/eventbus"},
		{"edge/eventbus/topic", "edge/eventbus/topic"},
		{"edge/mapper/driver/gpio", "edge/mapper/driver/..."},
		{"bridge/matter", "bridge/matter"},
		{"bridge/matter/cluster/onoff", "bridge/matter/..."},
		{"cloud/registry/kubernetes", "cloud/registry/kubernetes/..."},
		{"twin/inner", ""},
		{"edgehub", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if got, _ := roomOf(tt.pkg); got.path != tt.want {
			t.Errorf("roomOf(%q) = %q, want %q", tt.pkg, got.path, tt.want)
		}
	}
}
