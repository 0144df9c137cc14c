// Package gpio tests the drivers of GPIO lines on an emulated Raspberry Pi 3: QEMU boots Debian's own arm64 kernel with
// a small program of ours as its only process (package guest beneath), which moves lines with the product's code and
// looks at them a second way: in the SoC's registers and in the kernel's debug files.
//
// It needs the build tag board ("make test-gpio"). QEMU comes from the package qemu-system-arm. The kernel is
// downloaded by apt at the first run into a cache folder ($TWINBRIDGE_CACHE, else the user's) and is never part of the
// repository: it is under the GPL.
package gpio
