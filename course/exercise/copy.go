package exercise

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"

	"plumbline/internal/ledger"
)

// sources lists what the equation packages and their tests are made of, by the path from the root:
// the files of these packages and of all that they import of the module.
func sources(root fs.FS) ([]string, error) {
	mod, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		return nil, err
	}
	w := walk{root: root, prefix: modfile.ModulePath(mod) + "/", seen: map[string]bool{}}
	for _, name := range []string{"go.mod", "go.sum"} {
		if _, err := fs.Stat(root, name); err == nil {
			w.files = append(w.files, name)
		}
	}
	for _, room := range ledger.Rooms {
		if _, err := fs.Stat(root, room); err != nil {
			continue
		}
		if err := w.folder(room); err != nil {
			return nil, err
		}
		testdata, err := below(root, room+"/testdata")
		if err != nil {
			return nil, err
		}
		w.files = append(w.files, testdata...)
	}
	slices.Sort(w.files)
	return w.files, nil
}

// walk goes through folders and what they import.
type walk struct {
	root   fs.FS
	prefix string // of the module's packages
	seen   map[string]bool
	files  []string
}

// folder adds the files of a package, with its tests if it has equations, and what these import.
func (w *walk) folder(folder string) error {
	if w.seen[folder] {
		return nil
	}
	w.seen[folder] = true
	entries, err := fs.ReadDir(w.root, folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		if !e.Type().IsRegular() || isTest(name) && !slices.Contains(ledger.Rooms, folder) {
			continue
		}
		w.files = append(w.files, name)
		if err := w.imports(name); err != nil {
			return err
		}
	}
	return nil
}

// imports follows the imports of a file.
func (w *walk) imports(name string) error {
	if path.Ext(name) != ".go" {
		return nil
	}
	text, err := fs.ReadFile(w.root, name)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
	if err != nil {
		return err
	}
	for _, spec := range file.Imports {
		location, _ := strconv.Unquote(spec.Path.Value) // the parser has refused it before
		if folder, ours := strings.CutPrefix(location, w.prefix); ours {
			if err := w.folder(folder); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.go") }

// below lists the files below a folder, none where there is no such folder.
func below(root fs.FS, folder string) (files []string, err error) {
	if _, err := fs.Stat(root, folder); err != nil {
		return nil, nil
	}
	err = fs.WalkDir(root, folder, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, name)
		}
		return err
	})
	return files, err
}

// copyAll copies files, by their paths from the root, into a folder.
func copyAll(root, folder string, files []string) error {
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		to := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(to, text, 0o666); err != nil {
			return err
		}
	}
	return nil
}
