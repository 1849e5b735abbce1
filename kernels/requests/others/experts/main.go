// Experts writes the requests of experts and FP8 that other people's code is recorded on:
//
//	go run ./kernels/requests/others/experts
//
// It makes the same bytes at every run. A request is a recording without outputs, its inputs are
// recipes but for indices and counts, and its note says what it is there to catch.
package main

import (
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

func main() {
	folder := flag.String("o", filepath.Join("kernels", "requests", "others", "experts"), "folder to write to")
	flag.Parse()
	if err := write(*folder); err != nil {
		fmt.Fprintf(os.Stderr, "experts: %v\n", err)
		os.Exit(1)
	}
}

func write(folder string) error {
	for _, f := range files() {
		rec, err := f.make()
		if err != nil {
			return err
		}
		if err := rec.Save(filepath.Join(folder, f.name())); err != nil {
			return err
		}
	}
	return nil
}

// A request is one call, in each of its types.
type request struct {
	op, name string
	catch    string // what it is there to catch
	types    []dtype.Type
	attrs    map[string]any
	build    func(b *builder)
}

// A file is one request in one type.
type file struct {
	request
	t dtype.Type
}

// files lists every request in every type.
func files() []file {
	var all []file
	for _, r := range requests {
		for _, t := range r.types {
			all = append(all, file{r, t})
		}
	}
	return all
}

// base is the file's name without its ending.
func (f file) base() string {
	op := strings.NewReplacer(".", "-", "_", "-").Replace(f.op)
	return op + "-" + f.request.name + "-" + strings.ToLower(strings.TrimPrefix(f.t.String(), "F8_"))
}

func (f file) name() string { return f.base() + ".safetensors" }

func (f file) make() (*recording.Recording, error) {
	b := &builder{Recording: recording.New(f.op), t: f.t}
	b.Name = f.base()
	b.Provenance["note"] = f.catch
	for name, value := range f.attrs {
		b.set(name, value)
	}
	f.build(b)
	if b.err != nil {
		return nil, fmt.Errorf("%s: %w", b.Name, b.err)
	}
	return b.Recording, nil
}

// builder is a request being built, in one type.
type builder struct {
	*recording.Recording
	t   dtype.Type
	err error // the first
}

// set gives an attribute a value.
func (b *builder) set(name string, value any) {
	b.Attrs[name] = recording.Value(value)
}

// bell adds numbers of deviation 2/√3 · 2^exp2.
func (b *builder) bell(name string, t dtype.Type, exp2 int, shape ...int) {
	b.generate(name, recording.Recipe{Type: t, Shape: shape, Dist: "normal", Exp2: exp2})
}

// between adds numbers from middle − 2^exp2 up to middle + 2^exp2.
func (b *builder) between(name string, t dtype.Type, middle float32, exp2 int, shape ...int) {
	b.generate(name, recording.Recipe{Type: t, Shape: shape, Dist: "uniform", Exp2: exp2, Shift: &middle})
}

// integers adds integers from lo up to hi − 1.
func (b *builder) integers(name string, t dtype.Type, lo, hi int64, shape ...int) {
	b.generate(name, recording.Recipe{Type: t, Shape: shape, Dist: "ints", Lo: lo, Hi: hi})
}

// peaked adds rows of blocks of 128 whose numbers are below 1 but for the first, which is given.
func (b *builder) peaked(name string, peaks ...float64) {
	rc := recording.Recipe{Type: b.t, Shape: []int{len(peaks) / 2, 256}, Dist: "uniform"}
	for i, peak := range peaks {
		rc.Edits = append(rc.Edits, recording.Edit{Index: []int{i / 2, 128 * (i % 2)}, Value: peak})
	}
	b.generate(name, rc)
}

// generate adds a generated input, with the seed of its name.
func (b *builder) generate(name string, rc recording.Recipe) {
	hash := fnv.New32a()
	hash.Write([]byte(b.Name + "/" + name))
	rc.Seed = uint64(hash.Sum32())
	if err := b.Generate(name, rc); err != nil && b.err == nil {
		b.err = err
	}
}

// store adds integers as they are.
func (b *builder) store(name string, values []float64, shape ...int) {
	b.Set(name, dtype.I64, tensor.Of(values, shape...))
}

// chosen adds K different experts of E for each of N tokens, the first ones more often.
func (b *builder) chosen(N, K, E int) {
	indices := make([]float64, 0, N*K)
	for n := range N {
		step := 1 + 2*(n%(E/4)) // odd: it meets every expert where E is a power of two
		for k := range K {
			indices = append(indices, float64((n*n%(E/2)+k*step)%E))
		}
	}
	b.store("indices", indices, N, K)
}
