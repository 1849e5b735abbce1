package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"
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
			rec, err := e.make()
			if err != nil {
				t.Fatal(err)
			}
			var made bytes.Buffer
			if _, err := rec.WriteTo(&made); err != nil {
				t.Fatal(err)
			}
			stored, err := os.ReadFile(filepath.Join("..", "testdata", e.name+".safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(made.Bytes(), stored) {
				t.Error("the file differs; go run ./golden/gen writes it anew")
			}
		})
	}
}
