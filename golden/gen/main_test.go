package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"plumbline/verify/recording"
)

// TestFilesAreWhatIsGenerated makes every recording anew but the one of full size, which takes
// seconds, and compares bytes.
func TestFilesAreWhatIsGenerated(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("other processors fuse products and sums")
	}
	for _, e := range allExamples() {
		t.Run(e.name, func(t *testing.T) {
			if e.name == "mla-decode-v3-bf16" {
				t.Skip("full size")
			}
			compare(t, e.name+".safetensors", e.make)
		})
	}
}

// TestWrongOnesAreWhatIsGenerated does so with recordings of wrong kernels, and wants each once.
func TestWrongOnesAreWhatIsGenerated(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("other processors fuse products and sums")
	}
	seen := map[string]bool{}
	for _, w := range wrongs {
		t.Run(w.request+" "+w.mistake, func(t *testing.T) {
			if seen[w.file()] {
				t.Fatal("it is listed twice")
			}
			seen[w.file()] = true
			compare(t, w.file(), func() (*recording.Recording, error) { return w.make("../..") })
		})
	}
}

// TestNoOtherWrongOneIsThere: what gen no longer writes is not left behind.
func TestNoOtherWrongOneIsThere(t *testing.T) {
	written := map[string]bool{}
	for _, w := range wrongs {
		written[filepath.Base(w.file())] = true
	}
	paths, err := filepath.Glob(filepath.Join("..", "testdata", invalid, "*.safetensors"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no recordings", err)
	}
	for _, path := range paths {
		rec, err := recording.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Provenance["source"] == "golden/gen" && !written[filepath.Base(path)] {
			t.Errorf("%s: gen does not write it", path)
		}
		rec.Close()
	}
}

// compare makes a recording anew and compares its bytes with those of a file.
func compare(t *testing.T, file string, make func() (*recording.Recording, error)) {
	t.Helper()
	rec, err := make()
	if err != nil {
		t.Fatal(err)
	}
	var made bytes.Buffer
	if _, err := rec.WriteTo(&made); err != nil {
		t.Fatal(err)
	}
	stored, err := os.ReadFile(filepath.Join("..", "testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made.Bytes(), stored) {
		t.Error("the file differs; go run ./golden/gen writes it anew")
	}
}
