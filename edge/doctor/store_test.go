package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"testing"
	"time"
)

// disk is a data folder as probes see it.
type disk struct {
	files map[string]FileInfo // by path
	errs  map[string]error
	space Space
	full  error // of the look at the file system
	check error
	uid   int
}

func (d *disk) probes() StoreProbes {
	return StoreProbes{
		Stat: func(path string) (FileInfo, error) {
			if err := d.errs[path]; err != nil {
				return FileInfo{}, err
			}
			if i, ok := d.files[path]; ok {
				return i, nil
			}
			return FileInfo{}, fs.ErrNotExist
		},
		Space: func(string) (Space, error) { return d.space, d.full },
		Check: func(string) error { return d.check },
		UID:   d.uid,
	}
}

func TestCheckStore(t *testing.T) {
	damaged := errors.New("store edge.db is damaged: page 3")
	for name, tt := range map[string]struct {
		node   *Node
		change func(*disk)
		want   want
	}{
		"not running":       {stopped(), func(*disk) {}, want{OK, "edge.db 64 KiB, read and checked: good", ""}},
		"running":           {running(), func(d *disk) { d.check = ErrInUse }, want{OK, "in use by the node", ""}},
		"node cannot tell":  {strange(), func(d *disk) { d.check = ErrInUse }, want{OK, "in use", ""}},
		"first start":       {stopped(), func(d *disk) { delete(d.files, "data/edge.db") }, want{OK, "no edge.db yet", ""}},
		"room":              {stopped(), func(*disk) {}, want{OK, "file system ext4: 100 MiB free of 2048 MiB", ""}},
		"no folder":         {stopped(), func(d *disk) { delete(d.files, "data") }, want{Fail, "there is no data folder", "--data"}},
		"folder closed":     {stopped(), func(d *disk) { d.errs["data"] = fs.ErrPermission }, want{Skipped, "may not look", "as root"}},
		"folder broken":     {stopped(), func(d *disk) { d.errs["data"] = errOther }, want{Fail, "something else", "dmesg"}},
		"a file":            {stopped(), func(d *disk) { d.files["data"] = FileInfo{Mode: 0o600} }, want{Fail, "is no folder", "--data"}},
		"no statfs":         {stopped(), func(d *disk) { d.full = errOther }, want{OK, "file system cannot be looked at", ""}},
		"read-only":         {running(), func(d *disk) { d.space.ReadOnly = true }, want{Fail, "read-only", "fsck"}},
		"full":              {running(), func(d *disk) { d.space.Free = 4096 }, want{Fail, "it is full", "make room"}},
		"nearly full":       {stopped(), func(d *disk) { d.space.Free = 20 << 20 }, want{Warn, "nearly full", "make room"}},
		"no inodes":         {stopped(), func(d *disk) { d.space.FreeInodes = 0 }, want{Fail, "0 of 5000 files", "remove them"}},
		"few inodes":        {stopped(), func(d *disk) { d.space.FreeInodes = 200 }, want{Warn, "200 of 5000 files", "remove them"}},
		"inodes uncounted":  {stopped(), func(d *disk) { d.space.FreeInodes, d.space.AllNode = 0, 0 }, want{OK, "good", ""}},
		"in memory":         {stopped(), func(d *disk) { d.space.Volatile = true }, want{Warn, "gone at the next boot", "--data"}},
		"fat":               {stopped(), func(d *disk) { d.space.Modeless = true; d.mode("data", 0o755) }, want{Warn, "keeps no owners", "ext4"}},
		"folder open":       {stopped(), func(d *disk) { d.mode("data", 0o755) }, want{Warn, "mode 0755", "chmod 700 data"}},
		"file open":         {stopped(), func(d *disk) { d.mode("data/edge.db", 0o644) }, want{Warn, "edge.db (mode 0644)", "chmod 600 data/edge.db"}},
		"socket open":       {stopped(), func(d *disk) { d.mode("data/edge.sock", 0o666) }, want{Warn, "edge.sock (mode 0666)", "chmod 600 data/edge.sock"}},
		"another user":      {stopped(), func(d *disk) { d.uid = 1001 }, want{Warn, "belongs to user 1000", "same user"}},
		"root looks":        {stopped(), func(d *disk) { d.uid = 0 }, want{OK, "good", ""}},
		"root's file":       {stopped(), func(d *disk) { i := d.files["data/edge.db"]; i.UID = 0; d.files["data/edge.db"] = i }, want{Fail, "edge.db belongs to user 0", "chown -R 1000 data"}},
		"damaged":           {stopped(), func(d *disk) { d.check = damaged }, want{Fail, "page 3", "backup"}},
		"unreadable":        {stopped(), func(d *disk) { d.check = fs.ErrPermission }, want{OK, "cannot be read by this user", "as root"}},
		"file unknown":      {stopped(), func(d *disk) { d.errs["data/edge.db"] = errOther }, want{OK, "cannot be looked at", ""}},
		"held by a silent":  {stopped(), func(d *disk) { d.check = fmt.Errorf("x: %w", ErrInUse) }, want{Fail, "answers nobody", "fuser -v"}},
		"another file":      {running(), func(*disk) {}, want{Fail, "is not the file that the node has open", "stop the node"}},
		"removed while run": {running(), func(d *disk) { delete(d.files, "data/edge.db") }, want{Fail, "is gone", "backup"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := &disk{
				files: map[string]FileInfo{
					"data":           {Mode: fs.ModeDir | 0o700, UID: 1000},
					"data/edge.db":   {Mode: 0o600, UID: 1000, Size: 64 << 10},
					"data/edge.sock": {Mode: fs.ModeSocket | 0o600, UID: 1000},
				},
				errs:  map[string]error{},
				space: Space{Kind: "ext4", Free: 100 << 20, Total: 2 << 30, FreeInodes: 4000, AllNode: 5000},
				uid:   1000,
			}
			tt.change(d)
			tt.want.check(t, look(t, CheckStore(tt.node, "data", "edge.db", []string{"edge.sock"}, d.probes())))
		})
	}
}

func (d *disk) mode(path string, m fs.FileMode) {
	i := d.files[path]
	i.Mode = i.Mode.Type() | m
	d.files[path] = i
}

// TestStatAndSpace: the real probes on a real folder.
func TestStatAndSpace(t *testing.T) {
	dir := t.TempDir()
	i, err := Stat(dir)
	if err != nil || !i.Mode.IsDir() || time.Since(i.Modified) > time.Hour {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := Stat(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	s, err := SpaceOf(dir)
	if err != nil || s.Total == 0 || s.Free > s.Total || s.ReadOnly {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := SpaceOf("/proc"); err != nil || s.Kind != "" {
		t.Errorf("/proc: %+v, %v", s, err)
	}
}
