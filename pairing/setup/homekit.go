package setup

import (
	"log/slog"
	"strings"
)

// Category is what kind of accessory a phone draws while it pairs; the key ci of the DNS-SD record has the same number
// (HAP R2 13).
type Category uint8

// The categories that this project announces, or shows in its examples.
const (
	CategoryBridge    Category = 2
	CategoryLightbulb Category = 5
	CategoryOutlet    Category = 7
)

// HomeKit is what a HomeKit payload says.
type HomeKit struct {
	Category Category
	Code     Code // none only if Paired
	SetupID  ID
	IP       bool // the accessory speaks HAP over IP
	BLE      bool // and over Bluetooth LE
	Paired   bool // it is paired: nobody can pair with it
}

// A payload is the scheme, a number of 46 bits as nine digits to base 36, most significant first, and the setup id.
const (
	homeKitScheme = "X-HM://"
	homeKitDigits = 9
	homeKitLen    = len(homeKitScheme) + homeKitDigits + len(ID{})
)

// The number's bits. 45-43, the version, 42-39 and 30 are 0.
const (
	codeBits      = 27 // 26-0
	pairedBit     = 1 << 27
	ipBit         = 1 << 28
	bleBit        = 1 << 29
	categoryShift = 31 // 38-31
	codeMask      = 1<<codeBits - 1
	knownBits     = 0xff<<categoryShift | bleBit | ipBit | pairedBit | codeMask
)

// check reports what does not go into a payload.
func (h HomeKit) check() error {
	if h.Code.IsZero() && !h.Paired {
		return &FieldError{Field: "setup code", Want: "one, as the accessory is not paired"}
	}
	if !h.SetupID.valid() {
		return &FieldError{Field: "setup id", Value: h.SetupID.String(), Want: "4 characters of 0-9 and A-Z"}
	}
	return nil
}

// Payload gives what the QR code holds: 20 characters that begin with X-HM://. Whoever reads it knows the code. The error
// is a [FieldError].
func (h HomeKit) Payload() (string, error) {
	if err := h.check(); err != nil {
		return "", err
	}
	n := uint64(h.Category)<<categoryShift | uint64(h.Code.n)
	for _, f := range []struct {
		set bool
		bit uint64
	}{{h.Paired, pairedBit}, {h.IP, ipBit}, {h.BLE, bleBit}} {
		if f.set {
			n |= f.bit
		}
	}
	var digits [homeKitDigits]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = alphabet[n%36]
		n /= 36
	}
	return homeKitScheme + string(digits[:]) + h.SetupID.String(), nil
}

// ParseHomeKit reads a payload. It takes exactly what [HomeKit.Payload] writes: upper case, the reserved bits 0. The error
// is a [FieldError] without the value.
func ParseHomeKit(payload string) (HomeKit, error) {
	bad := func(want string) (HomeKit, error) {
		return HomeKit{}, &FieldError{Field: "HomeKit payload", Want: want}
	}
	rest, ok := strings.CutPrefix(payload, homeKitScheme)
	if !ok || len(payload) != homeKitLen {
		return bad("20 characters that begin with " + homeKitScheme)
	}
	var n uint64 // 9 digits to base 36 are less than 2^47
	for i := range homeKitDigits {
		d := digit(rest[i])
		if d < 0 {
			return bad("digits of 0-9 and A-Z after " + homeKitScheme)
		}
		n = n*36 + uint64(d)
	}
	if n&^knownBits != 0 {
		return bad("version 0 and no reserved bit set")
	}
	h := HomeKit{
		Category: Category(n >> categoryShift),
		IP:       n&ipBit != 0, BLE: n&bleBit != 0, Paired: n&pairedBit != 0,
	}
	var err error
	if c := uint32(n & codeMask); c != 0 || !h.Paired {
		if h.Code, err = codeOf(c); err != nil {
			return HomeKit{}, err
		}
	}
	if h.SetupID, err = ParseID(rest[homeKitDigits:]); err != nil {
		return HomeKit{}, err
	}
	return h, nil
}

// LogValue keeps the code out of logs.
func (h HomeKit) LogValue() slog.Value {
	return slog.GroupValue(slog.String("setupID", h.SetupID.String()), slog.Bool("paired", h.Paired))
}
