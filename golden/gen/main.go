// Gen writes the recordings of emulated right kernels into golden/testdata, and those of wrong ones
// into golden/testdata/invalid:
//
//	go run ./golden/gen
//
// It makes the same bytes at every run. Inputs are recipes wherever one can say what is wanted, so
// that the files hold little but outputs.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	_ "plumbline/verify/emulate/all"

	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

func main() {
	folder := flag.String("o", filepath.Join("golden", "testdata"), "folder to write to")
	flag.Parse()
	for _, e := range allExamples() {
		save(*folder, e.name+".safetensors", e.make)
	}
	for _, w := range wrongs {
		save(*folder, w.file(), func() (*recording.Recording, error) { return w.make(".") })
	}
}

// save writes what make makes, or ends the program.
func save(folder, file string, make func() (*recording.Recording, error)) {
	rec, err := make()
	if err == nil {
		err = rec.Save(filepath.Join(folder, file))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "gen: %s: %v\n", file, err)
		os.Exit(1)
	}
}

func allExamples() []example { return slices.Concat(examples, expertExamples) }

// An example is one recording: a request, and how the kernel that answers it computes.
type example struct {
	name    string
	op      string
	note    string // what the recording is there for
	request func(r *request)
	kernel  emulate.Config
}

// make builds the request and runs the kernel.
func (e example) make() (*recording.Recording, error) {
	r, err := e.asked()
	if err != nil {
		return nil, err
	}
	rec, err := emulate.Run(r.Recording, e.kernel)
	if err != nil {
		return nil, err
	}
	rec.Provenance["note"] = e.note + "; " + e.kernel.String()
	sign(rec)
	return rec, nil
}

// asked builds the request.
func (e example) asked() (*request, error) {
	r := &request{Recording: recording.New(e.op)}
	r.Name = e.name
	e.request(r)
	return r, r.err
}

// sign notes where a recording comes from.
func sign(rec *recording.Recording) {
	rec.Provenance["source"] = "golden/gen"
	rec.Provenance["command"] = "go run ./golden/gen"
	rec.Provenance["device"] = "CPU"
}
