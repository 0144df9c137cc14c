package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed files
var files embed.FS

// policy is what the page may do. connect-src 'self' covers fetches and the stream of events.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// kinds are the content types of what may be served; a file of another kind is not.
var kinds = map[string]string{
	".html":        "text/html; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".svg":         "image/svg+xml",
	".webmanifest": "application/manifest+json",
}

// file is one file as it is served.
type file struct {
	kind string
	tag  string
	body []byte
}

// Handler serves the page at / and its files beside it, and nothing else. Files are checked anew at each visit (ETag),
// so that a browser never runs half of an old version.
func Handler() http.Handler {
	all := load()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" {
			name = "index.html"
		}
		f, ok := all[name]
		if !ok || r.URL.Path == "/index.html" { // the page has one address
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "expected GET or HEAD", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", f.kind)
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", f.tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
	})
}

// secure sets what holds for every answer.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
}

// load reads the embedded files once. What the compiler embedded can be read.
func load() map[string]file {
	all := map[string]file{}
	entries, _ := fs.ReadDir(files, "files")
	for _, e := range entries {
		body, err := fs.ReadFile(files, "files/"+e.Name())
		kind, known := kinds[path.Ext(e.Name())]
		if err != nil || !known {
			continue
		}
		sum := sha256.Sum256(body)
		all[e.Name()] = file{kind: kind, tag: `"` + hex.EncodeToString(sum[:12]) + `"`, body: body}
	}
	return all
}
