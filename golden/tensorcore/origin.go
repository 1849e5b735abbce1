package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

// origin is one file of recorded results: DEVICE-OPERANDS.safetensors.
type origin struct {
	device, operands string
	accumulate       arithmetic.Accumulator
	types            map[string]dtype.Type
	shapes           map[string][]int
	values           map[string][]float64 // a, b [N × K], c, d, d16 [N]
}

// accumulators has the accumulator of each device.
var accumulators = map[string]arithmetic.Accumulator{
	"V100": arithmetic.F32Volta, "A100": arithmetic.F32Ampere, "A2": arithmetic.F32Ampere, "Ada": arithmetic.F32Ada,
	"H100": arithmetic.F32Hopper, "H200": arithmetic.F32Hopper, "B200": arithmetic.F32Blackwell,
}

// readFolder reads all files of a folder, in the order of their names.
func readFolder(folder string) ([]*origin, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.safetensors"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%q: no *.safetensors there", folder)
	}
	slices.Sort(paths)
	all := make([]*origin, len(paths))
	for i, path := range paths {
		if all[i], err = readOrigin(path); err != nil {
			return nil, fmt.Errorf("%q: %w", path, err)
		}
	}
	return all, nil
}

// entry is a tensor in the header of a safetensors file.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

func readOrigin(path string) (*origin, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	header, body, err := splitHeader(data)
	if err != nil {
		return nil, err
	}
	device, operands, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".safetensors"), "-")
	o := &origin{
		device: device, operands: operands,
		types: map[string]dtype.Type{}, shapes: map[string][]int{}, values: map[string][]float64{},
	}
	known := false
	if o.accumulate, known = accumulators[device]; !known {
		return nil, fmt.Errorf("device %q is not known", device)
	}
	for _, name := range tensors {
		if err := o.read(name, header[name], body); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
	}
	return o, o.checkShapes()
}

// splitHeader parts a file into what describes the tensors and what they hold.
func splitHeader(data []byte) (header map[string]json.RawMessage, body []byte, err error) {
	if len(data) < 8 || binary.LittleEndian.Uint64(data) > uint64(len(data)-8) {
		return nil, nil, fmt.Errorf("no header")
	}
	body = data[8+binary.LittleEndian.Uint64(data):]
	if err := json.Unmarshal(data[8:len(data)-len(body)], &header); err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	return header, body, nil
}

// tensors are those of a file, d16 where there are results in F16.
var tensors = []string{"a", "b", "c", "d", "d16"}

// checkShapes wants a and b to be [N × K], and the others [N].
func (o *origin) checkShapes() error {
	if len(o.shapes["a"]) != 2 {
		return fmt.Errorf("tensor %q: shape %v, want [N K]", "a", o.shapes["a"])
	}
	for _, name := range tensors[1:] {
		want := o.shapes["a"]
		if name != "b" {
			want = want[:1]
		}
		if o.values[name] != nil && !slices.Equal(o.shapes[name], want) {
			return fmt.Errorf("tensor %q: shape %v, want %v", name, o.shapes[name], want)
		}
	}
	return nil
}

// read decodes a tensor; only d16 may be missing.
func (o *origin) read(name string, raw json.RawMessage, body []byte) error {
	if raw == nil && name == "d16" {
		return nil
	}
	var e entry
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	typ, err := dtype.Parse(e.DType)
	if err != nil {
		return err
	}
	n, size := 1, int64(typ.Size())
	for _, d := range e.Shape {
		if d < 1 || d > len(body) || n > len(body) {
			return fmt.Errorf("shape %v, want axes that the file can hold", e.Shape)
		}
		n *= d
	}
	if e.Offsets[0] < 0 || e.Offsets[1] > int64(len(body)) || e.Offsets[1]-e.Offsets[0] != int64(n)*size {
		return fmt.Errorf("bytes %v do not fit shape %v of %v", e.Offsets, e.Shape, typ)
	}
	o.types[name], o.shapes[name], o.values[name] = typ, e.Shape, make([]float64, n)
	typ.Decode(o.values[name], body[e.Offsets[0]:e.Offsets[1]])
	return nil
}

// rows returns how many results there are, and of how many products.
func (o *origin) rows() (n, products int) { return o.shapes["a"][0], o.shapes["a"][1] }

// row returns the operands and the accumulator of a result: c counts as 0 where the instruction had
// none.
func (o *origin) row(i int) (a, b []float64, c float64) {
	_, k := o.rows()
	return o.values["a"][i*k:][:k], o.values["b"][i*k:][:k], o.values["c"][i]
}

// ignoresC tells whether the results d were made without an accumulator: FP8 by wgmma.
func (o *origin) ignoresC(output string) bool {
	return output == "d" && o.accumulate == arithmetic.F32Hopper && o.types["a"].Size() == 1
}

// result computes result i on a tensor core.
func (o *origin) result(core *arithmetic.TensorCore, output string, i int) float64 {
	a, b, c := o.row(i)
	if o.ignoresC(output) {
		c = 0
	}
	return core.Dot(c, a, b)
}
