//go:build board

package gpio

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
)

// file is one that goes into the root folder.
type file struct{ name, from string }

// writeInitramfs packs programs into an initramfs: a gzipped cpio archive of the format "newc", which is a row of
// headers of 13 hexadecimal fields, names and contents, each padded to four bytes.
func writeInitramfs(path string, files []file) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(z)
	const directory, regular, device = 0o040755, 0o100755, 0o020600
	entry(w, 1, "dev", directory, 0, 0, nil)
	entry(w, 2, "dev/console", device, 5, 1, nil) // the kernel opens it for the first process
	for i, f := range files {
		content, err := os.ReadFile(f.from)
		if err != nil {
			return err
		}
		entry(w, 3+i, f.name, regular, 0, 0, content)
	}
	entry(w, 0, "TRAILER!!!", 0, 0, 0, nil)
	if err := w.Flush(); err != nil {
		return err
	}
	return z.Close()
}

func entry(w io.Writer, inode int, name string, mode, major, minor int, content []byte) {
	pad := func(n int) { io.WriteString(w, "\x00\x00\x00"[:(4-n%4)%4]) }
	fmt.Fprint(w, "070701")
	for _, v := range []int{inode, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor, len(name) + 1, 0} {
		fmt.Fprintf(w, "%08x", v)
	}
	fmt.Fprint(w, name, "\x00")
	pad(110 + len(name) + 1)
	w.Write(content)
	pad(len(content))
}
