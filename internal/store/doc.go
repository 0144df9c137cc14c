// Package store keeps records in one file that survives crashes, power cuts and bad disks.
//
// Everything a process must not forget lies in one such file: twins, HomeKit keys, Matter fabrics, the hub's registry.
// A record is a key and some bytes in a named bucket; a [Store.Commit] changes any number of them, in any buckets,
// wholly or not at all, and returns when that is on disk. The B+tree below is go.etcd.io/bbolt. This package adds what
// a file on the SD card of a lamp's computer needs beside it:
//
//   - A file is never half made. It is built beside its place, synced, and renamed into it.
//   - A damaged file is found before it is used. bbolt maps the file and believes what it reads, so a flipped bit can
//     end the process with a fault. Each file is therefore read once, page by page, before bbolt sees it (check.go).
//     Every record carries a checksum, and every bucket the sum of its records' checksums, so that a record which is
//     missing is noticed as well as one that is wrong. What is still noticed later becomes an error, never a crash.
//   - A sick disk does not make the process sick. After a failed sync nobody knows what is on disk; the file is closed
//     and, at the next use, read and opened anew. A full disk needs nothing of the kind: later commits succeed.
//   - Callers that commit at the same time share one sync (group commit).
//   - The file knows who it is: a random store id made with it, and a random id of each opening, committed before
//     anything else. Who remembers the last opening can tell that an old disk was put back.
//
// The package knows nothing of what it stores. It starts no goroutine.
package store
