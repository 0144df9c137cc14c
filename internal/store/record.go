package store

import (
	"encoding/binary"
	"hash/crc64"
)

// Bounds of what is stored.
const (
	MaxBucketLen = 64       // bytes of a bucket's name
	MaxKeyLen    = 1 << 10  // bytes of a key
	MaxDataLen   = 16 << 20 // bytes of a record
)

// recordVersion is the first byte of every record.
const recordVersion = 1

// recordHead is the length of what stands before a record's bytes: version and checksum.
const recordHead = 1 + 8

// crcTable serves reading only; crc64.MakeTable builds the ECMA table once for all callers.
var crcTable = crc64.MakeTable(crc64.ECMA)

// checksum covers the bucket and the key too, so that a record cannot turn up in another's place. 64 bits, not 32,
// because the sums of them stand in for the set of records of a bucket (see bucketSum).
func checksum(bucket, key, data []byte) uint64 {
	var head [8]byte
	binary.LittleEndian.PutUint32(head[:4], uint32(len(bucket)))
	binary.LittleEndian.PutUint32(head[4:], uint32(len(key)))
	c := crc64.Update(0, crcTable, head[:])
	c = crc64.Update(c, crcTable, bucket)
	c = crc64.Update(c, crcTable, key)
	return crc64.Update(c, crcTable, data)
}

// appendRecord appends the stored form of a record to b: version, checksum (little endian), bytes. It gives the
// checksum as well.
func appendRecord(b, bucket, key, data []byte) ([]byte, uint64) {
	sum := checksum(bucket, key, data)
	b = append(b, recordVersion)
	b = binary.LittleEndian.AppendUint64(b, sum)
	return append(b, data...), sum
}

// parseRecord reads the stored form of a record. The data returned is part of b. reason says what is wrong with it, ""
// if nothing is.
func parseRecord(bucket, key, b []byte) (data []byte, sum uint64, reason string) {
	if len(b) < recordHead {
		return nil, 0, "record is cut short"
	}
	if b[0] != recordVersion {
		return nil, 0, "record has an unknown version"
	}
	sum = binary.LittleEndian.Uint64(b[1:])
	data = b[recordHead:]
	if checksum(bucket, key, data) != sum {
		return nil, 0, "checksum of the record does not match"
	}
	return data, sum, ""
}

// bucketSum is the sum, modulo 2^64, of the checksums of a bucket's records. It is kept as the bucket's sequence number
// in the file, which costs no extra page. A page that lost an entry still has good records, but not this sum.
type bucketSum uint64

func (s *bucketSum) add(sum uint64)    { *s += bucketSum(sum) }
func (s *bucketSum) remove(sum uint64) { *s -= bucketSum(sum) }
