package attention_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// capped returns a request of attention.forward or attention.backward with a soft cap, whose scores
// before the cap have the given standard deviation.
func capped(
	opName string, typ dtype.Type, queries, keys int, cap, deviation float64, seed uint64,
) *recording.Recording {
	const heads, width = 4, 32
	rng := rand.New(rand.NewPCG(seed, 3))
	r := recording.New(opName)
	set := func(name string, deviation float64, shape ...int) {
		x := tensor.New(shape...)
		for i := range x.Data {
			x.Data[i] = deviation * rng.NormFloat64()
		}
		r.Set(name, typ, x)
	}
	set("q", deviation, 1, queries, heads, width)
	set("k", 1, 1, keys, 2, width)
	set("v", 1, 1, keys, 2, width)
	if opName == "attention.backward" {
		set("do", 1, 1, queries, heads, width)
	}
	r.Attrs["softcap"] = recording.Number(cap)
	return r
}

// output judges a recording and returns what is said of one output.
func judgedOutput(t *testing.T, rec *recording.Recording, name string) verdict.Output {
	t.Helper()
	v := optest.Judge(t, rec)
	for _, o := range v.Outputs {
		if o.Name == name {
			return o
		}
	}
	t.Fatalf("no output %q: %s: %s", name, v.Status, v.Reason)
	return verdict.Output{}
}

// TestSoftCapChain runs right kernels of every way to round a soft cap, from scores that it hardly
// bends to scores that all but reach it: every deviation once, or with -long every cap with every
// deviation twice.
func TestSoftCapChain(t *testing.T) {
	eager := emulate.Config{NormalizeFirst: true, Scores: dtype.BF16, Probabilities: dtype.BF16}
	wide, half, alone := eager, eager, eager
	wide.CapChain = dtype.F32
	half.Scores, half.CapChain = dtype.F16, dtype.F16
	alone.Scores, alone.CapChain = dtype.Invalid, dtype.BF16
	configs := []emulate.Config{
		eager, wide, half, alone, {Tile: 64}, {Tile: 64, FastTanh: true}, {Tile: 16, FastExp: true, Splits: 2},
	}
	for _, opName := range []string{"attention.forward", "attention.backward"} {
		seeds := check.Times(24, 1)
		for i, c := range configs {
			t.Run(fmt.Sprintf("%s, %s", opName, c), func(t *testing.T) {
				t.Parallel()
				squares, n := map[string]float64{}, 0.0
				for turn := range seeds {
					seed := uint64(turn+i%2*2) % 24
					cap, deviation := []float64{5, 30, 50}[seed%3], []float64{1, 4, 30, 200}[seed%4]
					typ := []dtype.Type{dtype.BF16, dtype.F32, dtype.BF16}[(int(seed)+i)%3]
					v := optest.JudgeKernel(t, capped(opName, typ, 3, 65, cap, deviation, seed), c)
					if v.Status != verdict.Explained {
						t.Errorf(
							"seed %d, %s, cap %v, scores ±%v: %s: %s", seed, typ, cap, deviation, v.Status, v.Reason,
						)
					}
					for _, o := range v.Outputs {
						squares[o.Name] += o.RMS * o.RMS
					}
					n++
				}
				for name, sum := range squares {
					rms := math.Sqrt(sum / n)
					t.Logf("%s: root mean square %.2f", name, rms)
					if rms > 1.1 {
						t.Errorf("%s: root mean square %.2f", name, rms)
					}
				}
			})
		}
	}
}

// TestSoftCapMistakes: what a kernel with an exact tanh gets wrong is found under a cap too, down
// to the last of 4096 keys, which moves a log-sum-exp by 2⁻¹². Without -long each mistake is made
// once.
func TestSoftCapMistakes(t *testing.T) {
	request := capped("attention.forward", dtype.BF16, 2, 4096, 30, 4, 1)
	for i, c := range []struct {
		mistake, output string
		config          emulate.Config
	}{
		{"", "", emulate.Config{}},
		{"", "", emulate.Config{NormalizeFirst: true, Scores: dtype.BF16, Probabilities: dtype.BF16}},
		{"drop-last-key", "lse", emulate.Config{}},
		{"drop-last-key", "lse", emulate.Config{Probabilities: dtype.F32}},
		{"softcap-missing", "o", emulate.Config{NormalizeFirst: true, Scores: dtype.BF16}},
		{"softcap-missing", "lse", emulate.Config{FastTanh: true}},
		{"softcap-before-scale", "o", emulate.Config{NormalizeFirst: true, Scores: dtype.BF16}},
		{"scale-of-width", "o", emulate.Config{NormalizeFirst: true, Scores: dtype.BF16}},
	} {
		if !*check.Long && slices.Contains([]int{1, 3, 5}, i) {
			continue // the mistake of the line above, in other arithmetic
		}
		c.config.Mistake = c.mistake
		t.Run(c.config.String(), func(t *testing.T) {
			r := request.Clone()
			if c.mistake == "scale-of-width" {
				r.Attrs["scale"] = recording.Number(0.25)
			}
			rec, err := emulate.Run(r, c.config)
			if err != nil {
				t.Fatal(err)
			}
			if c.mistake == "" {
				if v := optest.Judge(t, rec); v.Status != verdict.Explained {
					t.Errorf("%s: %s", v.Status, v.Reason)
				}
				return
			}
			if o := judgedOutput(t, rec, c.output); o.Status != verdict.Unexplained || o.MaxZ < 2*o.MaxZLimit &&
				o.RMS < 2*o.RMSLimit {
				t.Errorf("%s: %s, largest %.3gσ, root mean square %.3g", c.output, o.Status, o.MaxZ, o.RMS)
			}
		})
	}
}

// TestUndeclaredArithmetic: what eases the verdict has to be said. A right kernel of each kind is
// explained as it declares itself, and not without that word.
func TestUndeclaredArithmetic(t *testing.T) {
	grouped := capped("attention.backward", dtype.F32, 5, 33, 0, 2, 7)
	delete(grouped.Attrs, "softcap")
	for _, c := range []struct {
		key     string
		request *recording.Recording
		config  emulate.Config
	}{
		{"tanh", capped("attention.forward", dtype.F32, 4, 65, 30, 10, 5), emulate.Config{FastTanh: true}},
		{
			"cap_chain", capped("attention.forward", dtype.F32, 4, 65, 30, 10, 5),
			emulate.Config{NormalizeFirst: true, CapChain: dtype.BF16},
		},
		{
			"accumulate", capped("attention.forward", dtype.F32, 4, 65, 30, 2, 5),
			emulate.Config{Accumulate: arithmetic.TF32},
		},
		{"accumulate", grouped, emulate.Config{Accumulate: arithmetic.TF32}},
		{"accumulate", grouped, emulate.Config{Accumulate: arithmetic.TF32, OperandsRounded: true}},
		{"group_sum", grouped, emulate.Config{GroupSum: dtype.BF16, Intermediate: dtype.F32}},
	} {
		t.Run(c.key+": "+c.config.String(), func(t *testing.T) {
			rec, err := emulate.Run(c.request, c.config)
			if err != nil {
				t.Fatal(err)
			}
			if v := optest.Judge(t, rec); v.Status != verdict.Explained {
				t.Errorf("declared: %s: %s", v.Status, v.Reason)
			}
			delete(rec.Arithmetic, c.key)
			if v := optest.Judge(t, rec); v.Status != verdict.Unexplained {
				t.Errorf("not declared: %s", v.Status)
			}
		})
	}
}

// TestCrowdedScores: where all scores of a query lie on one or two numbers of the type that they
// are stored in, they are off together, and so is what is made of them.
func TestCrowdedScores(t *testing.T) {
	eager := emulate.Config{NormalizeFirst: true, Scores: dtype.BF16, Probabilities: dtype.F32}
	alone := emulate.Config{NormalizeFirst: true, CapChain: dtype.BF16, Probabilities: dtype.F32}
	for seed := range uint64(check.Times(12, 2)) {
		r := crowded(t, seed)
		plain := r.Clone()
		delete(plain.Attrs, "softcap")
		for _, c := range []struct {
			request *recording.Recording
			config  emulate.Config
		}{{r, eager}, {r, alone}, {plain, eager}} {
			if v := optest.JudgeKernel(t, c.request, c.config); v.Status != verdict.Explained {
				t.Errorf("seed %d, cap %v, %s: %s: %s", seed, c.request.Attrs["softcap"], c.config, v.Status, v.Reason)
			}
		}
	}
}

// crowded returns a request whose keys are nearly one key. Values follow the scores of the first
// query and its head.
func crowded(t *testing.T, seed uint64) *recording.Recording {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 5))
	r := capped("attention.forward", dtype.F32, 3, 200, 30, 1, seed)
	q, k, v := optest.Input(t, r, "q"), tensor.New(1, 200, 2, 32), tensor.New(1, 200, 2, 32)
	for row := range 400 {
		apart := 0.0
		for c := range 32 {
			noise := rng.NormFloat64()
			k.Data[row*32+c] = float64(c%7) - 2 + 0.003*noise
			apart += noise * q.At(0, 0, row%2*2, c) / 8
		}
		for c := range 32 {
			v.Data[row*32+c] = apart
		}
	}
	r.Set("k", dtype.F32, k)
	r.Set("v", dtype.F32, v)
	return r
}
