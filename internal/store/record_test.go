package store

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// goldenRecords are records as they lie in files. They must be read for ever.
var goldenRecords = []struct {
	bucket, key, data string
	stored            string // hexadecimal
}{
	{"twin", "lamp", "ON", "01864b00c177bb1d2c4f4e"},
	{"b", "k", "", "01396a5c2ff783a788"},
	{"homekit", "\x00\xff", "\x00\x01\x02", "01cb6073481d088f2a000102"},
}

func TestGoldenRecords(t *testing.T) {
	for _, g := range goldenRecords {
		got, sum := appendRecord(nil, []byte(g.bucket), []byte(g.key), []byte(g.data))
		if hex.EncodeToString(got) != g.stored {
			t.Errorf("%s/%q: stored as %x, want %s", g.bucket, g.key, got, g.stored)
		}
		stored, err := hex.DecodeString(g.stored)
		if err != nil {
			t.Fatal(err)
		}
		data, crc, reason := parseRecord([]byte(g.bucket), []byte(g.key), stored)
		if reason != "" || string(data) != g.data || crc != sum {
			t.Errorf("%s/%q: read as %q, sum %x, reason %q", g.bucket, g.key, data, crc, reason)
		}
		for i := range stored {
			if _, _, reason := parseRecord([]byte(g.bucket), []byte(g.key), stored[:i]); reason == "" {
				t.Errorf("%s/%q: the first %d bytes were taken", g.bucket, g.key, i)
			}
		}
		for bit := range 8 * len(stored) {
			flipped := bytes.Clone(stored)
			flipped[bit/8] ^= 1 << (bit % 8)
			if _, _, reason := parseRecord([]byte(g.bucket), []byte(g.key), flipped); reason == "" {
				t.Errorf("%s/%q: taken with bit %d flipped", g.bucket, g.key, bit)
			}
		}
		// The same bytes elsewhere are not the record.
		if _, _, reason := parseRecord([]byte(g.bucket+"x"), []byte(g.key), stored); reason == "" {
			t.Errorf("%s/%q: taken in another bucket", g.bucket, g.key)
		}
		if _, _, reason := parseRecord([]byte(g.bucket+g.key[:1]), []byte(g.key[1:]), stored); reason == "" {
			t.Errorf("%s/%q: taken with the border between bucket and key moved", g.bucket, g.key)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	for _, g := range goldenRecords {
		stored, err := hex.DecodeString(g.stored)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(g.bucket), []byte(g.key), stored)
	}
	f.Fuzz(func(t *testing.T, bucket, key, b []byte) {
		data, sum, reason := parseRecord(bucket, key, b)
		if reason != "" {
			return
		}
		again, crc := appendRecord(nil, bucket, key, data)
		if !bytes.Equal(again, b) || crc != sum {
			t.Errorf("read %q from %x, but it is stored as %x", data, b, again)
		}
	})
}
