package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"plumbline/verify/recording"
)

// TestFilesAreWhatIsGenerated makes every request anew and compares bytes.
func TestFilesAreWhatIsGenerated(t *testing.T) {
	listed := map[string]bool{}
	for _, f := range files() {
		listed[f.name()] = true
		stored, err := os.ReadFile(f.name())
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(remade(t, f), stored) {
			t.Errorf("%s: the file differs; go run ./kernels/requests/others/experts writes it anew", f.name())
		}
	}
	found, _ := filepath.Glob("*.safetensors")
	for _, path := range found {
		if !listed[path] {
			t.Errorf("%s: not a request that is listed", path)
		}
	}
}

// remade returns the bytes of a request that is made anew.
func remade(t *testing.T, f file) []byte {
	t.Helper()
	rec, err := f.make()
	if err != nil {
		t.Fatal(err)
	}
	var made bytes.Buffer
	if _, err := rec.WriteTo(&made); err != nil {
		t.Fatal(err)
	}
	return made.Bytes()
}

func TestChosenExpertsDiffer(t *testing.T) {
	for _, E := range []int{8, 16} {
		b := &builder{Recording: recording.New("moe.dispatch")}
		b.chosen(64, 4, E)
		x, err := b.Tensor("indices")
		if err != nil {
			t.Fatal(err)
		}
		for n := range 64 {
			seen := map[float64]bool{}
			for _, e := range x.Data[n*4 : n*4+4] {
				if seen[e] || e < 0 || e >= float64(E) {
					t.Fatalf("token %d of %d experts: %v", n, E, x.Data[n*4:n*4+4])
				}
				seen[e] = true
			}
		}
	}
}
