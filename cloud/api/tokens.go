package api

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"twinbridge/internal/deviceapi"
	"twinbridge/twin"
)

const (
	secretPrefix = "tb_"
	secretBytes  = 32
	maxTokenName = 64
	maxTokenLife = 10 * 365 * 24 * time.Hour
)

// token is an API token as it is kept: by the hash of its secret.
type token struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Role     string    `json:"role"`
	Hash     []byte    `json:"hash"` // SHA-256
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires,omitzero"`
	LastUsed string    `json:"lastUsed,omitempty"` // the day
}

func (t *token) good(now time.Time) bool { return t.Expires.IsZero() || now.Before(t.Expires) }

type hash [sha256.Size]byte

// tokens are the API tokens of a hub.
type tokens struct {
	kept Store
	now  func() time.Time

	changing sync.Mutex // one token is made or revoked at a time

	mu     sync.Mutex // guards all below
	byHash map[hash]*token
	gone   map[string]bool // revoked here, perhaps not yet on disk
}

func openTokens(kept Store, now func() time.Time) (*tokens, error) {
	ts := &tokens{kept: kept, now: now, byHash: map[hash]*token{}, gone: map[string]bool{}}
	records, err := kept.List(tokenPrefix)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		t := &token{}
		if err := json.Unmarshal(r.Data, t); err != nil || len(t.Hash) != sha256.Size || !isRole(t.Role) {
			return nil, fmt.Errorf("record %s is no token", r.Key)
		}
		ts.byHash[hash(t.Hash)] = t
	}
	return ts, nil
}

// accept gives the token of a secret, if it is good now. The secret is looked for by its hash, so that the time that takes
// tells nothing of it.
func (ts *tokens) accept(secret string) (token, bool) {
	if len(secret) != len(secretPrefix)+base64.RawURLEncoding.EncodedLen(secretBytes) || !strings.HasPrefix(secret, secretPrefix) {
		return token{}, false
	}
	sum, now := hash(sha256.Sum256([]byte(secret))), ts.now()
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t := ts.byHash[sum]
	if t == nil || subtle.ConstantTimeCompare(t.Hash, sum[:]) != 1 || !t.good(now) {
		return token{}, false
	}
	if day := now.UTC().Format(time.DateOnly); t.LastUsed != day {
		t.LastUsed = day
		// It goes along with whatever is committed next. Under the lock, so that it does not follow the token's end.
		if c, err := put(tokenPrefix+t.ID, t); err == nil {
			ts.kept.Begin(c)
		}
	}
	return *t, true
}

// make makes a token; validFor 0 is for ever.
func (ts *tokens) make(name, role string, validFor time.Duration) (token, string, error) {
	ts.changing.Lock()
	defer ts.changing.Unlock()
	return ts.makeAlone(name, role, validFor)
}

func (ts *tokens) makeAlone(name, role string, validFor time.Duration) (token, string, error) {
	if err := checkTokenName(name); err != nil {
		return token{}, "", err
	}
	if !isRole(role) {
		return token{}, "", &twin.FieldError{Field: "role", Value: clip(role), Want: "viewer, operator or admin"}
	}
	now := ts.now().UTC().Truncate(time.Second)
	var changes []Change
	ts.mu.Lock()
	count := len(ts.byHash)
	for _, t := range ts.byHash {
		switch {
		case t.Name == name && t.good(now):
			ts.mu.Unlock()
			return token{}, "", fmt.Errorf("%w: there is a token named %s; take another name, or revoke %s first", deviceapi.ErrConflict, name, t.ID)
		case !t.good(now):
			count--
		}
	}
	if count >= MaxTokens {
		ts.mu.Unlock()
		return token{}, "", fmt.Errorf("%w: there are %d tokens already; revoke some first", deviceapi.ErrConflict, count)
	}
	if len(ts.byHash) >= MaxTokens { // those whose time is over make room
		for h, t := range ts.byHash {
			if !t.good(now) {
				delete(ts.byHash, h)
				changes = append(changes, Change{Key: tokenPrefix + t.ID})
			}
		}
	}
	ts.mu.Unlock()
	random := make([]byte, secretBytes)
	if _, err := rand.Read(random); err != nil {
		return token{}, "", fmt.Errorf("make a secret: %w", err)
	}
	secret := secretPrefix + base64.RawURLEncoding.EncodeToString(random)
	sum := hash(sha256.Sum256([]byte(secret)))
	t := &token{ID: rand.Text()[:16], Name: name, Role: role, Hash: sum[:], Created: now}
	if validFor > 0 {
		t.Expires = now.Add(validFor)
	}
	c, err := put(tokenPrefix+t.ID, t)
	if err != nil {
		return token{}, "", err
	}
	if err := ts.kept.Begin(append(changes, c)...)(); err != nil {
		return token{}, "", fmt.Errorf("keep the token: %w: %w", twin.ErrDisk, err)
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.byHash[sum] = t
	return *t, secret, nil
}

// revoke ends a token at once, and returns when that is on disk. The last good one of an admin stays.
func (ts *tokens) revoke(id string) error {
	ts.changing.Lock()
	defer ts.changing.Unlock()
	if err := ts.drop(id); err != nil {
		return err
	}
	if err := ts.kept.Begin(Change{Key: tokenPrefix + id})(); err != nil {
		return fmt.Errorf("the token is not good any more, and would be after a restart: %w: %w", twin.ErrDisk, err)
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.gone, id)
	return nil
}

func (ts *tokens) drop(id string) error {
	now := ts.now()
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.gone[id] {
		return nil // once more, as the disk did not take it
	}
	var found *token
	admins := 0
	for _, t := range ts.byHash {
		if t.ID == id {
			found = t
		} else if t.Role == deviceapi.RoleAdmin && t.good(now) {
			admins++
		}
	}
	switch {
	case found == nil:
		return fmt.Errorf("token %s: %w", clip(id), errNoToken)
	case found.Role == deviceapi.RoleAdmin && found.good(now) && admins == 0:
		return fmt.Errorf("%w: it is the last token of an admin; make another one first", deviceapi.ErrConflict)
	}
	delete(ts.byHash, hash(found.Hash))
	ts.gone[id] = true
	return nil
}

// still reports whether a token is there and good now.
func (ts *tokens) still(id string) bool {
	now := ts.now()
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.byHash {
		if t.ID == id {
			return t.good(now)
		}
	}
	return false
}

// nameOf gives the name of a token, "" if there is none.
func (ts *tokens) nameOf(id string) string {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.byHash {
		if t.ID == id {
			return t.Name
		}
	}
	return ""
}

// list gives the tokens by name.
func (ts *tokens) list() []token {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	out := make([]token, 0, len(ts.byHash))
	for _, t := range ts.byHash {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b token) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out
}

// first makes a token of an admin if there is none that is good.
func (ts *tokens) first() (secret string, fresh bool, err error) {
	ts.changing.Lock()
	defer ts.changing.Unlock()
	names, now := map[string]bool{}, ts.now()
	for _, t := range ts.list() {
		if t.Role == deviceapi.RoleAdmin && t.good(now) {
			return "", false, nil
		}
		names[t.Name] = true
	}
	name := "admin"
	for i := 2; names[name]; i++ {
		name = fmt.Sprintf("admin-%d", i)
	}
	_, secret, err = ts.makeAlone(name, deviceapi.RoleAdmin, 0)
	return secret, err == nil, err
}

func checkTokenName(name string) error {
	bad := name == "" || len(name) > maxTokenName || strings.TrimSpace(name) != name
	for _, r := range name {
		bad = bad || r < ' ' || r == 0x7f || r == 0xfffd
	}
	if bad {
		return &twin.FieldError{Field: "name", Value: clip(name), Want: "1 to 64 bytes without control characters or spaces at the ends"}
	}
	return nil
}

// errNoToken is twin.ErrNotFound in other words.
var errNoToken error = noToken{}

type noToken struct{}

func (noToken) Error() string        { return "no such token" }
func (noToken) Is(target error) bool { return target == twin.ErrNotFound }

// clip shortens what is quoted in a message.
func clip(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
