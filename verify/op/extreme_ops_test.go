package op_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// extremeNumbers end something: a type, a temperature's quotient, the exponential of it, its
// square.
var extremeNumbers = []float64{
	0, 1, -1, 1e-3, 100, -100, -355, -600, -745, -800, 1e4, -1e4, 6e4, 1e30, -1e30, 3e38, 1e-30, 1e-38, 1e-45, 1e155,
	-1e200,
	math.Inf(1), math.Inf(-1), math.NaN(), 0x1p-14, 0x1p-24, 1 + 0x1p-23,
}

// spoil plants extreme numbers in the floating-point inputs of a recording, and gives its
// attributes extreme values.
func spoil(rec *recording.Recording, rng *rand.Rand) {
	for _, name := range rec.Inputs() {
		x, err := rec.Tensor(name)
		if err != nil || !rec.Type(name).Float() || name == "mask" || rng.IntN(2) == 0 {
			continue
		}
		data, v, every := slices.Clone(x.Data), extremeNumbers[rng.IntN(len(extremeNumbers))], 1+rng.IntN(4)
		for i := rng.IntN(every); i < len(data); i += every {
			data[i] = v
		}
		typ := []dtype.Type{rec.Type(name), dtype.F64, dtype.F32, dtype.BF16, dtype.F16}[rng.IntN(5)]
		for i := range data {
			data[i] = typ.Round(data[i])
		}
		rec.Set(name, typ, tensor.Of(data, x.Shape...))
	}
	for _, key := range []string{
		"temperature", "clip_high", "kl_coef", "beta", "eps", "limit", "log_ratio_limit", "gamma", "clip",
	} {
		if _, number := rec.Attrs[key].(json.Number); number && rng.IntN(2) == 0 {
			rec.Attrs[key] = []json.Number{"0.01", "1e-3", "1e3", "0", "1e-30", "1"}[rng.IntN(6)]
		}
	}
	if rng.IntN(2) == 0 {
		rec.Arithmetic["intermediate"] = []string{"F64", "F32", "BF16", "F16"}[rng.IntN(4)]
	}
}

// TestExtremesOfAllOps is for the ops beside attention: σ is a number or infinite, whatever the
// inputs, and 0 only where the truth is a number that working precision has, or is rounded once.
func TestExtremesOfAllOps(t *testing.T) {
	for _, opName := range emulate.Ops() {
		if slices.Contains(
			[]string{"attention.forward", "attention.backward", "attention.merge", "mla.decode"}, opName,
		) {
			continue // TestExtremeInputs
		}
		seeds := uint64(check.Times(2000, 2))
		if opName == "mla.layer" {
			seeds /= 2
		}
		t.Run(opName, func(t *testing.T) {
			t.Parallel()
			faults := 0
			for seed := range seeds {
				rec, err := emulate.Run(emulate.Request(opName, seed%40), emulate.Config{})
				if err != nil {
					t.Fatal(err)
				}
				spoil(rec, rand.New(rand.NewPCG(seed, 17)))
				expected, err := op.Expect(rec)
				if err != nil {
					continue // an attribute that the op refuses
				}
				for _, want := range expected {
					if fault := impossibleSigma(want); fault != "" && faults < 5 {
						faults++
						t.Errorf("seed %d, %s: %s", seed, want.Name, fault)
					}
				}
			}
		})
	}
}

func impossibleSigma(want verdict.Expected) string {
	for i, sigma := range want.Sigma {
		truth := want.Truth.Data[i]
		if !want.Judged(i) {
			continue
		}
		if math.IsNaN(sigma) || sigma < 0 {
			return fmt.Sprintf("element %d: truth %v, σ %v", i, truth, sigma)
		}
		if sigma == 0 && want.Type == dtype.F64 && dtype.Finite(truth) && math.Abs(truth) < dtype.F32.Max() &&
			math.Abs(truth-dtype.F32.Round(truth)) > 1e-12*math.Abs(truth) {
			return fmt.Sprintf("element %d: truth %v, which float32 does not have, σ 0", i, truth)
		}
	}
	return ""
}
