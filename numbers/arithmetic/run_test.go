package arithmetic

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"plumbline/numbers/dtype"
)

func TestStretchedGrid(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	t.Run("over many runs a rounding has the second moment of any place in the binade", func(t *testing.T) {
		for _, typ := range []dtype.Type{dtype.F32, dtype.BF16, dtype.F16} {
			var squares, n float64
			for k := range 4000 {
				g := NewRun(k).Grid(typ)
				x := 1 + 0.3*typ.UnitRoundoff() // which hardware always rounds to 1
				d := g.Round(x)/x - 1
				squares, n = squares+d*d, n+1
			}
			if ratio := math.Sqrt(squares/n) / Rho(typ); ratio < 0.95 || ratio > 1.05 {
				t.Errorf("%s: %.3f of ρ", typ, ratio)
			}
		}
	})
	t.Run("what the type has exactly stays, and equal numbers round alike", func(t *testing.T) {
		g := NewRun(3).Grid(dtype.BF16)
		if g.Round(1.5) != 1.5 || g.Round(0.7) != g.Round(0.7) || g.Round(0.7) == 0.7 {
			t.Error(g.Round(1.5), g.Round(0.7))
		}
	})
	t.Run("what is compared with a number of the type is all that is near one", roundsEverywhereAlike)
	t.Run("the native run rounds as hardware does, the exact one not at all", func(t *testing.T) {
		native, exact := NewNative().Grid(dtype.BF16), NewExact().Grid(dtype.BF16)
		for range 100 {
			if x := rng.NormFloat64(); native.Round(x) != dtype.BF16.Round(x) || exact.Round(x) != x {
				t.Errorf("%v: %v, %v", x, native.Round(x), exact.Round(x))
			}
		}
	})
	t.Run("a run draws the same again", func(t *testing.T) {
		a, b := NewRun(7), NewRun(7)
		g, h := a.Grid(dtype.F32), b.Grid(dtype.F32)
		if g != h || a.Coin() != b.Coin() {
			t.Error("two runs of one number differ")
		}
	})
}

// roundsEverywhereAlike holds Round, which looks at the bits of a number first, to the plain
// formula: beside numbers of the type, at both edges of its range, and anywhere.
func roundsEverywhereAlike(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for k := range 400 {
		r := NewRun(k)
		if k%20 == 0 {
			r = NewExact()
		}
		for _, typ := range []dtype.Type{dtype.F64, dtype.F32, dtype.BF16, dtype.F16, dtype.F8E4M3, dtype.F8E5M2} {
			g := r.Grid(typ)
			if g.cuts = k%3 == 0; k%2 == 0 {
				g = g.After(float64(k % 7))
			}
			for range 200 {
				x := typ.Round(rng.NormFloat64() * math.Exp2(float64(rng.IntN(300)-150)))
				x *= 1 + (2*rng.Float64()-1)*math.Exp2(-float64(rng.IntN(56)))
				if got, want := g.Round(x), g.round(x); math.Float64bits(got) != math.Float64bits(want) {
					t.Fatalf("run %d, %s: %v rounds to %v, want %v", k, typ, x, got, want)
				}
			}
		}
	}
}

func TestAdderMeetsEveryTermOnce(t *testing.T) {
	for k := range 200 {
		s := NewRun(k).Adder(F64)
		for _, n := range []int{1, 2, 3, 12, 97, 100} {
			terms := make([]float64, n)
			for i := range terms {
				terms[i] = math.Ldexp(1, i%40)
			}
			want := 0.0
			for _, x := range terms {
				want += x
			}
			if got := s.Sum(terms); math.Abs(got/want-1) > 1e-12 {
				t.Fatalf("run %d, %d terms: %v, want %v", k, n, got, want)
			}
		}
	}
}

func TestTruncatingSumsAreTooSmall(t *testing.T) {
	terms := make([]float64, 512)
	for i := range terms {
		terms[i] = 1 + float64(i%7)/9
	}
	exact := NewExact().Adder(F32Hopper)
	for k := range 50 {
		s := NewRun(k).Adder(F32Hopper)
		if got := s.Sum(terms); got > exact.Sum(terms) {
			t.Errorf("run %d: %v is more than %v", k, got, exact.Sum(terms))
		}
	}
}

func TestDecisionsInDoubt(t *testing.T) {
	program := func(r *Run) []float64 {
		g, b := r.Grid(dtype.BF16), r.Branch(2, 0, 1)
		return []float64{b.Taken(0, g.Round(1+1e-4)-1), b.Taken(1, g.Round(2.3)-1)}
	}
	exact := NewExact()
	program(exact)
	var runs []*Run
	for k := range 40 {
		runs = append(runs, NewRun(k))
		program(runs[k])
	}
	seen := map[float64]bool{}
	FindDoubts(exact, runs).Each(func(r *Run, decisions int) {
		y := program(r)
		seen[y[0]] = true
		if decisions != 2 || y[1] != 1 {
			t.Errorf("%d decisions, and the sure one is %v", decisions, y[1])
		}
	})
	if !seen[0] || !seen[1] {
		t.Error("a margin within a rounding of 0 is decided one way only")
	}
}

func TestOrder(t *testing.T) {
	in := []int{0, 1, 2, 3, 4, 5, 6, 7}
	for _, r := range []*Run{NewExact(), NewNative()} {
		if got := r.Order(8); !slices.Equal(got, in) {
			t.Errorf("%v, want the order of the terms", got)
		}
	}
	first, again, other := NewRun(1).Order(8), NewRun(1).Order(8), NewRun(2).Order(8)
	if !slices.Equal(first, again) || slices.Equal(first, other) {
		t.Errorf("%v, %v again, and %v", first, again, other)
	}
	if slices.Sort(first); !slices.Equal(first, in) {
		t.Errorf("%v are not the numbers below 8", first)
	}
}
