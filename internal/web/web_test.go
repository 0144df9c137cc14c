package web

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func ask(t *testing.T, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost/", nil)
	r.URL.Path = target // as it stands, however odd
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

// TestEveryFileIsServed as what it is, and may be kept only if it is asked for again.
func TestEveryFileIsServed(t *testing.T) {
	want := map[string]string{
		"/": "text/html; charset=utf-8", "/app.js": "text/javascript; charset=utf-8", "/style.css": "text/css; charset=utf-8",
		"/favicon.svg": "image/svg+xml", "/manifest.webmanifest": "application/manifest+json",
	}
	entries, err := fs.ReadDir(files, "files")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".js") {
			want["/"+e.Name()] = "text/javascript; charset=utf-8"
		}
	}
	if n := len(load()); n != len(entries) || len(want) != n {
		t.Errorf("%d files are embedded, %d served, %d known here", len(entries), n, len(want))
	}
	for path, kind := range want {
		res := ask(t, http.MethodGet, path)
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != kind || res.ContentLength < 100 && res.Header.Get("Content-Length") == "" {
			t.Errorf("%s: %d %v", path, res.StatusCode, res.Header)
		}
		tag := res.Header.Get("ETag")
		if res.Header.Get("Cache-Control") != "no-cache" || len(tag) < 10 {
			t.Errorf("%s may be kept unseen: %v", path, res.Header)
		}
		again := ask(t, http.MethodGet, path, "If-None-Match", tag)
		if again.StatusCode != http.StatusNotModified || again.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s again: %d %v", path, again.StatusCode, again.Header)
		}
		if head := ask(t, http.MethodHead, path); head.StatusCode != http.StatusOK || head.Header.Get("ETag") != tag {
			t.Errorf("HEAD %s: %d", path, head.StatusCode)
		}
	}
}

func TestNothingElseIsServed(t *testing.T) {
	for _, path := range []string{
		"/index.html", "/files/app.js", "/../web.go", "/..%2fweb.go", "//app.js", "/app.js/", "/app.js%00", "/APP.JS", "/v1/devices", "/.", "/doc.go", "app.js/../app.js",
	} {
		if res := ask(t, http.MethodGet, path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%q: status %d, want 404", path, res.StatusCode)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "TRACE"} {
		res := ask(t, method, "/")
		if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s /: %d, Allow %q", method, res.StatusCode, res.Header.Get("Allow"))
		}
	}
}

// TestHeaders: every answer carries them, those that say no too.
func TestHeaders(t *testing.T) {
	for _, path := range []string{"/", "/app.js", "/nothing"} {
		h := ask(t, http.MethodGet, path).Header
		for key, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := h.Get(key); got != want {
				t.Errorf("%s: %s is %q, want %q", path, key, got, want)
			}
		}
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'",
			"base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'",
		} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy has no %s: %s", path, want, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") || strings.Contains(csp, "http") || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: too open: %v", path, h)
		}
	}
}

// TestFilesAreAsTheyClaim: nothing comes from elsewhere, and text is never made markup.
func TestFilesAreAsTheyClaim(t *testing.T) {
	bad := map[string]*regexp.Regexp{
		"another place":   regexp.MustCompile(`(?i)(https?:)?//[a-z0-9.-]+\.[a-z]{2,}/`),
		"markup of text":  regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|\beval\b|new Function|srcdoc`),
		"inline handlers": regexp.MustCompile(`(?i)<[a-z][^>]*\s(on[a-z]+|style)=`),
		"kept secrets":    regexp.MustCompile(`localStorage|sessionStorage|indexedDB|document\.cookie`),
	}
	for name, f := range load() {
		text := strings.ReplaceAll(string(f.body), `xmlns="http://www.w3.org/2000/svg"`, "")
		for what, re := range bad {
			if m := re.FindString(text); m != "" {
				t.Errorf("%s: %s: %q", name, what, m)
			}
		}
		if lines := strings.Count(text, "\n"); lines > 300 {
			t.Errorf("%s has %d lines; at most 300", name, lines)
		}
	}
	for what, text := range map[string]string{
		"another place": `<script src="//cdn.example.org/x.js">`, "markup of text": `a.innerHTML = b`, "inline handlers": `<p onclick="x()">`, "kept secrets": `localStorage.x`,
	} {
		if !bad[what].MatchString(text) {
			t.Errorf("planted %q is not found", what)
		}
	}
}

func BenchmarkPage(b *testing.B) {
	h := Handler()
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil)
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
