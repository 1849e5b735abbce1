package op_test

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// inPartsAlways has every input read in parts that an op reads so, however small.
func inPartsAlways(t *testing.T) {
	before := op.KeptElements(0)
	t.Cleanup(func() { op.KeptElements(before) })
}

// TestPartsChangeNothing: truth, σ and all are the same to the last bit whether inputs are decoded
// whole or in parts.
func TestPartsChangeNothing(t *testing.T) {
	for _, name := range []string{"norm.rms", "attention.forward", "attention.backward", "mla.decode"} {
		for _, subnormals := range []string{"kept", "flushed"} {
			t.Run(name+" "+subnormals, func(t *testing.T) {
				for seed := range uint64(check.Times(6, 1)) {
					rec := tiny(t, name, seed, subnormals)
					whole, err := op.Expect(rec)
					optest.Must(err)
					t.Run("in parts", func(t *testing.T) {
						inPartsAlways(t)
						parts, err := op.Expect(rec)
						optest.Must(err)
						if !reflect.DeepEqual(parts, whole) {
							t.Errorf("seed %d: the truth differs", seed)
						}
					})
				}
			})
		}
	}
}

// tiny returns an emulated recording. Where subnormals are flushed, inputs are scaled down until
// some of them are.
func tiny(t *testing.T, name string, seed uint64, subnormals string) *recording.Recording {
	t.Helper()
	rec, err := emulate.Run(emulate.Request(name, seed), emulate.Config{})
	optest.Must(err)
	if subnormals == "kept" {
		return rec
	}
	rec.Arithmetic["subnormals"] = subnormals
	for _, input := range rec.Inputs() {
		if !rec.Type(input).Float() || input == "weight" {
			continue
		}
		x, err := rec.Tensor(input)
		optest.Must(err)
		for i := range x.Data {
			if i%3 == 0 {
				x.Data[i] = math.Ldexp(1, -128)
			}
		}
		rec.Set(input, rec.Type(input), x)
	}
	return rec
}

// TestWholeInputsAreFew: a few bytes do not ask for more memory than there is.
func TestWholeInputsAreFew(t *testing.T) {
	rec := recording.New("attention.merge")
	zeros := strings.Repeat("0", 64)
	optest.Must(rec.Generate("o", recording.Recipe{
		Type: dtype.BF16, Shape: []int{2, 1 << 17, 1 << 11}, Dist: "normal", SHA256: zeros,
	}))
	optest.Must(
		rec.Generate("lse", recording.Recipe{Type: dtype.F32, Shape: []int{2, 1 << 17}, Dist: "normal", SHA256: zeros}),
	)
	rec.Set("out.lse", dtype.F32, tensor.New(1<<17))
	v := op.Judge(rec)
	if want := `attention.merge: tensor "o": 537133056 generated elements in inputs that are read whole, want at ` +
		`most ` +
		"268435456"; v.Status != verdict.Unusable || v.Reason != want {
		t.Error(v.Status, v.Reason)
	}
}
