package fp8

import (
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"plumbline/fp8"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

// explains is σ² of the elements that are not recomputed, as those of a sample have it: a sum of
// what goes with the squares of the terms and of what goes with the truth.
type explains struct{ ofTerms, ofTruth float64 }

// variance is that of some elements together, of which recorded numbers stand for the truth.
func (e explains) variance(terms, truths float64) float64 { return e.ofTerms*terms + e.ofTruth*truths }

// explained finds in which shares of terms and truth σ² of a sample scatters least, and of which
// size it is there.
func explained(sample op.Excerpt, expected verdict.Expected) explains {
	terms, truth := termsOf(sample), expected.Truth.Data
	variances := make([]float64, len(truth))
	for i := range truth {
		s := expected.Widest(i)
		variances[i] = s * s
	}
	best, least := explains{}, math.Inf(1)
	ratio := stat.Mean(terms, nil) / max(meanSquare(truth), math.SmallestNonzeroFloat64)
	try := func(e explains) {
		if found, scatter := e.scaled(terms, truth, variances); scatter < least {
			best, least = found, scatter
		}
	}
	try(explains{ofTerms: 1})
	try(explains{ofTruth: 1})
	for power := -9; power <= 9; power += 3 {
		try(explains{ofTerms: 1, ofTruth: math.Ldexp(ratio, power)})
	}
	return best
}

// scaled returns the shares in the size in which they add up to what is known, and how far the
// logarithms scatter there.
func (e explains) scaled(terms, truth, variances []float64) (explains, float64) {
	var logs []float64
	var sum, of float64
	for i, v := range variances {
		x := e.variance(terms[i], truth[i]*truth[i])
		if l := math.Log(v / x); !math.IsNaN(l) && !math.IsInf(l, 0) {
			logs, sum, of = append(logs, l), sum+v, of+x
		}
	}
	if len(logs) < 2 {
		return explains{}, math.MaxFloat64
	}
	by := sum / of
	return explains{e.ofTerms * by, e.ofTruth * by}, stat.Variance(logs, nil)
}

func meanSquare(x []float64) (sum float64) {
	for _, v := range x {
		sum += v * v
	}
	return sum / float64(max(len(x), 1))
}

// termsOf returns Σ_k â² b̂² of the elements of an excerpt, 0 where that is no number.
func termsOf(x op.Excerpt) []float64 {
	return ofExcerpt(x, func(a, b fp8.Blocked) *mat.Dense {
		return step.FiniteOrZero(fp8.Product(squared(a), squared(b)))
	})
}

// ofExcerpt returns what f makes of the operands of an excerpt, product by product.
func ofExcerpt(x op.Excerpt, f func(a, b fp8.Blocked) *mat.Dense) (all []float64) {
	c, err := op.Bind(x.Recording)
	if err != nil {
		panic("fp8: an excerpt that is no recording")
	}
	a := blocked(c.Input("a"), c.Input("a_scale"), 1)
	eachProduct(c, func(from, to int, b fp8.Blocked) {
		all = append(all, f(rowsOf(a, from, to), b).RawMatrix().Data...)
	})
	return all
}

// LooksRight tells whether the errors of an excerpt are as large as the sample says that they may
// be. A number of another kind than the truth, or two that are none, look wrong.
func (l *large) LooksRight(x op.Excerpt) bool {
	terms, truth := termsOf(x), ofExcerpt(x, fp8.Product)
	got, err := x.Recording.Tensor("out.c")
	if err != nil {
		panic("fp8: an excerpt that is no recording")
	}
	typ := x.Recording.Type("out.c")
	squares := make([]float64, len(truth))
	for i, t := range truth {
		e, ulp := got.Data[i]-t, typ.Spacing(t)
		if squares[i] = e * e / (l.variance(terms[i], t*t) + ulp*ulp/12); math.IsNaN(squares[i]) {
			return false
		}
	}
	return l.sample.LooksRight(squares, len(x.Part.Places[1]))
}
