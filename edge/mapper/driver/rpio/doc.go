// Package rpio drives relays through the GPIO registers of the Raspberry Pi 0 to 4, for systems whose kernel has no GPIO
// character device or whose owner wants it so. Prefer package gpio: registers know no owner, tell no edges, need root or
// the group gpiomem, and do not exist in this form on the Raspberry Pi 5.
//
// The library below maps physical memory without asking what board it runs on, and writes over lines that the kernel
// has given to others. So this package asks first: the board by its device tree, the line by the character device if
// there is one, before it is opened and before each write.
package rpio
