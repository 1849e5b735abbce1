// Package vectors writes the index of the recordings that ship as test vectors: those that a
// checker of kernels has to accept and, each with its mistake, those that it has to reject.
// Verifiers other than Plumbline can test themselves on it, in any language; docs/VECTORS.md says
// how.
//
// "go generate ./..." writes golden/vectors.json and the tables of the page; tests compare.
package vectors

//go:generate go run ./write ../..

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"plumbline/internal/parallel"
	"plumbline/verify/op"
)

// File is the index, from the root of the module; Schema says what may stand in it.
const (
	File   = "golden/vectors.json"
	Schema = "golden/vectors.schema.json"
)

// Folders are those of the vectors, from the folder of the index: right kernels in the first two,
// wrong ones in the last.
var Folders = []string{"testdata", "testdata/kernels", invalidFolder}

const invalidFolder = "testdata/invalid"

// What a checker has to say of a vector.
const (
	Valid   = "valid"
	Invalid = "invalid"
)

// Index is what golden/vectors.json holds. The number is that of the format of recordings.
type Index struct {
	Plumbline int             `json:"plumbline"`
	Expected  string          `json:"expected"`
	Inputs    string          `json:"inputs"`
	Counts    Counts          `json:"counts"`
	Notes     map[string]Note `json:"notes"` // by the id of the mistake
	Vectors   []Vector        `json:"vectors"`
}

// Counts are of the vectors.
type Counts struct {
	Valid    int `json:"valid"`
	Invalid  int `json:"invalid"`
	Ops      int `json:"ops"`
	Mistakes int `json:"mistakes"`
	Passing  int `json:"passing"` // invalid ones that one of the usual criteria accepts
}

// Note says of a mistake what is wrong with kernels that make it.
type Note struct {
	BugType     string   `json:"bugType"`
	Description string   `json:"description"`
	Links       []string `json:"links,omitempty"`
}

// Vector is one recording.
type Vector struct {
	File     string `json:"file"` // from the folder of the index
	Op       string `json:"op"`
	Result   string `json:"result"`
	SHA256   string `json:"sha256"`
	Producer string `json:"producer"`
	*Wrong          // of an invalid one
}

// Wrong is what is known of an invalid vector.
type Wrong struct {
	Mistake  string   `json:"mistake"`
	Numbers  []string `json:"numbers,omitempty"`
	Effect   string   `json:"effect"`
	Strength float64  `json:"strength"`
	Outputs  []Output `json:"outputs"`
	Passes   []string `json:"passes"` // the usual criteria that accept it
	Thread   string   `json:"thread,omitempty"`
	Hidden   string   `json:"hidden"`
}

// Output is one output of an invalid vector beside what it should be. Spacings, RelativeL2 and
// CalcDiff are of its finite numbers; of indices, codes and decisions there are rows alone.
type Output struct {
	Name       string  `json:"name"`
	Type       string  `json:"type"`
	Wrong      bool    `json:"wrong"`
	Spacings   float64 `json:"spacings"`
	RelativeL2 float64 `json:"relative_l2"`
	CalcDiff   float64 `json:"calc_diff"`
	NotFinite  int     `json:"not_finite,omitempty"` // elements that are not finite and should be, or the reverse
	Rows       int     `json:"rows,omitempty"`
	WrongRows  int     `json:"wrong_rows,omitempty"`
}

const (
	expected = "A checker that is given a file has to accept every valid vector and to reject every invalid one."
	inputs   = "Inputs that a file does not store are made by recipes in its metadata: see docs/RECORDINGS.md."
)

// Read makes the index of the recordings in a folder like golden.
func Read(folder string) (Index, error) {
	paths, err := Paths(folder)
	if err != nil {
		return Index{}, err
	}
	index := Index{Plumbline: 1, Expected: expected, Inputs: inputs, Notes: map[string]Note{}}
	index.Vectors = make([]Vector, len(paths))
	errs := make([]error, len(paths))
	parallel.Each(len(paths), func(i int) { index.Vectors[i], errs[i] = ReadVector(folder, paths[i]) })
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return Index{}, fmt.Errorf("%s: %w", paths[i], errs[i])
	}
	index.count()
	return index, nil
}

// Paths lists the vectors, from a folder like golden, as the index does.
func Paths(folder string) (all []string, err error) {
	for _, of := range Folders {
		found, err := filepath.Glob(filepath.Join(folder, filepath.FromSlash(of), "*.safetensors"))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			all = append(all, of+"/"+filepath.Base(path))
		}
	}
	return all, nil
}

// count fills in what is counted and noted of all vectors.
func (index *Index) count() {
	ops := map[string]bool{}
	for _, v := range index.Vectors {
		ops[v.Op] = true
		if v.Wrong == nil {
			index.Counts.Valid++
			continue
		}
		index.Counts.Invalid++
		if len(v.Passes) > 0 {
			index.Counts.Passing++
		}
		index.Notes[v.Mistake] = noteOf(v.Mistake, op.Bank())
	}
	index.Counts.Ops, index.Counts.Mistakes = len(ops), len(index.Notes)
}

// JSON writes the index out.
func (index Index) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(index)
	return b.Bytes(), err
}
