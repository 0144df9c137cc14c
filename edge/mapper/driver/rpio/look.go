//go:build linux

package rpio

import (
	"fmt"

	"twinbridge/edge/mapper"
	"twinbridge/edge/mapper/driver/line"
)

// Look tells of the lines of a device who has them from the kernel. It maps no registers. Of lines that this driver moves
// the kernel knows nothing, so that none is ever ours here.
func Look(spec mapper.Spec) ([]line.State, error) {
	list, err := contacts(&spec)
	if err != nil {
		return nil, err
	}
	if err := thisBoard(); err != nil {
		return nil, err
	}
	k, err := askKernel()
	if err != nil {
		return nil, err
	}
	states := make([]line.State, len(list))
	for i := range list {
		n := int(list[i].pin)
		who, used, err := k.user(n)
		if used && who == "" {
			who = "the kernel"
		}
		states[i] = line.State{Property: list[i].prop, Where: fmt.Sprintf("line %d of the SoC", n), Consumer: who, Err: err}
	}
	return states, k.close()
}
