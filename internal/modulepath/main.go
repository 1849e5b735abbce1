// Modulepath gives the module another path:
//
//	go run ./internal/modulepath github.com/OWNER/plumbline
//
// The path is changed where the module is named, in go.mod files and behind -local of goimports,
// and wherever one of its packages is: in imports, messages, pages and scripts. With a path on
// GitHub, OWNER and the name behind it, which stand for the repository in pages and examples,
// become its own. Run again, it changes that path for another. The path has to be one that its user
// owns.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/modulepath PATH")
		os.Exit(2)
	}
	n, err := set(".", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "modulepath:", err)
		os.Exit(1)
	}
	fmt.Printf("%d files changed; now run .ci/run\n", n)
}

// set changes the path of the module below root, and returns how many files that changed.
func set(root, to string) (changed int, err error) {
	if err := module.CheckPath(to); err != nil {
		return 0, err
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return 0, err
	}
	files, err := texts(root)
	if err != nil {
		return 0, err
	}
	names := newNames(modfile.ModulePath(mod), to, packages(files))
	for _, name := range files {
		done, err := names.change(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return changed, err
		}
		if done {
			changed++
		}
	}
	return changed, nil
}

// texts returns the files that may name the module, from the root of the module, with slashes:
// no recordings, and nothing that is built.
func texts(root string) (files []string, err error) {
	err = fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && built[d.Name()]:
			return fs.SkipDir
		case d.Type().IsRegular() && path.Ext(name) != ".safetensors":
			files = append(files, name)
		}
		return nil
	})
	return files, err
}

// built are folders of version control and of what is built.
var built = map[string]bool{".git": true, "dist": true, "node_modules": true, ".venv": true, "__pycache__": true}

// packages returns the folders that hold Go files.
func packages(files []string) map[string]bool {
	folders := map[string]bool{}
	for _, name := range files {
		if folder := path.Dir(name); path.Ext(name) == ".go" && folder != "." {
			folders[folder] = true
		}
	}
	return folders
}

// names finds where a module and its packages are named.
type names struct {
	from, to string
	folders  map[string]bool
	module   *regexp.Regexp // the module itself, where no package is named
	inside   *regexp.Regexp // what may be a package
}

func newNames(from, to string, folders map[string]bool) *names {
	quoted := regexp.QuoteMeta(from)
	return &names{
		from: from, to: to, folders: folders,
		module: regexp.MustCompile(`(?m)(^module |-local |-require=|-replace=)` + quoted + `([ "@=]|$)`),
		// A longer path may end like this one: cmd/plumbline is a folder.
		inside: regexp.MustCompile(`(^|[^\w./@-])` + quoted + `((?:/[\w-]+)+)`),
	}
}

// repository returns what a module's repository on GitHub is called, or stands for one that there
// is not yet.
func repository(module string) string {
	if name, ok := strings.CutPrefix(module, gitHub); ok {
		return name
	}
	return "OWNER" + "/plumbline" // in two words, which the program does not change
}

const gitHub = "github.com/"

// change rewrites a file, if the module is named in it.
func (n *names) change(file string) (changed bool, err error) {
	before, err := os.ReadFile(file)
	if err != nil || !utf8.Valid(before) || bytes.IndexByte(before, 0) >= 0 {
		return false, err
	}
	after := n.in(string(before))
	if after == string(before) {
		return false, nil
	}
	text := []byte(after)
	if path.Ext(file) == ".go" { // imports may stand in another order
		if text, err = format.Source(text); err != nil {
			return false, fmt.Errorf("%s: %w", file, err)
		}
	}
	info, err := os.Stat(file)
	if err != nil {
		return false, err
	}
	return true, os.WriteFile(file, text, info.Mode())
}

// in returns a text with the new names.
func (n *names) in(text string) string {
	text = n.module.ReplaceAllString(text, "${1}"+n.to+"${2}")
	text = n.inside.ReplaceAllStringFunc(text, func(found string) string {
		at := strings.Index(found, n.from)
		folder := found[at+len(n.from)+1:]
		if !n.folders[folder] {
			return found
		}
		return found[:at] + n.to + "/" + folder
	})
	if strings.HasPrefix(n.to, gitHub) {
		text = strings.ReplaceAll(text, repository(n.from), repository(n.to))
	}
	return text
}
