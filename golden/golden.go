// Package golden holds the recordings that ship with Plumbline, judges recordings in other people's
// tests, and plants mistakes in right recordings.
//
//	func TestDecode(t *testing.T) {
//		golden.Check(t, "testdata/decode.safetensors")
//	}
//
//	func TestKernels(t *testing.T) {
//		golden.CheckDir(t, "testdata/recordings")
//	}
//
// Every embedded recording is one call of a right kernel; what each is and where it comes from
// stands in the README of this folder, and in the provenance of the file.
package golden

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "plumbline/verify/op/all"

	"plumbline/verify/diagnosis"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/report"
	"plumbline/verify/verdict"
)

//go:embed testdata/*.safetensors
var files embed.FS

const folder = "testdata"

// Names returns the names of the embedded recordings, sorted.
func Names() []string {
	entries, err := files.ReadDir(folder)
	if err != nil {
		panic("golden: embedded folder is missing")
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// Open reads an embedded recording. It needs no closing.
func Open(name string) (*recording.Recording, error) {
	data, err := files.ReadFile(folder + "/" + name)
	if err != nil {
		return nil, fmt.Errorf("%s: no such embedded recording", name)
	}
	return recording.Read(bytes.NewReader(data), int64(len(data)), name)
}

// Check fails the test, with the report in words, unless the recording in a file is explained.
func Check(t testing.TB, path string) {
	t.Helper()
	rec, err := recording.Open(path)
	if err != nil {
		t.Errorf("unusable: %s", report.Line(err.Error()))
		return
	}
	defer rec.Close()
	CheckRecording(t, rec)
}

// CheckDir is Check for each recording below a folder, as a sub-test named by its path there; it
// fails where there is none. One is judged after the other, since judging a large one takes all
// processors and much memory.
func CheckDir(t *testing.T, folder string) {
	t.Helper()
	names, err := below(folder)
	if err != nil {
		t.Fatal(report.Line(err.Error()))
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { Check(t, filepath.Join(folder, filepath.FromSlash(name))) })
	}
}

const extension = ".safetensors"

// below returns the paths of the recordings below a folder, with slashes, in their order.
func below(folder string) (names []string, err error) {
	err = fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(name, extension) {
			names = append(names, name)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", folder, err)
	case len(names) == 0:
		return nil, fmt.Errorf("%s: no %s file below this folder", folder, extension)
	}
	return names, nil
}

// CheckRecording fails the test, with the report in words, unless the recording is explained. A
// fault of Plumbline fails it too, and no other test; so does a recording that asks for more than
// op.MaxWork.
func CheckRecording(t testing.TB, rec *recording.Recording) {
	t.Helper()
	if v := diagnosis.JudgeSparing(rec, op.MaxWork, diagnosis.Budget, 0); v.Status != verdict.Explained {
		t.Error(strings.TrimSpace(report.Words(report.NewEntry(v, rec.Provenance)) + v.Fault))
	}
}
