// Package gpio drives relays and reads contacts on GPIO lines through the kernel's character device: any board, any
// kernel from 5.10 on, no root where the user is in the group of /dev/gpiochipN.
//
// The lines of a device are requested once and held until the process ends: the kernel keeps others off them, and a
// released line may fall back to an input, which is an unasked click of the relay. Levels are read back through the
// held lines. The kernel is asked for physical levels always; activeLow is applied here, so that one request carries
// relays of both kinds and switches them in one call.
package gpio
