// Package page holds the generated pages of the course, and writes them.
package page

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Set is generated files: their content by their path from the root of the module, with slashes.
type Set map[string]string

// Write writes all pages below root, and makes the folders that they need.
func (s Set) Write(root string) error {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(s[name]), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// Add adds the pages of another set; a page of two sets is an error.
func (s Set) Add(other Set) error {
	for name, text := range other {
		if _, twice := s[name]; twice {
			return fmt.Errorf("%s: written by two packages", name)
		}
		s[name] = text
	}
	return nil
}
