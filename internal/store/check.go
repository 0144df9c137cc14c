package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// summary is what a check learns of a good file.
type summary struct {
	txid uint64 // of the last commit
	// suspect: one of the two headers cannot be read. bbolt then goes on from the other, which may be one commit older.
	suspect bool
}

// check reads a whole file as bbolt would, but with every number tested before it is followed, and every record and
// bucket compared with its checksum. size is the file's length in bytes. After a nil error bbolt can map the file. It
// reads each page in use once, with memory for one path through the tree.
//
// Errors are *DamagedError without path, ErrNewer, or those of r.
func check(r io.ReaderAt, size int64) (summary, error) {
	m, sum, err := readMetas(r, size)
	if err != nil {
		return summary{}, err
	}
	c := &checker{r: r, pages: m.pages, seen: make([]uint64, m.pages/64+1)}
	c.mark(0)
	c.mark(1)
	if err := c.freelist(m.freelist); err != nil {
		return summary{}, err
	}
	buckets, err := c.buckets(m.root)
	if err != nil {
		return summary{}, err
	}
	names := make([]string, len(buckets))
	var list []byte
	for i, b := range buckets {
		names[i] = b.name
		l, err := c.bucket(b)
		if err != nil {
			return summary{}, err
		}
		if b.name == ownBucket {
			list = l
		}
	}
	if want := strings.Join(names, "\n"); string(list) != want {
		return summary{}, damaged("", "", fmt.Sprintf("has the buckets %q, not those listed, %q", want, list))
	}
	return sum, nil
}

func damaged(bucket, key, reason string) error {
	return &DamagedError{Bucket: bucket, Key: key, Reason: reason}
}

// readMetas reads both headers and gives the one in force.
func readMetas(r io.ReaderAt, size int64) (meta, summary, error) {
	if size == 0 {
		return meta{}, summary{}, damaged("", "", "the file is empty")
	}
	var buf [pageHead + metaSize]byte
	var best meta
	found := 0
	for i := range int64(2) {
		if _, err := r.ReadAt(buf[:], i*pageSize); err != nil && !errors.Is(err, io.EOF) {
			return meta{}, summary{}, err
		} else if err != nil {
			continue
		}
		if m, ok := parseMeta(buf[:]); ok {
			if found == 0 || m.txid > best.txid {
				best = m
			}
			found++
		}
	}
	switch {
	case found == 0:
		return meta{}, summary{}, damaged("", "", "it has no readable header")
	case best.pages < 4 || best.pages > uint64(size)/pageSize:
		return meta{}, summary{}, damaged("", "", fmt.Sprintf("the file has %d bytes, its header speaks of %d pages of %d", size, best.pages, pageSize))
	}
	return best, summary{txid: best.txid, suspect: found < 2}, nil
}

type checker struct {
	r     io.ReaderAt
	pages uint64
	seen  []uint64         // a bit per page
	bufs  [maxDepth][]byte // one per level, used again by each page of it
}

// mark notes that page id is in use; false if it is no page or is in use already.
func (c *checker) mark(id uint64) bool {
	if id >= c.pages || c.seen[id/64]>>(id%64)&1 == 1 {
		return false
	}
	c.seen[id/64] |= 1 << (id % 64)
	return true
}

// page reads page id and those that overflow from it. Its bytes are valid until the next page of that level.
func (c *checker) page(id uint64, level int) (page, error) {
	if level >= maxDepth {
		return page{}, damaged("", "", fmt.Sprintf("page %d lies too deep in the tree", id))
	}
	if id >= c.pages {
		return page{}, damaged("", "", fmt.Sprintf("page %d is beyond the end, %d", id, c.pages))
	}
	if c.bufs[level] == nil {
		c.bufs[level] = make([]byte, pageSize)
	}
	b := c.bufs[level][:pageSize]
	if _, err := c.r.ReadAt(b, int64(id)*pageSize); err != nil {
		return page{}, err
	}
	own, run := order.Uint64(b), uint64(order.Uint32(b[12:]))+1
	if own != id || run*pageSize > maxRun || id+run > c.pages {
		return page{}, damaged("", "", fmt.Sprintf("page %d has a wrong head", id))
	}
	for i := range run {
		if !c.mark(id + i) {
			return page{}, damaged("", "", fmt.Sprintf("page %d is in use twice", id+i))
		}
	}
	if run > 1 {
		b = slices.Grow(b, int(run-1)*pageSize)[:run*pageSize]
		c.bufs[level] = b
		if _, err := c.r.ReadAt(b[pageSize:], int64(id+1)*pageSize); err != nil {
			return page{}, err
		}
	}
	return page{flags: order.Uint16(b[8:]), count: order.Uint16(b[10:]), b: b}, nil
}

// freelist checks that no page is free twice. That no page in use is free shows when the tree marks it.
func (c *checker) freelist(id uint64) error {
	if id == noFreelist { // bbolt then finds the free pages by itself
		return nil
	}
	p, err := c.page(id, 0)
	if err != nil {
		return err
	}
	ids, ok := p.freeIDs()
	if p.flags != flagFreelist || !ok {
		return damaged("", "", fmt.Sprintf("page %d is not a list of free pages", id))
	}
	for ; len(ids) > 0; ids = ids[8:] {
		if free := order.Uint64(ids); !c.mark(free) {
			return damaged("", "", fmt.Sprintf("page %d is said to be free", free))
		}
	}
	return nil
}

// tree walks the tree below a page in order of its keys, which must lie in [lo, hi).
func (c *checker) tree(id uint64, level int, lo, hi []byte, visit func(key, value []byte, flags uint32) error) error {
	p, err := c.page(id, level)
	if err != nil {
		return err
	}
	if p.flags == flagLeaf {
		return leafEntries(&p, id, lo, hi, visit)
	}
	if p.flags != flagBranch || p.count == 0 {
		return damaged("", "", fmt.Sprintf("page %d is neither a branch nor a leaf", id))
	}
	key, child, ok := p.branch(0)
	for i := 1; ; i++ {
		if !ok || !within(key, lo, hi) {
			return damaged("", "", fmt.Sprintf("page %d: entry %d is wrong or out of order", id, i-1))
		}
		if i == int(p.count) {
			return c.tree(child, level+1, key, hi, visit)
		}
		next, nextChild, nextOK := p.branch(i)
		if !nextOK || bytes.Compare(key, next) >= 0 {
			return damaged("", "", fmt.Sprintf("page %d: entry %d is wrong or out of order", id, i))
		}
		if err := c.tree(child, level+1, key, next, visit); err != nil {
			return err
		}
		key, child, ok = next, nextChild, nextOK
	}
}

func leafEntries(p *page, id uint64, lo, hi []byte, visit func(key, value []byte, flags uint32) error) error {
	var last []byte
	for i := range int(p.count) {
		key, value, flags, ok := p.leaf(i)
		if !ok || !within(key, lo, hi) || i > 0 && bytes.Compare(last, key) >= 0 {
			return damaged("", "", fmt.Sprintf("page %d: entry %d is wrong or out of order", id, i))
		}
		last = key
		if err := visit(key, value, flags); err != nil {
			return err
		}
	}
	return nil
}

// bucketEntry is a bucket as the root of the file names it.
type bucketEntry struct {
	name   string
	root   uint64 // 0: the records are in inline
	sum    bucketSum
	inline []byte
}

// buckets reads the bucket of buckets.
func (c *checker) buckets(root uint64) ([]bucketEntry, error) {
	var list []bucketEntry
	own, newer := false, false
	err := c.tree(root, 0, nil, nil, func(key, value []byte, flags uint32) error {
		if flags != entryBucket || len(value) < bucketHead || len(key) > MaxBucketLen {
			return damaged(string(key), "", "is not a bucket")
		}
		e := bucketEntry{name: string(key), root: order.Uint64(value), sum: bucketSum(order.Uint64(value[8:]))}
		if e.root == 0 {
			e.inline = bytes.Clone(value[bucketHead:])
		}
		own = own || e.name == ownBucket
		newer = newer || e.name != ownBucket && strings.HasPrefix(e.name, ownPrefix)
		list = append(list, e)
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case newer:
		return nil, ErrNewer
	case !own:
		return nil, damaged("", "", "it is not a store of this program")
	}
	return list, nil
}

// bucket checks the records of a bucket, and their sum. Of the own bucket it gives the list of buckets.
func (c *checker) bucket(e bucketEntry) (list []byte, err error) {
	var sum bucketSum
	visit := func(key, value []byte, flags uint32) error {
		if flags != 0 {
			return damaged(e.name, string(key), "is not a record")
		}
		data, crc, reason := parseRecord([]byte(e.name), key, value)
		if reason != "" {
			return damaged(e.name, string(key), reason)
		}
		sum.add(crc)
		if e.name == ownBucket && string(key) == keyBuckets {
			list = bytes.Clone(data)
		}
		return nil
	}
	if e.root != 0 {
		err = c.tree(e.root, 0, nil, nil, visit)
	} else {
		err = inlineEntries(e, visit)
	}
	if de := (*DamagedError)(nil); errors.As(err, &de) && de.Bucket == "" {
		de.Bucket = e.name
	}
	if err == nil && sum != e.sum {
		err = damaged(e.name, "", "records are missing: their sum does not match")
	}
	return list, err
}

// inlineEntries walks a bucket so small that it lies within the entry that names it.
func inlineEntries(e bucketEntry, visit func(key, value []byte, flags uint32) error) error {
	if len(e.inline) < pageHead {
		return damaged(e.name, "", "is cut short")
	}
	p := page{flags: order.Uint16(e.inline[8:]), count: order.Uint16(e.inline[10:]), b: e.inline}
	if p.flags != flagLeaf {
		return damaged(e.name, "", "is not a leaf")
	}
	return leafEntries(&p, 0, nil, nil, visit)
}
