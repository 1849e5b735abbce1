package check

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
