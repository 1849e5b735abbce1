package exercise

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plumbline/internal/bounded"
	"plumbline/internal/ledger"
	"plumbline/internal/spelling"
)

// Marker is the file by which a scratch copy is known as one of ours.
const Marker = "plumbline-learn.json"

// Bounds of what is read of a scratch copy, in bytes: a marker names every exercise once at most,
// and no source of the project is half as long.
const (
	mostMarker = 1 << 20
	mostSource = 1 << 16
)

// Scratch is a copy of the equation packages in which readers write.
type Scratch struct {
	Folder string
	said   marker
}

// marker is what the file of that name holds.
type marker struct {
	Plumbline int      `json:"plumbline"`
	Root      string   `json:"root"`  // of the sources, an absolute path
	Begun     []string `json:"begun"` // exercises, in the order in which they were begun
	Green     []string `json:"green"` // those of them that are done
}

// ErrNone is what Open returns where there is no scratch copy.
var ErrNone = errors.New("no scratch copy; plumbline learn FUNCTION makes one")

// Find returns the folder of the sources that a folder lies in; where it lies in a scratch copy,
// that folder, and the one of the sources that it was made of. Both are "" elsewhere.
func Find(from string) (root, scratch string, err error) {
	from, err = filepath.Abs(from)
	if err != nil {
		return "", "", err
	}
	for ; ; from = filepath.Dir(from) {
		if s, err := Open(from); err == nil {
			return s.said.Root, from, nil
		} else if !errors.Is(err, ErrNone) {
			return "", "", err
		}
		if IsRoot(from) {
			return from, "", nil
		}
		if from == filepath.Dir(from) {
			return "", "", nil
		}
	}
}

// IsRoot tells whether a folder is that of the project's sources.
func IsRoot(folder string) bool {
	for _, name := range []string{"go.mod", ledger.Page, "internal/ledger"} {
		if _, err := os.Stat(filepath.Join(folder, filepath.FromSlash(name))); err != nil {
			return false
		}
	}
	return true
}

// Open opens a scratch copy.
func Open(folder string) (*Scratch, error) {
	name := filepath.Join(folder, Marker)
	text, err := bounded.Read(name, mostMarker)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", folder, ErrNone)
	case err != nil:
		return nil, err
	}
	s := &Scratch{Folder: folder}
	if err := s.said.read(text); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// read reads a marker.
func (m *marker) read(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(m); err != nil {
		return fmt.Errorf("%w, want the marker of a scratch copy", err)
	}
	switch {
	case m.Plumbline != 1:
		return fmt.Errorf(`"plumbline": %d, want 1`, m.Plumbline)
	case !filepath.IsAbs(m.Root):
		return fmt.Errorf(`"root": %s, want an absolute path`, spelling.Quote(m.Root))
	}
	return nil
}

// Create makes a scratch copy of the project below root, in a folder that is empty or not there.
func Create(root, folder string) (*Scratch, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if err := vacant(root, folder); err != nil {
		return nil, err
	}
	files, err := sources(os.DirFS(root))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", root, err)
	}
	if err := copyAll(root, folder, files); err != nil {
		return nil, err
	}
	s := &Scratch{Folder: folder, said: marker{Plumbline: 1, Root: root, Begun: []string{}, Green: []string{}}}
	return s, s.save()
}

// vacant refuses a folder that holds anything, or lies among the sources, whose tests would read
// it.
func vacant(root, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s: is not empty, and no scratch copy; -o names another folder", folder)
	}
	full, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(root, full); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("%s: lies in the repository; -o names a folder outside", folder)
	}
	return nil
}

func (s *Scratch) save() error {
	text, err := json.MarshalIndent(s.said, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.Folder, Marker), append(text, '\n'), 0o666)
}

// Root is the folder of the sources that it is a copy of.
func (s *Scratch) Root() string { return s.said.Root }

// SetRoot says that the sources have gone elsewhere.
func (s *Scratch) SetRoot(root string) { s.said.Root = root }

// Begun lists the exercises that were begun, first to last.
func (s *Scratch) Begun() []string { return slices.Clone(s.said.Begun) }

// Green tells which exercises are done.
func (s *Scratch) Green() map[string]bool {
	done := map[string]bool{}
	for _, name := range s.said.Green {
		done[name] = true
	}
	return done
}

// Current returns the exercise that was begun last, "" if there is none.
func (s *Scratch) Current() string {
	if len(s.said.Begun) == 0 {
		return ""
	}
	return s.said.Begun[len(s.said.Begun)-1]
}

// Begin empties a function, and returns the line where it stands. One that readers have changed
// before is theirs, and stays.
func (s *Scratch) Begin(e Exercise) (line int, err error) {
	ours, err := s.function(s.said.Root, e)
	if err != nil {
		return 0, err
	}
	theirs, err := s.function(s.Folder, e)
	switch {
	case err != nil:
		return 0, err
	case theirs.text() != ours.text():
		return 0, fmt.Errorf("%s: %s is not as the project has it, and is not emptied; -o names another folder",
			s.path(e.File), e.Name)
	}
	if err := os.WriteFile(s.path(e.File), theirs.emptied(), 0o666); err != nil {
		return 0, err
	}
	s.said.Begun = append(s.said.Begun, e.Name)
	return theirs.line(), s.save()
}

func (s *Scratch) path(name string) string { return filepath.Join(s.Folder, filepath.FromSlash(name)) }

// function reads an exercise's function in the copy or in the sources.
func (s *Scratch) function(folder string, e Exercise) (*parsed, error) {
	name := filepath.Join(folder, filepath.FromSlash(e.File))
	text, err := bounded.Read(name, mostSource)
	if err != nil {
		return nil, err
	}
	return parse(name, text, e.Function)
}

// Solution returns the function as the project has it, each line behind two spaces; where readers
// have another, with "-" before their lines and "+" before the project's, and these alone where
// theirs cannot be read.
func (s *Scratch) Solution(e Exercise) ([]string, error) {
	ours, err := s.function(s.said.Root, e)
	if err != nil {
		return nil, err
	}
	var lines []string
	if theirs, err := s.function(s.Folder, e); err == nil {
		lines = strings.Split(theirs.text(), "\n")
	}
	return difference(lines, strings.Split(ours.text(), "\n")), nil
}

// difference returns the lines of two texts, of which a longest sequence of common ones is told
// once.
func difference(a, b []string) (lines []string) {
	common := make([][]int, len(a)+1) // lines that a[i:] and b[j:] have in common
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			lines, i, j = append(lines, "  "+a[i]), i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			lines, i = append(lines, "- "+a[i]), i+1
		default:
			lines, j = append(lines, "+ "+b[j]), j+1
		}
	}
	return lines
}
