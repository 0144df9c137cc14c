// Package line holds what the drivers of GPIO lines have in common: how a manifest names a line and says how it is to
// be treated, the 40-pin header of the Raspberry Pi, and the mapping between a property's values and the two levels of
// a line.
package line
