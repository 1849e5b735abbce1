package golden

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumbline/verify/recording"
)

// drifted says how the sources that a recording names have changed since, "" if they have not or
// are not those of the project's kernels.
func drifted(rec *recording.Recording, root string) string {
	source, _ := rec.Provenance["source"].(string)
	if !strings.HasPrefix(source, "kernels/") {
		return ""
	}
	digests := map[string]any{source: rec.Provenance["source_sha256"]}
	headers, _ := rec.Provenance["sources"].(map[string]any)
	maps.Copy(digests, headers)
	for _, file := range slices.Sorted(maps.Keys(digests)) {
		code, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			return fmt.Sprintf("%s: source %q: %v", rec.Name, file, err)
		}
		sum := sha256.Sum256(code)
		if now := hex.EncodeToString(sum[:]); digests[file] != now {
			return fmt.Sprintf("%s: source %q has sha256 %s, recorded with %v: record it again (kernels/golden.sh)",
				rec.Name, file, now, digests[file])
		}
	}
	return ""
}

// TestKernelsAndRecordingsDoNotDriftApart: a recording of one of the project's own kernels is of
// the source that is there now.
func TestKernelsAndRecordingsDoNotDriftApart(t *testing.T) {
	for _, name := range Names() {
		rec, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if drift := drifted(rec, ".."); drift != "" {
			t.Error(drift)
		}
	}
	for _, folder := range []string{kernelsFolder, invalidFolder} {
		eachFile(t, folder, func(t *testing.T, _ int, rec *recording.Recording) {
			if drift := drifted(rec, ".."); drift != "" {
				t.Error(drift)
			}
		})
	}
}

func TestDriftIsFound(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "kernels"), 0o755); err != nil {
		t.Fatal(err)
	}
	code := []byte("__global__ void rope();\n")
	if err := os.WriteFile(filepath.Join(root, "kernels", "rope.cu"), code, 0o644); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(code)
	for _, c := range []struct{ source, digest, want string }{
		{"kernels/rope.cu", hex.EncodeToString(sum[:]), ""},
		{"kernels/rope.cu", hex.EncodeToString(sum[:]), "scalar.h"},
		{"kernels/rope.cu", strings.Repeat("0", 64), "record it again"},
		{"kernels/rope.cu", "", "record it again"},
		{"kernels/gone.cu", hex.EncodeToString(sum[:]), "gone.cu"},
		{"somebody/else.py", "", ""},
	} {
		rec := recording.New("rope.apply")
		rec.Provenance["source"], rec.Provenance["source_sha256"] = c.source, c.digest
		if c.want == "scalar.h" {
			rec.Provenance["sources"] = map[string]any{"kernels/rope.cu": c.digest, "kernels/scalar.h": c.digest}
		}
		if got := drifted(rec, root); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s %.8s: %q, want %q", c.source, c.digest, got, c.want)
		}
	}
}
