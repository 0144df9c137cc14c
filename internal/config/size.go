package config

import (
	"errors"
	"strconv"
	"strings"
)

// Size is a number of bytes. In a file it is written as a number, or with a unit: 64KiB, 10MiB, 1GiB, or 64kB, 10MB,
// 1GB.
type Size int64

var units = []struct {
	name  string
	bytes int64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

// String gives the size with the largest unit of 1024 that leaves a whole number.
func (s Size) String() string {
	for _, u := range units[:3] {
		if n := int64(s); n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText is String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the inverse; it refuses sizes below 0 and beyond 64 bits.
func (s *Size) UnmarshalText(b []byte) error {
	text, factor := string(b), int64(1)
	for _, u := range units {
		if t, ok := strings.CutSuffix(text, u.name); ok {
			text, factor = strings.TrimSpace(t), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > (1<<63-1)/factor {
		return errors.New("a size in bytes, as 4096, 64KiB or 10MiB")
	}
	*s = Size(n * factor)
	return nil
}
