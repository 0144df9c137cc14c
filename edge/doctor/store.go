package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// FileInfo is what is known of a file or folder.
type FileInfo struct {
	Mode     fs.FileMode
	UID      int // of its owner; -1 where there is no such thing
	Size     int64
	Modified time.Time
}

// Space is what is known of a file system.
type Space struct {
	Kind                string // as ext4; "" if it is not one of those known here
	ReadOnly            bool
	Volatile            bool // in memory: gone at the next boot
	Modeless            bool // it keeps no owners and modes, as FAT
	Free, Total         uint64
	FreeInodes, AllNode uint64 // files that can be made; 0 of 0 where the file system does not count
}

// ErrInUse is what [StoreProbes.Check] gives of a file that a process has open.
var ErrInUse = errors.New("in use")

// StoreProbes look at the data folder without changing it.
type StoreProbes struct {
	Stat  func(path string) (FileInfo, error)
	Space func(path string) (Space, error)
	// Check reads a store file wholly and gives the error of a damaged one, or an ErrInUse.
	Check func(path string) error
	UID   int // of who looks; -1: not known
}

// Below these a file system is called full, or nearly.
const (
	fullBytes, lowBytes   = 1 << 20, 64 << 20
	fullInodes, lowInodes = 16, 1000
)

// CheckStore looks at the data folder, its file system and the file with the twins. others are names of further files
// there that are their owner's alone.
func CheckStore(n *Node, folder, file string, others []string, p StoreProbes) Check {
	return Check{Name: "store", Look: func(ctx context.Context) Finding {
		var f Finding
		dir, err := p.Stat(folder)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return found(Fail, "there is no data folder "+folder,
				"name the right one by --data, or start the node once: it makes the folder")
		case errors.Is(err, fs.ErrPermission):
			return found(Skipped, "this user may not look at it: "+err.Error(), "run this as the user of the node, or as root")
		case err != nil:
			return found(Fail, "the data folder cannot be looked at: "+err.Error(), "see the kernel's log (dmesg): the disk may be dying")
		case !dir.Mode.IsDir():
			return found(Fail, folder+" is no folder", "name the right one by --data")
		}
		f.see(OK, "data folder "+folder)
		space, err := p.Space(folder)
		if err != nil {
			f.see(Skipped, "the file system cannot be looked at: "+err.Error())
		} else {
			lookAtSpace(&f, folder, space)
		}
		if !space.Modeless {
			lookAtModes(&f, folder, dir, append([]string{file}, others...), p)
		}
		lookAtFile(ctx, &f, n, filepath.Join(folder, file), p)
		return f
	}}
}

// lookAtSpace judges a file system.
func lookAtSpace(f *Finding, folder string, s Space) {
	where := "file system"
	if s.Kind != "" {
		where += " " + s.Kind
	}
	room := fmt.Sprintf("%s: %s free of %s", where, bytesText(s.Free), bytesText(s.Total))
	switch {
	case s.ReadOnly:
		f.see(Fail, where+" is mounted read-only: no decision lasts",
			"a card or disk with errors is mounted so by the kernel: see dmesg, then check it (fsck) and make a backup soon",
			"if you made it read-only on purpose, put the data folder on another file system by --data")
	case s.Free < fullBytes:
		f.see(Fail, room+": it is full", "make room; the node goes on by itself, nothing in its store is lost")
	case s.Free < lowBytes:
		f.see(Warn, room+": nearly full", "make room, as by: journalctl --vacuum-size=50M")
	default:
		f.see(OK, room)
	}
	if s.AllNode > 0 && !s.ReadOnly {
		files := fmt.Sprintf("%s: %d of %d files (inodes) can still be made", where, s.FreeInodes, s.AllNode)
		switch {
		case s.FreeInodes < fullInodes:
			f.see(Fail, files, "some program has made very many small files: remove them")
		case s.FreeInodes < lowInodes:
			f.see(Warn, files, "some program has made very many small files: remove them")
		}
	}
	if s.Volatile {
		f.see(Warn, where+" is in memory: twins, pairings and keys are gone at the next boot",
			"keep the data folder on a disk, as /var/lib/twinbridge; name it by --data")
	}
	if s.Modeless {
		f.see(Warn, where+" keeps no owners: everybody on this machine can read the keys in "+folder,
			"keep the data folder on a file system of Linux, as ext4")
	}
}

// lookAtModes finds what others may read, and what belongs to somebody else than the folder: a node that was started as
// root once leaves such files.
func lookAtModes(f *Finding, folder string, dir FileInfo, files []string, p StoreProbes) {
	if dir.Mode.Perm()&0o077 != 0 {
		f.see(Warn, fmt.Sprintf("others may look into the data folder (mode %04o)", dir.Mode.Perm()), "chmod 700 "+folder)
	}
	if p.UID > 0 && dir.UID >= 0 && dir.UID != p.UID {
		f.see(Warn, fmt.Sprintf("the data folder belongs to user %d, and this is user %d", dir.UID, p.UID),
			"run node and commands as the same user")
	}
	for _, name := range files {
		path := filepath.Join(folder, name)
		info, err := p.Stat(path)
		if err != nil {
			continue // what is not there gives nothing away; the store itself is looked at apart
		}
		if info.Mode.Perm()&0o077 != 0 {
			f.see(Warn, fmt.Sprintf("others may read %s (mode %04o)", name, info.Mode.Perm()), "chmod 600 "+path)
		}
		if info.UID >= 0 && dir.UID >= 0 && info.UID != dir.UID {
			f.see(Fail, fmt.Sprintf("%s belongs to user %d, the data folder to user %d: the node was started as another user once", name, info.UID, dir.UID),
				fmt.Sprintf("stop the node, then: chown -R %d %s", dir.UID, folder))
		}
	}
}

// lookAtFile tells whose the store is, and checks it while it is nobody's.
func lookAtFile(ctx context.Context, f *Finding, n *Node, path string, p StoreProbes) {
	name := filepath.Base(path)
	_, asked := n.Health(ctx)
	info, err := p.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && asked == nil:
		f.see(Fail, "the node runs, and its "+name+" is gone: somebody removed it while it was open",
			"copy nothing; stop the node, put a backup in its place, start it")
		return
	case errors.Is(err, fs.ErrNotExist):
		f.see(OK, "no "+name+" yet: the first start makes it")
		return
	case err != nil:
		f.see(Skipped, name+" cannot be looked at: "+err.Error())
		return
	}
	err = p.Check(path)
	size := name + " " + bytesText(uint64(max(info.Size, 0)))
	switch {
	case errors.Is(err, ErrInUse) && asked == nil:
		f.see(OK, size+", in use by the node")
	case errors.Is(err, ErrInUse) && errors.Is(asked, ErrNotRunning):
		f.see(Fail, size+", in use by a process that answers nobody: a node that starts, ends or hangs, or a copy in the making",
			"if it stays so, see who: fuser -v "+path)
	case errors.Is(err, ErrInUse):
		f.see(OK, size+", in use")
	case errors.Is(err, fs.ErrPermission):
		f.see(Skipped, name+" cannot be read by this user", "run this as the user of the node, or as root")
	case err != nil:
		f.see(Fail, err.Error(), "it was not changed: put a backup in its place, or move it away to begin anew",
			"see the kernel's log (dmesg): the card or disk may be dying")
	case asked == nil:
		f.see(Fail, size+" is not the file that the node has open: it was put there while the node ran",
			"stop the node, put the right file there, start it")
	default:
		f.see(OK, size+", read and checked: good")
	}
}

// bytesText gives a number of bytes for people.
func bytesText(n uint64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
