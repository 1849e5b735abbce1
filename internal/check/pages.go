package check

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// PagesOf is Pages of what a package makes of the sources below root.
func PagesOf[Set ~map[string]string](t testing.TB, root string, made func(root fs.FS) (Set, error)) {
	t.Helper()
	pages, err := made(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	Pages(t, root, pages)
}

// Pages fails a test for every generated file, content by path from root, that is not so on disk.
func Pages(t testing.TB, root string, pages map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		kept, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Errorf("%v: run go generate ./...", err)
			continue
		}
		if diff := cmp.Diff(string(kept), pages[name]); diff != "" {
			t.Errorf("%s is out of date: run go generate ./...\n-on disk +generated\n%s", name, diff)
		}
	}
}
