package rpio

import (
	"strings"
	"testing"
)

func TestCheckBoard(t *testing.T) {
	for compatible, want := range map[string]string{
		"raspberrypi,model-b\x00brcm,bcm2835\x00":          "",
		"raspberrypi,2-model-b\x00brcm,bcm2836\x00":        "",
		"raspberrypi,3-model-b\x00brcm,bcm2837\x00":        "",
		"raspberrypi,4-model-b\x00brcm,bcm2711\x00":        "",
		"raspberrypi,5-model-b\x00brcm,bcm2712\x00":        "Raspberry Pi 5",
		"linux,dummy-virt\x00":                             "no Raspberry Pi 0 to 4",
		"radxa,rockpi4\x00rockchip,rk3399\x00":             "(radxa,rockpi4, rockchip,rk3399)",
		"brcm,bcm28370\x00":                                "no Raspberry Pi",
		"":                                                 "no Raspberry Pi",
		"raspberrypi,3-model-b-brcm,bcm2837-lookalike\x00": "no Raspberry Pi",
	} {
		err := checkBoard([]byte(compatible))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "protocolName: gpio")) {
			t.Errorf("checkBoard(%q): got %v; want %q", compatible, err, want)
		}
	}
}

func TestCheckLine(t *testing.T) {
	for n, ok := range map[int]bool{0: true, 27: true, 28: false, 48: false} {
		if err := checkLine(n); (err == nil) != ok {
			t.Errorf("checkLine(%d): got %v; want ok %v", n, err, ok)
		}
	}
}
