package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"twinbridge/internal/store"
)

// FileName is the registry's file in the data folder.
const FileName = "hub.db"

// lockWait is how long a hub that is being replaced may take to close its file.
const lockWait = time.Second

// InFolder is a registry with its file in a data folder.
type InFolder struct {
	*Registry
	file *store.Store
}

// OpenFolder opens the registry of a data folder, and makes it if there is none. Close must end it, after Run has ended.
func OpenFolder(data string, log *slog.Logger) (*InFolder, error) {
	path := filepath.Join(data, FileName)
	file, err := store.Open(path, store.Options{LockWait: lockWait, Log: log})
	switch {
	case errors.Is(err, store.ErrLocked):
		return nil, fmt.Errorf("another hub runs on data folder %s: %w; stop it, or name another folder with --data", data, err)
	case errors.Is(err, store.ErrDamaged):
		return nil, fmt.Errorf("%w; nothing in it was changed: put a backup in its place, or move it away: the nodes tell the hub anew what they know", err)
	case err != nil:
		return nil, fmt.Errorf("open the registry: %w", err)
	}
	r, err := Open(file, log)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &InFolder{Registry: r, file: file}, nil
}

// File is where the registry lies; others may keep records of theirs in it.
func (f *InFolder) File() *store.Store { return f.file }

// Close closes the file.
func (f *InFolder) Close() error { return f.file.Close() }
