package message

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
)

// FuzzParse: whatever comes, Parse ends, and says the same of every longer input; and what it takes for a request is one
// for net/http too, with the same parts and the same end.
func FuzzParse(f *testing.F) {
	for _, tt := range good {
		f.Add([]byte(tt.raw))
	}
	for _, tt := range bad {
		f.Add([]byte(tt.raw))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, err := Parse(b, small)
		var e *Error
		switch {
		case errors.Is(err, ErrShort):
			if n <= len(b) || n > small.Head+small.Body {
				t.Fatalf("of %d bytes %d are needed", len(b), n)
			}
			return
		case errors.As(err, &e):
			if n != 0 || e.Status < 400 {
				t.Fatalf("%d, %v", n, err)
			}
			if _, _, again := Parse(append(bytes.Clone(b), "\r\nx"...), small); !errors.As(again, &e) {
				t.Fatalf("refused with %v, with more behind it %v", err, again)
			}
			return
		case err != nil:
			t.Fatal(err)
		}
		for i := range n {
			if _, _, err := Parse(b[:i], small); !errors.Is(err, ErrShort) {
				t.Fatalf("a request of %d bytes, but of %d: %v", n, i, err)
			}
		}
		compare(t, r, bytes.TrimPrefix(b, []byte("\r\n")), n-(len(b)-len(bytes.TrimPrefix(b, []byte("\r\n")))))
	})
}

// compare reads b with net/http.
func compare(t *testing.T, r Request, b []byte, n int) {
	rest := bytes.NewReader(b)
	in := bufio.NewReader(rest)
	other, err := http.ReadRequest(in)
	if err != nil {
		t.Fatalf("%q: net/http says %v", b[:n], err)
	}
	target := string(r.Path)
	if bytes.HasPrefix(b[bytes.IndexByte(b, ' ')+1:], append(bytes.Clone(r.Path), '?')) {
		target += "?" + string(r.Query)
	}
	if other.RequestURI != target {
		t.Fatalf("%q: target %q, net/http says %q", b[:n], target, other.RequestURI)
	}
	if r.Method != Other && r.Method.String() != other.Method {
		t.Fatalf("%q: method %v, net/http says %q", b[:n], r.Method, other.Method)
	}
	if string(r.Type) != other.Header.Get("Content-Type") {
		t.Fatalf("%q: type %q, net/http says %q", b[:n], r.Type, other.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(io.LimitReader(other.Body, 1<<20))
	if err != nil || !bytes.Equal(body, r.Body) {
		t.Fatalf("%q: body %q, net/http says %q, %v", b[:n], r.Body, body, err)
	}
	if end := len(b) - rest.Len() - in.Buffered(); end != n {
		t.Fatalf("%q: %d bytes long, net/http says %d", b, n, end)
	}
}
