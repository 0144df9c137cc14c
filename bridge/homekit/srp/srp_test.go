package srp

import (
	"bytes"
	"errors"
	"io"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// chance is a reproducible source of bytes.
func chance(seed uint64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(key)
}

func draw(t testing.TB, r io.Reader, n int) *big.Int {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return number(b)
}

func short(gr *group, x *big.Int) bool { return len(x.Bytes()) < gr.size }

// Whatever the numbers begin with, the right code is taken and a wrong one is not. Half of the offers are made without
// the second draw, so that a B with leading zeros is among them too.
func TestPairings(t *testing.T) {
	const workers = 4
	each := 500
	if testing.Short() {
		each = 100
	}
	code := "518-08-582"
	v, err := NewVerifier(code, chance(0))
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewServer(v)
	if err != nil {
		t.Fatal(err)
	}
	var shortA, shortB, shortS [workers]int
	t.Run("all", func(t *testing.T) {
		for w := range workers {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				c := newClient(hap(), userName, code, big.NewInt(1))
				for i := range each {
					seed := uint64(w*each + i)
					random := chance(seed)
					c.secret = draw(t, random, 16) // as short as controllers make it
					c.public = new(big.Int).Exp(c.group.g, c.secret, c.group.n)
					var o *Offer
					var err error
					if i%2 == 0 {
						secret := draw(t, random, secretBits/8)
						o = &Offer{s, secret, s.publicKey(secret)}
					} else if o, err = s.Offer(random); err != nil || short(c.group, o.public) {
						t.Fatalf("seed %d: %v, B %X", seed, err, o.PublicKey())
					}
					premaster := c.premaster(o.Salt(), o.PublicKey())
					key, m1, m2 := c.group.proofs(userName, o.Salt(), c.public, number(o.PublicKey()), premaster)
					gotKey, got2, err := o.Check(c.public.Bytes(), m1)
					if err != nil || !bytes.Equal(gotKey[:], key) || !bytes.Equal(got2[:], m2) {
						t.Fatalf("seed %d: %v", seed, err)
					}
					for _, z := range []struct {
						n *int
						x *big.Int
					}{{&shortA[w], c.public}, {&shortB[w], o.public}, {&shortS[w], premaster}} {
						if short(c.group, z.x) {
							*z.n++
						}
					}
				}
			})
		}
	})
	sum := func(n [workers]int) int { return n[0] + n[1] + n[2] + n[3] }
	t.Logf("of %d pairings, leading zeros in A %d, B %d, S %d", workers*each, sum(shortA), sum(shortB), sum(shortS))
	if !testing.Short() && (sum(shortA) == 0 || sum(shortB) == 0 || sum(shortS) == 0) {
		t.Error("the seeds give no leading zeros")
	}
}

// The zeros in front of A are no matter: controllers send it in both ways.
func TestLeadingZerosOfA(t *testing.T) {
	s, code := server(t)
	c := newClient(hap(), userName, code, big.NewInt(1))
	for a := int64(100); ; a++ {
		c.secret = big.NewInt(a)
		c.public = new(big.Int).Exp(c.group.g, c.secret, c.group.n)
		if short(c.group, c.public) && a > 1300 { // 5^1323 is the first over n
			break
		}
	}
	o, err := s.Offer(chance(1))
	if err != nil {
		t.Fatal(err)
	}
	p := *o
	a, m1, _, m2 := c.answer(o.Salt(), o.PublicKey())
	if a[0] == 0 || len(a) >= PublicKeyLen {
		t.Fatalf("A of %d bytes", len(a))
	}
	_, got, err := o.Check(a, m1)
	if err != nil || !bytes.Equal(got[:], m2) {
		t.Fatalf("short: %v", err)
	}
	if _, got, err = p.Check(c.group.pad(c.public), m1); err != nil || !bytes.Equal(got[:], m2) {
		t.Fatalf("padded: %v", err)
	}
	// M2 is over the padded A, and that makes a difference here.
	k := c.group.hash(c.premaster(o.Salt(), o.PublicKey()).Bytes())
	if bytes.Equal(got[:], c.group.hash(a, m1, k)) || !bytes.Equal(got[:], c.group.hash(c.group.pad(c.public), m1, k)) {
		t.Error("M2 is not over A with 384 bytes")
	}
}

func server(t testing.TB) (*Server, string) {
	t.Helper()
	const code = "031-45-154"
	v, err := NewVerifier(code, chance(7))
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewServer(v)
	if err != nil {
		t.Fatal(err)
	}
	return s, code
}

func TestWrongProof(t *testing.T) {
	s, code := server(t)
	for name, change := range map[string]func(m1 []byte) []byte{
		"first bit": func(b []byte) []byte { b[0] ^= 1; return b },
		"last bit":  func(b []byte) []byte { b[63] ^= 0x80; return b },
		"short":     func(b []byte) []byte { return b[:63] },
		"long":      func(b []byte) []byte { return append(b, 0) },
		"empty":     func([]byte) []byte { return nil },
	} {
		o, err := s.Offer(chance(2))
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(hap(), userName, code, big.NewInt(123456))
		a, m1, _, _ := c.answer(o.Salt(), o.PublicKey())
		right := bytes.Clone(m1)
		key, m2, err := o.Check(a, change(m1))
		if !errors.Is(err, ErrProof) || key != [KeyLen]byte{} || m2 != [ProofLen]byte{} {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := o.Check(a, right); !errors.Is(err, ErrUsed) {
			t.Errorf("%s: a second proof for one offer: %v", name, err)
		}
	}
	o, _ := s.Offer(chance(2))
	a, m1, _, _ := newClient(hap(), userName, "031-45-155", big.NewInt(99)).answer(o.Salt(), o.PublicKey())
	if _, _, err := o.Check(a, m1); !errors.Is(err, ErrProof) {
		t.Errorf("another code: %v", err)
	}
}

// A key that is 0 modulo n would make S = 0 for everybody.
func TestPublicKeysRefused(t *testing.T) {
	s, code := server(t)
	o, err := s.Offer(chance(3))
	if err != nil {
		t.Fatal(err)
	}
	n := hap().n
	_, m1, _ := hap().proofs(userName, o.Salt(), n, o.public, new(big.Int))
	for name, a := range map[string][]byte{
		"empty":    {},
		"0":        {0},
		"384 * 0":  make([]byte, 384),
		"n":        n.Bytes(),
		"2 n":      new(big.Int).Lsh(n, 1).Bytes(),
		"385":      append([]byte{1}, make([]byte, 384)...),
		"0, 384":   append([]byte{0}, o.PublicKey()...),
		"4 KiB":    bytes.Repeat([]byte{7}, 4096),
		"0 before": append(make([]byte, 385), 5),
	} {
		if _, _, err := o.Check(a, m1); !errors.Is(err, ErrPublicKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The offer is still good: a key that cannot be one is no guess.
	a, m1, _, _ := newClient(hap(), userName, code, big.NewInt(77777)).answer(o.Salt(), o.PublicKey())
	if _, _, err := o.Check(a, m1); err != nil {
		t.Error(err)
	}
}

// A above n is the same number modulo n, though hashed as it came.
func TestLargeA(t *testing.T) {
	s, code := server(t)
	o, err := s.Offer(chance(4))
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(hap(), userName, code, new(big.Int)) // g^0 = 1 = n + 1
	c.public.Add(c.public, c.group.n)
	a, m1, key, m2 := c.answer(o.Salt(), o.PublicKey())
	got, got2, err := o.Check(a, m1)
	if err != nil || !bytes.Equal(got[:], key) || !bytes.Equal(got2[:], m2) {
		t.Error(err)
	}
}

func TestVerifier(t *testing.T) {
	for _, code := range []string{"", "12345678", "123-45-6789", "12-345-678", "123 45 678", "abc-de-fgh", "123-45-67\n", "１23-45-678"} {
		if _, err := NewVerifier(code, chance(1)); err == nil || code != "" && strings.Contains(err.Error(), code) {
			t.Errorf("%q: %v", code, err)
		}
	}
	a, err := NewVerifier("123-45-679", chance(1))
	b, err2 := NewVerifier("123-45-679", chance(1))
	if err != nil || err2 != nil || a != b {
		t.Error("one source of bytes, two verifiers")
	}
	if c, _ := NewVerifier("123-45-679", chance(2)); c == a || c.Salt == a.Salt {
		t.Error("the salt is not random")
	}
	// A salt that begins with a zero is drawn again.
	again := io.MultiReader(bytes.NewReader(make([]byte, SaltLen)), bytes.NewReader(bytes.Repeat([]byte{9}, SaltLen)))
	if v, err := NewVerifier("123-45-679", again); err != nil || v.Salt[0] != 9 {
		t.Errorf("salt % x, %v", v.Salt, err)
	}

	for name, x := range map[string]*big.Int{
		"0": big.NewInt(0), "1": big.NewInt(1), "n-1": new(big.Int).Sub(hap().n, big.NewInt(1)), "n": hap().n,
		"2^3072-1": number(bytes.Repeat([]byte{0xFF}, PublicKeyLen)),
	} {
		v := a
		x.FillBytes(v.V[:])
		if s, err := NewServer(v); err == nil || s != nil {
			t.Errorf("the verifier %s is taken", name)
		}
	}
}

func TestRandomness(t *testing.T) {
	s, _ := server(t)
	for name, r := range map[string]io.Reader{
		"zeros": zeros{}, "error": iotest.ErrReader(errors.New("no entropy")), "ends": bytes.NewReader(make([]byte, 20)),
	} {
		if o, err := s.Offer(r); err == nil || o != nil {
			t.Errorf("%s: an offer", name)
		}
	}
	for name, r := range map[string]io.Reader{
		"zeros": zeros{}, "error": iotest.ErrReader(errors.New("no entropy")), "ends": bytes.NewReader(make([]byte, 10)),
	} {
		if v, err := NewVerifier("123-45-679", r); err == nil || v != (Verifier{}) {
			t.Errorf("%s: a verifier", name)
		}
	}
	one, err := s.Offer(chance(5))
	two, err2 := s.Offer(chance(5))
	other, err3 := s.Offer(chance(6))
	if err != nil || err2 != nil || err3 != nil || one.public.Cmp(two.public) != 0 || one.public.Cmp(other.public) == 0 {
		t.Error("offers do not follow from their random bytes")
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func BenchmarkOffer(b *testing.B) {
	s, _ := server(b)
	random := chance(1)
	for b.Loop() {
		if _, err := s.Offer(random); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	s, code := server(b)
	o, err := s.Offer(chance(1))
	if err != nil {
		b.Fatal(err)
	}
	a, m1, _, _ := newClient(hap(), userName, code, draw(b, chance(2), 16)).answer(o.Salt(), o.PublicKey())
	for b.Loop() {
		p := *o
		if _, _, err := p.Check(a, m1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkController(b *testing.B) {
	s, code := server(b)
	o, err := s.Offer(chance(1))
	if err != nil {
		b.Fatal(err)
	}
	random := chance(2)
	for b.Loop() {
		newClient(hap(), userName, code, draw(b, random, 16)).answer(o.Salt(), o.PublicKey())
	}
}
