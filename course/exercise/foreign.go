package exercise

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// foreign says what of a scratch copy is not as the project has it, beside the code that readers
// write: tests, and packages of which no exercise was begun. Their place is taken by the project's
// files when tests are run, and whatever was added is left out: replaced has for each path the file
// that is read instead, or "".
func (s *Scratch) foreign(packages []string) (replaced map[string]string, err error) {
	files, err := sources(os.DirFS(s.said.Root))
	if err != nil {
		return nil, err
	}
	replaced = map[string]string{}
	ours := map[string]bool{}
	for _, name := range files {
		ours[name] = true
		if theirs(name, packages) {
			continue
		}
		same, err := s.unchanged(name)
		if err != nil {
			return nil, err
		}
		if !same && path.Ext(name) != ".go" {
			return nil, fmt.Errorf("%s: is not as the project has it; copy it back from %s", s.path(name), s.said.Root)
		}
		if !same {
			replaced[s.path(name)] = filepath.Join(s.said.Root, filepath.FromSlash(name))
		}
	}
	return replaced, s.added(ours, packages, replaced)
}

// theirs tells whether readers may write a file: code of a package of which an exercise was begun.
func theirs(name string, packages []string) bool {
	return path.Ext(name) == ".go" && !isTest(name) && slices.Contains(packages, path.Dir(name))
}

func (s *Scratch) unchanged(name string) (bool, error) {
	want, err := os.ReadFile(filepath.Join(s.said.Root, filepath.FromSlash(name)))
	if err != nil {
		return false, err
	}
	info, err := os.Stat(s.path(name))
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() != int64(len(want)) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	got, err := os.ReadFile(s.path(name))
	return bytes.Equal(got, want), err
}

// added leaves out the Go files that the project has not.
func (s *Scratch) added(ours map[string]bool, packages []string, replaced map[string]string) error {
	folders := map[string]bool{}
	for name := range ours {
		folders[path.Dir(name)] = true
	}
	for folder := range folders {
		entries, err := os.ReadDir(s.path(folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			name := path.Join(folder, e.Name())
			if strings.HasSuffix(name, ".go") && !ours[name] && !theirs(name, packages) {
				replaced[s.path(name)] = ""
			}
		}
	}
	return nil
}
