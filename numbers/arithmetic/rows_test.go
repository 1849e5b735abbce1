package arithmetic

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"plumbline/numbers/dtype"
)

// samples are numbers of all sizes, and those that are special.
func samples() []float64 {
	r := rand.New(rand.NewPCG(7, 8))
	x := []float64{
		0, math.Copysign(0, -1), 1, -1, math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, math.MaxFloat32,
		5e-324, 1e-310, 1e-45, 1e-38, 65504, 65520, 448, 1 + 0x1p-24, 1 + 0x1p-8, 1 + 0x1p-9,
	}
	for range 4000 {
		x = append(x, r.NormFloat64()*math.Exp2(float64(r.IntN(60)-30)), dtype.BF16.Round(r.NormFloat64()),
			-100*r.Float64(), 1e-7*r.NormFloat64())
	}
	return x
}

// sameBits tells whether numbers have the same bits, where a NaN is a NaN.
func sameBits(x, y float64) bool {
	return math.Float64bits(x) == math.Float64bits(y) || math.IsNaN(x) && math.IsNaN(y)
}

// runs are those whose places a test looks at: without roundings, the native one, and others.
func runs() []*Run {
	all := []*Run{NewExact(), NewNative()}
	for k := range 6 {
		all = append(all, NewRun(k+1))
	}
	return all
}

func TestRowsAreRoundedAsTheirElements(t *testing.T) {
	for k, r := range runs() {
		for _, typ := range []dtype.Type{dtype.F64, dtype.F32, dtype.BF16, dtype.F16, dtype.F8E4M3} {
			g := r.Grid(typ)
			x := samples()
			all := g.RoundAll(slices.Clone(x))
			for i, v := range x {
				if want := g.Round(v); !sameBits(all[i], want) {
					t.Fatalf("run %d, %v: RoundAll(%v) is %v, want %v", k, typ, v, all[i], want)
				}
			}
		}
	}
}

func TestRowsHaveTheExponentialsOfTheirElements(t *testing.T) {
	for k, r := range runs() {
		for _, ulp := range []float64{2, 4} {
			f := r.Function(dtype.F32, ulp)
			x := samples()
			all := f.ExpAll(slices.Clone(x))
			for i, v := range x {
				if want := f.Exp(v); !sameBits(all[i], want) {
					t.Fatalf("run %d: ExpAll(%v) is %v, want %v", k, v, all[i], want)
				}
			}
		}
	}
}

func TestRowsOfSumsErrAsSums(t *testing.T) {
	x := samples()
	apart, together, to := make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x))
	for i := range x {
		apart[i], together[i] = 0x1p-30*float64(i), 0x1p-31*float64(i)
	}
	for k, r := range runs() {
		n := r.Noise(k%2 == 0)
		n.AddTo(to, x, apart, together)
		for i, v := range x {
			want := v + n.Of(v, apart[i]*apart[i], together[i]*together[i])
			if to[i] != want && !sameBits(to[i], want) {
				t.Fatalf("run %d: sum %v becomes %v, want %v", k, v, to[i], want)
			}
		}
	}
}

func TestProductsErrAsTheirSums(t *testing.T) {
	for _, a := range []Accumulator{F64, F32, F16, BF16, TF32, F32Hopper, F32Ampere, F32Volta} {
		for _, n := range []int{0, 1, 16, 4096} {
			p := a.Products(dtype.BF16, dtype.F16, n)
			for _, sum := range []float64{0, 1, -3, 100} {
				squares := float64(n) * 1.5
				apart, together := p.Error(sum, squares)
				first, second := a.OperandError(dtype.BF16, dtype.F16, sum, squares)
				want := a.SumOf(dtype.F16, n, sum, squares)
				if n > 0 {
					want += first + second
				}
				if got := apart + together; math.Abs(got-want) > 1e-14*want {
					t.Errorf("%v: %d products of sum %v err by %v, want %v", a, n, sum, got, want)
				}
			}
		}
	}
}
