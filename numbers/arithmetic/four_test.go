package arithmetic

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestSumFour: four sums side by side are those that Sum gives, to the last bit.
func TestSumFour(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	for k := range 64 {
		for _, a := range []Accumulator{F32, BF16, F64, F32Hopper} {
			s := NewRun(k).Adder(a)
			if k == 0 {
				s = NewNative().Adder(a)
			}
			var terms [4][]float64
			for i := range terms {
				for range 1 + k*7%130 {
					x := rng.NormFloat64() * math.Ldexp(1, rng.IntN(20)-10-k*3)
					terms[i] = append(terms[i], float64(float32(x))*float64(rng.IntN(4)))
				}
			}
			terms[3][0] = []float64{math.Inf(1), math.NaN(), 1e300, 0}[k%4]
			sums := s.SumFour(&terms)
			for i, got := range sums {
				if want := s.Sum(terms[i]); math.Float64bits(got) != math.Float64bits(want) {
					t.Fatalf("run %d, %v, list %d: %v, want %v", k, a, i, got, want)
				}
			}
		}
	}
}
