package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"testing"
)

func TestCheckGPIO(t *testing.T) {
	line := Line{Device: "default/lamp", Property: "power", Driver: "gpio", Where: "line 17 of pinctrl-bcm2835 (gpiochip0)"}
	with := func(change func(*Line)) []Line {
		l := line
		change(&l)
		return []Line{l}
	}
	for name, tt := range map[string]struct {
		node  *Node
		lines []Line
		err   error
		want  want
	}{
		"none":         {running(), nil, nil, want{OK, "no lines configured", ""}},
		"held":         {running(), with(func(l *Line) { l.Consumer, l.Ours = "twinbridge default/lamp", true }), nil, want{OK, "held by its mapper", ""}},
		"free":         {stopped(), []Line{line}, nil, want{OK, "default/lamp power: line 17 of pinctrl-bcm2835 (gpiochip0) is free", ""}},
		"not opened":   {running(), []Line{line}, nil, want{Warn, "has not opened the device", "log"}},
		"registers":    {running(), with(func(l *Line) { l.Driver = "rpio" }), nil, want{OK, "is free", ""}},
		"another's":    {running(), with(func(l *Line) { l.Consumer = "spi0 CS0" }), nil, want{Fail, "in use by spi0 CS0", "overlay"}},
		"no chip":      {stopped(), with(func(l *Line) { l.Err = errOther }), nil, want{Fail, "something else", "manifest"}},
		"not allowed":  {stopped(), with(func(l *Line) { l.Err = fmt.Errorf("open: %w", fs.ErrPermission) }), nil, want{Fail, "permission", "usermod -aG gpio"}},
		"unreadable":   {stopped(), nil, errOther, want{Skipped, "something else", ""}},
		"no right":     {stopped(), nil, fs.ErrPermission, want{Skipped, "may not see", "as root"}},
		"some":         {stopped(), []Line{line}, errOther, want{OK, "not all devices", ""}},
		"without line": {stopped(), []Line{{Device: "default/lamp", Driver: "gpio", Err: errOther}}, nil, want{Fail, "default/lamp: something else", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.check(t, look(t, CheckGPIO(tt.node, func(context.Context) ([]Line, error) { return tt.lines, tt.err }, true)))
		})
	}
	f := look(t, CheckGPIO(stopped(), func(context.Context) ([]Line, error) { return make([]Line, 100), nil }, true))
	if len(f.Seen) != maxLines+1 {
		t.Errorf("%d lines are told, want %d and a word about the rest", len(f.Seen), maxLines)
	}
}
