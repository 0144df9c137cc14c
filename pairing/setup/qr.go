package setup

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"

	"rsc.io/qr/coding"
)

// Figures of a code (ISO/IEC 18004).
const (
	quiet      = 4  // modules of margin on each side (6.3.8)
	maxVersion = 10 // 57 modules, 311 characters: payloads are shorter
	masks      = 8
)

// pngScale is how many pixels a module is wide in a PNG: wide enough for a camera that looks at a screen.
const pngScale = 8

// QR is a QR code: a square of black and white modules.
type QR struct {
	code *coding.Code
}

// NewQR makes the smallest code of error correction level M that holds a payload. It takes the
// characters of HomeKit's and Matter's payloads, 0-9 A-Z $%*+-./: and space, at most 311 of them; the error is a
// [FieldError] without the value.
func NewQR(payload string) (*QR, error) {
	text := coding.Alpha(payload)
	if payload == "" || text.Check() != nil {
		return nil, &FieldError{Field: "payload", Want: "characters of 0-9 A-Z $%*+-./: and space"}
	}
	v := coding.Version(coding.MinVersion)
	for text.Bits(v) > v.DataBytes(coding.M)*8 {
		if v++; v > maxVersion {
			return nil, &FieldError{Field: "payload", Want: "at most 311 characters"}
		}
	}
	// A mask spreads what would look like big blots or like a finder. The best of the eight is the standard's choice.
	var best *coding.Code
	for m := range coding.Mask(masks) {
		plan, err := coding.NewPlan(v, coding.M, m)
		if err != nil {
			return nil, fmt.Errorf("plan a QR code: %w", err)
		}
		c, err := plan.Encode(text)
		if err != nil {
			return nil, fmt.Errorf("encode a QR code: %w", err)
		}
		if best == nil || penalty(c) < penalty(best) {
			best = c
		}
	}
	return &QR{best}, nil
}

// Size gives how many modules a side has, without margin: 21 for HomeKit's payload.
func (q *QR) Size() int { return q.code.Size }

// Black reports whether a module is black. Outside of the code all are white.
func (q *QR) Black(x, y int) bool { return q.code.Black(x, y) }

// PNG gives the code as a picture with its margin, black on white, eight pixels a module.
func (q *QR) PNG() ([]byte, error) {
	side := (q.Size() + 2*quiet) * pngScale
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range side {
		for x := range side {
			if q.Black(x/pngScale-quiet, y/pngScale-quiet) {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("encode the picture of a QR code: %w", err)
	}
	return b.Bytes(), nil
}
