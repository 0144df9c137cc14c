package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"twinbridge/twin"
)

// folderStep is how many names of a folder are asked for at a time.
const folderStep = 512

// ReadFolder reads every .yaml, .yml and .json file of a folder in the order of the names; hidden files and folders in
// it are passed over. A file with a mistake gives nothing and is named in the map, by its path; the others are not
// disturbed. A name that is defined in two files is a mistake of the later one. A folder that cannot be read, or has
// more than 10,000 files, is named itself, and its set is empty: that is no reason to take devices away.
func ReadFolder(dir string) (Set, map[string]error) {
	errs := map[string]error{}
	names, err := folderNames(dir)
	if err != nil {
		errs[dir] = err
		return Set{}, errs
	}
	var all Set
	models, devices := map[twin.Name]string{}, map[twin.Name]string{}
	left := MaxFolderBytes
	for _, name := range names {
		path := filepath.Join(dir, name)
		data, err := readFile(path, left)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) { // taken away since the names were read
				errs[path] = err
			}
			continue
		}
		left -= len(data)
		set, err := Read(path, data)
		if err == nil {
			err = clashes(path, set, models, devices)
		}
		if err != nil {
			errs[path] = err
			continue
		}
		all.Models = append(all.Models, set.Models...)
		all.Devices = append(all.Devices, set.Devices...)
		all.Notes = append(all.Notes, set.Notes...)
	}
	return all, errs
}

// folderNames lists the manifests of a folder, sorted.
func folderNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("read device folder: %w", err)
	}
	defer f.Close()
	var names []string
	for {
		entries, err := f.ReadDir(folderStep)
		for _, e := range entries {
			name := e.Name()
			switch strings.ToLower(filepath.Ext(name)) {
			case ".yaml", ".yml", ".json":
				if name[0] != '.' && !e.IsDir() {
					names = append(names, name)
				}
			}
		}
		if len(names) > MaxFiles {
			return nil, fmt.Errorf("read device folder %s: more than %d files", dir, MaxFiles)
		}
		if errors.Is(err, io.EOF) {
			slices.Sort(names)
			return names, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read device folder: %w", err)
		}
	}
}

// readFile reads a manifest's bytes, at most left of them.
func readFile(path string, left int) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if !info.Mode().IsRegular() { // to open a pipe would wait for its writer
		return nil, fmt.Errorf("read manifest %s: not a plain file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if len(data) > MaxFileBytes {
		return nil, fmt.Errorf("read manifest %s: more than %d bytes", path, MaxFileBytes)
	}
	if len(data) > left {
		return nil, fmt.Errorf("read manifest %s: the folder's files have more than %d bytes together", path, MaxFolderBytes)
	}
	return data, nil
}

// clashes enters a file's names, or says which of them another file has already.
func clashes(path string, set Set, models, devices map[twin.Name]string) error {
	var errs []error
	twice := func(what string, name twin.Name, first string) {
		errs = append(errs, fmt.Errorf("%s: %w", path, &twin.FieldError{
			Field: what, Value: name.String(), Want: "each name once; " + first + " has it already",
		}))
	}
	for i := range set.Models {
		if first, ok := models[set.Models[i].Name]; ok {
			twice("model", set.Models[i].Name, first)
		}
	}
	for i := range set.Devices {
		if first, ok := devices[set.Devices[i].Device.Name]; ok {
			twice("device", set.Devices[i].Device.Name, first)
		}
	}
	if len(errs) > 0 {
		return join(errs)
	}
	for i := range set.Models {
		models[set.Models[i].Name] = path
	}
	for i := range set.Devices {
		devices[set.Devices[i].Device.Name] = path
	}
	return nil
}
