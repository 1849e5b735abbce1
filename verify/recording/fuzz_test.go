package recording

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"runtime/metrics"
	"strings"
	"testing"
)

// fuzzLimit keeps what a fuzzed recipe makes small, so that the fuzzer sees many files.
const fuzzLimit = 1 << 12

// allocations returns how many bytes have been allocated so far. It is quick, and knows of every
// large one.
func allocations() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// readAll reads every tensor.
func readAll(t *testing.T, r *Recording) {
	for name := range r.entries {
		x, err := r.Tensor(name)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz: tensor ") {
				t.Fatalf("error %q does not say where", err)
			}
			continue
		}
		if x == nil || len(x.Shape) != len(r.Shape(name)) {
			t.Fatal("no tensor of its shape")
		}
	}
}

// readFuzzed reads a file as Read does, with a smaller limit.
func readFuzzed(t *testing.T, b []byte) (*Recording, error) {
	r, err := read(bytes.NewReader(b), int64(len(b)), "fuzz", fuzzLimit)
	if err != nil && !strings.HasPrefix(err.Error(), "fuzz: ") {
		t.Fatalf("error %q does not say what was read", err)
	}
	return r, err
}

// checkWritten writes a recording and reads it again.
func checkWritten(t *testing.T, r *Recording) {
	b := written(t, r)
	again, err := readFuzzed(t, b)
	if err != nil {
		t.Fatalf("%v\nin what was written:\n%q", err, b)
	}
	sameRecording(t, again, r)
	if !bytes.Equal(written(t, again), b) {
		t.Fatal("written again, the bytes differ")
	}
}

// FuzzHeader reads any bytes as a file: no panic, no allocation beyond the size of the file, and
// what is read is written so that it reads back equal.
func FuzzHeader(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzFile(t, b)
		// Most mutations move the end of the header: the length that fits lets them through to what
		// it guards.
		if end := bytes.LastIndexByte(b, '}'); end >= 8 {
			fitting := bytes.Clone(b)
			binary.LittleEndian.PutUint64(fitting, uint64(end-7))
			fuzzFile(t, fitting)
		}
	})
}

func fuzzFile(t *testing.T, b []byte) {
	before := allocations()
	r, err := readFuzzed(t, b)
	if err == nil {
		readAll(t, r)
	}
	if got, want := allocations()-before, uint64(16<<20+100*len(b)); got > want {
		t.Fatalf("%d bytes allocated to read %d", got, len(b))
	}
	if err == nil {
		checkWritten(t, r)
	}
}

// FuzzAttributes reads any text as each of the JSON objects of the metadata. What is accepted has
// to be JSON to others too, mean the same to them, and survive writing.
func FuzzAttributes(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		fields, err := parseObject(text, true)
		if err != nil {
			return
		}
		var others map[string]any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if !json.Valid([]byte(text)) || d.Decode(&others) != nil {
			t.Fatalf("accepted what is not JSON: %q", text)
		}
		r := New("fuzz")
		r.Provenance = fields
		if _, err := parseObject(text, false); err == nil {
			r.Attrs, r.Arithmetic = others, fields
		}
		checkWritten(t, r)
	})
}

// FuzzRecipe reads any text as the generated inputs of a recording and makes them.
func FuzzRecipe(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		r := New("fuzz")
		r.limit = fuzzLimit
		if err := r.parseGenerated(text); err != nil {
			return
		}
		readAll(t, r)
		for name := range r.entries {
			seal(t, r, name)
		}
		checkWritten(t, r)
	})
}

// seal gives a recipe the sha256 of what it makes, and checks that it then makes it.
func seal(t *testing.T, r *Recording, name string) {
	rc, _ := r.Recipe(name)
	rc.SHA256 = ""
	if r.Generate(name, rc) != nil {
		return // an integer type that lacks one of the values
	}
	if _, err := r.Tensor(name); err != nil {
		t.Fatal(err)
	}
}
