package setup

import (
	"strings"
	"testing"
)

func setupID(t testing.TB, s string) ID {
	t.Helper()
	id, err := ParseID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func code(t testing.TB, s string) Code {
	t.Helper()
	c, err := ParseCode(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The vectors are HomeKitADK's; HAP-NodeJS gives the first for the same input.
func TestHomeKitVectors(t *testing.T) {
	tests := []struct {
		payload string
		h       HomeKit
	}{
		{"X-HM://0071WK4SM7OSX", HomeKit{Category: CategoryOutlet, Code: code(t, "518-08-582"), SetupID: setupID(t, "7OSX"), IP: true}},
		{"X-HM://0076CDMX27OSX", HomeKit{Category: CategoryOutlet, Code: code(t, "518-08-582"), SetupID: setupID(t, "7OSX"), BLE: true}},
		{"X-HM://00739MG3K0000", HomeKit{Category: CategoryOutlet, SetupID: setupID(t, "0000"), IP: true, Paired: true}},
	}
	for _, tt := range tests {
		if got, err := tt.h.Payload(); err != nil || got != tt.payload {
			t.Errorf("%+v: payload %s, %v; want %s", tt.h, got, err, tt.payload)
		}
		if got, err := ParseHomeKit(tt.payload); err != nil || got != tt.h {
			t.Errorf("ParseHomeKit(%s) = %+v, %v; want %+v", tt.payload, got, err, tt.h)
		}
		for n := range len(tt.payload) {
			if got, err := ParseHomeKit(tt.payload[:n]); err == nil || got != (HomeKit{}) {
				t.Errorf("ParseHomeKit(%q) = %+v, %v: taken", tt.payload[:n], got, err)
			}
		}
	}
}

func TestParseHomeKitRefuses(t *testing.T) {
	tests := []struct{ name, payload, field, secret string }{
		{"empty", "", "HomeKit payload", ""},
		{"longer", "X-HM://0071WK4SM7OSX0", "HomeKit payload", ""},
		{"lower-case scheme", "x-hm://0071WK4SM7OSX", "HomeKit payload", "0071WK4SM"},
		{"lower-case digit", "X-HM://0071wK4SM7OSX", "HomeKit payload", "0071wK4SM"},
		{"Matter's", "MT:Y.K90AFN00KA0648G00", "HomeKit payload", "Y.K9"},
		{"not ASCII", "X-HM://0071WK4SM7OÄ", "setup id", "0071"},
		{"beyond 46 bits", "X-HM://ZZZZZZZZZ7OSX", "HomeKit payload", ""},
		{"a version", reserved(43), "HomeKit payload", ""},
		{"a reserved bit", reserved(39), "HomeKit payload", ""},
		{"bit 30", reserved(30), "HomeKit payload", ""},
		{"trivial code", number(CategoryBridge, 12345678), "setup code", "12345678"},
		{"no code", number(CategoryBridge, 0), "setup code", ""},
		{"code of nine digits", number(CategoryBridge, 100000000), "setup code", "100000000"},
		{"setup id", "X-HM://0071WK4SM7os!", "setup id", "0071WK4SM"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := ParseHomeKit(tt.payload)
			if err == nil || h != (HomeKit{}) {
				t.Fatalf("ParseHomeKit(%s) = %+v, %v: taken", tt.payload, h, err)
			}
			wantField(t, err, tt.field, tt.secret)
		})
	}
}

// number writes a payload without asking whether it is one.
func number(c Category, code uint32) string { return digits(uint64(c)<<31 | 1<<28 | uint64(code)) }

// reserved sets a bit in one that is sound without it.
func reserved(bit int) string { return digits(2<<31 | 1<<28 | 51808582 | 1<<bit) }

func digits(n uint64) string {
	var d [9]byte
	for i := 8; i >= 0; i-- {
		d[i] = alphabet[n%36]
		n /= 36
	}
	return "X-HM://" + string(d[:]) + "7OSX"
}

func TestPayloadRefuses(t *testing.T) {
	sound := HomeKit{Category: CategoryBridge, Code: code(t, "518-08-582"), SetupID: setupID(t, "7OSX"), IP: true}
	if got, err := sound.Payload(); err != nil || got != digits(2<<31|1<<28|51808582) {
		t.Fatalf("payload %s, %v", got, err)
	}
	noCode, noID := sound, sound
	noCode.Code = Code{}
	noID.SetupID = ID{'7', 'o', 'S', 'X'}
	_, err := noCode.Payload()
	wantField(t, err, "setup code", "")
	_, err = noID.Payload()
	wantField(t, err, "setup id", "")
}

func TestSetupID(t *testing.T) {
	seen := map[byte]bool{}
	for range 1000 {
		id := NewID()
		if back, err := ParseID(id.String()); err != nil || back != id {
			t.Fatalf("ParseID(%s) = %v, %v", id, back, err)
		}
		for _, c := range id {
			seen[c] = true
		}
	}
	if len(seen) != len(alphabet) {
		t.Errorf("4000 draws met %d of %d characters", len(seen), len(alphabet))
	}
	for _, s := range []string{"", "7OS", "7OSXX", "7osx", "7OS-", "7OS\x00", strings.Repeat("7", 1000)} {
		id, err := ParseID(s)
		if err == nil || id != (ID{}) {
			t.Errorf("ParseID(%q) = %v, %v: taken", s, id, err)
			continue
		}
		wantField(t, err, "setup id", "")
		if len(err.Error()) > 200 {
			t.Errorf("the error is %d bytes long", len(err.Error()))
		}
	}
}

func TestHash(t *testing.T) {
	// HomeKitADK's vector: the bytes C9 FE 1B CF.
	if got, err := setupID(t, "7OSX").Hash("E1:91:1A:70:85:AA"); err != nil || got != "yf4bzw==" {
		t.Errorf("Hash = %s, %v; want yf4bzw==", got, err)
	}
	for _, dev := range []string{
		"", "e1:91:1a:70:85:aa", "E1:91:1A:70:85", "E1-91-1A-70-85-AA", "E1:91:1A:70:85:AG", "E1:91:1A:70:85:AA:", "E191:1A:70:85:AA:",
	} {
		if got, err := setupID(t, "7OSX").Hash(dev); err == nil {
			t.Errorf("Hash of %q = %s", dev, got)
		} else {
			wantField(t, err, "device id", "")
		}
	}
	_, err := ID{}.Hash("E1:91:1A:70:85:AA")
	wantField(t, err, "setup id", "")
}

func FuzzParseHomeKit(f *testing.F) {
	for _, s := range []string{
		"X-HM://0071WK4SM7OSX", "X-HM://0076CDMX27OSX", "X-HM://00739MG3K0000", "X-HM://ZZZZZZZZZ7OSX", "X-HM://", "MT:Y.K90AFN00KA0648G00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHomeKit(s)
		if err != nil {
			if h != (HomeKit{}) {
				t.Errorf("ParseHomeKit(%q) gives %+v with its error", s, h)
			}
			return
		}
		if back, err := h.Payload(); err != nil || back != s {
			t.Errorf("%q is %+v, whose payload is %q, %v", s, h, back, err)
		}
	})
}
