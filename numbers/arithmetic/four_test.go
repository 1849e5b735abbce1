package arithmetic

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestSumFour: sums side by side are those that Sum gives, to the last bit.
func TestSumFour(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	for k := range 64 {
		for _, in := range []Accumulator{F32, BF16, F64, F32Hopper} {
			s := NewRun(k).Adder(in)
			if k == 0 {
				s = NewNative().Adder(in)
			}
			var terms [4][]float64
			for i := range terms {
				for range 1 + k*7%130 {
					x := rng.NormFloat64() * math.Ldexp(1, rng.IntN(20)-10-k*3)
					terms[i] = append(terms[i], float64(float32(x))*float64(rng.IntN(4)))
				}
			}
			terms[3][0] = []float64{math.Inf(1), math.NaN(), 1e300, 0}[k%4]
			four := s.SumFour(&terms)
			same(t, &s, four[:], terms[:])
			a, b, c, d := terms[0], terms[1], terms[2], terms[3]
			all := [][]float64{a, b, c, b, c, a, c, b, a, b, c, d, a, b, c, d, a}
			same(t, &s, s.SumAll(nil, all...), all)
		}
	}
}

// same demands the sums that Sum gives.
func same(t *testing.T, s *Adder, sums []float64, lists [][]float64) {
	t.Helper()
	for i, got := range sums {
		if want := s.Sum(lists[i]); !sameBits(got, want) {
			t.Fatalf("%v, list %d: %v, want %v", *s, i, got, want)
		}
	}
}
