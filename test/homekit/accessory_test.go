package homekit

import (
	"context"
	"fmt"
	"testing"
)

// accessory is a bridge of lamps under test. It runs on a machine of a network, over several lives.
type accessory interface {
	// Start starts it and waits until it listens.
	Start()
	// Stop asks it to end, Kill does not.
	Stop()
	Kill()
	// SetupCode is as XXX-XX-XXX.
	SetupCode() string
	// Set switches a lamp from the accessory's side.
	Set(ctx context.Context, lamp int, on bool) error
	// See looks at a lamp from the accessory's side.
	See(ctx context.Context, lamp int) (view, error)
	// Differs tells of a scene in which it is known to do otherwise: why, "" if it is not.
	Differs(scene string) string
}

// view is a lamp as somebody in the room sees it.
type view struct {
	On bool
	// Writes grows by one with each write of On that got as far as this lamp, or this house.
	Writes int
}

// maker makes an accessory with a number of lamps, called as lampName says, on a machine.
type maker func(t *testing.T, n *network, part string, lamps int) accessory

// lampName is what a lamp is called. They are counted from 1.
func lampName(i int) string { return fmt.Sprintf("Lamp %d", i) }

// bridgeName is what the bridge is called.
const bridgeName = "Café Glühwürmchen"
