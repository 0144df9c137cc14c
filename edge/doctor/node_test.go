package doctor

import (
	"fmt"
	"io/fs"
	"testing"
)

func TestCheckNode(t *testing.T) {
	with := func(change func(*Health)) *Node {
		h := healthy
		change(&h)
		return answering(h, nil)
	}
	for name, tt := range map[string]struct {
		node *Node
		want want
	}{
		"well":         {running(), want{OK, "node attic, version 1, up 3s, devices online: 1 of 1", ""}},
		"not running":  {stopped(), want{Fail, "nobody answers on edge.sock", "start it: twinbridge edge"}},
		"not allowed":  {answering(Health{}, fmt.Errorf("dial: %w", fs.ErrPermission)), want{Skipped, "may not ask", "as the user of the node"}},
		"nonsense":     {strange(), want{Fail, "something else", "see its log"}},
		"in trouble":   {with(func(h *Health) { h.Trouble = "mqtt: gone" }), want{Fail, "trouble: mqtt: gone", "log"}},
		"one offline":  {with(func(h *Health) { h.Devices = 2 }), want{Warn, "1 of 2", "device list"}},
		"without lamp": {with(func(h *Health) { h.Devices, h.Online = 0, 0 }), want{Warn, "0 of 0", "apply -f"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.check(t, look(t, CheckNode(tt.node, "edge.sock", "twinbridge edge")))
		})
	}
}

func TestCheckConfig(t *testing.T) {
	for name, tt := range map[string]struct {
		missing bool
		err     error
		want    want
	}{
		"read":        {false, nil, want{OK, "twinbridge.yaml", ""}},
		"none":        {true, nil, want{OK, "defaults hold", ""}},
		"wrong":       {false, errOther, want{Fail, "something else", "no node starts with it"}},
		"not allowed": {false, fs.ErrPermission, want{Skipped, "may not read it", "as root"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.check(t, look(t, CheckConfig("twinbridge.yaml", tt.missing, tt.err)))
		})
	}
}
