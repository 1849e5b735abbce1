package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"plumbline/internal/check"
	_ "plumbline/verify/emulate/all"

	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// few is how many elements of inputs a request has whose digests are computed here.
func few() int { return check.Times(1<<17, 1<<15) }

// elements counts the elements of all inputs.
func elements(r *recording.Recording) int {
	var sum int
	for _, name := range r.Inputs() {
		n, _ := tensor.Elements(r.Shape(name))
		sum += n
	}
	return sum
}

// TestFilesAreWhatIsGenerated makes every request anew and compares bytes. The digests of large
// inputs are taken from the files.
func TestFilesAreWhatIsGenerated(t *testing.T) {
	listed := map[string]bool{}
	for _, f := range files() {
		if listed[f.path()] {
			t.Errorf("%s: listed twice", f.path())
		}
		listed[f.path()] = true
		stored, err := os.ReadFile(f.path())
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(remade(t, f, stored), stored) {
			t.Errorf("%s: the file differs; go run ./kernels/requests writes it anew", f.path())
		}
	}
	for _, pattern := range []string{"*.safetensors", "*/*.safetensors"} {
		found, _ := filepath.Glob(pattern)
		for _, path := range found {
			if !listed[path] {
				t.Errorf("%s: not a request that is listed", path)
			}
		}
	}
}

// remade returns the bytes of a request that is made anew.
func remade(t *testing.T, f file, stored []byte) []byte {
	t.Helper()
	old, err := recording.Read(bytes.NewReader(stored), int64(len(stored)), f.path())
	if err != nil {
		t.Fatal(err)
	}
	var known digests
	if elements(old) > few() {
		known = func(input string) string {
			recipe, _ := old.Recipe(input)
			return recipe.SHA256
		}
	}
	rec, err := f.make(known)
	if err != nil {
		t.Fatal(err)
	}
	var made bytes.Buffer
	if _, err := rec.WriteTo(&made); err != nil {
		t.Fatal(err)
	}
	return made.Bytes()
}

func TestTableIsWhatIsGenerated(t *testing.T) {
	made, err := table()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if made != string(stored) {
		t.Error("README.md differs; go run ./kernels/requests writes it anew")
	}
}

// unjudged are the ops that nothing judges or emulates yet.
var unjudged = []string{"fp8.cast", "fp8.gemm", "fp8.grouped_gemm"}

// TestSmallRequestsAreExplained runs the plain emulated kernel of each op: the op accepts the
// request, and what a right kernel returns is explained. It runs every fourth, or all with -long.
func TestSmallRequestsAreExplained(t *testing.T) {
	for i, f := range files() {
		if f.full || i%4 != 0 && !*check.Long || slices.Contains(unjudged, f.op) {
			continue
		}
		t.Run(f.base(), func(t *testing.T) {
			t.Parallel()
			request, err := recording.Open(f.path())
			if err != nil {
				t.Fatal(err)
			}
			defer request.Close()
			rec, err := emulate.Run(request, emulate.Config{})
			if err != nil {
				t.Fatal(err)
			}
			if v := op.Judge(rec); v.Status != verdict.Explained {
				t.Errorf("%v: %s", v.Status, v.Reason)
			}
		})
	}
}
