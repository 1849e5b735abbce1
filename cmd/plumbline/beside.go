package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A besideFile is a file that is written beside the standard output. It has another name until it
// is whole, so that a run that fails leaves what was there.
type besideFile struct {
	*os.File
	path string // what it becomes
}

// createBeside begins a file. One that is there keeps its permissions, and a link leads where it
// led.
func createBeside(path string) (*besideFile, error) {
	before, err := os.Stat(path)
	if err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			err = writable(path)
		}
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf(".plumbline-%016x.tmp", rand.Uint64())
	file, err := os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err == nil && before != nil {
		err = file.Chmod(before.Mode().Perm())
	}
	return &besideFile{file, path}, err
}

// writable tells whether a file may be written, and does not.
func writable(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		err = file.Close()
	}
	return err
}

// finish gives a file that is closed its name, unless there was an error: then it is gone.
func (t *besideFile) finish(err error) error {
	if err == nil {
		if err = os.Rename(t.Name(), t.path); err == nil {
			return nil
		}
	}
	return errors.Join(err, os.Remove(t.Name()))
}

// taken says why a file must not be written: it is one of the run's own, or looks like one that a
// pattern met by chance.
func (f forms) taken(name string, streams ...*os.File) error {
	for _, end := range []string{extension, ".json"} {
		if strings.EqualFold(filepath.Ext(name), end) {
			return fmt.Errorf("%s ends in %s, as what is read does; want another name", name, end)
		}
	}
	if slices.ContainsFunc(f.inputs, func(input string) bool { return sameFile(name, input) }) {
		return fmt.Errorf("%s is read in this run, and would be lost", name)
	}
	at, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", name, reason(err))
	case !at.Mode().IsRegular():
		return fmt.Errorf("%s is no file but a folder, a device or a pipe", name)
	}
	for _, stream := range streams {
		if there, err := stream.Stat(); err == nil && os.SameFile(at, there) {
			return fmt.Errorf("%s is where the words go, or the JSON; want another file", name)
		}
	}
	return nil
}

// another says that a file is there and begins otherwise than what is to be written: it is
// something else of its owner's.
func another(name, begin string) error {
	file, err := os.Open(name)
	if err != nil {
		return nil // it is not there, or cannot be written either
	}
	defer file.Close()
	found := make([]byte, len(begin))
	if n, _ := io.ReadFull(file, found); n > 0 && !strings.EqualFold(string(found[:n]), begin) {
		return fmt.Errorf("%s is there and is no such report; it would be lost", name)
	}
	return nil
}

// sameFile tells whether two names are of one file, which need not be there.
func sameFile(a, b string) bool {
	if a, b := absolute(a), absolute(b); a == b {
		return true
	}
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// absolute is a name with its folder resolved, as far as that is there.
func absolute(name string) string {
	folder, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err == nil {
		folder, err = filepath.Abs(folder)
	}
	if err != nil {
		return filepath.Clean(name)
	}
	return filepath.Join(folder, filepath.Base(name))
}
