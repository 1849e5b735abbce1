package golden

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline/internal/check"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// The folders beside the embedded recordings: too much for the command to carry, so that only tests
// read them.
const (
	kernelsFolder = "testdata/kernels" // right kernels
	invalidFolder = "testdata/invalid" // wrong ones, each with its mistake in the provenance; gen emulates some
)

// The most that the embedded recordings, and all together, may take.
const (
	mostEmbedded = 8 << 20
	mostOfAll    = 30 << 20
)

// eachFile calls f for every recording of a folder, with its number.
func eachFile(t *testing.T, folder string, f func(t *testing.T, i int, rec *recording.Recording)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.safetensors"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: no recordings: %v", folder, err)
	}
	for i, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			rec, err := recording.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer rec.Close()
			f(t, i, rec)
		})
	}
}

// TestKernelsAreExplained judges every fourth recording, or with -long all.
func TestKernelsAreExplained(t *testing.T) {
	eachFile(t, kernelsFolder, func(t *testing.T, i int, rec *recording.Recording) {
		if rec.Provenance["mistake"] != nil {
			t.Errorf("a wrong kernel: %v", rec.Provenance["mistake"])
		}
		if i%check.Times(1, 4) != 0 {
			return
		}
		CheckRecording(t, rec)
	})
}

// TestWrongKernelsAreNot judges every sixth recording, or with -long all: verify/evidence has
// emulated kernels make every mistake too, and the vectors' index and verify/diagnosis have others.
func TestWrongKernelsAreNot(t *testing.T) {
	eachFile(t, invalidFolder, func(t *testing.T, i int, rec *recording.Recording) {
		for _, key := range []string{"mistake", "mistake_id", "mistake_what"} {
			value, there := rec.Provenance[key].(string)
			if !there || value == "" && key != "mistake_id" { // not every mistake has a number
				t.Errorf("provenance lacks %q", key)
			}
		}
		if i%check.Times(1, 6) != 0 {
			return
		}
		if v := op.Judge(rec); v.Status != verdict.Unexplained {
			t.Errorf("%s %s: %v", v.Status, v.Reason, rec.Provenance["mistake_what"])
		}
	})
}

// TestListIsRecorded compares the folders, but for what gen has written, with what
// kernels/golden.txt lists.
func TestListIsRecorded(t *testing.T) {
	var found []string
	for _, folder := range []string{kernelsFolder, invalidFolder} {
		paths, err := filepath.Glob(filepath.Join(folder, "*.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, slices.DeleteFunc(paths, emulated(t))...)
	}
	want := listed(t)
	slices.Sort(want)
	slices.Sort(found)
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("listed (-) and recorded (+), kernels/golden.sh records anew:\n%s", diff)
	}
}

// emulated tells of a file whether gen has written it.
func emulated(t *testing.T) func(path string) bool {
	return func(path string) bool {
		rec, err := recording.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer rec.Close()
		return rec.Provenance["source"] == "golden/gen"
	}
}

// listed returns the recordings that kernels/golden.sh makes.
func listed(t *testing.T) (want []string) {
	t.Helper()
	list, err := os.ReadFile("../kernels/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		mistake, request, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch mistake {
		case "#":
		case "right":
			want = append(want, filepath.Join(kernelsFolder, request+".safetensors"))
		default:
			want = append(want, filepath.Join(invalidFolder, request+"."+mistake+".safetensors"))
		}
	}
	return want
}

func TestSizes(t *testing.T) {
	var embedded, all int64
	err := filepath.WalkDir("testdata", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		all += info.Size()
		if filepath.Dir(path) == "testdata" {
			embedded += info.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if embedded > mostEmbedded || all > mostOfAll {
		t.Errorf("%d bytes embedded, %d in all, want at most %d and %d", embedded, all, mostEmbedded, mostOfAll)
	}
}
