package session

import "sync"

// sizes are those of the buffers that are kept for the next one who needs some, in bytes. What is longer is made anew.
var sizes = [...]int{1 << 10, 4 << 10, 16 << 10, 64 << 10, 128 << 10, 256 << 10}

// pool keeps buffers that connections grow into and give back. The collector empties it.
type pool struct{ kept [len(sizes)]sync.Pool }

// buffer is a slice with room for what is asked for; its own pointer goes back to the pool, so that none is made anew.
type buffer struct{ b []byte }

// get gives a buffer of at least n bytes.
func (p *pool) get(n int) *buffer {
	for i, size := range sizes {
		if n > size {
			continue
		}
		if b, ok := p.kept[i].Get().(*buffer); ok {
			return b
		}
		return &buffer{make([]byte, size)}
	}
	return &buffer{make([]byte, n)}
}

func (p *pool) put(b *buffer) {
	for i, size := range sizes {
		if cap(b.b) == size {
			p.kept[i].Put(b)
		}
	}
}
