package rpio

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// socs are the chips whose GPIO registers the library knows, as device trees call them.
var socs = []string{"brcm,bcm2835", "brcm,bcm2836", "brcm,bcm2837", "brcm,bcm2711"}

const useGPIO = "use the driver gpio instead (protocolName: gpio)"

// checkBoard reports why the registers must not be touched on a board with this compatible property, a list of words
// that each end with a zero byte.
func checkBoard(compatible []byte) error {
	words := strings.Split(strings.TrimRight(string(compatible), "\x00"), "\x00")
	if slices.ContainsFunc(words, func(w string) bool { return slices.Contains(socs, w) }) {
		return nil
	}
	if slices.Contains(words, "brcm,bcm2712") {
		return errors.New("the Raspberry Pi 5 has its lines on another chip (RP1), which rpio does not know; " + useGPIO)
	}
	return fmt.Errorf("this board (%s) is no Raspberry Pi 0 to 4; writing to its memory could destroy data; %s", strings.Join(words, ", "), useGPIO)
}

// checkLine reports why a line is not for this driver. Beyond the header the SoC's lines drive the board's own parts,
// as the SD card.
func checkLine(n int) error {
	if n > 27 {
		return fmt.Errorf("line %d is not on the header (lines 0 to 27)", n)
	}
	return nil
}
