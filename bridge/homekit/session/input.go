package session

import (
	"io"

	"twinbridge/bridge/homekit/frame"
)

// idleBuffer is the buffer that a connection always has: a frame and a bit, so most requests.
const idleBuffer = 2 << 10

// input is the stream of requests in the making: b[begin:end] can be parsed, b[sealed:filled] are frames that were not
// opened yet. In clear there are none: what is filled can be parsed.
//
// Frames are opened in place, one at a time and only when a request needs more, and their plaintext moved to what was
// there before. So the buffer is never longer than a request and a frame, or what one Read filled.
type input struct {
	pool  *pool
	own   []byte  // idleBuffer
	grown *buffer // nil: own is in use
	b     []byte

	begin, end     int
	sealed, filled int
	secure         bool
}

func newInput(p *pool) input {
	own := make([]byte, idleBuffer)
	return input{pool: p, own: own, b: own}
}

// plain is what can be parsed.
func (in *input) plain() []byte { return in.b[in.begin:in.end] }

// empty: nothing of a next request is here.
func (in *input) empty() bool { return in.begin == in.end && in.sealed == in.filled }

// used tells that n bytes of plain were served.
func (in *input) used(n int) { in.begin += n }

// open opens the next frame. [frame.ErrShort] says that it is not here as a whole.
func (in *input) open(o *frame.Opener) error {
	text, n, err := o.Open(in.b[in.sealed:in.filled])
	if err != nil {
		return err
	}
	if in.begin == in.end {
		in.begin, in.end = 0, 0
	}
	in.end += copy(in.b[in.end:], text)
	in.sealed += n
	return nil
}

// protect tells that everything behind what was used is encrypted.
func (in *input) protect() {
	if !in.secure {
		in.sealed, in.filled = in.begin, in.end
		in.end = in.begin
	}
	in.secure = true
}

// fill reads once, whatever comes.
func (in *input) fill(r io.Reader) error {
	if !in.secure {
		in.sealed, in.filled = in.end, in.end
	}
	in.makeRoom()
	n, err := r.Read(in.b[in.filled:])
	in.filled += n
	if !in.secure {
		in.sealed, in.end = in.filled, in.filled
	}
	if n > 0 {
		return nil // an error comes again
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// makeRoom moves what is there to the beginning when the room behind it gets short, and to a longer buffer when there is
// none.
func (in *input) makeRoom() {
	have := in.end - in.begin + in.filled - in.sealed
	switch free := len(in.b) - in.filled; {
	case have == 0:
		in.begin, in.end, in.sealed, in.filled = 0, 0, 0, 0
	case have <= len(in.b)/2 && free < len(in.b)/4:
		in.move(in.b)
	case free == 0:
		longer := in.pool.get(have + max(frame.MaxSize, have/4))
		in.move(longer.b)
		in.giveBack()
		in.grown, in.b = longer, longer.b
	}
}

// shrink gives a long buffer back when what is left fits into the short one.
func (in *input) shrink() {
	if in.grown == nil || in.end-in.begin+in.filled-in.sealed > idleBuffer/2 {
		return
	}
	in.move(in.own)
	in.giveBack()
	in.b = in.own
}

// move moves everything to the beginning of b, which may be the buffer itself.
func (in *input) move(b []byte) {
	n := copy(b, in.b[in.begin:in.end])
	m := copy(b[n:], in.b[in.sealed:in.filled])
	in.begin, in.end, in.sealed, in.filled = 0, n, n, n+m
}

func (in *input) giveBack() {
	if in.grown != nil {
		in.pool.put(in.grown)
		in.grown = nil
	}
}
