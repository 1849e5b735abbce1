package foreign

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"plumbline/verify/recording"
)

// maxJSON is how large a JSON file may be, and a line of one that has an object in each.
const maxJSON = 16 << 20

// within says where err was found; nil stays nil.
func within(where string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", where, err)
}

// cause returns what is wrong with a path that the message names already.
func cause(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}

// A regular is an open file with its size.
type regular struct {
	*os.File
	size int64
}

// open opens a file that is one: a pipe would block, and has no size.
func open(path string) (*regular, error) {
	return opened(path, os.Stat, os.Open)
}

// openIn is open of a path below a folder. Neither the path nor a link leads out of it.
func openIn(folder, path string) (*regular, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, within(folder, cause(err))
	}
	defer root.Close()
	if !filepath.IsLocal(filepath.FromSlash(path)) {
		return nil, fmt.Errorf("%s: outside of the folder %s", path, folder)
	}
	return opened(path, root.Stat, root.Open)
}

func opened(
	path string, stat func(string) (fs.FileInfo, error), open func(string) (*os.File, error),
) (*regular, error) {
	info, err := stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, within(path, cause(err))
	}
	file, err := open(path)
	if err != nil {
		return nil, within(path, cause(err))
	}
	return &regular{file, info.Size()}, nil
}

// readJSON reads a file that is one JSON object.
func readJSON(path string) (map[string]any, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxJSON+1))
	if err == nil && len(text) > maxJSON {
		err = fmt.Errorf("more than %d bytes of JSON", maxJSON)
	}
	if err != nil {
		return nil, within(path, cause(err))
	}
	object, err := recording.ParseObject(string(text))
	return object, within(path, err)
}

// eachLine calls f with every JSON object of a file that has one in each line, until it says that
// it has enough.
func eachLine(path string, f func(object map[string]any) (enough bool, err error)) error {
	file, err := open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxJSON)
	for n := 1; lines.Scan(); n++ {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		object, err := recording.ParseObject(string(text))
		enough := false
		if err == nil {
			enough, err = f(object)
		}
		if err != nil {
			return within(fmt.Sprintf("%s: line %d", path, n), err)
		}
		if enough {
			return nil
		}
	}
	return within(path, lines.Err())
}

// digest returns the SHA-256 of a file, and "" for a folder.
func digest(path string) (string, error) {
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return "", nil
	}
	f, err := open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", within(path, cause(err))
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
