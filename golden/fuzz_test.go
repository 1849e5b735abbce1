package golden

import (
	"encoding/json"
	"math"
	"slices"
	"sync"
	"testing"

	_ "plumbline/verify/emulate/all"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// FuzzJudge spoils a right recording of an op, chosen by the first byte, by the instructions that
// the others spell, and judges it: whatever it then holds, the answer is a verdict that does not
// hang on a fault of ours or on a limit that is no number.
func FuzzJudge(f *testing.F) {
	ops := emulate.Ops()
	for i := range ops {
		for step := range byte(len(spoils)) {
			f.Add([]byte{byte(i), step, 0, 0, 0})
			f.Add([]byte{byte(i), step, 1, 2, 3, 0, 3, 5, 7, 2, 0, 9, 4})
		}
	}
	right := sync.OnceValue(func() (all []*recording.Recording) {
		for _, op := range ops {
			rec, err := emulate.Run(smallRequest(op), emulate.Config{})
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, rec)
		}
		return all
	})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) == 0 || len(program) > 41 {
			return
		}
		rec := right()[int(program[0])%len(ops)].Clone()
		for program = program[1:]; len(program) >= 4; program = program[4:] {
			spoils[int(program[0])%len(spoils)](rec, int(program[1]), int(program[2]), int(program[3]))
		}
		getsVerdict(t, rec.Op, rec)
	})
}

// at returns the element of a list that a byte names.
func at[T any](list []T, i int) T { return list[i%len(list)] }

// spoils are the instructions: each changes one thing of a recording, which three bytes choose.
var spoils = []func(rec *recording.Recording, a, b, c int){
	declare, attribute, plantNumbers, stretch, retype, resizeAxis, leaveOut, copyRows,
}

func declare(rec *recording.Recording, a, b, _ int) {
	if keys := op.Lookup(rec.Op).Arithmetic; len(keys) > 0 {
		key := at(keys, a).Name
		rec.Arithmetic[key] = at(declarable(key), b)
	}
}

func attribute(rec *recording.Recording, a, b, c int) {
	attrs := op.Lookup(rec.Op).Attrs
	if len(attrs) == 0 {
		return
	}
	attr := at(attrs, a)
	switch attr.Kind {
	case op.Flag:
		rec.Attrs[attr.Name] = b%2 == 0
	case op.Choice:
		rec.Attrs[attr.Name] = at(attr.Choices, b)
	case op.YaRN:
		numbers := []json.Number{"0", "1", "2", "40", "1e9", "4096", "1e-300"}
		keys := []string{
			"factor", "original_context", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "attention_factor",
		}
		rec.Attrs[attr.Name] = map[string]any{
			"factor": json.Number("40"), "original_context": json.Number("64"), at(keys, b): at(numbers, c),
		}
	default:
		rec.Attrs[attr.Name] = at(
			[]json.Number{
				"0", "1", "2", "3", "0.5", "-1", "1e-3", "1e-30", "1e-308", "1e3", "1e30", "1e300", "16", "128",
			},
			b,
		)
	}
}

// edges are numbers at which something ends.
var edges = []float64{
	0, math.Copysign(0, -1), 1, -1, 0.5, 2, 3, 1e-3, -1e-3, 100, -100, 1e4, -1e4, 448, 465, 65504, 65520, 0x1p-14,
	0x1p-24, 0x1p-126, 0x1p-149, 1e-200, -5e-324,
	1e30, -1e30, 3e38, 1e155, -1e160, 1e300, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN(), 0x1p24, 0x1p31,
	1.0000001,
}

// plantNumbers stores a number in one element, in every third or in all.
func plantNumbers(rec *recording.Recording, a, b, c int) {
	change(rec, at(tensors(rec), a), func(data []float64) {
		step := []int{1, 3, len(data)}[c%3]
		for i := (c / 3) % len(data); i < len(data); i += step {
			data[i] = at(edges, b)
		}
	})
}

// stretch multiplies a tensor by a power of two.
func stretch(rec *recording.Recording, a, b, c int) {
	change(rec, at(tensors(rec), a), func(data []float64) {
		for i := range data {
			data[i] = math.Ldexp(data[i], (b-128)*(1+c%8))
		}
	})
}

// copyRows writes the first elements of a tensor over others.
func copyRows(rec *recording.Recording, a, b, _ int) {
	change(rec, at(tensors(rec), a), func(data []float64) {
		n := 1 + b%len(data)
		for i := range data {
			data[i] = data[i%n]
		}
	})
}

func retype(rec *recording.Recording, a, b, _ int) {
	typ := at(
		[]dtype.Type{
			dtype.F64, dtype.F32, dtype.F16, dtype.BF16, dtype.F8E4M3, dtype.F8E5M2, dtype.F8E8M0, dtype.I32, dtype.I64,
			dtype.U8, dtype.Bool,
		},
		b,
	)
	name := at(tensors(rec), a)
	if x, err := rec.Tensor(name); err == nil {
		set(rec, name, typ, tensor.Of(slices.Clone(x.Data), x.Shape...))
	}
}

// resizeAxis gives an axis of an input a small length in all tensors that have its letter, and
// copies what it can.
func resizeAxis(rec *recording.Recording, a, b, c int) {
	op := op.Lookup(rec.Op)
	letter := at(at(op.Inputs, a).Shape, b)
	for _, x := range op.Inputs {
		resize(rec, x.Name, x.Shape, letter, 1+c%5)
	}
	for _, x := range op.Outputs {
		resize(rec, "out."+x.Name, x.Shape, letter, 1+c%5)
	}
}

// leaveOut deletes a tensor, but not the last one.
func leaveOut(rec *recording.Recording, a, _, _ int) {
	if names := tensors(rec); len(names) > 1 {
		rec.Delete(at(names, a))
	}
}

// change changes a copy of a tensor and stores it.
func change(rec *recording.Recording, name string, f func(data []float64)) {
	x, err := rec.Tensor(name)
	if err != nil || x.Len() == 0 {
		return
	}
	data := slices.Clone(x.Data)
	f(data)
	set(rec, name, rec.Type(name), tensor.Of(data, x.Shape...))
}

// set stores a tensor, of an integer type as near as the type can hold it.
func set(rec *recording.Recording, name string, typ dtype.Type, x *tensor.Tensor) {
	least, most := -float64(1<<31), float64(1<<31-1)
	switch typ {
	case dtype.U8:
		least, most = 0, 255
	case dtype.Bool:
		least, most = 0, 1
	}
	for i, v := range x.Data {
		if !typ.Float() {
			if math.IsNaN(v) {
				v = 0
			}
			v = min(max(math.Round(v), least), most)
		}
		x.Data[i] = typ.Round(v)
	}
	rec.Set(name, typ, x)
}
