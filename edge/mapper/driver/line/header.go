package line

// headerPins maps the physical pins of the 40-pin header to the line numbers of the SoC (BCM numbering, the same on all
// boards with that header, and on RP1 of the Raspberry Pi 5). The other pins are supply and ground.
var headerPins = map[int]int{
	3: 2, 5: 3, 7: 4, 8: 14, 10: 15, 11: 17, 12: 18, 13: 27, 15: 22, 16: 23, 18: 24, 19: 10, 21: 9, 22: 25, 23: 11,
	24: 8, 26: 7, 27: 0, 28: 1, 29: 5, 31: 6, 32: 12, 33: 13, 35: 19, 36: 16, 37: 26, 38: 20, 40: 21,
}

// HeaderLine gives the line behind a physical pin of the Raspberry Pi's header; false for supply, ground, and numbers
// that no pin has.
func HeaderLine(pin int) (line int, ok bool) {
	line, ok = headerPins[pin]
	return line, ok
}
