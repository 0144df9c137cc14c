package enroll

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

func sampleToken(t testing.TB) Token {
	t.Helper()
	ca, err := newSigner(someDay)
	if err != nil {
		t.Fatal(err)
	}
	secret := make([]byte, secretSize)
	for i := range secret {
		secret[i] = byte(i)
	}
	return Token{
		Node: "küche", Hubs: []string{hubURL, "https://192.0.2.1"}, CAs: []*x509.Certificate{ca.cert},
		Issued: time.Unix(2_000_000_000, 0).UTC(), Expires: time.Unix(2_000_003_600, 0).UTC(), secret: secret,
	}
}

// golden is the JSON in the sample token.
func golden(ca string) string {
	return `{"ca":"` + ca + `","expires":"2000003600","hubs":"https://hub.example:8443 https://192.0.2.1","issued":"2000000000",` +
		`"node":"küche","secret":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}`
}

func TestTokenText(t *testing.T) {
	want := sampleToken(t)
	text := "tb1." + b64.EncodeToString([]byte(golden(b64.EncodeToString(want.CAs[0].Raw))))
	if got := want.Text(); got != text {
		t.Errorf("Text:\n%s\nwant\n%s", got, text)
	}
	for _, s := range []string{text, " \t" + text + "\r\n"} {
		got, err := ParseToken(s)
		if err != nil {
			t.Fatal(err)
		}
		if got.Node != want.Node || !slices.Equal(got.Hubs, want.Hubs) || !got.CAs[0].Equal(want.CAs[0]) ||
			!got.Issued.Equal(want.Issued) || !got.Expires.Equal(want.Expires) || string(got.secret) != string(want.secret) {
			t.Errorf("ParseToken: %v", got)
		}
	}
	two := want
	two.CAs = append(slices.Clone(two.CAs), sampleToken(t).CAs...)
	if got, err := ParseToken(two.Text()); err != nil || len(got.CAs) != 2 {
		t.Errorf("two CAs: %v, %v", got.CAs, err)
	}
}

func TestTokenPrefixes(t *testing.T) {
	text := sampleToken(t).Text()
	for i := range len(text) {
		if _, err := ParseToken(text[:i]); err == nil {
			t.Fatalf("the first %d of %d bytes are taken for a token", i, len(text))
		}
	}
}

func TestParseTokenRefuses(t *testing.T) {
	sample := sampleToken(t)
	ca := b64.EncodeToString(sample.CAs[0].Raw)
	good := golden(ca)
	wrap := func(s string) string { return tokenPrefix + b64.EncodeToString([]byte(s)) }
	if _, err := ParseToken(wrap(good)); err != nil {
		t.Fatal(err)
	}
	swap := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not there", old)
		}
		return wrap(strings.Replace(good, old, with, 1))
	}
	for name, text := range map[string]string{
		"empty":              "",
		"another prefix":     "tb2." + b64.EncodeToString([]byte(good)),
		"upper case":         strings.ToUpper(wrap(good)),
		"padding":            wrap(good) + "=",
		"a line end inside":  wrap(good)[:50] + "\n" + wrap(good)[50:],
		"too long":           wrap(good + strings.Repeat(" ", maxBody)),
		"null":               wrap("null"),
		"list":               wrap("[]"),
		"two":                wrap(good + good),
		"unknown key":        swap(`{"ca"`, `{"x":"y","ca"`),
		"key twice":          swap(`{"ca"`, `{"node":"attic","ca"`),
		"no name":            swap("küche", ""),
		"bad name":           swap("küche", "a/b"),
		"no address":         swap("https://hub.example:8443 https://192.0.2.1", ""),
		"two spaces":         swap("8443 https", "8443  https"),
		"http":               swap("https://hub", "http://hub"),
		"short secret":       swap("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg"),
		"secret, two ways":   swap("GxwdHh8", "GxwdHh9"),
		"secret with an end": swap("GxwdHh8", `GxwdHh8\n`),
		"no CA":              swap(ca, ""),
		"half a CA":          swap(ca, ca[:len(ca)/2]),
		"CA with a tail":     swap(ca, b64.EncodeToString(append(slices.Clone(sample.CAs[0].Raw), 0))),
		"many CAs":           swap(ca, strings.Repeat(ca+" ", maxCAs)+ca),
		"two hours":          swap("2000003600", "2000007200"),
		"backwards":          swap("2000003600", "1999999999"),
		"negative":           swap("2000000000", "-1"),
		"plus":               swap("2000000000", "+2000000000"),
		"far":                swap("2000003600", "9223372036854775807"),
	} {
		_, err := ParseToken(text)
		var field *FieldError
		if !errors.As(err, &field) {
			t.Errorf("%s: %v, want a FieldError", name, err)
			continue
		}
		if strings.Contains(err.Error(), "AAECAwQ") {
			t.Errorf("%s: the error holds the secret: %v", name, err)
		}
	}
}

// TestTokenKeepsItsSecret prints a token in all ways that one could by mistake.
func TestTokenKeepsItsSecret(t *testing.T) {
	token := sampleToken(t)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("made", "token", token)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("made", "token", token)
	asJSON, err := json.Marshal(token)
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(asJSON) + fmt.Sprintf("%v %+v %#v %s %v", token, token, token, token, &token)
	for _, s := range []string{"AAECAwQ", string(token.secret), "1 2 3 4", "0x1, 0x2", "000102"} {
		if strings.Contains(all, s) {
			t.Errorf("%q is printed in %s", s, all)
		}
	}
	if !strings.Contains(all, "küche") {
		t.Errorf("the name is not printed in %s", all)
	}
}

func FuzzParseToken(f *testing.F) {
	sample := sampleToken(f)
	ca := b64.EncodeToString(sample.CAs[0].Raw)
	f.Add([]byte(golden(ca)), false)
	f.Add([]byte(sample.Text()), true)
	for _, s := range []string{"", "null", "[]", "{}", `{"ca":null}`, `{"node":"a","node":"b"}`} {
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, whole bool) {
		text := string(b)
		if !whole {
			text = tokenPrefix + b64.EncodeToString(b)
		}
		token, err := ParseToken(text)
		if err != nil {
			var field *FieldError
			if !errors.As(err, &field) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		again, err := ParseToken(token.Text())
		if err != nil || again.String() != token.String() || again.Text() != token.Text() {
			t.Fatalf("%v is read again as %v, %v", token, again, err)
		}
	})
}

// FuzzRequests hands bodies to the hub: none is a certificate, none changes anything.
func FuzzRequests(f *testing.F) {
	h := newHub(f)
	token := h.token(f, "attic")
	forged := token
	forged.secret = newSecret()
	csr := newCSR(f)
	f.Add(true, []byte(joinBody(f, forged, csr)))
	f.Add(false, []byte(body(f, "csr", csr, "certificate", string(h.CACertificate()), "signature", "AA")))
	for _, s := range []string{"", "null", "[]", "{}", `{"csr":null}`, `{"csr":"-----BEGIN CERTIFICATE REQUEST-----"}`} {
		f.Add(true, []byte(s))
		f.Add(false, []byte(s))
	}
	f.Fuzz(func(t *testing.T, join bool, b []byte) {
		path := RenewPath
		if join {
			path = JoinPath
		}
		h.clock.add(2 * window) // past the limiter
		h.clock.set(someDay.Add(h.clock.now().Sub(someDay) % (30 * time.Minute)))
		status, text := h.post(t, path, "192.0.2.1:1", anyone, string(b))
		if status < 400 || status >= 500 || !strings.Contains(text, `"detail"`) {
			t.Fatalf("status %d: %s", status, text)
		}
		if h.Tokens() != 1 || len(h.Nodes()) != 0 {
			t.Fatal("something changed")
		}
	})
}

func FuzzAnswer(f *testing.F) {
	h := newHub(f)
	status, text := h.post(f, JoinPath, "192.0.2.1:1", anyone, joinBody(f, h.token(f, "attic"), newCSR(f)))
	answered(f, status, text)
	f.Add([]byte(text))
	for _, s := range []string{"", "null", "[]", "{}", `{"certificate":null,"issued":""}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := parseAnswer(b)
		if err == nil && (g.leaf == nil || !g.issued.Before(g.leaf.NotAfter)) {
			t.Fatalf("%+v", g)
		}
		_ = detail(500, b)
	})
}

func TestAnswerPrefixes(t *testing.T) {
	h := newHub(t)
	status, text := h.post(t, JoinPath, "192.0.2.1:1", anyone, joinBody(t, h.token(t, "attic"), newCSR(t)))
	answered(t, status, text)
	text = strings.TrimSpace(text)
	for i := range len(text) {
		if _, err := parseAnswer([]byte(text[:i])); err == nil {
			t.Fatalf("the first %d of %d bytes are taken for an answer", i, len(text))
		}
	}
	// And the requests: every prefix is refused, and uses up nothing.
	token, csr := h.token(t, "cellar"), newCSR(t)
	whole := joinBody(t, token, csr)
	for i := range len(whole) {
		if status, text := h.post(t, JoinPath, "192.0.2.1:1", anyone, whole[:i]); status != 400 {
			t.Fatalf("the first %d of %d bytes: status %d: %s", i, len(whole), status, text)
		}
	}
	mustJoin(t, h, token, csr)
}
