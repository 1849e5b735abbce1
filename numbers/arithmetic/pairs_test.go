package arithmetic

import (
	"math/rand/v2"
	"testing"
)

// TestPairsFirst: sums of pairs are those of the two halves, of any number of terms.
func TestPairsFirst(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var halves func(s *Adder, terms []float64) float64
	halves = func(s *Adder, terms []float64) float64 {
		if len(terms) == 1 {
			return terms[0]
		}
		half := len(terms) / 2
		return s.Round(halves(s, terms[:half]) + halves(s, terms[half:]))
	}
	for n := 1; n < 400; n += 1 + n/9 {
		for _, a := range []Accumulator{F32, BF16, F64} {
			s := NewRun(n).Adder(a)
			s.pairs = true
			terms := make([]float64, n)
			for i := range terms {
				terms[i] = rng.NormFloat64()
			}
			if got, want := s.Sum(terms), halves(&s, terms); !sameBits(got, want) {
				t.Errorf("%d terms in %v: %v, want %v", n, a, got, want)
			}
		}
	}
}
