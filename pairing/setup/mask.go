package setup

import "rsc.io/qr/coding"

// Weights of what makes a code hard to read (ISO/IEC 18004, 7.8.3.1).
const (
	weightRun     = 3  // a run of 5 modules of one colour, and 1 for each more
	weightBlock   = 3  // 2 x 2 modules of one colour
	weightFinder  = 40 // what looks like a finder
	weightBalance = 10 // for each 5 % that black is away from half
)

// What looks like a finder: 1:1:3:1:1 modules, with four white ones before or after them, as bits.
const (
	whiteFinder = 0b00001011101
	finderWhite = 0b10111010000
	finderBits  = 11
)

// penalty says how hard a code is to read; less is better.
func penalty(c *coding.Code) int {
	sum, black := 0, 0
	for a := range c.Size {
		sum += linePenalty(c.Size, func(b int) bool { return c.Black(b, a) })
		sum += linePenalty(c.Size, func(b int) bool { return c.Black(a, b) })
		for b := range c.Size {
			v := c.Black(b, a)
			if v {
				black++
			}
			if a > 0 && b > 0 && c.Black(b-1, a) == v && c.Black(b, a-1) == v && c.Black(b-1, a-1) == v {
				sum += weightBlock
			}
		}
	}
	percent := 100 * black / (c.Size * c.Size)
	return sum + weightBalance*(max(percent-50, 50-percent)/5)
}

// linePenalty looks at one row or column.
func linePenalty(n int, black func(int) bool) int {
	sum, run, window := 0, 0, 0
	for i := range n {
		if i > 0 && black(i) == black(i-1) {
			run++
		} else {
			run = 1
		}
		switch {
		case run == 5:
			sum += weightRun
		case run > 5:
			sum++
		}
		window = window << 1 & (1<<finderBits - 1)
		if black(i) {
			window |= 1
		}
		if i >= finderBits-1 && (window == whiteFinder || window == finderWhite) {
			sum += weightFinder
		}
	}
	return sum
}
