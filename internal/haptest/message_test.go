package haptest

import (
	"errors"
	"strings"
	"testing"
)

const (
	noContent = "HTTP/1.1 204 No Content\r\n\r\n"
	event     = "EVENT/1.0 200 OK\r\nContent-Type: application/hap+json\r\nContent-Length: 4\r\n\r\n{ 1}"
	chunked   = "HTTP/1.1 200 OK\r\nContent-Type: application/hap+json\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"
)

var messages = []struct {
	name, wire string
	want       Message
}{
	{"no content", noContent, Message{Status: 204, Reason: "No Content"}},
	{"no content with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", Message{Status: 204, Reason: "No Content"}},
	{"event", event, Message{Event: true, Status: 200, Reason: "OK", Body: []byte("{ 1}")}},
	{"chunked", chunked, Message{Status: 200, Reason: "OK", Body: []byte("abc0123456789")}},
	{"case and spaces", "HTTP/1.1 207 Multi-Status\r\ncontent-length:  2 \r\n\r\n{}", Message{Status: 207, Reason: "Multi-Status", Body: []byte("{}")}},
	{"neither length nor chunks", "HTTP/1.1 470 Connection Authorization Required\r\nDate: x\r\n\r\n", Message{Status: 470, Reason: "Connection Authorization Required"}},
	{"trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n", Message{Status: 200, Reason: "OK", Body: []byte("a")}},
}

func same(a, b *Message) bool {
	return a.Event == b.Event && a.Status == b.Status && a.Reason == b.Reason && string(a.Body) == string(b.Body)
}

func TestMessages(t *testing.T) {
	for _, tt := range messages {
		for _, behind := range []string{"", noContent, event} {
			m, n, err := parseMessage([]byte(tt.wire + behind))
			if err != nil || n != len(tt.wire) || !same(&m, &tt.want) {
				t.Errorf("%s before %q: %+v, %d, %v", tt.name, behind, m, n, err)
			}
		}
		for i := range tt.wire {
			if _, n, err := parseMessage([]byte(tt.wire[:i])); !errors.Is(err, errShort) || n != 0 {
				t.Errorf("%s, %d bytes: %d, %v", tt.name, i, n, err)
			}
		}
	}
	m, _, err := parseMessage([]byte(event))
	if got := m.Header("content-type"); err != nil || got != "application/hap+json" {
		t.Errorf("content type %q, %v", got, err)
	}
	if got := m.Header("Content"); got != "" {
		t.Errorf("a header that is not there: %q", got)
	}
}

func TestNoMessages(t *testing.T) {
	for _, bad := range []string{
		"GET / HTTP/1.1\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\n",
		"HTTP/1.1 200\r\n\r\n", // aiohomekit refuses a line without a reason too
		"HTTP/1.1 20x OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
		// HAP-NodeJS 1.2.0 does this when it is asked for a large database while events go out.
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n" + event,
		strings.Repeat("x", 20),
		"HTTP/1.1 " + strings.Repeat("x", maxHead),
	} {
		if m, n, err := parseMessage([]byte(bad)); !errors.Is(err, errMessage) || n != 0 {
			t.Errorf("%.80q: %+v, %d, %v", bad, m, n, err)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, tt := range messages {
		f.Add([]byte(tt.wire))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, n, err := parseMessage(b)
		switch {
		case err == nil && (n <= 0 || n > len(b)):
			t.Fatalf("%d of %d bytes", n, len(b))
		case err != nil && n != 0:
			t.Fatalf("%d bytes and %v", n, err)
		case err != nil:
			return
		}
		// A message is the same whatever comes behind it, and not there before it is whole.
		again, k, err := parseMessage(append(b[:n:n], event...))
		if err != nil || k != n || !same(&m, &again) {
			t.Fatalf("%+v became %+v, %d, %v", m, again, k, err)
		}
		if _, _, err := parseMessage(b[:n-1]); !errors.Is(err, errShort) {
			t.Fatalf("without its last byte: %v", err)
		}
	})
}

func TestRequest(t *testing.T) {
	got := string(Request("PUT", "/characteristics", typeJSON, []byte(`{"a":1}`)))
	want := "PUT /characteristics HTTP/1.1\r\nHost: accessory.local\r\nContent-Type: application/hap+json\r\nContent-Length: 7\r\n\r\n{\"a\":1}"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
	got = string(Request("GET", "/accessories", "", nil))
	if want := "GET /accessories HTTP/1.1\r\nHost: accessory.local\r\n\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := PathOf([]ID{{1, 2}, {3, 4}}, "meta=1", "ev=1"); got != "/characteristics?id=1.2,3.4&meta=1&ev=1" {
		t.Error(got)
	}
	body, err := PutBody(7, Set(ID{2, 9}, "true"), Watch(ID{2, 10}, false))
	if want := `{"characteristics":[{"aid":2,"iid":9,"value":true},{"aid":2,"iid":10,"ev":false}],"pid":7}`; string(body) != want || err != nil {
		t.Errorf("%s, %v, want %s", body, err, want)
	}
}

func TestShort(t *testing.T) {
	for in, want := range map[string]string{
		"25": "25", "00000025-0000-1000-8000-0026BB765291": "25", "00000025-0000-1000-8000-0026bb765291": "25", "0": "0", "023": "23",
		"12345678-0000-0000-0000-000000000001": "12345678-0000-0000-0000-000000000001",
	} {
		if got := Short(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestPairingsOrder(t *testing.T) {
	one := []Item{{TypeIdentifier, []byte("a")}, {TypePublicKey, make([]byte, 32)}, Byte(TypePermissions, 1)}
	two := []Item{{TypeIdentifier, []byte("b")}, {TypePublicKey, make([]byte, 32)}, Byte(TypePermissions, 0)}
	list := append([]Item{Byte(TypeState, 2)}, one...)
	list = append(append(list, Item{Type: TypeSeparator}), two...)
	got, err := parsePairings(list)
	if err != nil || len(got) != 2 || got[0].ID != "a" || !got[0].Admin || got[1].ID != "b" || got[1].Admin {
		t.Errorf("%v, %v", got, err)
	}
	for i := range len(list) {
		if _, err := parsePairings(list[:i]); (err == nil) != (i == 1 || i == 4) {
			t.Errorf("the first %d items: %v", i, err)
		}
	}
	if _, err := parsePairings(append(list[:4:4], two...)); err == nil {
		t.Error("without a separator")
	}
}
