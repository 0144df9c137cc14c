package message

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// small are limits that a test can reach.
var small = Limits{Line: 64, Head: 256, Fields: 4, Body: 32}

// good are requests as controllers send them, and at the border of what is taken.
var good = []struct {
	name, raw string
	want      Request
}{
	{
		"accessories", "GET /accessories HTTP/1.1\r\nHost: lamp._hap._tcp.local\r\n\r\n",
		Request{Method: Get, Path: []byte("/accessories")},
	},
	{
		"read", "GET /characteristics?id=1.9,2.9&meta=1 HTTP/1.1\r\nHost: 192.0.2.1:51827\r\n\r\n",
		Request{Method: Get, Path: []byte("/characteristics"), Query: []byte("id=1.9,2.9&meta=1")},
	},
	{
		"write", "PUT /characteristics HTTP/1.1\r\nHost: lamp\r\nContent-Type: application/hap+json\r\nContent-Length: 12\r\n\r\n{\"x\":[true]}",
		Request{Method: Put, Path: []byte("/characteristics"), Type: []byte("application/hap+json"), Body: []byte(`{"x":[true]}`)},
	},
	{
		"pair-setup", "POST /pair-setup HTTP/1.1\r\nContent-Length: 6\r\ncontent-type:application/pairing+tlv8\r\n\r\n\x06\x01\x01\x00\x01\x00",
		Request{Method: Post, Path: []byte("/pair-setup"), Type: []byte("application/pairing+tlv8"), Body: []byte("\x06\x01\x01\x00\x01\x00")},
	},
	{"other method", "OPTIONS / HTTP/1.1\r\n\r\n", Request{Path: []byte("/")}},
	{"method in small letters", "get / HTTP/1.1\r\n\r\n", Request{Path: []byte("/")}},
	{"empty line before", "\r\nGET / HTTP/1.1\r\n\r\n", Request{Method: Get, Path: []byte("/")}},
	{"close", "GET / HTTP/1.1\r\nConnection: keep-alive , Close\r\n\r\n", Request{Method: Get, Path: []byte("/"), Close: true}},
	{"keep-alive", "GET / HTTP/1.1\r\nConnection: keep-alive, closed\r\n\r\n", Request{Method: Get, Path: []byte("/")}},
	{"spaces around a value", "GET / HTTP/1.1\r\nContent-Type: \t a b \t\r\n\r\n", Request{Method: Get, Path: []byte("/"), Type: []byte("a b")}},
	{"no body", "POST /identify HTTP/1.1\r\nContent-Length: 0\r\n\r\n", Request{Method: Post, Path: []byte("/identify")}},
	{"no length", "POST /identify HTTP/1.1\r\n\r\n", Request{Method: Post, Path: []byte("/identify")}},
	{"GET with body", "GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", Request{Method: Get, Path: []byte("/"), Body: []byte("x")}},
	{"zeros before the length", "PUT / HTTP/1.1\r\nContent-Length: 0002\r\n\r\nxy", Request{Method: Put, Path: []byte("/"), Body: []byte("xy")}},
	{"encoded comma", "GET /c?id=1.9%2c1.10 HTTP/1.1\r\n\r\n", Request{Method: Get, Path: []byte("/c"), Query: []byte("id=1.9%2c1.10")}},
	{"two question marks", "GET /?? HTTP/1.1\r\n\r\n", Request{Method: Get, Path: []byte("/"), Query: []byte("?")}},
	{"bytes above ASCII in a value", "GET / HTTP/1.1\r\nX: \xff\xc3\xa4\r\n\r\n", Request{Method: Get, Path: []byte("/")}},
	{"longest line", "GET /" + strings.Repeat("a", 48) + " HTTP/1.1\r\n\r\n", Request{Method: Get, Path: []byte("/" + strings.Repeat("a", 48))}},
	{"most fields", "GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\nd:\r\n\r\n", Request{Method: Get, Path: []byte("/")}},
	{"longest header", "GET / HTTP/1.1\r\na:" + strings.Repeat("b", 234) + "\r\n\r\n", Request{Method: Get, Path: []byte("/")}},
	{"longest body", "PUT / HTTP/1.1\r\nContent-Length: 32\r\n\r\n" + strings.Repeat("z", 32), Request{Method: Put, Path: []byte("/"), Body: []byte(strings.Repeat("z", 32))}},
}

func TestParse(t *testing.T) {
	for _, tt := range good {
		t.Run(tt.name, func(t *testing.T) {
			for _, behind := range []string{"", "GET /next", "\r\n\r\n", "\x00"} {
				r, n, err := Parse([]byte(tt.raw+behind), small)
				if err != nil || n != len(tt.raw) || !reflect.DeepEqual(r, tt.want) {
					t.Errorf("with %q behind: %+v, %d, %v; want %+v, %d", behind, r, n, err, tt.want, len(tt.raw))
				}
			}
		})
	}
}

// TestPrefixes: no prefix of a request is a request or refused, and what it is said to need at least is true.
func TestPrefixes(t *testing.T) {
	for _, tt := range good {
		for i := range len(tt.raw) {
			r, n, err := Parse([]byte(tt.raw[:i]), small)
			if !errors.Is(err, ErrShort) || n <= i || n > len(tt.raw) || !reflect.DeepEqual(r, Request{}) {
				t.Fatalf("%s, %d of %d bytes: %+v, %d, %v", tt.name, i, len(tt.raw), r, n, err)
			}
		}
	}
}

// TestNeed: once the header is there, the whole length is told.
func TestNeed(t *testing.T) {
	const head = "PUT / HTTP/1.1\r\nContent-Length: 30\r\n\r\n"
	for _, i := range []int{0, 1, 29} {
		if _, n, err := Parse([]byte(head+strings.Repeat("x", i)), small); n != len(head)+30 || !errors.Is(err, ErrShort) {
			t.Errorf("%d bytes of body: %d, %v", i, n, err)
		}
	}
}

// bad are requests that other readers may see differently, or that are too much. Each is refused with its status, alone
// and with a good request behind it.
var bad = []struct {
	name, raw string
	status    int
}{
	// Where does the body end?
	{"both lengths", "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"both lengths, the other way", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400},
	{"length and identity", "POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\nContent-Length: 4\r\n\r\nabcd", 400},
	{"two lengths", "POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400},
	{"the same length twice", "POST / HTTP/1.1\r\nContent-Length: 4\r\ncontent-length: 4\r\n\r\nabcd", 400},
	{"two lengths in one field", "POST / HTTP/1.1\r\nContent-Length: 4, 4\r\n\r\nabcd", 400},
	{"negative length", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
	{"length with a sign", "POST / HTTP/1.1\r\nContent-Length: +4\r\n\r\nabcd", 400},
	{"hexadecimal length", "POST / HTTP/1.1\r\nContent-Length: 0x4\r\n\r\nabcd", 400},
	{"length with a fraction", "POST / HTTP/1.1\r\nContent-Length: 4.0\r\n\r\nabcd", 400},
	{"length with a space inside", "POST / HTTP/1.1\r\nContent-Length: 1 2\r\n\r\nabcdabcdabcd", 400},
	{"empty length", "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", 400},
	{"length in other digits", "POST / HTTP/1.1\r\nContent-Length: \xd9\xa4\r\n\r\nabcd", 400},
	{"length of 2^64 and 4", "POST / HTTP/1.1\r\nContent-Length: 18446744073709551620\r\n\r\nabcd", 413},
	{"length of 2^32 and 4", "POST / HTTP/1.1\r\nContent-Length: 4294967300\r\n\r\nabcd", 413},
	{"one byte too long", "POST / HTTP/1.1\r\nContent-Length: 33\r\n\r\n", 413},
	{"chunked", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n", 411},
	{"chunked in capitals", "POST / HTTP/1.1\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n", 411},
	{"chunked and more", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 411},
	{"chunked misspelt", "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 411},
	{"chunked, empty", "POST / HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n", 411},

	// Where does a line or a field end?
	{"bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400},
	{"bare LF after the first line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
	{"bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
	{"bare CR", "GET / HTTP/1.1\rHost: a\r\n\r\n", 400},
	{"CR in a value", "GET / HTTP/1.1\r\nX: a\rContent-Length: 4\r\n\r\n", 400},
	{"two CR", "GET / HTTP/1.1\r\r\n\r\n", 400},
	{"bare LF before", "\nGET / HTTP/1.1\r\n\r\n", 400},
	{"two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\n\r\n", 400},
	{"folded field", "POST / HTTP/1.1\r\nX: a\r\n Content-Length: 4\r\n\r\n", 400},
	{"folded with a tab", "POST / HTTP/1.1\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n", 400},
	{"space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
	{"space before the colon", "POST / HTTP/1.1\r\nContent-Length : 4\r\n\r\nabcd", 400},
	{"tab before the colon", "POST / HTTP/1.1\r\nTransfer-Encoding\t: chunked\r\n\r\n", 400},
	{"no colon", "POST / HTTP/1.1\r\nContent-Length\r\n\r\n", 400},
	{"no name", "POST / HTTP/1.1\r\n: 4\r\n\r\n", 400},
	{"NUL in a name", "POST / HTTP/1.1\r\nContent-Length\x00: 4\r\n\r\nabcd", 400},
	{"NUL in a value", "POST / HTTP/1.1\r\nContent-Type: a\x00b\r\n\r\n", 400},
	{"control character in a value", "POST / HTTP/1.1\r\nX: a\x0bb\r\n\r\n", 400},
	{"DEL in a value", "POST / HTTP/1.1\r\nX: a\x7fb\r\n\r\n", 400},
	{"bytes above ASCII in a name", "POST / HTTP/1.1\r\nContent-Length\xa0: 4\r\n\r\nabcd", 400},
	{"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
	{"two types", "GET / HTTP/1.1\r\nContent-Type:\r\nContent-Type: b\r\n\r\n", 400},
	{"expectation", "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n", 417},

	// What is wanted?
	{"no version", "GET /\r\n\r\n", 400},
	{"HTTP/0.9 with spaces", "GET / \r\n\r\n", 400},
	{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 505},
	{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
	{"HTTP/2.0", "GET / HTTP/2.0\r\n\r\n", 505},
	{"HTTP/1.2", "GET / HTTP/1.2\r\n\r\n", 505},
	{"version with a zero", "GET / HTTP/1.01\r\n\r\n", 400},
	{"version in small letters", "GET / http/1.1\r\n\r\n", 400},
	{"response", "HTTP/1.1 200 OK\r\n\r\n", 400},
	{"two spaces", "GET  / HTTP/1.1\r\n\r\n", 400},
	{"two spaces before the version", "GET /  HTTP/1.1\r\n\r\n", 400},
	{"space at the end", "GET / HTTP/1.1 \r\n\r\n", 400},
	{"space before", " GET / HTTP/1.1\r\n\r\n", 400},
	{"tab for a space", "GET\t/ HTTP/1.1\r\n\r\n", 400},
	{"no method", "/ HTTP/1.1\r\n\r\n", 400},
	{"long method", "AVERYVERYLONGMETHOD / HTTP/1.1\r\n\r\n", 400},
	{"absolute target", "GET http://other/accessories HTTP/1.1\r\n\r\n", 400},
	{"authority", "CONNECT other:443 HTTP/1.1\r\n\r\n", 400},
	{"asterisk", "OPTIONS * HTTP/1.1\r\n\r\n", 400},
	{"fragment", "GET /#a HTTP/1.1\r\n\r\n", 400},
	{"backslash", "GET /..\\x HTTP/1.1\r\n\r\n", 400},
	{"NUL in the target", "GET /\x00 HTTP/1.1\r\n\r\n", 400},
	{"bytes above ASCII in the target", "GET /\xc3\xa4 HTTP/1.1\r\n\r\n", 400},
	{"percent alone", "GET /% HTTP/1.1\r\n\r\n", 400},
	{"percent cut off", "GET /%2 HTTP/1.1\r\n\r\n", 400},
	{"percent without digits", "GET /%zz HTTP/1.1\r\n\r\n", 400},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400},

	// Too much.
	{"line one byte too long", "GET /" + strings.Repeat("a", 49) + " HTTP/1.1\r\n\r\n", 414},
	{"line without end", strings.Repeat("a", 64), 414},
	{"header one byte too long", "GET / HTTP/1.1\r\na:" + strings.Repeat("b", 235) + "\r\n\r\n", 431},
	{"header without end", "GET / HTTP/1.1\r\na:" + strings.Repeat("b", 300), 431},
	{"one field too many", "GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\n\r\n", 431},
}

func TestRefused(t *testing.T) {
	for _, tt := range bad {
		t.Run(tt.name, func(t *testing.T) {
			for _, behind := range []string{"", "GET /next HTTP/1.1\r\n\r\n"} {
				r, n, err := Parse([]byte(tt.raw+behind), small)
				var e *Error
				if !errors.As(err, &e) || e.Status != tt.status || n != 0 || !reflect.DeepEqual(r, Request{}) {
					t.Errorf("with %q behind: %+v, %d, %v; want status %d", behind, r, n, err, tt.status)
				}
			}
			// Byte by byte it is never taken for a request either.
			for i := range len(tt.raw) {
				if _, _, err := Parse([]byte(tt.raw[:i]), small); err == nil {
					t.Fatalf("%q is taken for a request", tt.raw[:i])
				}
			}
		})
	}
}

// TestEarly: what is wrong is told without waiting for the rest.
func TestEarly(t *testing.T) {
	for _, tt := range []struct {
		raw    string
		status int
	}{
		{"\x16\x03\x01\x02\x00\n", 400},
		{"GET / HTTP/1.0\r\n", 505},
		{"GET / HTTP/1.1\r\nA B: c\r\n", 400},
		{"GET / HTTP/1.1\n", 400},
		{"GET / HTTP/1.1\rA", 400},
		{"\rG", 400},
		{"POST / HTTP/1.1\r\nContent-Length: 999999\r\n\r\n", 413},
	} {
		_, _, err := Parse([]byte(tt.raw), small)
		if e := (*Error)(nil); !errors.As(err, &e) || e.Status != tt.status {
			t.Errorf("%q: %v, want status %d", tt.raw, err, tt.status)
		}
	}
}

// TestBodyKeepsApart: who appends to a body does not write into the request behind it.
func TestBodyKeepsApart(t *testing.T) {
	b := []byte("PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\nxyGET /next HTTP/1.1\r\n\r\n")
	r, n, err := Parse(b, small)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(r.Body, "POST"...)
	if !bytes.HasPrefix(b[n:], []byte("GET /next")) {
		t.Errorf("behind the request: %q", b[n:])
	}
}

func TestParseAllocates(t *testing.T) {
	raw := []byte(good[2].raw)
	if got := testing.AllocsPerRun(100, func() {
		if _, _, err := Parse(raw, DefaultLimits); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Parse(raw[:50], DefaultLimits); !errors.Is(err, ErrShort) {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

func BenchmarkParse(b *testing.B) {
	raw := []byte(good[2].raw)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Parse(raw, DefaultLimits); err != nil {
			b.Fatal(err)
		}
	}
}
