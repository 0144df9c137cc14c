package pair

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/crypto/chacha20poly1305"

	"twinbridge/bridge/homekit/srp"
	"twinbridge/bridge/homekit/tlv8"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 8439 section 2.8.2 has a nonce with a constant in its first four bytes, ours has zeros there. So its vector is
// checked with its own nonce, and the place of the eight bytes beside it.
func TestNonces(t *testing.T) {
	key := Key(unhex(t, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"))
	plain := []byte("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.")
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		t.Fatal(err)
	}
	got := aead.Seal(nil, unhex(t, "070000004041424344454647"), plain, unhex(t, "50515253c0c1c2c3c4c5c6c7"))
	want := unhex(t, "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"+
		"92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691")
	if !bytes.Equal(got, want) {
		t.Fatalf("the AEAD is not that of RFC 8439: %x", got)
	}
	if n := nonce("PS-Msg05"); !bytes.Equal(n, append(make([]byte, 4), "PS-Msg05"...)) {
		t.Errorf("nonce % x", n)
	}
	sealed := key.seal("PS-Msg05", plain)
	direct := aead.Seal(nil, append(make([]byte, 4), "PS-Msg05"...), plain, nil)
	if !bytes.Equal(sealed, direct) {
		t.Error("sealed in another way")
	}
	if back, ok := key.open("PS-Msg05", sealed); !ok || !bytes.Equal(back, plain) {
		t.Error("not opened")
	}
	if _, ok := key.open("PS-Msg06", sealed); ok {
		t.Error("opened as another message")
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, ok := key.open("PS-Msg05", bad); ok {
			t.Fatalf("opened with byte %d changed", i)
		}
	}
}

// HAP 5.6.4: a public key that is 0 modulo n would let in who does not know the code.
func TestPublicKeyOfZero(t *testing.T) {
	a := newAccessory(t)
	phone := newController(t, 1)
	conn := a.Conn("")
	// What both sides would compute with S = 0.
	shared := sha(nil)
	for name, publicA := range map[string][]byte{
		"0": {0}, "384 zeros": make([]byte, 384), "n": hapN.Bytes(), "2 n": new(big.Int).Lsh(hapN, 1).Bytes(), "empty": {},
		"385 bytes": bytes.Repeat([]byte{1}, 385), "4 KiB": bytes.Repeat([]byte{1}, 4096),
	} {
		m2 := phone.read(conn.Setup(0, phone.m1()), 2)
		proof := sha(shared, m2[typeSalt], publicA)
		refused(t, conn.Setup(0, m3(publicA, proof)), 4, errAuthentication)
		if a.Failures() != 0 || a.Paired() || a.disk.saves != 0 {
			t.Errorf("%s: %d failures, paired %v", name, a.Failures(), a.Paired())
		}
	}
	phone.pair(conn, 0)
}

func TestLeadingZeros(t *testing.T) {
	a := newAccessory(t)
	phone := newController(t, 1)
	for s := int64(1324); ; s++ { // 5^1323 is the first above n
		if v := new(big.Int).Exp(big.NewInt(5), big.NewInt(s), hapN); len(v.Bytes()) < 384 {
			phone.a = big.NewInt(s)
			break
		}
	}
	phone.pair(a.Conn(""), 0)

	// And what chance brings: whole pairings, each with an accessory and a controller of its own.
	for seed := range uint64(30) {
		p, err := New(Config{Identity: identityOf(t, seed), Keeper: &disk{}, Rand: chance(seed)})
		if err != nil {
			t.Fatal(err)
		}
		phone := newController(t, seed)
		conn := p.Conn("")
		phone.pair(conn, 0)
		phone.verify(conn)
	}
}

// RFC 7748 section 6.1. The points of order 1, 2, 4 and 8 on the curve and its twist, each as it can be written.
var lowOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func TestLowOrderPoints(t *testing.T) {
	a := newAccessory(t)
	phone := newController(t, 1)
	phone.pair(a.Conn(""), 0)
	conn := a.Conn("")
	for _, p := range lowOrder {
		for _, top := range []byte{0, 0x80} { // the top bit is ignored
			point := unhex(t, p)
			point[31] |= top
			m1 := tlv8.Append(tlv8.AppendByte(nil, typeState, 1), typePublicKey, point)
			reply, s := conn.Verify(m1)
			refused(t, reply, 2, errAuthentication)
			if s != nil || conn.verify != nil {
				t.Fatalf("%x begins a pair-verify", point)
			}
		}
	}
	for _, n := range []int{0, 1, 31, 33, 255, 512} {
		m1 := tlv8.Append(tlv8.AppendByte(nil, typeState, 1), typePublicKey, bytes.Repeat([]byte{9}, n))
		reply, _ := conn.Verify(m1)
		refused(t, reply, 2, errUnknown)
	}
	for _, method := range []byte{0, 1, 3, 6, 255} {
		reply, _ := conn.Verify(tlv8.AppendByte(phone.hello().m1, typeMethod, method))
		refused(t, reply, 2, errUnknown)
	}
	m2, _ := conn.Verify(tlv8.AppendByte(phone.hello().m1, typeMethod, methodPairVerify))
	phone.read(m2, 2)
}

// What is inside M5: everything that a controller can get wrong.
func TestSetupExchange(t *testing.T) {
	thief := newController(t, 9)
	build := func(id string, key, signature []byte) []byte {
		b := tlv8.Append(nil, typeIdentifier, []byte(id))
		return tlv8.Append(tlv8.Append(b, typePublicKey, key), typeSignature, signature)
	}
	long := strings.Repeat("x", 65)
	for name, c := range map[string]struct {
		inner func(s *setup, c *controller) []byte
		want  code
	}{
		"empty":         {func(*setup, *controller) []byte { return nil }, errUnknown},
		"cut":           {func(s *setup, _ *controller) []byte { b := s.inner(); return b[:len(b)-1] }, errUnknown},
		"twice":         {func(s *setup, c *controller) []byte { return tlv8.Append(s.inner(), typeIdentifier, []byte(c.id)) }, errUnknown},
		"no identifier": {func(s *setup, c *controller) []byte { c.id = ""; return s.inner() }, errUnknown},
		"65 bytes":      {func(s *setup, c *controller) []byte { c.id = long; return s.inner() }, errUnknown},
		"not UTF-8":     {func(s *setup, c *controller) []byte { c.id = "a\xFF"; return s.inner() }, errUnknown},
		"a line":        {func(s *setup, c *controller) []byte { c.id = "a\nb"; return s.inner() }, errUnknown},
		"short key":     {func(_ *setup, c *controller) []byte { return build(c.id, c.public()[:31], make([]byte, 64)) }, errUnknown},
		"long key": {func(_ *setup, c *controller) []byte {
			return build(c.id, append(slices.Clone(c.public()), 0), make([]byte, 64))
		}, errUnknown},
		"short sign":   {func(_ *setup, c *controller) []byte { return build(c.id, c.public(), make([]byte, 63)) }, errUnknown},
		"no signature": {func(_ *setup, c *controller) []byte { return build(c.id, c.public(), nil) }, errUnknown},
		"zeros":        {func(_ *setup, c *controller) []byte { return build(c.id, c.public(), make([]byte, 64)) }, errAuthentication},
		"another's key": {func(s *setup, c *controller) []byte {
			m, _ := parse(s.inner())
			return build(c.id, thief.public(), m[typeSignature])
		}, errAuthentication},
		"another's name": {func(s *setup, c *controller) []byte {
			m, _ := parse(s.inner())
			return build(thief.id, c.public(), m[typeSignature])
		}, errAuthentication},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccessory(t)
			phone := newController(t, 1)
			conn := a.Conn("")
			s, third := phone.m3(conn.Setup(0, phone.m1()))
			phone.read(conn.Setup(0, third), 4)
			refused(t, conn.Setup(0, s.exchange(c.inner(s, phone))), 6, c.want)
			if a.Paired() || a.disk.saves != 0 {
				t.Error("stored")
			}
			newController(t, 2).pair(conn, 0)
		})
	}
	t.Run("another key", func(t *testing.T) {
		a := newAccessory(t)
		phone := newController(t, 1)
		conn := a.Conn("")
		s, third := phone.m3(conn.Setup(0, phone.m1()))
		phone.read(conn.Setup(0, third), 4)
		s.shared[0] ^= 1
		refused(t, conn.Setup(0, s.exchange(s.inner())), 6, errAuthentication)
	})
}

func TestVerifyExchange(t *testing.T) {
	a := newAccessory(t)
	phone, thief := newController(t, 1), newController(t, 9)
	phone.pair(a.Conn(""), 0)
	phone.verify(a.Conn(""))
	build := func(id string, signature []byte) []byte {
		return tlv8.Append(tlv8.Append(nil, typeIdentifier, []byte(id)), typeSignature, signature)
	}
	for name, c := range map[string]struct {
		inner func(h *hello) []byte
		want  code
	}{
		"empty":         {func(*hello) []byte { return nil }, errUnknown},
		"cut":           {func(h *hello) []byte { b := h.inner(); return b[:len(b)-1] }, errUnknown},
		"twice":         {func(h *hello) []byte { return tlv8.Append(h.inner(), typeIdentifier, []byte(h.c.id)) }, errUnknown},
		"no identifier": {func(h *hello) []byte { m, _ := parse(h.inner()); return build("", m[typeSignature]) }, errUnknown},
		"short":         {func(h *hello) []byte { m, _ := parse(h.inner()); return build(h.c.id, m[typeSignature][:63]) }, errUnknown},
		"zeros":         {func(h *hello) []byte { return build(h.c.id, make([]byte, 64)) }, errAuthentication},
		"unknown":       {func(h *hello) []byte { h.c = thief; return h.inner() }, errAuthentication},
		"thief":         {func(h *hello) []byte { m, _ := parse(h.inner()); return build(thief.id, m[typeSignature]) }, errAuthentication},
		"thief's key":   {func(h *hello) []byte { x := *thief; x.id = h.c.id; h.c = &x; return h.inner() }, errAuthentication},
		"replay": {func(h *hello) []byte { // the signature of another exchange
			o := phone.hello()
			m2, _ := a.Conn("").Verify(o.m1)
			o.m3(m2)
			return o.inner()
		}, errAuthentication},
	} {
		t.Run(name, func(t *testing.T) {
			conn := a.Conn("")
			h := phone.hello()
			m2, _ := conn.Verify(h.m1)
			h.m3(m2)
			reply, s := conn.Verify(h.finish(c.inner(h)))
			refused(t, reply, 4, c.want)
			if s != nil || conn.Authorised() {
				t.Error("a session")
			}
			phone.verify(conn)
		})
	}
}

// Types that we do not know are passed over, also twice; those that we know must not come twice.
func TestUnknownTypes(t *testing.T) {
	a := newAccessory(t)
	phone := newController(t, 1)
	conn := a.Conn("")
	more := func(b []byte) []byte {
		b = tlv8.Append(b, 0x77, []byte("what"))
		b = tlv8.AppendByte(b, 0x78, 1)
		return tlv8.Append(tlv8.AppendSeparator(b), 0x77, []byte("ever"))
	}
	m1 := tlv8.Append(more(phone.m1()), typeFlags, []byte{0x10, 0, 0, 1}) // transient and split: not for us
	s, third := phone.m3(conn.Setup(0, m1))
	fifth := s.m5(conn.Setup(0, more(third)))
	s.done(conn.Setup(0, more(fifth)))

	b := newAccessory(t)
	for typ := range 256 {
		m1 := tlv8.Append(tlv8.Append(tlv8.AppendSeparator(phone.m1()), byte(typ), nil), 0x77, nil)
		if typ == tlv8.Separator {
			continue
		}
		_, once := parse(m1)
		_, twice := parse(tlv8.Append(m1, byte(typ), nil))
		known := typ <= typeState || typ == typeError || typ == typeSignature || typ == typePermissions || typ == typeFlags
		if wantOnce := typ != typeState && typ != typeMethod; once != wantOnce || twice != !known {
			t.Errorf("type 0x%02X: once %v, twice %v", typ, once, twice)
		}
	}
	refused(t, b.Conn("").Setup(0, tlv8.Append(phone.m1(), typeFlags, make([]byte, 5))), 2, errUnknown)
	for method := 1; method < 256; method++ {
		m1 := tlv8.AppendByte(tlv8.AppendByte(nil, typeState, 1), typeMethod, byte(method))
		refused(t, b.Conn("").Setup(0, m1), 2, errAuthentication)
	}
	if b.turns.running != nil {
		t.Error("a procedure of a method that we do not have")
	}
}

// guess tries a wrong code and gives the answer.
func guess(t testing.TB, conn *Conn, phone *controller) []byte {
	t.Helper()
	m2 := phone.read(conn.Setup(0, phone.m1()), 2)
	if len(m2[typePublicKey]) != srp.PublicKeyLen {
		t.Fatal("B is short")
	}
	return conn.Setup(0, m3([]byte{5}, make([]byte, srp.ProofLen)))
}

// HAP 5.6.4: 100 wrong codes and no more, whatever is done between them.
func TestGuessing(t *testing.T) {
	a := newAccessory(t)
	phone := newController(t, 1)
	for n := 1; n <= MaxFailures; n++ {
		conn := a.Conn("")
		refused(t, guess(t, conn, phone), 4, errAuthentication)
		conn.Closed()
		if a.disk.failures != n {
			t.Fatalf("%d failures on disk after %d", a.disk.failures, n)
		}
		if n%20 == 0 {
			a = a.restart()
		}
	}
	for range 3 {
		refused(t, a.Conn("").Setup(0, phone.m1()), 2, errMaxTries)
		a = a.restart()
		if a.Failures() != MaxFailures || a.Paired() {
			t.Fatalf("%d failures", a.Failures())
		}
	}
	// Only a factory reset helps.
	if _, err := a.Reset(identityOf(t, 2), func() error { a.disk.failures = 0; return nil }); err != nil {
		t.Fatal(err)
	}
	phone.pair(a.Conn(""), 0)
}

// The right code sets the count back (HomeKit ADK), on disk too.
func TestGuessingAndKnowing(t *testing.T) {
	a := newAccessory(t)
	phone := newController(t, 1)
	for range 3 {
		refused(t, guess(t, a.Conn(""), phone), 4, errAuthentication)
	}
	wrong := newController(t, 2)
	wrong.code = "518-08-583"
	conn := a.Conn("")
	_, third := wrong.m3(conn.Setup(0, wrong.m1()))
	refused(t, conn.Setup(0, third), 4, errAuthentication)
	if a.disk.failures != 4 || a.Failures() != 4 {
		t.Fatalf("%d failures, on disk %d", a.Failures(), a.disk.failures)
	}
	phone.pair(a.Conn(""), 0)
	if a.disk.failures != 0 || a.Failures() != 0 {
		t.Errorf("%d failures, on disk %d", a.Failures(), a.disk.failures)
	}
}

// A proof is tried on a B once; whoever only begins makes the accessory compute nothing.
func TestOffers(t *testing.T) {
	a := newAccessory(t)
	phone := newController(t, 1)
	begin := func() string {
		conn := a.Conn("")
		defer conn.Closed()
		return string(phone.read(conn.Setup(0, phone.m1()), 2)[typePublicKey])
	}
	first := begin()
	for range 50 {
		if begin() != first {
			t.Fatal("another B for each beginning")
		}
	}
	guess(t, a.Conn(""), phone)
	if begin() == first {
		t.Error("the same B after a proof")
	}
}

func TestRandomnessFails(t *testing.T) {
	d := &disk{}
	p, err := New(Config{Identity: identityOf(t, 1), Keeper: d, Rand: iotest.ErrReader(errBroken)})
	if err != nil {
		t.Fatal(err)
	}
	phone := newController(t, 1)
	refused(t, p.Conn("").Setup(0, phone.m1()), 2, errUnknown)
	reply, s := p.Conn("").Verify(phone.hello().m1)
	refused(t, reply, 2, errUnknown)
	if s != nil || p.turns.running != nil || d.saves != 0 {
		t.Error("something began")
	}
}

func TestNewRefuses(t *testing.T) {
	good := identityOf(t, 1)
	key := newController(t, 1).public()
	one := Pairing{ID: "a", Key: key, Admin: true}
	many := make([]Pairing, MaxPairings+1)
	for i := range many {
		many[i] = Pairing{ID: strings.Repeat("a", i+1), Key: key, Admin: true}
	}
	for name, c := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"id":              {func(c *Config) { c.Identity.ID = "e1:91:1A:70:85:AA" }, `device id "e1:91:1A:70:85:AA"`},
		"short id":        {func(c *Config) { c.Identity.ID = "" }, "device id"},
		"id of dashes":    {func(c *Config) { c.Identity.ID = "E1-91-1A-70-85-AA" }, "device id"},
		"key":             {func(c *Config) { c.Identity.Key = c.Identity.Key[:32] }, "private key of 32 bytes"},
		"no verifier":     {func(c *Config) { c.Identity.Verifier = srp.Verifier{} }, "verifier"},
		"no keeper":       {func(c *Config) { c.Keeper = nil }, "keeper"},
		"failures":        {func(c *Config) { c.Failures = -1 }, "-1 failures"},
		"too many":        {func(c *Config) { c.Pairings = many }, "33 pairings"},
		"twice":           {func(c *Config) { c.Pairings = []Pairing{one, one} }, "pairing a: twice"},
		"no name":         {func(c *Config) { c.Pairings = []Pairing{{Key: key, Admin: true}} }, "identifier"},
		"controller key":  {func(c *Config) { c.Pairings = []Pairing{{ID: "a", Key: key[:5], Admin: true}} }, "5 bytes"},
		"nobody is admin": {func(c *Config) { c.Pairings = []Pairing{{ID: "a", Key: key}} }, "no admin"},
	} {
		cfg := Config{Identity: good, Keeper: &disk{}, Pairings: []Pairing{one}}
		c.change(&cfg)
		if p, err := New(cfg); err == nil || p != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Config{Identity: good, Keeper: &disk{}, Pairings: many[:MaxPairings], Failures: 100}); err != nil {
		t.Error(err)
	}
	if len(ed25519.PublicKey(key)) != keyLen {
		t.Error("key")
	}
}
