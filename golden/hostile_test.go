package golden

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	_ "plumbline/verify/emulate/all"

	"plumbline/internal/check"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// TestHostileRecordingsGetAVerdict turns right recordings into ones that no kernel would leave, and
// judges them: whatever they hold, the answer is a verdict with a reason and never a panic. It
// judges every sixteenth, for one op others than for the next, or with -long all.
func TestHostileRecordingsGetAVerdict(t *testing.T) {
	for n, op := range emulate.Ops() {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			rec, err := emulate.Run(smallRequest(op), emulate.Config{})
			if err != nil {
				t.Fatal(err)
			}
			for _, spoil := range []func(*recording.Recording) map[string]*recording.Recording{
				oddShapes, oddAttributes, oddArithmetic, oddNumbers, oddTypes,
			} {
				all := spoil(rec)
				for i, what := range slices.Sorted(maps.Keys(all)) {
					if (n+i)%check.Times(1, 16) == 0 {
						getsVerdict(t, what, all[what])
					}
				}
			}
		})
	}
}

// smallRequest returns the smallest of some requests, since it is judged some hundred times.
func smallRequest(op string) *recording.Recording {
	var small *recording.Recording
	for seed := range uint64(40) {
		if r := emulate.Request(op, seed); small == nil || elements(r) < elements(small) {
			small = r
		}
	}
	return small
}

func elements(rec *recording.Recording) int {
	total := 0
	for _, name := range tensors(rec) {
		n := 1
		for _, d := range rec.Shape(name) {
			n *= d
		}
		total += n
	}
	return total
}

func getsVerdict(t *testing.T, what string, rec *recording.Recording) {
	t.Helper()
	v := op.Judge(rec)
	if v.Fault != "" {
		t.Errorf("%s: %s\n%s", what, v.Reason, v.Fault)
	}
	if v.Status != verdict.Explained && v.Reason == "" {
		t.Errorf("%s: %s without a reason", what, v.Status)
	}
	for _, o := range v.Outputs {
		if o.Status == verdict.Explained &&
			!(o.MaxZ <= o.MaxZLimit && o.RMS <= o.RMSLimit && (o.BiasLimit == 0 || math.Abs(o.Bias) <= o.BiasLimit)) {
			t.Errorf("%s: %s is explained beyond its limits, or by limits that are no numbers: %+v", what, o.Name, o)
		}
	}
}

// oddShapes gives every axis that has a letter the length 1, and then 0, in all tensors.
func oddShapes(rec *recording.Recording) map[string]*recording.Recording {
	hostile := map[string]*recording.Recording{}
	op := op.Lookup(rec.Op)
	for _, letter := range []string{"B", "S", "H", "G", "T", "D", "V", "N", "P", "d", "page", "blocks", "cols"} {
		for _, length := range []int{1, 0} {
			c := rec.Clone()
			for _, x := range op.Inputs {
				resize(c, x.Name, x.Shape, letter, length)
			}
			for _, x := range op.Outputs {
				resize(c, "out."+x.Name, x.Shape, letter, length)
			}
			hostile[fmt.Sprintf("%s = %d", letter, length)] = c
		}
	}
	return hostile
}

func resize(rec *recording.Recording, name string, axes []string, letter string, length int) {
	if !rec.Has(name) || !slices.Contains(axes, letter) {
		return
	}
	shape := rec.Shape(name)
	if len(shape) != len(axes) {
		return // the other shape that it may have
	}
	for a := range axes {
		if axes[a] == letter {
			shape[a] = length
		}
	}
	rec.Set(name, rec.Type(name), tensor.New(shape...))
}

// oddAttributes gives every attribute values of all kinds, most of them senseless.
func oddAttributes(rec *recording.Recording) map[string]*recording.Recording {
	hostile := map[string]*recording.Recording{}
	for _, a := range op.Lookup(rec.Op).Attrs {
		for _, v := range []any{
			json.Number("0"), json.Number("-1"), json.Number("1e308"), json.Number("1e-308"), json.Number("2147483648"),
			json.Number("1e999"),
			"x", nil, true, []any{}, map[string]any{},
			map[string]any{
				"factor": json.Number("1e300"), "original_context": json.Number("1"),
				"beta_fast": json.Number("1e-300"), "beta_slow": json.Number("1e300"),
			},
		} {
			c := rec.Clone()
			c.Attrs[a.Name] = v
			hostile[fmt.Sprintf("%s = %v", a.Name, v)] = c
		}
	}
	return hostile
}

// oddArithmetic declares every key in every type and word.
func oddArithmetic(rec *recording.Recording) map[string]*recording.Recording {
	hostile := map[string]*recording.Recording{}
	for _, key := range op.Lookup(rec.Op).Arithmetic {
		for _, value := range declarable(key.Name) {
			c := rec.Clone()
			c.Arithmetic[key.Name] = value
			hostile[fmt.Sprintf("%s %v", key.Name, value)] = c
		}
	}
	return hostile
}

// declarable returns what a key of the arithmetic may be given, and something that it may not.
func declarable(key string) []any {
	values := []any{"x", nil, json.Number("128"), "F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"}
	if key == "accumulate" {
		values = append(values, "F32_HOPPER", "F32_AMPERE", "F32_ADA", "F32_VOLTA", "F32_BLACKWELL", "TF32")
	}
	for _, word := range arithmetic.Words(key) {
		values = append(values, word)
	}
	return values
}

// oddNumbers plants numbers at the edge of everything in each tensor.
func oddNumbers(rec *recording.Recording) map[string]*recording.Recording {
	hostile := map[string]*recording.Recording{}
	for _, name := range tensors(rec) {
		x, err := rec.Tensor(name)
		if err != nil {
			continue
		}
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, -1, 1e30, math.MaxInt32} {
			if typ := rec.Type(name); !typ.Float() && typ.Round(v) != v {
				continue
			}
			spoiled := tensor.Of(slices.Clone(x.Data), x.Shape...)
			for i := 0; i < len(spoiled.Data); i += 5 {
				spoiled.Data[i] = v
			}
			c := rec.Clone()
			c.Set(name, rec.Type(name), spoiled)
			hostile[fmt.Sprintf("%v in %s", v, name)] = c
		}
	}
	return hostile
}

// oddTypes stores each tensor in every type.
func oddTypes(rec *recording.Recording) map[string]*recording.Recording {
	hostile := map[string]*recording.Recording{}
	for _, name := range tensors(rec) {
		for _, typ := range []dtype.Type{dtype.F64, dtype.F8E4M3, dtype.F8E5M2, dtype.F8E8M0, dtype.I32} {
			c := rec.Clone()
			c.Set(name, typ, tensor.New(rec.Shape(name)...))
			hostile[fmt.Sprintf("%s of %v", name, typ)] = c
		}
	}
	return hostile
}

func tensors(rec *recording.Recording) []string {
	names := rec.Inputs()
	for _, name := range rec.Outputs() {
		names = append(names, "out."+name)
	}
	return names
}
