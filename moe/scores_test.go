package moe

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/internal/check"
)

// scoring is a score function with its gradient.
type scoring struct {
	forward  func(logits []float64) []float64
	backward func(logits, dscores []float64) []float64
}

var scorings = map[string]scoring{
	"softmax":       {SoftmaxScores, SoftmaxScoresBackward},
	"sigmoid":       {SigmoidScores, SigmoidScoresBackward},
	"sqrt softplus": {SqrtSoftplusScores, SqrtSoftplusScoresBackward},
}

// random returns a matrix of values in [−1, 1).
func random(seed uint64, rows, cols int) *mat.Dense {
	return mat.NewDense(rows, cols, check.Random(seed, rows*cols, 1))
}

// data returns the elements of a matrix, row after row.
func data(m mat.Matrix) []float64 { return mat.DenseCopyOf(m).RawMatrix().Data }

// slope demands that a matrix is the gradient of f at another, for functions of size 1 or so.
func slope(t *testing.T, what string, got *mat.Dense, f func(x *mat.Dense) float64, at *mat.Dense) {
	t.Helper()
	rows, cols := at.Dims()
	want := check.Gradient(func(x []float64) float64 { return f(mat.NewDense(rows, cols, x)) }, data(at))
	check.NearAll(t, what, data(got), want, check.DifferenceBound(20, 100))
}

func TestLogits(t *testing.T) {
	t.Run("a centroid that is a unit vector reads one element of every token", func(t *testing.T) {
		u, e := random(1, 4, 3), mat.NewDense(2, 3, []float64{0, 1, 0, 0, 0, -2})
		z := Logits(u, e)
		for n := range 4 {
			check.NearAll(t, "z", z.RawRowView(n), []float64{u.At(n, 1), -2 * u.At(n, 2)}, 0)
		}
	})
	t.Run("widths that differ are refused", func(t *testing.T) {
		check.Panics(t, "moe: widths of tokens and centroids differ", func() {
			Logits(random(1, 2, 3), random(2, 2, 4))
		})
	})
}

func TestLogitsBackward(t *testing.T) {
	u, e, dz := random(3, 4, 3), random(4, 5, 3), random(5, 4, 5)
	du, de := LogitsBackward(u, e, dz)
	t.Run("it is the slope for tokens and centroids", func(t *testing.T) {
		loss := func(u, e *mat.Dense) float64 { return floats.Dot(data(dz), data(Logits(u, e))) }
		slope(t, "du", du, func(x *mat.Dense) float64 { return loss(x, e) }, u)
		slope(t, "de", de, func(x *mat.Dense) float64 { return loss(u, x) }, e)
	})
}

func TestSoftmaxScores(t *testing.T) {
	t.Run("equal logits give 1/N to every expert, to the bit", func(t *testing.T) {
		// e⁰ = 1, and the sum of N ones is N.
		check.NearAll(t, "s", SoftmaxScores([]float64{3, 3, 3, 3, 3}), []float64{.2, .2, .2, .2, .2}, 0)
	})
	t.Run("logits 0 and log 3 give a quarter and three quarters", func(t *testing.T) {
		check.NearAll(t, "s", SoftmaxScores([]float64{0, math.Log(3)}), []float64{.25, .75}, 8*u)
	})
	t.Run("a constant on all logits changes nothing, to the bit for integers", func(t *testing.T) {
		check.NearAll(t, "s", SoftmaxScores([]float64{1001, 998, 1003}), SoftmaxScores([]float64{1, -2, 3}), 0)
	})
	t.Run("a logit of −∞ has score 0, and nothing but these all 0", func(t *testing.T) {
		inf := math.Inf(1)
		check.NearAll(t, "s", SoftmaxScores([]float64{2, -inf, 2}), []float64{.5, 0, .5}, 0)
		check.NearAll(t, "s", SoftmaxScores([]float64{-inf, -inf}), []float64{0, 0}, 0)
	})
	t.Run("scores sum to 1", rapid.MakeCheck(func(t *rapid.T) {
		z := rapid.SliceOfN(rapid.Float64Range(-700, 700), 1, 20).Draw(t, "z")
		check.Near(t, "Σs", floats.Sum(SoftmaxScores(z)), 1, 4*u*float64(len(z)))
	}))
}

func TestSigmoidScores(t *testing.T) {
	t.Run("a logit of 0 has one half, whatever the others", func(t *testing.T) {
		check.Near(t, "s", SigmoidScores([]float64{9, 0, -70})[1], 0.5, 0)
	})
	t.Run("logits log 3 and −log 3 have three quarters and a quarter", func(t *testing.T) {
		check.NearAll(t, "s", SigmoidScores([]float64{math.Log(3), -math.Log(3)}), []float64{.75, .25}, 4*u)
	})
}

func TestSoftplus(t *testing.T) {
	t.Run("at 0 it is log 2", func(t *testing.T) { check.Near(t, "softplus", Softplus(0), math.Ln2, u) })
	t.Run("the two sides differ by z", rapid.MakeCheck(func(t *rapid.T) {
		// log(1+e^z) − log(1+e^−z) = z.
		z := rapid.Float64Range(-700, 700).Draw(t, "z")
		check.Near(t, "difference", Softplus(z)-Softplus(-z), z, 4*u*(1+math.Abs(z)))
	}))
	t.Run("far right it is z, far left e^z, and nothing overflows", func(t *testing.T) {
		check.Near(t, "softplus", Softplus(1e300), 1e300, 0)
		check.Near(t, "softplus", Softplus(-100), math.Exp(-100), 4*u*math.Exp(-100))
	})
	t.Run("taking z itself above 20 is 2·10⁻⁹ less", func(t *testing.T) {
		check.Near(t, "softplus(20) − 20", Softplus(20)-20, math.Exp(-20), math.Exp(-40)+20*2*u)
	})
}

func TestSqrtSoftplusScores(t *testing.T) {
	t.Run("at 0 it is √(log 2) = 0.832555", func(t *testing.T) {
		s := SqrtSoftplusScores([]float64{0})[0]
		check.Near(t, "s", s, math.Sqrt(math.Ln2), 2*u)
		check.Near(t, "s", s, 0.832555, 5e-7)
	})
	t.Run("far right it is √z: no upper end", func(t *testing.T) {
		check.Near(t, "s", SqrtSoftplusScores([]float64{1e10})[0], 1e5, 0)
	})
	t.Run("the two forms meet where one is left for the other", func(t *testing.T) {
		// Both exponentials are good to an ulp or two, and their arguments exact.
		for _, z := range []float64{few, math.Nextafter(few, -100), few - 1} {
			got, want := SqrtSoftplusScores([]float64{z})[0], math.Sqrt(Softplus(z))
			check.Near(t, "s", got, want, 8*u*want)
		}
	})
	t.Run("it goes on where e^z is 0 already", func(t *testing.T) {
		if math.Exp(-1000) != 0 {
			t.Fatal("e^−1000 is not 0")
		}
		check.Near(t, "s", SqrtSoftplusScores([]float64{-1000})[0], math.Exp(-500), 0)
		check.Near(t, "ds", SqrtSoftplusScoresBackward([]float64{-1000}, []float64{1})[0], math.Exp(-500)/2, 0)
	})
}

// The parts of TestScoresBackward are SoftmaxScoresBackward, SigmoidScoresBackward and
// SqrtSoftplusScoresBackward.
func TestScoresBackward(t *testing.T) {
	z, ds := random(6, 3, 5), random(7, 3, 5)
	z.Scale(4, z)
	for name, s := range scorings {
		t.Run(name+": it is the slope, row by row", func(t *testing.T) {
			slope(t, "dz", ScoreRowsBackward(z, ds, s.backward),
				func(x *mat.Dense) float64 { return floats.Dot(data(ds), data(ScoreRows(x, s.forward))) }, z)
		})
		t.Run(name+": a higher logit has a higher score", rapid.MakeCheck(func(t *rapid.T) {
			z := rapid.SliceOfNDistinct(rapid.Float64Range(-30, 30), 2, 2, rapid.ID).Draw(t, "z")
			scores := s.forward(z)
			if z[0] < z[1] && scores[0] > scores[1] || z[0] > z[1] && scores[0] < scores[1] {
				t.Errorf("logits %v, scores %v", z, scores)
			}
		}))
	}
	t.Run("a gradient that is the same for all shares of a softmax moves nothing", func(t *testing.T) {
		// dz_i = s_i (c − c Σs).
		check.NearAll(
			t, "dz", SoftmaxScoresBackward(z.RawRowView(0), []float64{3, 3, 3, 3, 3}), make([]float64, 5), 40*u,
		)
	})
	t.Run("the slope of a sigmoid keeps its digits far out", func(t *testing.T) {
		// σ(z)σ(−z) = e^−z at z = 100, where 1 − σ(z) is 0.
		dz := SigmoidScoresBackward([]float64{100}, []float64{1})[0]
		check.Near(t, "dz", dz, math.Exp(-100), 8*u*math.Exp(-100))
	})
	t.Run("shapes that differ are refused", func(t *testing.T) {
		check.Panics(t, "moe: shapes of two matrices differ", func() {
			ScoreRowsBackward(z, random(1, 3, 4), SigmoidScoresBackward)
		})
	})
}
