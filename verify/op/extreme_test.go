package op_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// extremes draws the inputs of one recording: sizes that overflow when they are squared, or vanish,
// mixed with ordinary numbers, zeros and what is no number.
type extremes struct{ *rand.Rand }

func (e extremes) pick(from ...float64) float64 { return from[e.IntN(len(from))] }

func (e extremes) size() float64 {
	return e.pick(
		1, 1, 1, 0, 1e-4, 30, 1e4, 1e20, 1e-20, 1e38, 1e-40, 1e77, 1e155, 1e160, 1e-160, 1e300, 1e-300, 5e-324,
	)
}

// tensor draws numbers of one or of several sizes.
func (e extremes) tensor(shape ...int) *tensor.Tensor {
	x, size, several := tensor.New(shape...), e.size(), e.IntN(3) == 0
	for i := range x.Data {
		if several {
			size = e.size()
		}
		x.Data[i] = size * e.NormFloat64()
		if e.IntN(60) == 0 {
			x.Data[i] = e.pick(math.Inf(1), math.Inf(-1), math.NaN(), 0, 0, 0)
		}
	}
	return x
}

func (e extremes) typ() dtype.Type {
	types := []dtype.Type{dtype.F64, dtype.F64, dtype.F32, dtype.BF16, dtype.F16, dtype.F8E4M3, dtype.F8E5M2}
	return types[e.IntN(len(types))]
}

// recording draws a recording of an op, its outputs zero.
func (e extremes) recording(opName string) *recording.Recording {
	r := recording.New(opName)
	r.Name = "extreme"
	n := e.sizes()
	switch opName {
	case "attention.merge":
		e.merge(r, n)
	case "mla.decode":
		e.decode(r, n)
	default:
		e.attention(r, n)
	}
	e.declare(r)
	return r
}

// sizes are those of the axes, by their letters in the ops.
type sizes struct{ B, S, H, G, T, D, V int }

func (e extremes) sizes() sizes {
	n := sizes{
		B: 1 + e.IntN(2), S: 1 + e.IntN(3), G: 1 + e.IntN(2), T: []int{1, 2, 7, 20}[e.IntN(4)],
		D: []int{1, 8}[e.IntN(2)], V: []int{1, 5}[e.IntN(2)],
	}
	n.H = n.G * (1 + e.IntN(2))
	return n
}

func (e extremes) set(r *recording.Recording, name string, shape ...int) {
	r.Set(name, e.typ(), e.tensor(shape...))
}

func (e extremes) out(r *recording.Recording, name string, shape ...int) {
	r.Set("out."+name, e.typ(), tensor.New(shape...))
}

func (e extremes) merge(r *recording.Recording, n sizes) {
	e.set(r, "o", n.T, n.S, n.V)
	e.set(r, "lse", n.T, n.S)
	e.out(r, "o", n.S, n.V)
	e.out(r, "lse", n.S)
}

func (e extremes) decode(r *recording.Recording, n sizes) {
	n.D = max(n.D, n.V)
	e.set(r, "q", n.B, n.S, n.H, n.D)
	e.set(r, "kv_cache", n.T, 2, 1, n.D)
	r.Set("block_table", dtype.I32, tensor.New(n.B, n.T))
	r.Set("kv_lens", dtype.I32, tensor.Of(slices.Repeat([]float64{float64(e.IntN(2*n.T + 1))}, n.B), n.B))
	r.Attrs["value_dim"] = recording.Number(float64(n.V))
	r.Attrs["scale"] = recording.Number(1)
	e.out(r, "o", n.B, n.S, n.H, n.V)
	e.out(r, "lse", n.B, n.H, n.S)
}

// attention draws what attention.forward or attention.backward reads.
func (e extremes) attention(r *recording.Recording, n sizes) {
	e.set(r, "q", n.B, n.S, n.H, n.D)
	e.set(r, "k", n.B, n.T, n.G, n.D)
	e.set(r, "v", n.B, n.T, n.G, n.V)
	e.conventions(r, n.B, n.H, n.T)
	if r.Op == "attention.forward" {
		e.out(r, "o", n.B, n.S, n.H, n.V)
		e.out(r, "lse", n.B, n.H, n.S)
		return
	}
	e.set(r, "do", n.B, n.S, n.H, n.V)
	e.out(r, "dq", n.B, n.S, n.H, n.D)
	e.out(r, "dk", n.B, n.T, n.G, n.D)
	e.out(r, "dv", n.B, n.T, n.G, n.V)
}

func (e extremes) conventions(r *recording.Recording, B, H, T int) {
	if e.IntN(3) == 0 {
		r.Attrs["softcap"] = recording.Number(e.pick(1e-300, 1e-150, 1e-20, 1, 30, 1e20, 1e38, 1e150, 1e300))
	}
	if e.IntN(3) == 0 {
		r.Set("sink", dtype.F64, e.tensor(H))
	}
	if e.IntN(3) == 0 {
		r.Set("kv_lens", dtype.I32, tensor.Of(slices.Repeat([]float64{float64(e.IntN(T + 1))}, B), B))
	}
	r.Attrs["causal"] = e.IntN(2) == 0
}

// declare draws a scale and an arithmetic.
func (e extremes) declare(r *recording.Recording) {
	if r.Op != "attention.merge" && e.IntN(3) == 0 {
		r.Attrs["scale"] = recording.Number(e.pick(-1, 1e-150, 1e150, 1e-300, 1e300, 1e-40, 1e38, 448, 70000))
	}
	for _, key := range op.Lookup(r.Op).Arithmetic {
		switch {
		case e.IntN(3) > 0:
		case key.Name == "accumulate":
			r.Arithmetic[key.Name] = []string{"F32", "F64", "F16", "BF16", "F32_HOPPER", "TF32"}[e.IntN(6)]
		case key.Name == "exp" || key.Name == "tanh":
			r.Arithmetic[key.Name] = "approx"
		case key.Name == "subnormals":
			r.Arithmetic[key.Name] = "flushed"
		default:
			r.Arithmetic[key.Name] = e.typ().String()
		}
	}
}

// TestExtremeInputs: σ is a number or infinite, whatever the inputs; it is 0 only where the truth
// is a number of working precision or nothing but its kind is judged.
func TestExtremeInputs(t *testing.T) {
	count := check.Times(100000, 100)
	for _, opName := range []string{"attention.forward", "attention.backward", "attention.merge", "mla.decode"} {
		t.Run(opName, func(t *testing.T) {
			t.Parallel()
			bounded, infinite, failed := 0, 0, 0
			for seed := range uint64(count) {
				r := extremes{rand.New(rand.NewPCG(seed, 11))}.recording(opName)
				expected, err := op.Expect(r)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				for _, want := range expected {
					b, i, fault := checkExtreme(want)
					if opName == "attention.forward" && want.Name == "o" && fault == "" {
						fault = checkZeros(t, r, want)
					}
					bounded, infinite = bounded+b, infinite+i
					if fault != "" && failed < 10 {
						failed++
						t.Errorf("seed %d, %s: %s", seed, want.Name, fault)
					}
				}
			}
			t.Logf("%d errors bounded, %d not", bounded, infinite)
			if bounded < infinite/10 {
				t.Errorf("%d errors bounded, %d not: the inputs do not test much", bounded, infinite)
			}
		})
	}
}

func checkExtreme(want verdict.Expected) (bounded, infinite int, fault string) {
	for i, sigma := range want.Sigma {
		truth := want.Truth.Data[i]
		switch {
		case math.IsNaN(sigma) || sigma < 0:
			fault = fmt.Sprintf("element %d: truth %v, σ %v", i, truth, sigma)
		case sigma == 0 && dtype.Finite(truth) && math.Abs(dtype.F32.Round(truth)-truth) > 1e-9*math.Abs(truth):
			fault = fmt.Sprintf("element %d: truth %v, σ %v", i, truth, sigma)
		case math.IsInf(sigma, 1):
			infinite++
		default:
			bounded++
		}
	}
	return bounded, infinite, fault
}

// checkZeros: an output of 0 has no error only if its row sees no key, or only values of 0.
func checkZeros(t *testing.T, r *recording.Recording, want verdict.Expected) string {
	t.Helper()
	v, err := r.Tensor("v")
	if err != nil {
		t.Fatal(err)
	}
	shape := want.Truth.Shape
	for i, sigma := range want.Sigma {
		at := tensor.Unravel(i, shape)
		b, s, g, c := at[0], at[1], at[2]*v.Shape[2]/shape[2], at[3]
		used := v.Shape[1]
		if lens, err := r.Tensor("kv_lens"); err == nil {
			used = int(lens.Data[b])
		}
		if r.Attrs["causal"] == true {
			used = min(used, used-shape[1]+s+1)
		}
		for j := range max(0, used) {
			truth := want.Truth.Data[i]
			x := v.At(b, j, g, c)
			if sigma == 0 && x != 0 && dtype.Finite(x) && dtype.Finite(truth) && dtype.F32.Round(truth) != truth {
				return fmt.Sprintf("element %v: σ is 0, and key %d has the value %v", at, j, x)
			}
		}
	}
	return ""
}
