package bounded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if _, err := Read(name, 3); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v of a file that is not there", err)
	}
	if err := os.WriteFile(name, []byte("abc"), 0o666); err != nil {
		t.Fatal(err)
	}
	if text, err := Read(name, 3); string(text) != "abc" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	for path, most := range map[string]int64{name: 2, filepath.Dir(name): 1 << 20, os.DevNull: 1 << 20} {
		if _, err := Read(path, most); err == nil || !strings.Contains(err.Error(), "want a regular file of at most") {
			t.Errorf("%s of at most %d bytes: error %v", path, most, err)
		}
	}
}
