package enroll

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	tokenPrefix = "tb1."
	secretSize  = 32 // bytes
	maxHubs     = 8
	maxHubLen   = 255 // bytes of an address
	maxCAs      = 4
)

// b64 is how bytes stand in messages.
var b64 = base64.RawURLEncoding.Strict()

// decode64 reads base64url without padding; each value has one text, without the line ends that the decoder would pass
// over.
func decode64(s string) ([]byte, error) {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return nil, base64.CorruptInputError(i)
	}
	return b64.DecodeString(s)
}

// Token lets one node join. It prints without its secret; [Token.Text] is what the node is given.
type Token struct {
	Node    string              // the name that the node will have
	Hubs    []string            // addresses of the hub, as https://host:port, 1 to 8
	CAs     []*x509.Certificate // certificates of the hub's CA, 1 to 4
	Issued  time.Time           // by the hub's clock, whole seconds
	Expires time.Time           // by the hub's clock, whole seconds
	secret  []byte
}

// newSecret makes the secret of a token.
func newSecret() []byte {
	b := make([]byte, secretSize)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return b
}

// hashSecret gives what the hub keeps of a secret.
func hashSecret(secret []byte) []byte {
	h := sha256.Sum256(secret)
	return h[:]
}

// String names the token without its secret.
func (t Token) String() string {
	return fmt.Sprintf("token for node %s until %s", t.Node, t.Expires.UTC().Format(time.RFC3339))
}

// GoString is String, so that %#v tells no more.
func (t Token) GoString() string { return t.String() }

// LogValue is String, so that a log tells no more.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Text gives the token as one word: "tb1." and base64url of a JSON object of strings. Whoever reads it can join as the
// node, once.
func (t Token) Text() string {
	cas := make([]string, len(t.CAs))
	for i, c := range t.CAs {
		cas[i] = b64.EncodeToString(c.Raw)
	}
	// Marshalling a map of strings cannot fail; its keys come out in order.
	data, _ := json.Marshal(map[string]string{
		"hubs":    strings.Join(t.Hubs, " "),
		"node":    t.Node,
		"secret":  b64.EncodeToString(t.secret),
		"ca":      strings.Join(cas, " "),
		"issued":  strconv.FormatInt(t.Issued.Unix(), 10),
		"expires": strconv.FormatInt(t.Expires.Unix(), 10),
	})
	return tokenPrefix + b64.EncodeToString(data)
}

// ParseToken reads what [Token.Text] wrote; spaces and line ends around it do not matter. It takes at most 16 KiB, and
// does not look at the clock. The error is a [FieldError] and never holds the secret.
func ParseToken(text string) (Token, error) {
	bad := func(want string) (Token, error) {
		return Token{}, &FieldError{Field: "token", Want: want}
	}
	text = strings.TrimSpace(text)
	if len(text) > maxBody {
		return bad("at most 16 KiB")
	}
	body, ok := strings.CutPrefix(text, tokenPrefix)
	if !ok {
		return bad("a word that begins with " + tokenPrefix)
	}
	const whole = "the whole text, as the hub gave it"
	data, err := decode64(body)
	if err != nil {
		return bad(whole)
	}
	m, err := readFlat(data, []string{"hubs", "node", "secret", "ca", "issued", "expires"}, nil)
	if err != nil {
		return bad(whole) // the text of the error could hold a part of the secret
	}
	t := Token{Node: m["node"], Hubs: strings.Split(m["hubs"], " ")}
	if err := CheckNode(t.Node); err != nil {
		return Token{}, fmt.Errorf("token: %w", err)
	}
	if err := checkHubs(t.Hubs); err != nil {
		return Token{}, fmt.Errorf("token: %w", err)
	}
	if t.secret, err = decode64(m["secret"]); err != nil || len(t.secret) != secretSize {
		return bad("a secret of 32 bytes in it")
	}
	if t.CAs, err = parseCAs(m["ca"]); err != nil {
		return bad("the certificate of the hub's CA in it, " + err.Error())
	}
	issued, err1 := parseSeconds(m["issued"])
	expires, err2 := parseSeconds(m["expires"])
	if err1 != nil || err2 != nil || !expires.After(issued) || expires.Sub(issued) > MaxTokenLife {
		return bad("two times in it, at most an hour apart")
	}
	t.Issued, t.Expires = issued, expires
	return t, nil
}

// parseSeconds reads seconds since 1970, in one way to write each.
func parseSeconds(s string) (time.Time, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	const year10000 = 253402300800 // beyond it, times do not fit certificates and JSON
	if err != nil || n < 0 || n >= year10000 || strconv.FormatInt(n, 10) != s {
		return time.Time{}, &FieldError{Field: "time", Value: clip(s), Want: "seconds since 1970"}
	}
	return time.Unix(n, 0).UTC(), nil
}

// parseCAs reads the certificates of a bundle. Each has to be one of a CA.
func parseCAs(s string) ([]*x509.Certificate, error) {
	list := strings.Split(s, " ")
	if len(list) > maxCAs {
		return nil, fmt.Errorf("at most %d", maxCAs)
	}
	out := make([]*x509.Certificate, len(list))
	for i, one := range list {
		der, err := decode64(one)
		if err != nil {
			return nil, errors.New("in base64url")
		}
		c, err := x509.ParseCertificate(der)
		if err != nil || !c.IsCA || !c.BasicConstraintsValid || !bytes.Equal(c.Raw, der) {
			return nil, errors.New("one that can be read and is of a CA")
		}
		out[i] = c
	}
	return out, nil
}

// checkHubs reports, as a [FieldError], addresses that a node could not be told.
func checkHubs(hubs []string) error {
	if len(hubs) == 0 || len(hubs) > maxHubs {
		return &FieldError{Field: "hubs", Value: strconv.Itoa(len(hubs)), Want: "1 to 8 addresses"}
	}
	for _, h := range hubs {
		u, err := url.Parse(h)
		ok := err == nil && len(h) <= maxHubLen && u.Scheme == "https" && u.Hostname() != "" && u.User == nil &&
			u.Host != "" && h == "https://"+u.Host && !strings.ContainsAny(h, " \\\"")
		if ok && u.Port() != "" {
			n, err := strconv.ParseUint(u.Port(), 10, 16)
			ok = err == nil && n > 0
		}
		if !ok {
			return &FieldError{Field: "hubs", Value: clip(h), Want: "an address as https://host:port, at most 255 bytes"}
		}
	}
	return nil
}
