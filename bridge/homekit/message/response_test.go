package message

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestResponse(t *testing.T) {
	for _, tt := range []struct {
		status     int
		kind, body string
		want       string
	}{
		{200, TypeJSON, `{}`, "HTTP/1.1 200 OK\r\nContent-Type: application/hap+json\r\nContent-Length: 2\r\n\r\n{}"},
		{200, TypeTLV8, "\x06\x01\x02", "HTTP/1.1 200 OK\r\nContent-Type: application/pairing+tlv8\r\nContent-Length: 3\r\n\r\n\x06\x01\x02"},
		{204, "", "", "HTTP/1.1 204 No Content\r\n\r\n"},
		{204, TypeJSON, "lost", "HTTP/1.1 204 No Content\r\n\r\n"},
		{207, TypeJSON, "{}", "HTTP/1.1 207 Multi-Status\r\nContent-Type: application/hap+json\r\nContent-Length: 2\r\n\r\n{}"},
		{404, "", "", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"},
		{405, "", "", "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"},
		{470, "", "", "HTTP/1.1 470 Connection Authorization Required\r\nContent-Length: 0\r\n\r\n"},
		{299, "", "", "HTTP/1.1 299 Status\r\nContent-Length: 0\r\n\r\n"},
		{0, "", "", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"},
		{100, "", "", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"},
		{1000, "", "", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"},
	} {
		if got := string(AppendResponse([]byte("before "), tt.status, tt.kind, []byte(tt.body))); got != "before "+tt.want {
			t.Errorf("%d: %q, want %q", tt.status, got, tt.want)
		}
	}
}

// TestResponseIsHTTP: net/http reads every response, none without a phrase, and nothing is left behind it.
func TestResponseIsHTTP(t *testing.T) {
	for status := 200; status < 1000; status++ {
		if status == http.StatusNotModified {
			continue // has no body by its nature, and is never said here
		}
		in := bufio.NewReader(bytes.NewReader(AppendResponse(nil, status, TypeJSON, []byte("{}"))))
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%d: %v", status, err)
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, 100))
		_ = r.Body.Close()
		want := "{}"
		if status == http.StatusNoContent {
			want = ""
		}
		if err != nil || string(body) != want || in.Buffered() > 0 || r.StatusCode != status {
			t.Errorf("%d: status %d, body %q, %v, %d bytes left", status, r.StatusCode, body, err, in.Buffered())
		}
		if _, phrase, _ := strings.Cut(r.Status, " "); phrase == "" {
			t.Errorf("%d: no phrase", status)
		}
	}
}

func TestEvent(t *testing.T) {
	const want = "EVENT/1.0 200 OK\r\nContent-Type: application/hap+json\r\nContent-Length: 22\r\n\r\n" + `{"characteristics":[]}`
	if got := string(AppendEvent(nil, []byte(`{"characteristics":[]}`))); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAppendAllocates(t *testing.T) {
	buf, body := make([]byte, 0, 512), []byte(`{"characteristics":[]}`)
	if got := testing.AllocsPerRun(100, func() {
		_ = AppendResponse(buf, 207, TypeJSON, body)
		_ = AppendEvent(buf, body)
	}); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}
