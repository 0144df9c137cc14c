//go:build linux

package gpio

import (
	"fmt"

	"github.com/warthog618/go-gpiocdev"

	"twinbridge/edge/mapper"
	"twinbridge/edge/mapper/driver/line"
)

// Look tells of the lines of a device whose they are, as the kernel says. It requests no line and moves none. The error
// is the one that Open would give for the same reason.
func Look(spec mapper.Spec) ([]line.State, error) {
	outs, ins, want, err := contacts(&spec)
	if err != nil {
		return nil, err
	}
	list, err := chips()
	if err != nil {
		return nil, err
	}
	all := append(outs[:len(outs):len(outs)], ins...)
	refs := make([]line.Ref, len(all))
	for i := range all {
		refs[i] = all[i].cfg.Line
	}
	ch, err := choose(list, want, refs)
	if err != nil {
		return nil, err
	}
	c, err := gpiocdev.NewChip(ch.name)
	if err != nil {
		return nil, fmt.Errorf("open chip %s: %w", ch, err)
	}
	defer c.Close()
	states := make([]line.State, len(all))
	for i := range all {
		s := line.State{Property: all[i].prop}
		n, err := ch.offset(all[i].cfg.Line)
		if err == nil {
			s.Where = fmt.Sprintf("line %d of %s", n, ch)
			var info gpiocdev.LineInfo
			info, err = c.LineInfo(n)
			s.Consumer, s.Ours = info.Consumer, info.Used && info.Consumer == consumer(spec.Name)
			if info.Used && s.Consumer == "" {
				s.Consumer = "the kernel"
			}
		}
		s.Err = err
		states[i] = s
	}
	return states, nil
}
