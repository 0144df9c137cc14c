package doctor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// littleEndian is the order in which the kernel prints addresses.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// Stat looks at a file or folder.
func Stat(path string) (FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return FileInfo{}, err
	}
	out := FileInfo{Mode: info.Mode(), UID: -1, Size: info.Size(), Modified: info.ModTime()}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		out.UID = int(s.Uid)
	}
	return out, nil
}

// fileSystem is a kind of file system, by its number in linux/magic.h.
type fileSystem struct {
	name               string
	volatile, modeless bool
}

func kindOf(magic uint32) fileSystem {
	switch magic {
	case unix.EXT4_SUPER_MAGIC:
		return fileSystem{name: "ext4"}
	case unix.BTRFS_SUPER_MAGIC:
		return fileSystem{name: "btrfs"}
	case unix.XFS_SUPER_MAGIC:
		return fileSystem{name: "xfs"}
	case unix.F2FS_SUPER_MAGIC:
		return fileSystem{name: "f2fs"}
	case unix.NFS_SUPER_MAGIC:
		return fileSystem{name: "nfs"}
	case unix.OVERLAYFS_SUPER_MAGIC:
		return fileSystem{name: "overlay"}
	case unix.TMPFS_MAGIC:
		return fileSystem{name: "tmpfs", volatile: true}
	case unix.RAMFS_MAGIC:
		return fileSystem{name: "ramfs", volatile: true}
	case unix.MSDOS_SUPER_MAGIC:
		return fileSystem{name: "vfat", modeless: true}
	case unix.EXFAT_SUPER_MAGIC:
		return fileSystem{name: "exfat", modeless: true}
	}
	return fileSystem{}
}

// SpaceOf looks at the file system of a folder.
func SpaceOf(path string) (Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return Space{}, fmt.Errorf("statfs %s: %w", path, err)
	}
	kind := kindOf(uint32(s.Type))
	return Space{
		Kind: kind.name, Volatile: kind.volatile, Modeless: kind.modeless, ReadOnly: int64(s.Flags)&unix.ST_RDONLY != 0,
		Free: s.Bavail * uint64(s.Bsize), Total: s.Blocks * uint64(s.Bsize), FreeInodes: s.Ffree, AllNode: s.Files,
	}, nil
}

// ClockSync asks the kernel whether somebody sets the clock.
func ClockSync() (Sync, error) {
	var t unix.Timex // Modes 0: it only reads
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return Sync{}, fmt.Errorf("adjtimex: %w", err)
	}
	const microsecond = time.Microsecond
	return Sync{Synchronised: state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, MaxError: time.Duration(t.Maxerror) * microsecond}, nil
}

// maxProc bounds what is read of a file in /proc, in bytes.
const maxProc = 4 << 20

func readProc(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxProc))
}

// Listeners lists the sockets of tcp that listen, or those of udp that are bound.
func Listeners(network string) ([]Listener, error) {
	state := uint64(stateListen)
	if network == "udp" {
		state = stateClosed
	}
	var all []listed
	for _, family := range []string{"", "6"} {
		text, err := readProc("/proc/net/" + network + family)
		if errors.Is(err, fs.ErrNotExist) && family == "6" {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, err
		}
		all = append(all, parseSockets(text, state)...)
	}
	owners := owners(all)
	list := make([]Listener, len(all))
	for i, l := range all {
		list[i] = Listener{Addr: l.addr}
		if pid, ok := owners[l.inode]; ok {
			list[i].PID, list[i].Program = pid, program(pid)
		}
	}
	return list, nil
}

// owners finds the processes of sockets, as far as this user may see them.
func owners(sockets []listed) map[uint64]int {
	wanted := make(map[string]uint64, len(sockets))
	for _, s := range sockets {
		wanted["socket:["+strconv.FormatUint(s.inode, 10)+"]"] = s.inode
	}
	found := map[uint64]int{}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return found
	}
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join("/proc", p.Name(), "fd")
		files, err := os.ReadDir(dir)
		if err != nil {
			continue // another user's
		}
		for _, file := range files {
			link, err := os.Readlink(filepath.Join(dir, file.Name()))
			if err != nil {
				continue
			}
			if inode, ok := wanted[link]; ok {
				found[inode] = pid
			}
		}
	}
	return found
}

func program(pid int) string {
	text, err := readProc(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "a program"
	}
	return strings.TrimSpace(string(text))
}

// LowPorts gives the first port that a program needs no right for; 0 for root.
func LowPorts() int {
	if os.Geteuid() == 0 {
		return 0
	}
	text, err := readProc("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	n, aerr := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || aerr != nil {
		return 1024
	}
	return n
}

// ipv6Off reports whether IPv6 is switched off on an interface.
func ipv6Off(name string) bool {
	text, err := readProc("/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6")
	return err == nil && strings.TrimSpace(string(text)) == "1"
}

// PeerPID gives the process that listens at the other end of a unix socket; 0 if the kernel does not tell.
func PeerPID(c net.Conn) int {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	err = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	if err != nil {
		return 0
	}
	return pid
}
