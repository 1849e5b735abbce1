package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"plumbline/internal/check"
	_ "plumbline/verify/emulate/all"

	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

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
		if !bytes.Equal(remade(t, f), stored) {
			t.Errorf("%s: the file differs; go run ./kernels/requests writes it anew", f.path())
		}
	}
	for _, pattern := range []string{"*.safetensors", "*/*.safetensors", "*/*/*.safetensors"} {
		found, _ := filepath.Glob(pattern)
		for _, path := range found {
			if !listed[path] {
				t.Errorf("%s: not a request that is listed", path)
			}
		}
	}
}

// remade returns the bytes of a request that is made anew.
func remade(t *testing.T, f file) []byte {
	t.Helper()
	rec, err := f.make(known(f.path(), check.Times(few, few/4)))
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

func TestChosenExpertsDiffer(t *testing.T) {
	for _, E := range []int{8, 16} {
		b := &builder{Recording: recording.New("moe.dispatch")}
		b.apart(64, 4, E)
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

// TestSmallRequestsAreExplained runs the plain emulated kernel of each op: the op accepts the
// request, and what a right kernel returns is explained. It runs every forty-first, or all with
// -long.
func TestSmallRequestsAreExplained(t *testing.T) {
	for i, f := range files() {
		if f.full || i%check.Times(1, 41) != 0 {
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
