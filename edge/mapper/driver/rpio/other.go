//go:build !linux

package rpio

import (
	"context"
	"errors"

	"twinbridge/edge/mapper"
	"twinbridge/edge/mapper/driver/line"
)

// Driver opens devices on the registers; here it cannot.
type Driver struct{}

// New makes the driver.
func New() *Driver { return &Driver{} }

// Open tells that this system has no such registers.
func (*Driver) Open(context.Context, mapper.Spec) (mapper.Device, error) {
	return nil, mapper.Permanent(errors.New("the GPIO registers need Linux"))
}

// Look tells that this system has no such registers.
func Look(mapper.Spec) ([]line.State, error) {
	return nil, errors.New("the GPIO registers need Linux")
}
