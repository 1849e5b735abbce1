package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	_ "plumbline/verify/op/all"

	"plumbline/golden"
	"plumbline/verify/recording"
)

// extension ends the name of a recording.
const extension = ".safetensors"

// A source is one recording to be read, or the reason why there is none.
type source struct {
	name string
	open func() (*recording.Recording, error)
}

// file is a recording on disk.
func file(path string) source {
	return source{path, func() (*recording.Recording, error) { return recording.Open(path) }}
}

// missing stands for an argument that names no recording: it takes its place in the run, as
// unusable.
func missing(name string, err error) source {
	return source{name, func() (*recording.Recording, error) { return nil, fmt.Errorf("%s: %w", name, err) }}
}

// shipped names the recordings that ship with Plumbline; tests of the command make it fewer.
var shipped = golden.Names

// embedded returns them.
func embedded() []source {
	var list []source
	for _, name := range shipped() {
		list = append(list, source{name, func() (*recording.Recording, error) { return golden.Open(name) }})
	}
	return list
}

// sources returns the recordings that the arguments name, each once: files, every recording below a
// folder, and what a pattern matches. No argument names the embedded ones.
func sources(args []string) []source {
	if len(args) == 0 {
		return embedded()
	}
	var list []source
	seen := map[string]bool{}
	for _, arg := range args {
		for _, s := range expand(arg) {
			if path := filepath.Clean(s.name); !seen[path] {
				seen[path] = true
				list = append(list, s)
			}
		}
	}
	return list
}

// expand returns the recordings that one argument names.
func expand(arg string) []source {
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		return below(arg)
	case err == nil:
		return []source{file(arg)}
	case !errors.Is(err, fs.ErrNotExist):
		return []source{missing(arg, reason(err))}
	case strings.ContainsAny(arg, "*?["):
		return matches(arg)
	}
	return []source{missing(arg, errNone)}
}

var errNone = errors.New("no such file or folder")

// matches returns what a pattern matches, for shells that leave patterns alone.
func matches(pattern string) []source {
	paths, err := filepath.Glob(pattern)
	switch {
	case err != nil: // a name with a bracket, more likely than half a pattern
		return []source{missing(pattern, errNone)}
	case len(paths) == 0 && !strings.ContainsAny(pattern, "*?"):
		return []source{missing(pattern, fmt.Errorf("%w, and as a pattern it matches none", errNone))}
	case len(paths) == 0:
		return []source{missing(pattern, errors.New("the pattern matches no file"))}
	}
	var list []source
	for _, path := range paths {
		list = append(list, expand(path)...)
	}
	return list
}

// below returns every recording below a folder, in the order of their paths.
func below(folder string) []source {
	var list []source
	_ = fs.WalkDir(os.DirFS(folder), ".", func(path string, d fs.DirEntry, err error) error {
		full := filepath.Join(folder, filepath.FromSlash(path))
		switch {
		case err != nil:
			list = append(list, missing(full, reason(err)))
		case !d.IsDir() && strings.HasSuffix(path, extension):
			list = append(list, file(full))
		}
		return nil
	})
	if len(list) == 0 {
		return []source{missing(folder, errors.New("no "+extension+" file below this folder"))}
	}
	return list
}

// reason returns why a path could not be read, without the path.
func reason(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}
