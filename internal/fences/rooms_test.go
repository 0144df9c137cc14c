package fences

import "strings"

// module is the path of the module whose rooms are listed here.
const module = "twinbridge"

// A room is a package, or a tree of packages, and what of ours its product code may import. The longest path that fits
// a package is its room.
type room struct {
	path string // "a/..." for a and all below it
	may  []string
}

// rooms says who may talk to whom. A package that fits no room is a breach, so a new room is entered here first.
var rooms = []room{
	{"twin", nil},
	{"accessories/...", []string{"twin", "internal/nearest"}},

	{"pairing/setup/...", []string{"pairing/setup/..."}},
	{"pairing/dnssd/...", []string{"pairing/dnssd/..."}},
	{"pairing/enroll/...", []string{"pairing/enroll/..."}},

	// The bridges know the twin; the protocol packages below them do not.
	{"bridge/homekit", []string{"twin", "accessories/...", "pairing/...", "internal/store", "bridge/homekit/..."}},
	{"bridge/homekit/...", []string{"bridge/homekit/...", "internal/store"}},
	{"bridge/matter", []string{"twin", "accessories/...", "pairing/...", "internal/store", "bridge/matter/..."}},
	{"bridge/matter/...", []string{"bridge/matter/...", "internal/store"}},

	{"edge/devicetwin/...", []string{"twin", "internal/store"}},
	{"edge/eventbus", []string{"twin", "edge/eventbus/topic", "internal/store"}},
	{"edge/eventbus/topic", []string{"twin"}},
	{"edge/mapper", []string{"twin", "edge/eventbus/topic"}},
	{"edge/mapper/driver/...", []string{"twin", "edge/mapper", "edge/mapper/driver/..."}},
	{"edge/edgehub/...", []string{"twin", "internal/wire"}},
	{"edge/local/...", []string{"twin", "internal/deviceapi", "internal/login", "internal/web"}},
	{"edge/doctor/...", nil},

	{"cloud/registry", []string{"twin"}},
	{"cloud/registry/embedded/...", []string{"twin", "cloud/registry", "internal/store"}},
	{"cloud/registry/kubernetes/...", []string{"twin", "cloud/registry", "internal/manifest"}},
	{"cloud/devicecontroller/...", []string{"twin", "cloud/registry", "internal/wire"}},
	{"cloud/cloudhub/...", []string{"twin", "internal/wire"}},
	{"cloud/api/...", []string{"twin", "cloud/registry", "internal/deviceapi", "internal/manifest", "internal/web", "internal/login"}},

	{"internal/wire/...", []string{"twin"}},
	{"internal/store", nil},
	{"internal/nearest", nil},
	{"internal/yamltree", []string{"internal/nearest"}},
	{"internal/manifest/...", []string{"twin", "internal/nearest", "internal/yamltree"}},
	{"internal/deviceapi/...", []string{"twin"}},
	{"internal/web/...", nil},
	{"internal/login/...", nil},
	{"internal/config", []string{"internal/nearest", "internal/yamltree"}},
	{"internal/metrics", nil},
	{"internal/stage", nil},
	{"internal/fences", nil},

	// The one readable place where each side is wired. Only package edge knows the drivers; only the main packages know
	// which registry it is.
	{"edge", []string{"twin", "accessories/...", "bridge/homekit", "bridge/matter", "edge/...", "pairing/...", "internal/..."}},
	{"cloud", []string{"twin", "cloud/registry", "cloud/devicecontroller", "cloud/cloudhub", "cloud/api", "pairing/...", "internal/..."}},
	{"cmd/twinbridge", []string{
		"twin", "edge", "cloud", "cloud/registry/embedded", "pairing/enroll", "pairing/setup",
		"internal/deviceapi", "internal/manifest", "internal/config",
	}},
	{"cmd/twinbridge-cloud", []string{"cloud", "cloud/registry/kubernetes", "internal/config"}},

	{"test/...", []string{"..."}},
}

// A wall keeps a package free of others however far away they are imported.
type wall struct {
	path   string // the package
	only   bool   // true: nothing but the standard library and itself
	never  string // else: this path and all below it
	reason string
}

var walls = []wall{
	{path: "twin", only: true, reason: "the rules of the twin depend on nobody"},
	{path: "pairing/enroll", only: true, reason: "who holds keys holds nothing else"},
	{path: "cmd/twinbridge", never: "k8s.io", reason: "a home does not carry Kubernetes"},
}

// helper reports whether pkg holds helpers for tests, which may import anything and are imported by tests only.
func helper(pkg string) bool {
	rest, ok := strings.CutPrefix(pkg, "internal/")
	return ok && strings.HasSuffix(rest, "test") && !strings.Contains(rest, "/")
}

// fits reports whether pkg is meant by the pattern.
func fits(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	if tree, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == tree || strings.HasPrefix(pkg, tree+"/")
	}
	return pkg == pattern
}

// roomOf finds the room of a package: an exact path before a tree, a longer tree before a shorter one.
func roomOf(pkg string) (room, bool) {
	var best room
	found := false
	for _, r := range rooms {
		if !fits(r.path, pkg) {
			continue
		}
		if r.path == pkg {
			return r, true
		}
		if !found || len(r.path) > len(best.path) {
			best, found = r, true
		}
	}
	return best, found
}
