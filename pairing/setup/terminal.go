package setup

import "strings"

// Style is a way to draw a code on a terminal. Both set foreground and background of each cell, so that the code
// is black on white whatever the user's colours are: readers expect that, and not all of them cope with the reverse.
type Style uint8

const (
	// Blocks puts two modules into a cell, by U+2580 and 256 colours: 29 columns and 15 lines for HomeKit's code. The
	// terminal has to show UTF-8.
	Blocks Style = iota
	// Spaces makes a module of two cells, in 7-bit ASCII and eight colours: 58 columns and 29 lines.
	Spaces
)

// StyleFor says how to draw on the standard output of a process: terminal tells whether it is one, getenv is os.Getenv. It
// is false where a code would come out as garbage; then print the payload and the setup code. NO_COLOR is not asked: here
// the colours are the content.
func StyleFor(terminal bool, getenv func(string) string) (Style, bool) {
	if term := getenv("TERM"); !terminal || term == "" || term == "dumb" {
		return 0, false
	}
	for _, key := range []string{"LC_ALL", "LC_CTYPE", "LANG"} { // the first that is set counts (POSIX 8.2)
		if v := getenv(key); v != "" {
			v = strings.ToLower(v)
			if strings.Contains(v, "utf-8") || strings.Contains(v, "utf8") {
				return Blocks, true
			}
			break
		}
	}
	return Spaces, true
}

// A cell is a change of colours and what is written in them, by its modules (upper, lower). The colours 16 and 231 of 256
// are the same on each terminal; the eight of Spaces are the user's, who has black darker than white.
type cell struct{ colours, text string }

const (
	blackOnWhite = "\x1b[38;5;16;48;5;231m"
	whiteOnBlack = "\x1b[38;5;231;48;5;16m"
)

var blockCells = [2][2]cell{
	{{blackOnWhite, " "}, {whiteOnBlack, "▀"}},
	{{blackOnWhite, "▀"}, {whiteOnBlack, " "}},
}

var spaceCells = [2]cell{{"\x1b[30;47m", "  "}, {"\x1b[37;40m", "  "}}

const reset = "\x1b[0m"

// Width gives how many columns [QR.Text] takes. On a narrower terminal lines would wrap and nobody could read the code.
func (q *QR) Width(s Style) int {
	w := q.Size() + 2*quiet
	if s == Spaces {
		w *= 2
	}
	return w
}

// Text draws the code and its margin. Each line ends with the user's own colours and a line end.
func (q *QR) Text(s Style) string {
	var b strings.Builder
	end := q.Size() + quiet
	rows := 2
	if s == Spaces {
		rows = 1
	}
	for y := -quiet; y < end; y += rows {
		colours := ""
		for x := -quiet; x < end; x++ {
			c := spaceCells[q.pick(x, y)]
			if s != Spaces {
				c = blockCells[q.pick(x, y)][q.pick(x, y+1)]
			}
			if c.colours != colours {
				colours = c.colours
				b.WriteString(colours)
			}
			b.WriteString(c.text)
		}
		b.WriteString(reset + "\n")
	}
	return b.String()
}

// pick gives 1 for a black module, 0 for a white one.
func (q *QR) pick(x, y int) int {
	if q.Black(x, y) {
		return 1
	}
	return 0
}
