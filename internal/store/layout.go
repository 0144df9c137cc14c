package store

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
)

// The layout of a bbolt file, as far as it has to be known to check one. Numbers are in the machine's byte order.
const (
	pageSize     = 4096 // fixed, so that a card moves between kernels with pages of 4 and 16 KiB
	pageHead     = 16   // id u64, flags u16, count u16, overflow u32
	elementSize  = 16   // of branch and leaf pages alike
	bucketHead   = 16   // root page u64, sequence u64
	metaSize     = 64
	metaMagic    = 0xED0CDAED
	metaVersion  = 2
	noFreelist   = ^uint64(0)
	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	entryBucket  = 0x01 // flag of a leaf entry that holds a bucket

	// maxRun bounds the pages that belong together, in bytes. bbolt may leave four of the largest records unsplit.
	maxRun = 2 * 4 * (MaxDataLen + MaxKeyLen)
	// maxDepth bounds the height of the tree; 2^32 pages of the least filling are lower.
	maxDepth = 32
)

var order = binary.NativeEndian

// meta is one of the two headers of a file. The valid one with the higher txid counts.
type meta struct {
	root     uint64 // root page of the bucket of buckets
	freelist uint64
	pages    uint64 // high-water mark: pages in use or free
	txid     uint64
}

// parseMeta reads a header page.
func parseMeta(p []byte) (meta, bool) {
	if len(p) < pageHead+metaSize {
		return meta{}, false
	}
	b := p[pageHead : pageHead+metaSize]
	h := fnv.New64a()
	h.Write(b[:metaSize-8])
	if order.Uint32(b) != metaMagic || order.Uint32(b[4:]) != metaVersion || order.Uint32(b[8:]) != pageSize ||
		order.Uint64(b[56:]) != h.Sum64() {
		return meta{}, false
	}
	return meta{
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		pages:    order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
	}, true
}

// page is a page with those that overflow from it. b begins with the page's head.
type page struct {
	flags, count uint16
	b            []byte
}

// branch gives the key and the child page of entry i of a branch page; false if it points out of the page.
func (p *page) branch(i int) (key []byte, child uint64, ok bool) {
	at := pageHead + i*elementSize
	if at+elementSize > len(p.b) {
		return nil, 0, false
	}
	e := p.b[at:]
	key, ok = p.bytesAt(at, uint64(order.Uint32(e)), uint64(order.Uint32(e[4:])))
	return key, order.Uint64(e[8:]), ok
}

// leaf gives key, value and flags of entry i of a leaf page; false if it points out of the page.
func (p *page) leaf(i int) (key, value []byte, flags uint32, ok bool) {
	at := pageHead + i*elementSize
	if at+elementSize > len(p.b) {
		return nil, nil, 0, false
	}
	e := p.b[at:]
	pos, ksize, vsize := uint64(order.Uint32(e[4:])), uint64(order.Uint32(e[8:])), uint64(order.Uint32(e[12:]))
	key, ok = p.bytesAt(at, pos, ksize)
	if !ok {
		return nil, nil, 0, false
	}
	value, ok = p.bytesAt(at, pos+ksize, vsize)
	return key, value, order.Uint32(e), ok
}

// bytesAt gives n bytes at pos from the entry that begins at byte at, if they lie in the page and behind its entries.
func (p *page) bytesAt(at int, pos, n uint64) ([]byte, bool) {
	from, to := uint64(at)+pos, uint64(at)+pos+n
	if from < uint64(pageHead+int(p.count)*elementSize) || to > uint64(len(p.b)) {
		return nil, false
	}
	return p.b[from:to:to], true
}

// freeIDs gives the bytes of the page numbers that a free list page holds, eight each; false if they do not fit.
func (p *page) freeIDs() ([]byte, bool) {
	b, n := p.b[pageHead:], uint64(p.count)
	if n == 0xffff { // the real count stands in the first place
		if len(b) < 8 {
			return nil, false
		}
		n = order.Uint64(b)
		b = b[8:]
	}
	if n > uint64(len(b))/8 {
		return nil, false
	}
	return b[:n*8], true
}

// within reports whether lo <= key < hi; an empty bound is none.
func within(key, lo, hi []byte) bool {
	return len(key) > 0 && bytes.Compare(key, lo) >= 0 && (len(hi) == 0 || bytes.Compare(key, hi) < 0)
}
