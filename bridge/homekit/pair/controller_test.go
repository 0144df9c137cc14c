package pair

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"twinbridge/bridge/homekit/srp"
	"twinbridge/bridge/homekit/tlv8"
)

const setupCode = "518-08-582"

// chance is a reproducible source of bytes, for one goroutine.
func chance(seed uint64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(key)
}

// disk is a Keeper that remembers, and fails if told to.
type disk struct {
	pairings []Pairing
	failures int
	saves    int   // of both kinds
	broken   error // the next saves fail with it
}

func (d *disk) Save(pairings []Pairing) error {
	if d.broken != nil {
		return d.broken
	}
	d.saves++
	d.pairings = pairings
	return nil
}

func (d *disk) SaveFailures(n int) error {
	if d.broken != nil {
		return d.broken
	}
	d.saves++
	d.failures = n
	return nil
}

var errBroken = errors.New("disk is broken")

// identities are made once for each seed: making a verifier takes some milliseconds.
func identityOf(t testing.TB, seed uint64) Identity {
	t.Helper()
	random := chance(seed + 1000)
	key := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, key); err != nil {
		t.Fatal(err)
	}
	v, err := srp.NewVerifier(setupCode, random)
	if err != nil {
		t.Fatal(err)
	}
	return Identity{ID: fmt.Sprintf("E1:91:1A:70:85:%02X", seed), Key: ed25519.NewKeyFromSeed(key), Verifier: v}
}

// accessory is a Pairer and its disk.
type accessory struct {
	*Pairer
	t    testing.TB
	disk *disk
	id   Identity
}

func newAccessory(t testing.TB) *accessory {
	t.Helper()
	return startAccessory(t, identityOf(t, 1), &disk{})
}

func startAccessory(t testing.TB, id Identity, d *disk) *accessory {
	t.Helper()
	p, err := New(Config{Identity: id, Pairings: d.pairings, Failures: d.failures, Keeper: d, Rand: chance(2)})
	if err != nil {
		t.Fatal(err)
	}
	return &accessory{p, t, d, id}
}

// restart is the process dying, and a new one with what was on disk.
func (a *accessory) restart() *accessory {
	a.t.Helper()
	return startAccessory(a.t, a.id, &disk{pairings: slices.Clone(a.disk.pairings), failures: a.disk.failures})
}

// controller is a phone, written from the specification. It shares only the codec with the accessory.
type controller struct {
	t         testing.TB
	id        string
	key       ed25519.PrivateKey
	code      string
	random    io.Reader
	accessory ed25519.PublicKey // known after pair-setup
	name      string
	a         *big.Int // the SRP secret; random if nil
}

func newController(t testing.TB, seed uint64) *controller {
	random := chance(seed)
	b := make([]byte, 32)
	_, _ = io.ReadFull(random, b)
	return &controller{
		t: t, id: fmt.Sprintf("%08X-0000-1000-8000-0026BB765291", seed), key: ed25519.NewKeyFromSeed(b), code: setupCode, random: random,
	}
}

func (c *controller) public() ed25519.PublicKey { return c.key.Public().(ed25519.PublicKey) }

var hapN, _ = new(big.Int).SetString("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"+
	"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6"+
	"49286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804"+
	"F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"+
	"15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619D"+
	"CEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E"+
	"4B82D120A93AD2CAFFFFFFFFFFFFFFFF", 16)

func sha(parts ...[]byte) []byte {
	h := sha512.Sum512(bytes.Join(parts, nil))
	return h[:]
}

func number(b []byte) *big.Int { return new(big.Int).SetBytes(b) }

// prove computes the controller's side of SRP: A and M1 to send, K, and the M2 that must come back.
func (c *controller) prove(salt, publicB []byte) (publicA, m1, shared, m2 []byte) {
	g := big.NewInt(5)
	secret := c.a
	if secret == nil {
		b := make([]byte, 16)
		_, _ = io.ReadFull(c.random, b)
		secret = number(b)
	}
	pad := func(x *big.Int) []byte { return x.FillBytes(make([]byte, 384)) }
	a, b := new(big.Int).Exp(g, secret, hapN), number(publicB)
	x := number(sha(salt, sha([]byte("Pair-Setup:"+c.code))))
	k := number(sha(pad(hapN), pad(g)))
	base := new(big.Int).Exp(g, x, hapN)
	base.Sub(b, base.Mul(base, k)).Mod(base, hapN)
	e := number(sha(pad(a), pad(b)))
	s := base.Exp(base, e.Mul(e, x).Add(e, secret), hapN)
	shared = sha(s.Bytes())
	ng := sha(hapN.Bytes())
	for i, v := range sha(g.Bytes()) {
		ng[i] ^= v
	}
	m1 = sha(ng, sha([]byte("Pair-Setup")), salt, a.Bytes(), b.Bytes(), shared)
	return a.Bytes(), m1, shared, sha(pad(a), m1, shared)
}

func (c *controller) m1() []byte {
	return tlv8.AppendByte(tlv8.AppendByte(nil, typeState, 1), typeMethod, methodPairSetup)
}

func m3(publicA, proof []byte) []byte {
	return tlv8.Append(tlv8.Append(tlv8.AppendByte(nil, typeState, 3), typePublicKey, publicA), typeProof, proof)
}

// setup is a pair-setup in progress, seen from the controller.
type setup struct {
	c              *controller
	shared, wantM2 []byte
}

// m3 answers M2.
func (c *controller) m3(m2 []byte) (s *setup, msg []byte) {
	c.t.Helper()
	m := c.read(m2, 2)
	publicA, proof, shared, want := c.prove(m[typeSalt], m[typePublicKey])
	return &setup{c, shared, want}, m3(publicA, proof)
}

// m5 answers M4.
func (s *setup) m5(m4 []byte) []byte {
	s.c.t.Helper()
	m := s.c.read(m4, 4)
	if !bytes.Equal(m[typeProof], s.wantM2) {
		s.c.t.Fatalf("the accessory's proof is wrong: %X", m[typeProof])
	}
	return s.exchange(s.inner())
}

// inner is the plaintext of M5.
func (s *setup) inner() []byte {
	c := s.c
	x := derive(s.shared, "Pair-Setup-Controller-Sign-Salt", "Pair-Setup-Controller-Sign-Info")
	plain := tlv8.Append(nil, typeIdentifier, []byte(c.id))
	plain = tlv8.Append(plain, typePublicKey, c.public())
	return tlv8.Append(plain, typeSignature, ed25519.Sign(c.key, slices.Concat(x[:], []byte(c.id), c.public())))
}

func (s *setup) key() Key {
	return derive(s.shared, "Pair-Setup-Encrypt-Salt", "Pair-Setup-Encrypt-Info")
}

func (s *setup) exchange(inner []byte) []byte {
	return tlv8.Append(tlv8.AppendByte(nil, typeState, 5), typeEncryptedData, s.key().seal("PS-Msg05", inner))
}

// done checks M6.
func (s *setup) done(m6 []byte) {
	c := s.c
	c.t.Helper()
	m := c.read(m6, 6)
	plain, ok := s.key().open("PS-Msg06", m[typeEncryptedData])
	inner, ok2 := parse(plain)
	if !ok || !ok2 {
		c.t.Fatal("M6 cannot be read")
	}
	c.name, c.accessory = string(inner[typeIdentifier]), inner[typePublicKey]
	x := derive(s.shared, "Pair-Setup-Accessory-Sign-Salt", "Pair-Setup-Accessory-Sign-Info")
	if !ed25519.Verify(c.accessory, slices.Concat(x[:], inner[typeIdentifier], c.accessory), inner[typeSignature]) {
		c.t.Fatal("the accessory's signature is wrong")
	}
}

// read takes an answer that must not be an error.
func (c *controller) read(answer []byte, state byte) message {
	c.t.Helper()
	m, ok := parse(answer)
	if !ok || len(answer) < 3 || answer[0] != typeState {
		c.t.Fatalf("the answer cannot be read: % X", answer)
	}
	if e, is := m[typeError]; is {
		c.t.Fatalf("error %v in answer M%d", e, m[typeState])
	}
	if got, _ := m.byte(typeState); got != state {
		c.t.Fatalf("answer M%d, want M%d", got, state)
	}
	return m
}

// pair does a whole pair-setup.
func (c *controller) pair(conn *Conn, now time.Duration) {
	c.t.Helper()
	s, msg := c.m3(conn.Setup(now, c.m1()))
	s.done(conn.Setup(now, s.m5(conn.Setup(now, msg))))
}

// hello is a pair-verify in progress, seen from the controller.
type hello struct {
	c              *controller
	private        *ecdh.PrivateKey
	theirs, shared []byte
	session        Key
	m1             []byte
}

func (c *controller) hello() *hello {
	c.t.Helper()
	b := make([]byte, 32)
	_, _ = io.ReadFull(c.random, b)
	private, err := ecdh.X25519().NewPrivateKey(b)
	if err != nil {
		c.t.Fatal(err)
	}
	m1 := tlv8.Append(tlv8.AppendByte(nil, typeState, 1), typePublicKey, private.PublicKey().Bytes())
	return &hello{c: c, private: private, m1: m1}
}

// m3 checks M2 and answers it.
func (h *hello) m3(m2 []byte) []byte {
	c := h.c
	c.t.Helper()
	m := c.read(m2, 2)
	h.theirs = m[typePublicKey]
	theirs, err := ecdh.X25519().NewPublicKey(h.theirs)
	if err != nil {
		c.t.Fatal(err)
	}
	if h.shared, err = h.private.ECDH(theirs); err != nil {
		c.t.Fatal(err)
	}
	h.session = derive(h.shared, "Pair-Verify-Encrypt-Salt", "Pair-Verify-Encrypt-Info")
	plain, ok := h.session.open("PV-Msg02", m[typeEncryptedData])
	inner, ok2 := parse(plain)
	if !ok || !ok2 {
		c.t.Fatal("M2 cannot be read")
	}
	if c.accessory != nil && (string(inner[typeIdentifier]) != c.name ||
		!ed25519.Verify(c.accessory, slices.Concat(h.theirs, inner[typeIdentifier], h.private.PublicKey().Bytes()), inner[typeSignature])) {
		c.t.Fatal("another accessory")
	}
	return h.finish(h.inner())
}

func (h *hello) inner() []byte {
	c := h.c
	plain := tlv8.Append(nil, typeIdentifier, []byte(c.id))
	return tlv8.Append(plain, typeSignature, ed25519.Sign(c.key, slices.Concat(h.private.PublicKey().Bytes(), []byte(c.id), h.theirs)))
}

func (h *hello) finish(inner []byte) []byte {
	return tlv8.Append(tlv8.AppendByte(nil, typeState, 3), typeEncryptedData, h.session.seal("PV-Msg03", inner))
}

// verify does a whole pair-verify.
func (c *controller) verify(conn *Conn) *Session {
	c.t.Helper()
	h := c.hello()
	m2, none := conn.Verify(h.m1)
	if none != nil {
		c.t.Fatal("a session after M1")
	}
	m4, s := conn.Verify(h.m3(m2))
	c.read(m4, 4)
	if s == nil || s.Controller != c.id ||
		s.ReadKey != derive(h.shared, "Control-Salt", "Control-Read-Encryption-Key") ||
		s.WriteKey != derive(h.shared, "Control-Salt", "Control-Write-Encryption-Key") {
		c.t.Fatalf("session %+v", s)
	}
	return s
}

// refused checks that an answer is this error in this state and nothing else.
func refused(t testing.TB, answer []byte, state byte, want code) {
	t.Helper()
	if !bytes.Equal(answer, refusal(state, want)) {
		t.Helper()
		t.Fatalf("answer % X, want error %d in M%d", answer, want, state)
	}
}

func addMsg(c *controller, admin byte) []byte {
	b := tlv8.AppendByte(tlv8.AppendByte(nil, typeState, 1), typeMethod, methodAddPairing)
	b = tlv8.Append(tlv8.Append(b, typeIdentifier, []byte(c.id)), typePublicKey, c.public())
	return tlv8.AppendByte(b, typePermissions, admin)
}

func removeMsg(id string) []byte {
	b := tlv8.AppendByte(tlv8.AppendByte(nil, typeState, 1), typeMethod, methodRemovePairing)
	return tlv8.Append(b, typeIdentifier, []byte(id))
}

func listMsg() []byte {
	return tlv8.AppendByte(tlv8.AppendByte(nil, typeState, 1), typeMethod, methodListPairings)
}
