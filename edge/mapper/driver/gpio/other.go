//go:build !linux

package gpio

import (
	"context"
	"errors"

	"twinbridge/edge/mapper"
	"twinbridge/edge/mapper/driver/line"
)

// Driver opens devices on GPIO lines; here it cannot.
type Driver struct{}

// Open tells that this system has no GPIO lines.
func (Driver) Open(context.Context, mapper.Spec) (mapper.Device, error) {
	return nil, mapper.Permanent(errors.New("GPIO lines need Linux"))
}

// Look tells that this system has no GPIO lines.
func Look(mapper.Spec) ([]line.State, error) { return nil, errors.New("GPIO lines need Linux") }
