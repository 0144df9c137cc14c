package frame

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// testKey is 00 01 02 ... 1f.
func testKey() (k Key) {
	for i := range k {
		k[i] = byte(i)
	}
	return k
}

func newPair(t testing.TB) (*Sealer, *Opener) {
	t.Helper()
	s, err := NewSealer(testKey())
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewOpener(testKey())
	if err != nil {
		t.Fatal(err)
	}
	return s, o
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// openAll opens every frame of b.
func openAll(t testing.TB, o *Opener, b []byte) []byte {
	t.Helper()
	var out []byte
	for len(b) > 0 {
		p, n, err := o.Open(b)
		if err != nil {
			t.Fatalf("after %d bytes: %v", len(out), err)
		}
		out = append(out, p...)
		b = b[n:]
	}
	return out
}

// golden frames were made with OpenSSL.
var golden = []struct {
	counter uint64
	text    string
	frame   string
}{
	{0, "GET /accessories HTTP/1.1\r\n\r\n", "1d005ffd16118287c5b276122f0edd2a2b54d8f9a7a1b1826a72ddf5f61f20d61d5106df8c84351f84233c9d133ca0"},
	{2, "x", "0100d16e68b7442e2b92eac8a9d808eb2f3489"},
	{258, "frame 258", "09007bc7995074aad9a6699998358ee8d9636cc6573585fc40396c"},
	{math.MaxUint64 - 1, "last", "04003c7649712ed5bb8ba0a9a5762614d255773dedbd"},
}

func TestGolden(t *testing.T) {
	for _, tt := range golden {
		s, o := newPair(t)
		s.d.counter, o.d.counter = tt.counter, tt.counter
		want := unhex(t, tt.frame)
		got, err := s.Append([]byte("before"), []byte(tt.text))
		if err != nil || !bytes.Equal(got, append([]byte("before"), want...)) {
			t.Errorf("seal %q: %x, %v; want %x", tt.text, got, err, want)
		}
		p, n, err := o.Open(append(want, "behind"...))
		if string(p) != tt.text || n != len(want) || err != nil {
			t.Errorf("open %q: %q, %d, %v", tt.text, p, n, err)
		}
	}
}

// TestGoldenEmpty: a frame without plaintext is never made here, and means nothing when it comes.
func TestGoldenEmpty(t *testing.T) {
	s, o := newPair(t)
	if got, err := s.Append(nil); len(got) != 0 || err != nil {
		t.Errorf("no plaintext: %x, %v", got, err)
	}
	if got, err := s.Append(nil, nil, []byte{}); len(got) != 0 || err != nil || s.d.counter != 0 {
		t.Errorf("empty plaintexts: %x, %v, counter %d", got, err, s.d.counter)
	}
	o.d.counter = 1
	p, n, err := o.Open(unhex(t, "0000 5892c1670e91ccd9b8efb947ea3f74e3"))
	if len(p) != 0 || n != Overhead || err != nil {
		t.Errorf("empty frame: %x, %d, %v", p, n, err)
	}
}

// TestGoldenTwo: 1030 bytes are a frame of 1024 and one of 6, in whatever parts they come.
func TestGoldenTwo(t *testing.T) {
	text := bytes.Repeat([]byte{'A'}, 1030)
	const want = "bfbd7a9e960990eac4c7dc3d362d17ea9fea62f1ad1c63ea9490b1a284b294e4"
	for _, parts := range [][][]byte{
		{text},
		{text[:1], text[1:]},
		{text[:1023], text[1023:1024], nil, text[1024:]},
		{nil, text[:1024], text[1024:], nil},
		{text[:1029], text[1029:]},
	} {
		s, _ := newPair(t)
		got, err := s.Append(nil, parts...)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(got); hex.EncodeToString(sum[:]) != want || len(got) != Size(len(text)) {
			t.Errorf("%d parts: %d bytes, SHA-256 %x", len(parts), len(got), sum)
		}
	}
}

// TestRFC8439 holds the cipher and our nonce against the vector of RFC 8439, A.5, whose nonce is a counter of ours.
func TestRFC8439(t *testing.T) {
	key := unhex(t, "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0")
	_, o := newPair(t)
	var err error
	if o.d, err = newDirection(Key(key)); err != nil {
		t.Fatal(err)
	}
	o.d.counter = 0x0807060504030201
	nonce, err := o.d.next()
	if want := unhex(t, "000000000102030405060708"); err != nil || !bytes.Equal(nonce, want) {
		t.Fatalf("nonce %x, %v; want %x", nonce, err, want)
	}
	sealed := unhex(t, `
		64a0861575861af460f062c79be643bd 5e805cfd345cf389f108670ac76c8cb2 4c6cfc18755d43eea09ee94e382d26b0
		bdb7b73c321b0100d4f03b7f355894cf 332f830e710b97ce98c8a84abd0b9481 14ad176e008d33bd60f982b1ff37c855
		9797a06ef4f0ef61c186324e2b350638 3606907b6a7c02b0f9f6157b53c867e4 b9166c767b804d46a59b5216cde7a4e9
		9040c5a40433225ee282a1b0a06c523e af4534d7f83fa1155b0047718cbc546a 0d072b04b3564eea1b422273f548271a
		0bb2316053fa76991955ebd63159434e cebb4e466dae5a1073a6727627097a10 49e617d91d361094fa68f0ff77987130
		305beaba2eda04df997b714d6c6f2c29 a6ad5cb4022b02709b eead9d67890cbb22392336fea1851f38`)
	text, err := o.d.aead.Open(nil, nonce, sealed, unhex(t, "f33388860000000000004e91"))
	if err != nil || !strings.HasPrefix(string(text), "Internet-Drafts are draft documents valid for a maximum of six months") || len(text) != 265 {
		t.Errorf("%q, %v", text, err)
	}
	if got := o.d.aead.Seal(nil, nonce, text, unhex(t, "f33388860000000000004e91")); !bytes.Equal(got, sealed) {
		t.Errorf("sealed %x, want %x", got, sealed)
	}
}

func TestLengths(t *testing.T) {
	s, o := newPair(t)
	for _, n := range []int{1, 2, 1022, 1023, 1024, 1025, 2047, 2048, 2049, 3072, 150_000} {
		text := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
		sealed, err := s.Append(nil, text)
		if err != nil || len(sealed) != Size(n) {
			t.Fatalf("%d: %d bytes, want %d; %v", n, len(sealed), Size(n), err)
		}
		if bytes.Contains(sealed, []byte("0123")) {
			t.Errorf("%d: a part lies in clear", n)
		}
		if got := openAll(t, o, sealed); !bytes.Equal(got, text) {
			t.Errorf("%d: opened to something else", n)
		}
	}
}

// TestPrefixes: every prefix of a frame is short, changes nothing, and the whole opens afterwards.
func TestPrefixes(t *testing.T) {
	for _, size := range []int{1, 300, MaxPlaintext} {
		s, o := newPair(t)
		sealed, err := s.Append(nil, bytes.Repeat([]byte{7}, size))
		if err != nil {
			t.Fatal(err)
		}
		before := bytes.Clone(sealed)
		for i := range sealed {
			if p, n, err := o.Open(sealed[:i]); !errors.Is(err, ErrShort) || n != 0 || p != nil {
				t.Fatalf("%d of %d bytes: %x, %d, %v", i, len(sealed), p, n, err)
			}
		}
		if !bytes.Equal(sealed, before) || o.d.counter != 0 {
			t.Error("a short frame was touched")
		}
		if _, n, err := o.Open(sealed); n != len(sealed) || err != nil {
			t.Errorf("whole: %d, %v", n, err)
		}
	}
}

// TestEveryBit: no bit of a frame can be changed.
func TestEveryBit(t *testing.T) {
	for i := range 8 * 30 {
		s, o := newPair(t)
		sealed, err := s.Append(nil, []byte("twelve bytes"))
		if err != nil {
			t.Fatal(err)
		}
		next, err := s.Append(nil, []byte("next"))
		if err != nil {
			t.Fatal(err)
		}
		sealed[i/8] ^= 1 << (i % 8)
		sealed = append(sealed, make([]byte, MaxSize)...) // what a longer length asks for
		p, n, err := o.Open(sealed)
		if p != nil || n != 0 || !errors.Is(err, ErrTag) && !errors.Is(err, ErrLength) {
			t.Errorf("bit %d: %x, %d, %v", i, p, n, err)
		}
		if _, _, again := o.Open(next); !errors.Is(again, err) {
			t.Errorf("bit %d: afterwards %v, want %v", i, again, err)
		}
	}
}

func TestOrder(t *testing.T) {
	frames := func() (*Opener, [][]byte) {
		s, o := newPair(t)
		var out [][]byte
		for _, text := range []string{"one", "two", "three"} {
			b, err := s.Append(nil, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, b)
		}
		return o, out
	}
	for name, order := range map[string][]int{"repeated": {0, 0}, "left out": {0, 2}, "moved": {1, 0}} {
		o, f := frames()
		var err error
		for _, i := range order {
			if _, _, err = o.Open(bytes.Clone(f[i])); err != nil {
				break
			}
		}
		if !errors.Is(err, ErrTag) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTooLong(t *testing.T) {
	for _, head := range []string{"0104", "ffff", "0005"} {
		_, o := newPair(t)
		if p, n, err := o.Open(unhex(t, head)); !errors.Is(err, ErrLength) || n != 0 || p != nil {
			t.Errorf("%s: %x, %d, %v", head, p, n, err)
		}
	}
}

func TestExhausted(t *testing.T) {
	s, o := newPair(t)
	s.d.counter, o.d.counter = math.MaxUint64-1, math.MaxUint64-1
	last, err := s.Append(nil, []byte("last"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := s.Append([]byte("kept"), []byte("one too many")); !errors.Is(err, ErrExhausted) || string(got) != "kept" {
			t.Errorf("seal: %q, %v", got, err)
		}
	}
	if p, n, err := o.Open(last); string(p) != "last" || n != 4+Overhead || err != nil {
		t.Errorf("open the last: %q, %d, %v", p, n, err)
	}
	for range 2 {
		if _, _, err := o.Open(make([]byte, Overhead)); !errors.Is(err, ErrExhausted) {
			t.Errorf("open one more: %v", err)
		}
	}
}

// TestAllocations: with room in the buffers nothing is allocated.
func TestAllocations(t *testing.T) {
	s, o := newPair(t)
	head, body := []byte("HTTP/1.1 200 OK\r\n\r\n"), make([]byte, 5000)
	buf := make([]byte, 0, Size(len(head)+len(body)))
	if got := testing.AllocsPerRun(100, func() {
		b, err := s.Append(buf, head, body)
		if err != nil {
			t.Fatal(err)
		}
		for len(b) > 0 {
			_, n, err := o.Open(b)
			if err != nil {
				t.Fatal(err)
			}
			b = b[n:]
		}
	}); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

// FuzzOpen: whatever comes, Open ends, uses up no more than there is, and takes as authentic only what the cipher does.
func FuzzOpen(f *testing.F) {
	for _, g := range golden {
		b := unhex(f, g.frame)
		f.Add(b, g.counter)
		f.Add(b[:len(b)-1], g.counter)
	}
	f.Add([]byte{0x01, 0x04}, uint64(0))
	f.Add([]byte{}, uint64(math.MaxUint64))
	key := testKey()
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte, counter uint64) {
		_, o := newPair(t)
		o.d.counter = counter
		in := bytes.Clone(b)
		for {
			p, n, err := o.Open(in)
			if err != nil {
				if p != nil || n != 0 {
					t.Fatalf("%x, %d with %v", p, n, err)
				}
				return
			}
			if n != len(p)+Overhead || n > len(in) {
				t.Fatalf("%d bytes of %d for %d", n, len(in), len(p))
			}
			again := &Sealer{direction{aead: aead, counter: counter}}
			if back, err := again.Append(nil, p); err != nil || len(p) > 0 && !bytes.Equal(back, b[:n]) {
				t.Fatalf("%x was opened, sealed it is %x (%v)", b[:n], back, err)
			}
			counter++
			in, b = in[n:], b[n:]
		}
	})
}

// FuzzRoundTrip: what is sealed in two parts opens to the same.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("HTTP/1.1 204 No Content\r\n\r\n"), 7)
	f.Add(bytes.Repeat([]byte{'x'}, 2049), 1024)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		s, o := newPair(t)
		cut = min(max(cut, 0), len(text))
		sealed, err := s.Append(nil, text[:cut], text[cut:])
		if err != nil || len(sealed) != Size(len(text)) {
			t.Fatalf("%d bytes for %d, %v", len(sealed), len(text), err)
		}
		if got := openAll(t, o, sealed); !bytes.Equal(got, text) {
			t.Fatalf("%x became %x", text, got)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s, _ := newPair(b)
	text := make([]byte, 150)
	buf := make([]byte, 0, Size(len(text)))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Append(buf, text); err != nil {
			b.Fatal(err)
		}
	}
}
